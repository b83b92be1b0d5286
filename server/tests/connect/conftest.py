"""A provider of our own: a real TLS server under its real name, with a CA of its own, reached by a static host."""

import asyncio
import base64
import hashlib
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from openmiosa_server.connect import Connect, Protocol, Providers, StartConnection, Transport
from openmiosa_server.identity import Principal
from pydantic import SecretStr

HOST = "idp.example.test"
Handler = Callable[[dict[str, str]], tuple[int, str, bytes] | Awaitable[tuple[int, str, bytes]]]


@dataclass
class IdentityProvider:
    """Authorisation server: one-time codes bound to a PKCE challenge, rotating refresh tokens with family revocation."""

    folder: Path
    lifetime: float | None = 3600.0
    account: str = "octocat"
    rotate: bool = True
    issuer: str | None = None
    codes: dict[str, str] = field(default_factory=dict)
    refresh: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    faults: list[Handler] = field(default_factory=list)
    consented: bool = False
    port: int = 0

    async def start(self) -> None:
        """Listen on loopback."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate(self.folder, HOST))
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close."""
        self._server.close()
        await self._server.wait_closed()

    @property
    def ca(self) -> Path:
        """The certificate to trust."""
        return self.folder / "ca.pem"

    @property
    def token_calls(self) -> list[dict[str, str]]:
        """What the token endpoint was asked."""
        return [form for path, form in self.asked if path == "/token"]

    def consent(self, authorize_url: str, **changes: str) -> dict[str, str]:
        """What the browser brings back when the person says yes; PKCE S256 is demanded."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(authorize_url).query).items()}
        assert query["code_challenge_method"] == "S256"
        assert query["response_type"] == "code"
        code = secrets.token_urlsafe(8)
        self.codes[code] = query["code_challenge"]
        back = {"state": query["state"], "code": code, **({"iss": self.issuer} if self.issuer else {})}
        return {**back, **changes}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [int(line.split(":")[1]) for line in head.lower().split("\r\n") if line.startswith("content-length:")]
            form = parse_qs((await reader.readexactly(lengths[0] if lengths else 0)).decode())
            path = head.split(" ")[1]
            answer = self._answer(path, {name: values[0] for name, values in form.items()})
            status, kind, content = await answer if isinstance(answer, Awaitable) else answer
            extra = "location: https://other.example/\r\n" if status == 302 else ""
            top = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\nconnection: close\r\n{extra}\r\n"
            writer.write(top.encode() + content)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    def _answer(self, path: str, form: dict[str, str]) -> Any:
        self.asked.append((path, form))
        if path == "/user":
            return json_answer({"login": self.account})
        if self.faults:
            return self.faults.pop(0)(form)
        if path == "/device":
            uri = f"https://{HOST}/activate"
            return json_answer(
                {"device_code": "dev-1", "user_code": "ABCD-1234", "verification_uri": uri, "expires_in": 600, "interval": 1}
            )
        return self._token(form)

    def _token(self, form: dict[str, str]) -> tuple[int, str, bytes]:
        grant = form["grant_type"]
        if grant == "authorization_code":
            challenge = self.codes.pop(form["code"], None)
            made = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
            if challenge != made:
                return json_answer({"error": "invalid_grant"}, 400)
        elif grant == "refresh_token":
            if form["refresh_token"] not in self.refresh:
                if form["refresh_token"] in self.used:
                    self.refresh.clear()  # a replayed token ends the whole family
                return json_answer({"error": "invalid_grant", "error_description": "gone"}, 400)
            if self.rotate:
                self.refresh.discard(form["refresh_token"])
                self.used.add(form["refresh_token"])
        elif grant.endswith("device_code") and not self.consented:
            return json_answer({"error": "authorization_pending"}, 400)
        return json_answer(self.tokens())

    def tokens(self) -> dict[str, Any]:
        """A fresh set."""
        made: dict[str, Any] = {"access_token": f"at-{secrets.token_hex(12)}", "token_type": "bearer", "scope": "repo"}
        if self.rotate:
            made["refresh_token"] = f"rt-{secrets.token_hex(12)}"
            self.refresh.add(made["refresh_token"])
        if self.lifetime is not None:
            made["expires_in"] = self.lifetime
        return made


def json_answer(content: dict[str, Any], status: int = 200) -> tuple[int, str, bytes]:
    """A JSON response."""
    return status, "application/json", json.dumps(content).encode()


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A CA in `ca.pem`, and a leaf for the name with its key."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])
    start, end = datetime.now(UTC) - timedelta(minutes=5), datetime.now(UTC) + timedelta(days=1)

    def made(subject: x509.Name, public: Any, *, ca: bool) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if not ca:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return builder.sign(ca_key, hashes.SHA256())

    root = made(issuer, ca_key.public_key(), ca=True)
    leaf = made(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key(), ca=False)
    (folder / "ca.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (folder / "leaf.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    plain = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "leaf.key").write_bytes(plain)
    return folder / "leaf.pem", folder / "leaf.key"


@pytest.fixture
async def idp(tmp_path: Path) -> AsyncIterator[IdentityProvider]:
    """The provider, listening."""
    provider = IdentityProvider(tmp_path)
    await provider.start()
    yield provider
    await provider.stop()


@dataclass
class World:
    """Connect over a real core, and a sandbox to connect for."""

    core: Any
    idp: IdentityProvider
    connect: Connect
    principal: Principal
    sandbox_id: str
    providers: Providers

    def another(self) -> Connect:
        """A second server on the same database."""
        return make_connect(self.core, self.idp, self.providers)

    async def begin(self, **given: Any) -> Any:
        """Start a flow for the sandbox."""
        asked = StartConnection(provider="acme", expose_as_env="ACME_TOKEN", resource_id=self.sandbox_id, **given)
        return await self.connect.start(self.principal, asked)

    async def connected(self) -> str:
        """Start and consent; the secret's id."""
        started = await self.begin()
        finished = await self.connect.callback(self.idp.consent(started.authorize_url))
        assert finished.ok, finished.message
        return str(started.secret_id)

    async def secret(self, secret_id: str) -> Any:
        """The secret's description."""
        return await self.core.vault.get(self.principal, secret_id)

    async def value(self, secret_id: str, purpose: str = "value") -> str:
        """What is stored, as egressd would be lent it."""
        async with self.core.database.read() as tx:
            return (await self.core.vault.lend(tx, secret_id, purpose))[1].reveal_text()


def make_connect(core: Any, idp: IdentityProvider, providers: Providers) -> Connect:
    """Connect with a transport of its own."""
    transport = Transport(static_hosts={f"{HOST}:443": f"127.0.0.1:{idp.port}"}, extra_ca_files=[idp.ca])
    return Connect(
        core.database,
        core.identity,
        core.vault,
        core.publisher,
        providers=providers,
        protocol=Protocol(transport),
        public_url="http://localhost:7878",
    )


def registration(**changes: Any) -> dict[str, Any]:
    """The operator's own provider, as the configuration gives it."""
    base = f"https://{HOST}"
    return {
        "client_id": "client-1",
        "client_secret": SecretStr("client-secret-1"),
        "display_name": "Acme",
        "authorize_url": f"{base}/authorize",
        "token_url": f"{base}/token",
        "device_url": f"{base}/device",
        "userinfo_url": f"{base}/user",
        "account_field": "login",
        "scopes": ["repo"],
        "hosts": ["api.example.test"],
        **changes,
    }


@pytest.fixture
async def world(core: Any, idp: IdentityProvider) -> World:
    """Everything together."""
    principal = await core.tenant()
    sandbox_id = await core.sandbox(principal, "support-agent")
    providers = Providers({"acme": registration()})
    return World(core, idp, make_connect(core, idp, providers), principal, sandbox_id, providers)
