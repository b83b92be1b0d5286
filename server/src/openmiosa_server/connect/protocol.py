"""OAuth 2 as providers speak it, by Authlib; and what an answer means: a token, trouble, or a definitive no."""

import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from ..db.clock import now
from ..vault import SecretValue
from .http import Shared, Transport
from .providers import Provider

# These say that the grant itself is gone; everything else may be better in a minute and costs no token.
_DEFINITIVE = frozenset(
    (
        "invalid_grant",
        "bad_refresh_token",
        "invalid_refresh_token",
        "token_revoked",
        "token_expired",
        "access_denied",
        "bad_verification_code",
    )
)
_LONGEST_TOKEN = 64 * 1024
_LONGEST_LIFETIME = 10 * 365 * 86400


class Trouble(Exception):
    """The provider could not be asked, or its answer means nothing; try again later."""

    def __init__(self, message: str, *, retry_after: float | None = None, code: str = "provider_trouble") -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        self.code = code


class Denied(Exception):
    """The provider said no, and will say so again."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a token endpoint gave."""

    access: SecretValue
    refresh: SecretValue | None
    expires_at: datetime | None
    lifetime: float | None
    scopes: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Device:
    """What a device endpoint gave."""

    code: SecretValue
    user_code: str
    verification_uri: str
    expires_in: float
    interval: float


class Pending(Exception):
    """The user has not consented yet; `slower` asks for longer pauses."""

    def __init__(self, *, slower: bool) -> None:
        super().__init__("authorization_pending")
        self.slower = slower


class Protocol:
    """The four grants and the account, over the guarded transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def authorize_url(self, provider: Provider, *, state: str, verifier: str, redirect_uri: str, scopes: tuple[str, ...]) -> str:
        """Where the browser goes: code and PKCE S256, always."""
        client = self._client(provider, redirect_uri=redirect_uri, scope=" ".join(scopes) or None, code_challenge_method="S256")
        url, _ = client.create_authorization_url(
            provider.authorize_url, state=state, code_verifier=verifier, **provider.authorize_parameters
        )
        return str(url)

    async def exchange(self, provider: Provider, *, code: str, verifier: str, redirect_uri: str) -> Tokens:
        """Code and verifier for tokens."""
        async with self._client(provider, redirect_uri=redirect_uri) as client:
            began = now()
            answer = await _asked(
                client.fetch_token(provider.token_url, code=code, code_verifier=verifier, grant_type="authorization_code")
            )
        return _tokens(answer, began)

    async def refresh(self, provider: Provider, token: SecretValue) -> Tokens:
        """A refresh token for tokens; without a new refresh token the old one stays good."""
        async with self._client(provider) as client:
            began = now()
            answer = await _asked(client.refresh_token(provider.token_url, refresh_token=token.reveal_text()))
        return _tokens(answer, began)

    async def client_credentials(self, provider: Provider, scopes: tuple[str, ...]) -> Tokens:
        """The client's own secret for a token."""
        extra = {"scope": " ".join(scopes)} if scopes else {}
        async with self._client(provider) as client:
            began = now()
            answer = await _asked(client.fetch_token(provider.token_url, grant_type="client_credentials", **extra))
        return _tokens(answer, began)

    async def device(self, provider: Provider, scopes: tuple[str, ...], verifier: str | None = None) -> Device:
        """A code for the user to enter elsewhere."""
        form = {"client_id": provider.client_id or "", **({"scope": " ".join(scopes)} if scopes else {})}
        async with self._plain() as client:
            answer = await _answer(client.post(provider.device_url or "", data=form))
        if "error" in answer:
            raise Trouble(f"the provider refused the device flow: {text(answer.get('error'))}", code="device_flow_refused")
        code, user_code, uri = (
            answer.get("device_code"),
            answer.get("user_code"),
            answer.get("verification_uri") or answer.get("verification_url"),
        )
        if not (_proper(code) and isinstance(user_code, str) and _shown(uri)):
            raise Trouble("the provider's answer to the device flow means nothing")
        lifetime, interval = _seconds(answer.get("expires_in")) or 600.0, _seconds(answer.get("interval")) or 5.0
        return Device(SecretValue(str(code)), text(user_code, 64), str(uri), min(lifetime, 1800.0), max(interval, 1.0))

    async def poll_device(self, provider: Provider, code: SecretValue) -> Tokens:
        """Tokens, once the user has consented; Pending before."""
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": code.reveal_text(),
            "client_id": provider.client_id or "",
        }
        if provider.client_secret is not None:
            form["client_secret"] = provider.client_secret.reveal_text()
        async with self._plain() as client:
            began = now()
            answer = await _answer(client.post(provider.token_url or "", data=form))
        if answer.get("error") in ("authorization_pending", "slow_down"):
            raise Pending(slower=answer["error"] == "slow_down")
        if "error" in answer:
            raise _refused(answer["error"], answer.get("error_description"))
        return _tokens(answer, began)

    async def account(self, provider: Provider, token: SecretValue) -> str | None:
        """Whose account it is, when the provider says; not knowing is no failure."""
        if provider.userinfo_url is None or provider.account_field is None:
            return None
        async with self._plain() as client:
            try:
                headers = {"Authorization": f"Bearer {token.reveal_text()}"}
                answer = await _answer(client.get(provider.userinfo_url, headers=headers))
            except Trouble:
                return None
        name = answer.get(provider.account_field)
        return text(name, 255) if isinstance(name, str | int) else None

    def _client(self, provider: Provider, **options: Any) -> AsyncOAuth2Client:
        secret = None if provider.client_secret is None else provider.client_secret.reveal_text()
        method = "none" if secret is None else provider.client_auth
        return AsyncOAuth2Client(
            client_id=provider.client_id,
            client_secret=secret,
            token_endpoint_auth_method=method,
            transport=Shared(self._transport),
            trust_env=False,
            follow_redirects=False,
            **options,
        )

    def _plain(self) -> httpx2.AsyncClient:
        headers = {"Accept": "application/json", "User-Agent": "openmiosa"}
        return httpx2.AsyncClient(transport=Shared(self._transport), trust_env=False, follow_redirects=False, headers=headers)


def refresh_moment(tokens_expire: datetime | None, lifetime: float | None) -> datetime | None:
    """Ahead of the end by the smaller of 60 s and a fifth of the lifetime, and up to half as much again at random."""
    if tokens_expire is None or lifetime is None:
        return None
    lead = min(60.0, lifetime * 0.2)
    return tokens_expire - timedelta(seconds=lead * random.uniform(1.0, 1.5))  # noqa: S311 - spreads load, guards nothing


def text(value: object, limit: int = 300) -> str:
    """What a provider said, as one short printable line; it is shown as text and never as anything else."""
    line = " ".join(str(value or "").split())
    return "".join(letter for letter in line if letter.isprintable())[:limit]


async def _asked(call: Any) -> dict[str, Any]:
    """Authlib's call, its failures sorted."""
    try:
        answer: Any = await call
    except OAuthError as error:
        raise _refused(error.error, error.description) from None
    except httpx2.HTTPStatusError as error:
        raise _status_trouble(error.response) from None
    except httpx2.HTTPError as error:
        raise Trouble(f"the provider could not be reached ({type(error).__name__}: {text(error)})", code="provider_unreachable") from None
    except (ValueError, TypeError, UnicodeError, RecursionError):
        raise Trouble("the provider's answer is not JSON of a token endpoint", code="provider_answer") from None
    return dict(answer)


async def _answer(call: Any) -> dict[str, Any]:
    """A plain request's JSON object; OAuth errors in it are left to the caller."""
    try:
        response: httpx2.Response = await call
    except httpx2.HTTPError as error:
        raise Trouble(f"the provider could not be reached ({type(error).__name__}: {text(error)})", code="provider_unreachable") from None
    if response.status_code >= 500 or response.status_code == 429 or response.is_redirect:
        raise _status_trouble(response)
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise Trouble(f"the provider answered {response.status_code} without a JSON object", code="provider_answer")
    if response.is_error and "error" not in answer:
        raise _status_trouble(response)
    return answer


def _refused(code: object, description: object) -> Exception:
    known = text(code, 64) or "unknown"
    said = f"the provider said {known}" + (f": {text(description)}" if description else "")
    return Denied(known, said) if known in _DEFINITIVE else Trouble(said, code=known)


def _status_trouble(response: httpx2.Response) -> Trouble:
    wait = _seconds(response.headers.get("retry-after"))
    return Trouble(
        f"the provider answered {response.status_code}", retry_after=None if wait is None else min(wait, 3600.0), code="provider_status"
    )


def _tokens(answer: dict[str, Any], began: datetime) -> Tokens:
    access, refresh = answer.get("access_token"), answer.get("refresh_token")
    if not _proper(access):
        raise Trouble("the provider's answer has no access token", code="provider_answer")
    lifetime = _seconds(answer.get("expires_in"))
    scope = answer.get("scope")
    return Tokens(
        access=SecretValue(str(access)),
        refresh=SecretValue(refresh) if isinstance(refresh, str) and _proper(refresh) else None,
        # From the moment of asking, so that our idea of the end is never later than the provider's.
        expires_at=None if lifetime is None else began + timedelta(seconds=lifetime),
        lifetime=lifetime,
        scopes=tuple(scope.replace(",", " ").split())[:100] if isinstance(scope, str) else None,
    )


def _proper(token: object) -> bool:
    return isinstance(token, str) and 0 < len(token) <= _LONGEST_TOKEN and token.isascii() and token.isprintable() and " " not in token


def _shown(uri: object) -> bool:
    """An address that a person may be told to open: it is printed on a terminal, so nothing in it may steer one."""
    return (
        isinstance(uri, str) and len(uri) <= 500 and uri.startswith("https://") and uri.isascii() and uri.isprintable() and " " not in uri
    )


def _seconds(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return min(number, float(_LONGEST_LIFETIME)) if math.isfinite(number) and number > 0 else None
