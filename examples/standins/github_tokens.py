"""GitHub's tokens: short-lived access tokens, refresh tokens that rotate, and families that fall as a whole."""

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

REFRESH_LIFETIME = 15_897_600


@dataclass
class Family:
    """All tokens that descend from one consent."""

    number: int
    client_id: str
    scope: str
    device: bool = False
    issued: int = 0
    revoked: bool = False


@dataclass
class AccessToken:
    """A token that the API accepts until `expires_at` (monotonic; None: a personal token, without end)."""

    label: str
    family: Family | None
    expires_at: float | None

    def current(self) -> bool:
        """Whether the API would take it now."""
        if self.family and self.family.revoked:
            return False
        return self.expires_at is None or time.monotonic() < self.expires_at


@dataclass
class RefreshToken:
    """A token that is good for one refresh."""

    label: str
    family: Family
    used: bool = False


@dataclass
class Code:
    """An authorization code, single use, bound to client, redirect and PKCE challenge."""

    client_id: str
    redirect_uri: str
    challenge: str
    scope: str
    expires_at: float
    family: Family | None = None


@dataclass
class TokenStore:
    """Everything that github.com has issued."""

    access_lifetime: float = 15.0
    access: dict[str, AccessToken] = field(default_factory=dict)
    refresh: dict[str, RefreshToken] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    families: list[Family] = field(default_factory=list)
    refreshes: int = 0

    def personal(self, label: str) -> str:
        """A token of the kind that a person makes in the settings."""
        token = f"ghp_{_random()}"
        self.access[token] = AccessToken(label, None, None)
        return token

    def code(self, client_id: str, redirect_uri: str, challenge: str, scope: str) -> str:
        """Remember a consent and return the code for it."""
        code = secrets.token_hex(10)
        self.codes[code] = Code(client_id, redirect_uri, challenge, scope, time.monotonic() + 600)
        return code

    def redeem(self, code: str, client_id: str, redirect_uri: str | None, verifier: str) -> tuple[dict[str, Any], str] | str:
        """Exchange a code; a string is GitHub's error code."""
        known = self.codes.get(code)
        if known is None or known.client_id != client_id or time.monotonic() > known.expires_at:
            return "bad_verification_code"
        if known.family is not None:
            # A code that comes twice was stolen once: what it brought falls too.
            known.family.revoked = True
            return "bad_verification_code"
        if redirect_uri is not None and redirect_uri != known.redirect_uri:
            return "redirect_uri_mismatch"
        if not hmac.compare_digest(_s256(verifier), known.challenge):
            return "bad_verification_code"
        known.family = self.new_family(client_id, known.scope)
        return self.issue(known.family), "code"

    def renew(self, refresh_token: str, client_id: str, *, authenticated: bool) -> tuple[dict[str, Any], str] | str:
        """Rotate a refresh token; one that was used before revokes its family. Devices hold no client secret."""
        known = self.refresh.get(refresh_token)
        if known is None or known.family.client_id != client_id or known.family.revoked:
            return "bad_refresh_token"
        if not authenticated and not known.family.device:
            return "incorrect_client_credentials"
        if known.used:
            known.family.revoked = True
            return "bad_refresh_token"
        known.used = True
        self.refreshes += 1
        return self.issue(known.family), known.label

    def new_family(self, client_id: str, scope: str, *, device: bool = False) -> Family:
        """A new consent."""
        family = Family(len(self.families) + 1, client_id, scope, device)
        self.families.append(family)
        return family

    def issue(self, family: Family) -> dict[str, Any]:
        """A fresh pair in GitHub's form."""
        family.issued += 1
        access, refresh = f"ghu_{_random()}", f"ghr_{_random(76)}"
        label = f"{family.number}.{family.issued}"
        self.access[access] = AccessToken(f"token {label}", family, time.monotonic() + self.access_lifetime)
        self.refresh[refresh] = RefreshToken(f"refresh {label}", family)
        return {
            "access_token": access,
            "expires_in": int(self.access_lifetime),
            "refresh_token": refresh,
            "refresh_token_expires_in": REFRESH_LIFETIME,
            "scope": family.scope,
            "token_type": "bearer",
        }

    def values(self) -> list[str]:
        """Every value that must never be seen inside a sandbox."""
        return [*self.access, *self.refresh]


def _random(length: int = 36) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
