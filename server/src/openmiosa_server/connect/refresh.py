"""Refreshing: one call at a time for a connection, in this process and across processes; nothing lost on trouble."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import structlog
from sqlalchemy.engine import RowMapping

from ..db.clock import now
from ..db.engine import Database
from ..errors import NotFound, OpenMiosaError
from ..vault import SecretValue, Vault
from . import rows
from .complete import Ledger
from .protocol import Denied, Protocol, Tokens, Trouble
from .providers import Provider

_LOCKED_FOR = timedelta(seconds=25)  # longer than a call can take; a holder that died gives it back by this
_LOOK_AGAIN = 0.05
_BACKOFF = (2.0, 60.0)  # the first pause after trouble, and the longest

log = structlog.get_logger(__name__)

Result = tuple[str, int]  # refreshed | unchanged | needs_reauth | unavailable, and the version in use now


class Refresher:
    """`refresh` for the scheduler and for a 401; both end up in one call."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        protocol: Protocol,
        ledger: Ledger,
        publish: Callable[[str], Awaitable[None]],
        provider_of: Callable[[str], Provider],
    ) -> None:
        self._database = database
        self._vault = vault
        self._protocol = protocol
        self._ledger = ledger
        self._publish = publish
        self._provider_of = provider_of
        self._flights: dict[str, asyncio.Task[Result]] = {}
        self._after_401: dict[str, int] = {}

    async def after_401(self, sandbox_id: str, secret_id: str, version: int) -> Result:
        """An upstream refused this version. A token that such a refresh brought is not refreshed for a 401 again while it lives."""
        async with self._database.read() as tx:
            secret = await rows.secret_row(tx, secret_id)
            held = await rows.connection(tx, secret_id)
        if (known := _already(secret, held, version)) is not None:
            return known
        assert held is not None
        fresh = held["expires_at"] is None or held["expires_at"] > now()
        if fresh and self._after_401.get(secret_id) == version:
            return "unchanged", version
        result = await self.refresh(secret_id, version)
        if result[0] == "refreshed":
            self._after_401[secret_id] = result[1]
        return result

    async def refresh(self, secret_id: str, version: int) -> Result:
        """Get a newer token than `version`, once for all who ask meanwhile."""
        flight = self._flights.get(secret_id)
        if flight is None:
            flight = asyncio.create_task(self._refresh(secret_id, version))
            self._flights[secret_id] = flight
            flight.add_done_callback(lambda done: self._flights.pop(secret_id, None))
        return await asyncio.shield(flight)

    async def settle(self) -> None:
        """Let calls in flight end: their rotated tokens must be stored."""
        if self._flights:
            await asyncio.gather(*self._flights.values(), return_exceptions=True)

    async def _refresh(self, secret_id: str, version: int) -> Result:
        while True:
            async with self._database.begin() as tx:
                secret = await rows.secret_row(tx, secret_id)
                held = await rows.connection(tx, secret_id)
                if (known := _already(secret, held, version)) is not None:
                    return known
                assert secret is not None
                assert held is not None
                if await rows.claim(tx, secret_id, now() + _LOCKED_FOR):
                    break
            await asyncio.sleep(_LOOK_AGAIN)  # another process has the call; its commit is what is waited for
        try:
            tokens = await self._ask(held)
        except Trouble as trouble:
            return await self._troubled(secret, held, trouble)
        except Denied as denied:
            return await self._denied(secret, denied)
        except OpenMiosaError as error:
            return await self._troubled(secret, held, Trouble(error.message, code=error.code))
        return await self._succeeded(secret, held, tokens)

    async def _ask(self, held: RowMapping) -> Tokens:
        if held["settings"]:
            return await self._protocol.client_credentials(await self._machine(held), tuple(held["scopes"]))
        async with self._database.read() as tx:
            _, token = await self._vault.lend(tx, held["secret_id"], "refresh_token")
        return await self._protocol.refresh(self._provider_of(held["provider"]), token)

    async def _machine(self, held: RowMapping) -> Provider:
        async with self._database.read() as tx:
            _, client_secret = await self._vault.lend(tx, held["secret_id"], "client_secret")
        return machine_provider(held["provider"], held["settings"], client_secret)

    async def _succeeded(self, secret: RowMapping, held: RowMapping, tokens: Tokens) -> Result:
        # Only the provider knows the rotated token now: until the commit below it must not be interrupted.
        about = {
            "provider": held["provider"],
            "account": held["account"],
            "scopes": list(tokens.scopes or held["scopes"]),
            "settings": held["settings"],
            "refreshable": True,
        }
        try:
            async with self._database.begin() as tx:
                version = await self._ledger.write(tx, secret["tenant_id"], secret["id"], tokens, about)
        except NotFound:
            return "unavailable", int(secret["version"])  # deleted meanwhile
        log.info("token_refreshed", secret=secret["id"], provider=held["provider"], version=version)
        try:
            await self._publish(secret["id"])
        except OpenMiosaError as error:
            log.warning("token_not_lent", secret=secret["id"], reason=error.message)
            return "unavailable", version
        return "refreshed", version

    async def _troubled(self, secret: RowMapping, held: RowMapping, trouble: Trouble) -> Result:
        failures = int(held["failures"]) + 1
        first, longest = _BACKOFF
        pause = max(trouble.retry_after or 0.0, min(longest, first * 2 ** min(failures - 1, 10)) * random.uniform(0.5, 1.0))  # noqa: S311
        log.warning(
            "token_refresh_failed",
            secret=secret["id"],
            provider=held["provider"],
            reason=trouble.message,
            failures=failures,
            again_in=round(pause, 1),
        )
        async with self._database.begin() as tx:
            again = now() + timedelta(seconds=pause)
            await rows.change_connection(
                tx, secret["id"], failures=failures, last_error=trouble.message[:1000], refresh_after=again, refreshing_until=None
            )
        return "unavailable", int(secret["version"])

    async def _denied(self, secret: RowMapping, denied: Denied) -> Result:
        # Before a failure is declared, another process may have been faster with the same refresh token.
        async with self._database.read() as tx:
            newer = await rows.secret_row(tx, secret["id"])
        if newer is not None and newer["version"] > secret["version"]:
            return "refreshed", int(newer["version"])
        log.error("connection_lost", secret=secret["id"], name=secret["name"], reason=denied.message, hint="connect it again")
        await self._ledger.lost(secret, denied.code, denied.message)
        return "needs_reauth", int(secret["version"])


def _already(secret: RowMapping | None, held: RowMapping | None, version: int) -> Result | None:
    """What can be answered without asking the provider."""
    if secret is None or held is None:
        return "unavailable", version
    if secret["version"] > version:
        return "refreshed", int(secret["version"])
    if held["state"] != "ready":
        return ("needs_reauth" if held["state"] == "needs_reauth" else "unchanged"), version
    return None


def machine_provider(name: str, settings: dict[str, str], client_secret: SecretValue) -> Provider:
    """A machine's own token endpoint as a provider."""
    plain = Provider(name=name, token_url=settings["token_url"], client_auth=settings.get("client_auth", "client_secret_basic"))
    return replace(plain, client_id=settings["client_id"], client_secret=client_secret)
