"""Publishing: what was committed becomes enforced, and only then is it acknowledged.

One publish: read the newest state of the sandbox, lend what it needs, put the snapshot, take back what it no
longer needs. egressd answers each message when it holds. Nobody there to answer means nothing is let through,
which enforces everything; somebody there who does not answer means the caller is told so.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..bindings import Binder, effective
from ..db.engine import Database
from ..db.tables import sandboxes
from ..errors import OpenMiosaError, Unavailable
from ..vault.envelopes import Envelopes
from . import authority, epoch, sealing
from .client import EgressClient, Gone, Refused
from .gate import Gate
from .held import Held
from .leases import Need, Prepared, live, prepare
from .resync import put_everything

_ATTEMPTS = 4
_READINGS = 64  # of a sandbox whose values change faster than they are lent
_ANY = ""  # among the unconfirmed: something failed before it was known which sandboxes it concerns
_MEND_EVERY = 1.0  # seconds between tries to confirm what was left unconfirmed

log = structlog.get_logger(__name__)


class Publisher:
    """Carries changes to egressd; satisfies `db.ports.Publishes`."""

    def __init__(self, database: Database, envelopes: Envelopes, egress: EgressClient) -> None:
        self.database = database
        self.egress = egress
        self._envelopes = envelopes
        self._binder = Binder()
        self.held: Held | None = None
        self._fenced = False
        self._hellos = 0
        self._troubles = 0
        self._closed = False
        self._gate = Gate()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._unconfirmed: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._greeting: asyncio.Task[None] | None = None
        self._mending: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether an egressd is there and holds what it should."""
        return self.held is not None and self._fenced and not self._unconfirmed

    async def touch(self, tx: AsyncConnection, sandbox_ids: Iterable[str]) -> None:
        """Raise the revisions, and mint the placeholders that the change calls for, in the transaction of the change."""
        ids = sorted(set(sandbox_ids))
        await tx.execute(update(sandboxes).where(sandboxes.c.id.in_(ids)).values(revision=sandboxes.c.revision + 1))
        for row in (await tx.execute(select(sandboxes).where(sandboxes.c.id.in_(ids)))).mappings().all():
            await effective(tx, row, mint=True)

    async def publish(self, sandbox_id: str) -> None:
        """Make the sandbox's newest committed state enforced."""
        with self._mended_unless_done([sandbox_id]):
            async with self._turns[sandbox_id]:
                await self._enforce(lambda: self._publish(sandbox_id))

    async def publish_many(self, sandbox_ids: Iterable[str]) -> None:
        """Publish several at once; when some are not confirmed, all were tried before that is said."""
        ids = sorted(set(sandbox_ids))
        with self._mended_unless_done(ids):
            results = await asyncio.gather(*(self.publish(sandbox_id) for sandbox_id in ids), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result

    async def publish_secret(self, secret_id: str) -> None:
        """Put a secret's newest value and state wherever it is used."""
        with self._mended_unless_done([]):
            async with self.database.read() as tx:
                users = await self._binder.users(tx, secret_id)
        await self.publish_many(users)

    async def withdraw_secret(self, secret_id: str, sandbox_ids: Iterable[str]) -> None:
        """Take a value back at once, then publish the sandboxes that used it."""
        ids = list(sandbox_ids)
        with self._mended_unless_done(ids):
            await self._enforce(lambda: self._take_back([secret_id]))
            await self.publish_many(ids)

    async def withdraw(self, sandbox_id: str) -> None:
        """End a sandbox in the data plane: its connections, its snapshot, and the leases that only it needed."""
        with self._mended_unless_done([sandbox_id]):
            async with self._turns[sandbox_id]:
                await self._enforce(lambda: self._drop(sandbox_id))
        self._turns.pop(sandbox_id, None)

    async def hello(self, gateway: str, boot: str, public_key: bytes) -> int:
        """A gateway greets: raise the epoch, answer it, and put everything after the answer.

        It repeats its hello now and then; one whose boot holds all already, or is being given it, is only answered.
        """
        greeting = self._greeting is not None and not self._greeting.done()
        known = self.held is not None and self.held.boot == boot
        if not (known and (self._fenced or greeting)):
            self.held = Held(gateway, boot, public_key)
            self._hellos += 1
            self._fenced = False
            self._greeting = self._spawn(self._greet())
        return await epoch.current(self.database)

    async def resync(self) -> None:
        """Raise the epoch and put everything again; at the server's start, and whenever egressd is not whom we knew."""
        with self._mended_unless_done([]):
            async with self._gate.exclusive():
                await self._resync()

    async def close(self) -> None:
        """Stop what runs in the background and close the connections."""
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.egress.close()

    async def lend(self, held: Held, need: Need) -> bool:
        """Seal the value to this boot and put it; what cannot be opened is not lent, and its use is refused there.

        False when a newer value was committed since the need was read: it may be meant for other hosts, so both are read again.
        """
        try:
            async with self.database.read() as tx:
                version, value = await self._envelopes.lend(tx, need.owner, need.stored_purpose)
        except OpenMiosaError as error:
            # A lockdown must not fail because one value is damaged or the vault is sealed. An older value may not stay, though.
            log.error("lease_not_lent", lease=need.lease, code=error.code)
            if held.stale(need):
                await self.egress.delete_lease(need.lease)
                held.leases.pop(need.lease, None)
            return True
        if version != need.version:
            return False
        sealed = sealing.seal(
            held.public_key, value, boot=held.boot, lease=need.lease, tenant=need.tenant, purpose=need.purpose, version=version
        )
        message = {
            "v": 1,
            "lease": need.lease,
            "tenant": need.tenant,
            "purpose": need.purpose,
            "version": version,
            "expires_in_ms": need.lifetime_ms(),
            "sealed": sealed,
        }
        try:
            await self.egress.put_lease(message)
        except Refused as error:
            if error.code != "stale_version":
                raise
            # It holds a higher version than the database knows: the database was restored. Ours is the truth.
            await self.egress.delete_lease(need.lease)
            await self.egress.put_lease(message)
        held.leases[need.lease] = (need.version, need.expires_at)
        return True

    async def _enforce(self, work: Callable[[], Awaitable[bool]]) -> None:
        """Do the work when egressd is fenced; where it says that egressd is not whom we knew, put everything again, this change with it."""
        await self._fence()
        async with self._gate.shared():
            settled = await work()
        if not settled:
            await self.resync()

    @contextmanager
    def _mended_unless_done(self, sandbox_ids: list[str]) -> Iterator[None]:
        """What is committed must come to hold, whatever ends the block: trouble of egressd or the database, or a caller that went away."""
        try:
            yield
        except BaseException:
            self._mend_later(sandbox_ids)
            raise
        self._unconfirmed.difference_update(sandbox_ids)

    async def _publish(self, sandbox_id: str) -> bool:
        refusals = 0
        for _ in range(_READINGS):
            async with self.database.read() as tx:
                prepared = await prepare(tx, sandbox_id)
            if prepared is None:
                return await self._drop(sandbox_id)
            if self.held is None and not await self._meet():
                return True
            try:
                # A caller whose value was overtaken may not be told that no older one is used while one still is.
                if self.held is None or await self._put(self.held, prepared):
                    return True
            except Gone:
                self.held = None
                return True
            except Refused as error:
                if not await self._mended(error, prepared):
                    return False
                refusals += 1
                if refusals == _ATTEMPTS:
                    break
        raise Unavailable("the egress gateway keeps refusing the snapshot; see the server's log", code="NOT_CONFIRMED", retry=True)

    async def _put(self, held: Held, prepared: Prepared) -> bool:
        before = held.snapshots.get(prepared.sandbox)
        late = []
        for need in prepared.needs:
            if held.has(need):
                continue
            if held.agreed(need, prepared.hosts.get(need.lease)):
                if not await self.lend(held, need):
                    return False
                continue
            if held.stale(need):
                await self.egress.delete_lease(need.lease)
                held.leases.pop(need.lease, None)
            late.append(need)
        if before is None or before.snapshot != prepared.snapshot:
            await self.egress.put_snapshot(prepared.snapshot)
        held.snapshots[prepared.sandbox] = prepared
        for need in late:
            if held.agreed(need, prepared.hosts.get(need.lease)) and not await self.lend(held, need):
                return False
        for lease in held.unneeded(need.lease for need in before.needs) if before else ():
            await self.egress.delete_lease(lease)
            held.leases.pop(lease, None)
        return True

    async def _mended(self, error: Refused, prepared: Prepared) -> bool:
        """After a refusal: whether another try makes sense; False asks for a resync."""
        log.warning("egressd_refused", sandbox=prepared.sandbox, status=error.status, code=error.code)
        if error.code == "stale_epoch":
            return False
        status = await self._status()
        if status is None or self.held is None or status["boot"] != self.held.boot:
            return False
        if error.code == "stale_revision":
            there = {entry["sandbox"]: int(entry["revision"]) for entry in status["sandboxes"]}
            await epoch.raise_revision(self.database, prepared.sandbox, there.get(prepared.sandbox, 0))
            return True
        raise Unavailable(
            f"the change is stored, but the egress gateway refused the snapshot with it: {error}; undo the change",
            code="NOT_CONFIRMED",
            retry=False,
        )

    async def _drop(self, sandbox_id: str) -> bool:
        held = self.held
        try:
            await self.egress.delete_snapshot(sandbox_id)
        except Gone:
            self.held = None
            return True
        except Refused:
            return False
        if held is None:
            return await self._take_back([authority.lease_of(sandbox_id)])
        before = held.snapshots.pop(sandbox_id, None)
        leases = [need.lease for need in before.needs] if before else [authority.lease_of(sandbox_id)]
        return await self._take_back(held.unneeded(leases))

    async def _take_back(self, leases: Iterable[str]) -> bool:
        try:
            for lease in leases:
                await self.egress.delete_lease(lease)
                if self.held is not None:
                    self.held.leases.pop(lease, None)
        except Gone:
            self.held = None
        except Refused:
            return False
        return True

    async def _meet(self) -> bool:
        """Learn who is there; False when nobody is."""
        status = await self._status()
        if status is None:
            return False
        self.held = Held.of(status)
        return True

    async def _status(self) -> dict[str, Any] | None:
        try:
            return await self.egress.status()
        except Gone:
            self.held = None
            return None

    async def _fence(self) -> None:
        """Nothing is said to egressd before it heard this server's epoch and holds what the database says."""
        if self._fenced:
            return
        async with self._gate.exclusive():
            if not self._fenced:
                await self._resync()

    async def _resync(self) -> None:
        hellos, troubles = self._hellos, self._troubles
        self.egress.epoch = await epoch.raise_epoch(self.database)
        try:
            await self.egress.put_epoch(self.egress.epoch)
            self.held = Held.of(status := await self.egress.status())
            async with self.database.read() as tx:
                prepared = [found for sandbox_id in await live(tx) if (found := await prepare(tx, sandbox_id)) is not None]
            await put_everything(self, self.held, status, prepared)
        except Gone:
            self.held = None
        except Refused as error:
            raise Unavailable(f"the egress gateway refused its state ({error.code})", code="NOT_CONFIRMED", retry=True) from None
        # One that said hello meanwhile got only a part of this; it waits for a resync of its own.
        self._fenced = self._hellos == hellos
        # What became unconfirmed meanwhile may have been committed after the database was read.
        if self._troubles == troubles:
            self._unconfirmed.clear()

    async def _greet(self) -> None:
        try:
            with self._mended_unless_done([]):
                await self._fence()
        except Unavailable as error:
            log.error("resync_failed", error=error.message)
        except Exception:
            log.exception("resync_failed")

    def _mend_later(self, sandbox_ids: list[str]) -> None:
        """Keep trying to confirm in the background what a caller was told is unconfirmed."""
        self._troubles += 1
        self._unconfirmed.update(sandbox_ids or [_ANY])
        if self._closed:
            return
        if self._mending is None or self._mending.done():
            self._mending = self._spawn(self._mend())

    async def _mend(self) -> None:
        while self._unconfirmed or not self._fenced:
            await asyncio.sleep(_MEND_EVERY)
            try:
                await self.resync()
            except Unavailable as error:
                log.warning("still_unconfirmed", sandboxes=len(self._unconfirmed), error=error.message)
            except Exception:
                # The database, most likely. Nobody else would try again.
                log.exception("still_unconfirmed", sandboxes=len(self._unconfirmed))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
