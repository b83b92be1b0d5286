"""Connected accounts: start, callback, device flow, machines, status. Refreshing is in `refresh.py`."""

import secrets as randomness
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog
from sqlalchemy.engine import RowMapping

from ..db.clock import now
from ..db.engine import Database
from ..errors import Conflict, Invalid, NotFound, OpenMiosaError, Unavailable
from ..identity import Identity, Principal, RequestInfo
from ..vault import BoundSecret, SecretValue, SetSecret, Vault
from . import rows
from .complete import AccountMismatch, Ledger
from .protocol import Denied, Protocol, Tokens, Trouble, text
from .providers import Provider, Providers, check_url
from .refresh import Refresher, Result, machine_provider
from .types import Finished, MachineConnection, Publishes, StartConnection, Started

FLOW_LIFETIME = timedelta(minutes=10)
_VAULT_SCOPES = ("tenant", "workspace", "user", "external_user", "external_workspace")
_CALLBACK = "/api/v1/egress/oauth/callback"

log = structlog.get_logger(__name__)


class Connect:
    """What the API and the link call."""

    def __init__(
        self,
        database: Database,
        identity: Identity,
        vault: Vault,
        publisher: Publishes,
        *,
        providers: Providers,
        protocol: Protocol,
        public_url: str,
        redirect_hosts: tuple[str, ...] = (),
    ) -> None:
        self._database = database
        self._identity = identity
        self._vault = vault
        self._publisher = publisher
        self._providers = providers
        self._protocol = protocol
        self._redirect_hosts = redirect_hosts
        self.callback_url = public_url + _CALLBACK
        self.ledger = Ledger(database, vault, publisher)
        self.refresher = Refresher(
            database, vault, protocol=protocol, ledger=self.ledger, publish=publisher.publish_secret, provider_of=providers.get
        )

    async def refresh(self, sandbox_id: str, secret_id: str, version: int) -> Result:
        """What the link asks after an upstream's 401."""
        return await self.refresher.after_401(sandbox_id, secret_id, version)

    async def providers(self, principal: Principal, *, request: RequestInfo | None = None) -> list[Provider]:
        """All that this installation knows."""
        await self._identity.authorize(principal, "secrets:read", "connect:provider:list", request=request, record=False)
        return self._providers.all()

    async def start(self, principal: Principal, given: StartConnection, *, request: RequestInfo | None = None) -> Started:
        """Reserve the secret, remember the flow, and say where the person goes."""
        about = {"provider": given.provider[:64], "flow": given.flow, "resource_id": (given.resource_id or "")[:255]}
        await self._identity.authorize(
            principal, "secrets:write", "connect:flow:start", resource_type="secret", metadata=about, request=request
        )
        provider = self._providers.ready(given.provider, given.flow)
        after = self._checked_redirect(given.redirect_uri)
        scopes, vault_scope = _scopes(provider, given)
        wanted = SetSecret(
            name=provider.secret_name,
            type="oauth_connect",
            scope=vault_scope,
            expose_as_env=given.expose_as_env or provider.expose_as_env,
            allowed_hosts=provider.hosts,
            provider=provider.name,
            workspace_id=given.workspace_id,
            owner_user_id=given.owner_user_id,
            external_user_id=given.external_user_id or principal.external_user_id,
            external_workspace_id=given.external_workspace_id,
            resource_id=given.resource_id,
            resource_type=given.resource_type,
        )
        return await self._begin(principal, provider, wanted, flow=given.flow, scopes=scopes, after=after)

    async def reauthorize(
        self, principal: Principal, key: str, *, flow: str = "code", resource_id: str | None = None, request: RequestInfo | None = None
    ) -> Started:
        """Run the flow again for a connection that exists."""
        secret = await self._vault.get(principal, key, resource_id=resource_id, scope="secrets:write", request=request)
        if secret.type != "oauth_connect" or secret.provider is None:
            raise Conflict(f"{secret.name} is no connected account; rotate it instead", code="NOT_A_CONNECTION")
        async with self._database.read() as tx:
            held = await rows.connection(tx, secret.id)
        again = StartConnection(
            provider=secret.provider,
            flow=flow,
            expose_as_env=secret.expose_as_env,
            scope=secret.scope,
            scopes=tuple(held["scopes"]) if held is not None and held["scopes"] else None,
            workspace_id=secret.workspace_id,
            owner_user_id=secret.owner_user_id,
            external_user_id=secret.external_user_id,
            external_workspace_id=secret.external_workspace_id,
            resource_id=secret.resource_id,
            resource_type=secret.resource_type,
        )
        return await self.start(principal, again, request=request)

    async def machine(self, principal: Principal, given: MachineConnection, *, request: RequestInfo | None = None) -> BoundSecret:
        """Client credentials: the first token is fetched before anything is stored."""
        about = {"name": given.name[:255], "token_url": given.token_url[:255]}
        await self._identity.authorize(
            principal, "secrets:write", "connect:machine:create", resource_type="secret", metadata=about, request=request
        )
        if given.client_auth not in ("client_secret_basic", "client_secret_post"):
            raise Invalid("client_auth is client_secret_basic or client_secret_post", details={"field": "client_auth"})
        settings = {"token_url": check_url(given.token_url, "token_url"), "client_id": given.client_id, "client_auth": given.client_auth}
        provider = machine_provider(given.name, settings, given.client_secret)
        try:
            tokens = await self._protocol.client_credentials(provider, given.scopes)
        except (Trouble, Denied) as error:
            status = 422 if isinstance(error, Denied) or error.code.startswith(("invalid", "unauthorized")) else 502
            raise OpenMiosaError(
                f"no token from {urlsplit(given.token_url).hostname}: {error.message}; nothing was stored",
                code="TOKEN_REFUSED" if status == 422 else "PROVIDER_TROUBLE",
                status=status,
            ) from None
        return await self._keep_machine(principal, given, settings, tokens)

    async def status(self, principal: Principal, state: str, *, request: RequestInfo | None = None) -> dict[str, Any]:
        """How a flow stands; a pending one is an answer, not an error."""
        await self._identity.authorize(principal, "secrets:read", "connect:flow:get", request=request, record=False)
        async with self._database.read() as tx:
            flow = await rows.flow(tx, state, principal)
        if flow is None:
            raise NotFound("no such connection attempt, or one that ended long ago; start one", code="UNKNOWN_STATE")
        status, error, message = flow["status"], flow["error"], flow["message"]
        if status == "expired" or (status == "pending" and flow["expires_at"] <= now()):
            status, error, message = "failed", error or "expired", message or "nobody consented within ten minutes; start again"
        shown = {"status": status, "state": state, "secret_id": flow["secret_id"], "provider": flow["provider"]}
        return {**shown, "error": error, "message": message}

    async def callback(self, given: dict[str, str]) -> Finished:
        """What the browser brought back from the provider."""
        state = given.get("state", "")
        async with self._database.begin() as tx:
            flow = await rows.flow(tx, state) if 0 < len(state) <= 512 else None
            taken = flow is not None and flow["kind"] == "code" and await rows.take(tx, state)
        if flow is None or not taken:
            return Finished(
                False, "Not connected", "This link is unknown, was used already, or is older than ten minutes. Start the connection again."
            )
        try:
            tokens = await self._exchange(flow, given)
            return await self._finish(flow, tokens)
        except (Trouble, Denied) as error:
            status = "denied" if error.code == "access_denied" else "failed"
            await self.ledger.failed(flow, status, error.code, error.message)
            return Finished(False, "Not connected", f"{error.message}. Start the connection again.", flow["request"].get("after"))

    async def finish_device(self, flow: RowMapping) -> float | None:
        """Ask once whether the user has consented; the extra pause that the provider wants, or None when it is over."""
        try:
            provider = self._providers.ready(flow["provider"], "device")
            async with self._database.read() as tx:
                _, code = await self._vault.lend(tx, flow["secret_id"], "pkce_verifier")
            tokens = await self._protocol.poll_device(provider, code)
            await self._finish(flow, tokens)
        except Denied as denied:
            status = "denied" if denied.code == "access_denied" else "failed"
            await self.ledger.failed(flow, status, denied.code, denied.message)
        except OpenMiosaError as error:
            await self.ledger.failed(flow, "failed", error.code, error.message)
        return None

    async def _begin(
        self, principal: Principal, provider: Provider, wanted: SetSecret, *, flow: str, scopes: tuple[str, ...], after: str | None
    ) -> Started:
        state, verifier = randomness.token_urlsafe(32), SecretValue(randomness.token_urlsafe(48))
        url, device, expires = "", None, now() + FLOW_LIFETIME
        if flow == "device":
            try:
                device = await self._protocol.device(provider, scopes)
            except Trouble as trouble:
                raise Unavailable(f"{provider.name}: {trouble.message}", code="PROVIDER_TROUBLE", status=502) from None
            verifier, url = device.code, device.verification_uri
            expires = min(expires, now() + timedelta(seconds=device.expires_in))
        else:
            url = self._protocol.authorize_url(
                provider, state=state, verifier=verifier.reveal_text(), redirect_uri=self.callback_url, scopes=scopes
            )
        about = {"scopes": list(scopes), "after": after, "interval": device.interval if device else None}
        async with self._database.begin() as tx:
            bound = await self._vault.reserve(tx, principal.tenant_id, wanted, external_user_id=principal.external_user_id)
            await self._vault.store(tx, principal.tenant_id, bound.secret.id, "pkce_verifier", verifier)
            row = {
                "state_hash": rows.digest(state),
                "tenant_id": principal.tenant_id,
                "provider": provider.name,
                "secret_id": bound.secret.id,
                "kind": flow,
                "status": "pending",
                "redirect_uri": self.callback_url,
                "request": about,
                "started_by": principal.key_id,
                "created_at": now(),
                "expires_at": expires,
            }
            await rows.add_flow(tx, row)
        await self._publisher.publish_secret(bound.secret.id)
        started = Started(provider.name, state, bound.secret.id, expires, self.callback_url, url)
        if device is None:
            return started
        return replace(started, user_code=device.user_code, verification_uri=device.verification_uri, interval=device.interval)

    async def _exchange(self, flow: RowMapping, given: dict[str, str]) -> Tokens:
        provider = self._providers.ready(flow["provider"], "code")
        if provider.issuer is not None and given.get("iss") != provider.issuer:
            # RFC 9207: an answer that does not name its sender may be another provider's.
            raise Trouble("the answer does not come from the provider that was asked", code="issuer_mismatch")
        if "error" in given:
            error = text(given["error"], 64) or "unknown"
            said = text(given.get("error_description")) or error
            raise Denied(error, f"{provider.display_name or provider.name} did not give access: {said}")
        code = given.get("code", "")
        if not 0 < len(code) <= 4096:
            raise Trouble("the provider's answer has no code", code="no_code")
        async with self._database.read() as tx:
            _, verifier = await self._vault.lend(tx, flow["secret_id"], "pkce_verifier")
        return await self._protocol.exchange(provider, code=code, verifier=verifier.reveal_text(), redirect_uri=flow["redirect_uri"])

    async def _finish(self, flow: RowMapping, tokens: Tokens) -> Finished:
        provider = self._providers.get(flow["provider"])
        account = await self._protocol.account(provider, tokens.access)
        try:
            await self.ledger.connected(flow, tokens, account)
        except AccountMismatch as error:
            raise Denied("account_mismatch", error.message) from None
        except NotFound:
            raise Denied("secret_deleted", "the connection was deleted meanwhile") from None
        async with self._database.read() as tx:
            sandbox = await rows.sandbox_name(tx, flow["secret_id"])
        who = f"{provider.display_name or provider.name}{f' account {account}' if account else ''}"
        where = f"sandbox {sandbox}" if sandbox else "your sandboxes"
        return Finished(True, "Connected", f"{who} is connected for {where}. You can close this window.", flow["request"].get("after"))

    async def _keep_machine(self, principal: Principal, given: MachineConnection, settings: dict[str, str], tokens: Tokens) -> BoundSecret:
        wanted = SetSecret(
            name=given.name,
            type="oauth_machine",
            scope=given.scope,
            expose_as_env=given.expose_as_env,
            allowed_hosts=given.allowed_hosts,
            workspace_id=given.workspace_id,
            owner_user_id=given.owner_user_id,
            external_user_id=given.external_user_id or principal.external_user_id,
            external_workspace_id=given.external_workspace_id,
            resource_id=given.resource_id,
            resource_type=given.resource_type,
        )
        async with self._database.begin() as tx:
            bound = await self._vault.reserve(tx, principal.tenant_id, wanted, external_user_id=principal.external_user_id)
            await self._vault.store(tx, principal.tenant_id, bound.secret.id, "client_secret", given.client_secret)
            about = {"provider": given.name[:64], "account": given.client_id[:255], "scopes": list(given.scopes), "settings": settings}
            await self.ledger.write(tx, principal.tenant_id, bound.secret.id, replace(tokens, refresh=None), about)
        await self._publisher.publish_secret(bound.secret.id)
        return replace(bound, secret=await self._vault.get(principal, bound.secret.id, scope="secrets:write"))

    def _checked_redirect(self, uri: str | None) -> str | None:
        """Where the browser goes in the end: nowhere, or to a host that the operator named."""
        if uri is None or uri == self.callback_url:
            return None
        # A browser reads `\\` as `/`, so that the host of `https://a\\@b/` is a for it and b for us.
        proper = len(uri) <= 2000 and uri.isascii() and uri.isprintable() and "\\" not in uri and "@" not in urlsplit(uri).netloc
        host = urlsplit(uri).hostname if proper else None
        if host is None or host not in self._redirect_hosts or urlsplit(uri).scheme != "https":
            raise Invalid(
                "redirect_uri is https:// to a host listed by the operator in oauth.redirect_hosts; leave it out to end on our own page",
                code="BAD_REDIRECT",
                details={"field": "redirect_uri"},
            )
        return uri


def _scopes(provider: Provider, given: StartConnection) -> tuple[tuple[str, ...], str]:
    scopes, vault_scope = given.scopes, "user"
    if given.scope is not None and given.scope in _VAULT_SCOPES:
        vault_scope = given.scope
    elif given.scope and scopes is None:
        scopes = tuple(given.scope.split())
    chosen = provider.scopes if scopes is None else scopes
    if any(not scope or not scope.isascii() or not scope.isprintable() or len(scope) > 255 for scope in chosen) or len(chosen) > 100:
        raise Invalid("scopes are short words without blanks", details={"field": "scopes"})
    return chosen, vault_scope
