"""The life of a sandbox: create, look up, change, pause, resume, destroy. Walk A, the server's half."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog

from ..db.clock import now
from ..db.engine import Database
from ..db.ids import new_id
from ..errors import Conflict, Forbidden, Invalid, OpenMiosaError
from ..identity import Principal, RequestInfo
from . import names, sizes, store
from .activity import Activity
from .backends import Backend, Spec
from .backends.local import NotRunning
from .lifecycle import Lifecycle
from .ports import Authorities, Authorizes, Binds, Keeps, Policies, Publishes, Templates
from .states import require_move
from .types import CreateSandbox, Sandbox, SandboxFilter, UpdateSandbox

_MIB = 2**20

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the installation gives when the creator does not say; plain values, so that no settings are read here."""

    resources: sizes.Resources
    processes: int
    open_files: int
    max_per_tenant: int
    timeout_sec: int | None
    idle_timeout_sec: int | None


class Sandboxes:
    """The lifecycle service. Everything that reaches into a sandbox goes through `awake`."""

    def __init__(
        self,
        database: Database,
        identity: Authorizes,
        backend: Backend,
        publisher: Publishes,
        *,
        bindings: Binds,
        vault: Keeps,
        network: Policies,
        authorities: Authorities,
        templates: Templates,
        defaults: Defaults,
    ) -> None:
        self._database = database
        self._identity = identity
        self._backend = backend
        self._publisher = publisher
        self._bindings = bindings
        self._vault = vault
        self._network = network
        self._authorities = authorities
        self._templates = templates
        self._defaults = defaults
        self._locks: dict[str, asyncio.Lock] = {}
        self.activity = Activity()
        self.lifecycle = Lifecycle()

    async def create(self, principal: Principal, wanted: CreateSandbox, *, request: RequestInfo | None = None) -> Sandbox:
        """Row, policy, authority and bindings in one transaction; then the data plane; then the runtime; then `running`."""
        about = {"name": (wanted.name or "")[:255], "template": wanted.template_id}
        await self._identity.authorize(principal, "sandboxes:write", "sandbox:sandbox:create", metadata=about, request=request)
        row = self._row(principal, wanted)
        async with self._database.begin() as tx:
            sandbox = await self._insert(tx, row)
        try:
            await self._publisher.publish(sandbox.id)
            await self._backend.start(self._spec(sandbox, from_snapshot=wanted.from_snapshot))
            if wanted.from_snapshot is None:  # a snapshot has them as its sandbox left them
                for path, program in self._templates.programs().items():
                    await self._backend.write_file(sandbox.id, path, program, mode="0755")
        except BaseException as error:
            await asyncio.shield(self._give_up(sandbox, error))
            raise
        return await self.mark_running(sandbox)

    async def get(self, principal: Principal, key: str, *, request: RequestInfo | None = None, record: bool = False) -> Sandbox:
        """One sandbox by id or name."""
        await self._authorize(principal, "sandboxes:read", "sandbox:sandbox:get", key, request, record=record)
        async with self._database.read() as tx:
            return await store.find(tx, principal, key)

    async def by_name(self, principal: Principal, name: str, *, request: RequestInfo | None = None) -> Sandbox:
        """One living sandbox by name; 404 tells `get_or_create` to create it."""
        await self._authorize(principal, "sandboxes:read", "sandbox:sandbox:get", name, request, record=False)
        async with self._database.read() as tx:
            return await store.by_name(tx, principal, name)

    async def list_sandboxes(
        self, principal: Principal, wanted: SandboxFilter, *, request: RequestInfo | None = None
    ) -> tuple[list[Sandbox], str | None]:
        """The caller's sandboxes, newest first, and the next page's cursor."""
        await self._identity.authorize(principal, "sandboxes:read", "sandbox:sandbox:list", request=request, record=False)
        async with self._database.read() as tx:
            return await store.page(tx, principal, wanted)

    async def update(self, principal: Principal, key: str, change: UpdateSandbox, *, request: RequestInfo | None = None) -> Sandbox:
        """Change what may change while it lives."""
        sandbox = await self.lookup(principal, key, "sandboxes:write", "sandbox:sandbox:update", request)
        values: dict[str, Any] = {name: value for name in UpdateSandbox.__slots__ if (value := getattr(change, name)) is not None}
        if "tags" in values:
            values["tags"] = list(values["tags"])
        if change.env is not None:
            names.check_env(change.env)
        async with self._database.begin() as tx:
            if (dropped := values.pop("env_without", None)) is not None:
                values["env"] = {
                    name: value for name, value in (await store.find(tx, principal, sandbox.id)).env.items() if name != dropped
                }
            for name in ("name", "slug"):
                if name in values:
                    await store.require_free(tx, principal.tenant_id, names.check_name(values[name]), but=sandbox.id)
            await store.change(tx, sandbox.id, **values)
            if "name" in values:
                await self._publisher.touch(tx, [sandbox.id])
            sandbox = await store.find(tx, principal, sandbox.id)
        if "name" in values:
            await self._publisher.publish(sandbox.id)
        return sandbox

    async def pause(self, principal: Principal, key: str, *, request: RequestInfo | None = None) -> Sandbox:
        """Freeze it; its memory and files stay."""
        sandbox = await self.lookup(principal, key, "sandboxes:write", "sandbox:sandbox:pause", request)
        return await self.pause_found(sandbox)

    async def pause_found(self, sandbox: Sandbox) -> Sandbox:
        """Freeze a sandbox that was looked up already; pausing twice is no error."""
        async with self._alone(sandbox.id):
            sandbox = await self._again(sandbox)
            if sandbox.state == "paused":
                return sandbox
            require_move(sandbox.name, sandbox.state, "paused")
            await self._backend.pause(sandbox.id)
            return await self._move(sandbox, "paused")

    async def resume(
        self, principal: Principal, key: str, env: dict[str, str] | None = None, *, request: RequestInfo | None = None
    ) -> Sandbox:
        """Let it run again, with these variables beside its own; resuming a running one is no error."""
        sandbox = await self.lookup(principal, key, "sandboxes:write", "sandbox:sandbox:resume", request)
        if env:
            async with self._database.begin() as tx:
                await store.change(tx, sandbox.id, env={**sandbox.env, **names.check_env(env)})
        return await self._resume(sandbox)

    async def extend(self, principal: Principal, key: str, seconds: int, *, request: RequestInfo | None = None) -> Sandbox:
        """Give it this many seconds from now."""
        if not 1 <= seconds <= 30 * 86400:
            raise Invalid("timeout_sec must be between 1 and 2592000", details={"field": "timeout_sec"})
        sandbox = await self.lookup(principal, key, "sandboxes:write", "sandbox:sandbox:extend", request)
        age = int((now() - (sandbox.started_at or sandbox.created_at)).total_seconds())
        async with self._database.begin() as tx:
            await store.change(tx, sandbox.id, timeout_sec=age + seconds)
            return await store.find(tx, principal, sandbox.id)

    async def destroy(self, principal: Principal, key: str, *, request: RequestInfo | None = None) -> Sandbox:
        """End it for good: processes, files, network, placeholders, the secrets that only it had, authority."""
        sandbox = await self.lookup(principal, key, "sandboxes:write", "sandbox:sandbox:destroy", request)
        await self.destroy_found(sandbox, "destroyed by its owner")
        return sandbox

    async def destroy_found(self, sandbox: Sandbox, reason: str) -> None:
        """End a sandbox that was looked up already."""
        async with self._alone(sandbox.id):
            sandbox = await self._again(sandbox)
            if sandbox.state == "destroyed":
                return
            # The processes first: from here on nobody is left who could send anything.
            await self._backend.delete(sandbox.id)
            async with self._database.begin() as tx:
                await self._forget(tx, sandbox.id)
                await store.change(tx, sandbox.id, state="destroyed", state_reason=reason, destroyed_at=now())
            await self._withdraw(sandbox.id)
        self.lifecycle.tell("sandbox.destroyed", sandbox, reason=reason)
        self._locks.pop(sandbox.id, None)
        self.activity.forget(sandbox.id)

    async def lookup(self, principal: Principal, key: str, scope: str, action: str, request: RequestInfo | None) -> Sandbox:
        """Authorise, record, and find a sandbox that is not destroyed."""
        await self._authorize(principal, scope, action, key, request)
        async with self._database.read() as tx:
            return await store.find(tx, principal, key)

    async def awake(self, sandbox: Sandbox) -> Sandbox:
        """The sandbox, running: a paused persistent one is resumed, every other state is a conflict."""
        self.activity.touch(sandbox.id)
        if sandbox.state == "running":
            return sandbox
        if sandbox.state == "paused" and sandbox.persistent:
            return await self._resume(sandbox)
        raise Conflict(
            f"the sandbox {sandbox.name} is {sandbox.state}{f' ({sandbox.state_reason})' if sandbox.state_reason else ''}, not running",
            code="SANDBOX_STARTING" if sandbox.state == "provisioning" else "RESOURCE_STATE",
            retry=sandbox.state == "provisioning",
            details={"state": sandbox.state},
        )

    async def restart(self, sandbox: Sandbox) -> None:
        """Start a sandbox that the runtime lost; its files are taken up again, its processes are gone."""
        async with self._alone(sandbox.id):
            sandbox = await self._again(sandbox)
            if sandbox.state not in ("running", "paused"):
                return
            await self._publisher.publish(sandbox.id)
            await self._backend.start(self._spec(sandbox))
            if sandbox.state == "paused":
                await self._backend.pause(sandbox.id)
            log.warning(
                "sandbox_restarted", sandbox=sandbox.id, hint="the runtime had lost it; its processes are gone, its files are there"
            )

    async def unfreeze(self, sandbox: Sandbox) -> None:
        """Let a sandbox run that should, when a crash between two steps left it frozen."""
        async with self._alone(sandbox.id):
            if (await self._again(sandbox)).state == "running":
                await self._backend.resume(sandbox.id)

    async def environment(self, sandbox: Sandbox, explicit: dict[str, str]) -> dict[str, str]:
        """The sandbox's variables, over them the placeholders, over them what the call gives."""
        return {**sandbox.env, **await self._bindings.environment(sandbox.id), **names.check_env(explicit)}

    async def measure(self, sandbox: Sandbox) -> dict[str, Any]:
        """What it uses of the host right now; nothing where it does not run."""
        used: dict[str, Any] = dict.fromkeys(("cpu_usec", "memory_bytes", "memory_peak_bytes", "tasks"))
        if sandbox.state in ("running", "paused"):
            with contextlib.suppress(NotRunning):
                used |= await self._backend.usage(sandbox.id)
        began = sandbox.started_at
        return {**used, "running_sec": 0 if began is None else int(((sandbox.destroyed_at or now()) - began).total_seconds())}

    async def mark_running(self, sandbox: Sandbox) -> Sandbox:
        """The last step of walk A."""
        moment = now()
        async with self._database.begin() as tx:
            moved = await store.change(tx, sandbox.id, only_from="provisioning", state="running", started_at=moment, ready_at=moment)
        if not moved:
            raise Conflict(f"the sandbox {sandbox.name} was destroyed while it started; create another one", code="RESOURCE_STATE")
        self.activity.touch(sandbox.id)
        self.lifecycle.tell("sandbox.started", sandbox)
        return replace(sandbox, state="running", started_at=moment, ready_at=moment, updated_at=moment)

    def _row(self, principal: Principal, wanted: CreateSandbox) -> dict[str, Any]:
        if principal.external_user_id is not None and wanted.external_user_id not in (None, principal.external_user_id):
            raise Forbidden("this key belongs to one external user and makes sandboxes for that user only; leave out external_user_id")
        if wanted.from_snapshot is None:  # a copy stays where its original was put
            require_own(principal, wanted.owner_user_id, wanted.workspace_id, wanted.external_workspace_id)
        resources = sizes.resolve(wanted, self._defaults.resources)
        moment = now()
        return {
            "id": new_id("sbx"),
            "tenant_id": principal.tenant_id,
            "name": names.check_name(wanted.name) if wanted.name is not None else names.invent(),
            "slug": wanted.slug,
            "state": "provisioning",
            "template_id": self._templates.get(wanted.template_id or "").id,
            "size": wanted.size,
            "cpu_count": resources.cpu_count,
            "memory_mb": resources.memory_mb,
            "disk_size_mb": resources.disk_size_mb,
            "timeout_sec": _positive("timeout_sec", wanted.timeout_sec, self._defaults.timeout_sec),
            "idle_timeout_sec": _positive("idle_timeout_sec", wanted.idle_timeout_sec, self._defaults.idle_timeout_sec),
            "persistent": wanted.persistent,
            "always_on": wanted.always_on,
            "env": names.check_env(wanted.env),
            "metadata": wanted.metadata,
            "tags": list(wanted.tags),
            "workspace_id": wanted.workspace_id,
            "owner_user_id": wanted.owner_user_id,
            "external_workspace_id": wanted.external_workspace_id,
            "external_user_id": wanted.external_user_id or principal.external_user_id,
            "external_project_id": wanted.external_project_id,
            "revision": 0,
            "created_at": moment,
            "updated_at": moment,
        }

    async def _insert(self, tx: Any, row: dict[str, Any]) -> Sandbox:
        if await store.count_living(tx, row["tenant_id"]) >= self._defaults.max_per_tenant:
            raise Conflict(f"there are {self._defaults.max_per_tenant} sandboxes already; destroy some", code="QUOTA_EXCEEDED")
        for name in (row["name"], row["slug"]):
            if name is not None:
                await store.require_free(tx, row["tenant_id"], name)
        inserted = await store.add(tx, row)
        await self._network.create_default(tx, inserted)
        pem = await self._authorities.create(tx, row["tenant_id"], row["id"])
        await store.change(tx, row["id"], authority_pem=pem)
        await self._publisher.touch(tx, [row["id"]])
        return replace(store.record(inserted), authority_pem=pem)

    def _spec(self, sandbox: Sandbox, *, from_snapshot: str | None = None) -> Spec:
        return Spec(
            sandbox_id=sandbox.id,
            hostname=names.hostname(sandbox.name),
            layers=tuple(str(layer) for layer in self._templates.get(sandbox.template_id).layers),
            authority_pem=sandbox.authority_pem or "",
            memory_bytes=sandbox.memory_mb * _MIB,
            processes=self._defaults.processes,
            cpu_millis=sandbox.cpu_count * 1000,
            open_files=self._defaults.open_files,
            file_bytes=sandbox.disk_size_mb * _MIB,
            from_snapshot=from_snapshot,
        )

    async def _resume(self, sandbox: Sandbox) -> Sandbox:
        async with self._alone(sandbox.id):
            sandbox = await self._again(sandbox)
            if sandbox.state == "running":
                return sandbox
            require_move(sandbox.name, sandbox.state, "running")
            try:
                await self._backend.resume(sandbox.id)
            except NotRunning:
                await self._publisher.publish(sandbox.id)
                await self._backend.start(self._spec(sandbox))
            self.activity.touch(sandbox.id)
            return await self._move(sandbox, "running")

    async def _move(self, sandbox: Sandbox, state: str) -> Sandbox:
        values: dict[str, Any] = {"state": state}
        if state == "running" and sandbox.deadline is not None and sandbox.deadline <= now() + timedelta(seconds=1):
            # Its time had run out; being woken up gives it the same time again.
            values["started_at"] = now()
        async with self._database.begin() as tx:
            await store.change(tx, sandbox.id, **values)
        self.lifecycle.tell("sandbox.resumed" if state == "running" else f"sandbox.{state}", sandbox)
        return replace(sandbox, **values)

    async def _again(self, sandbox: Sandbox) -> Sandbox:
        async with self._database.read() as tx:
            return await store.by_id(tx, sandbox.id) or sandbox

    async def _give_up(self, sandbox: Sandbox, error: BaseException) -> None:
        reason = error.message if isinstance(error, OpenMiosaError) else f"not started ({type(error).__name__})"
        log.error("sandbox_not_started", sandbox=sandbox.id, reason=reason, kind=type(error).__name__)
        try:
            await self._backend.delete(sandbox.id)
        except OpenMiosaError as trouble:
            log.warning("sandbox_not_cleaned_up", sandbox=sandbox.id, reason=trouble.message, hint="housekeeping tries again")
        async with self._database.begin() as tx:
            await self._forget(tx, sandbox.id)
            await store.change(tx, sandbox.id, state="error", state_reason=reason[:1000])
        await self._withdraw(sandbox.id)

    async def _withdraw(self, sandbox_id: str) -> None:
        try:
            await self._publisher.withdraw(sandbox_id)
        except OpenMiosaError as trouble:
            # Nothing runs any more that could use it; the next resync takes it back.
            log.warning("snapshot_not_withdrawn", sandbox=sandbox_id, reason=trouble.message)

    async def _forget(self, tx: Any, sandbox_id: str) -> None:
        await self._vault.drop(tx, sandbox_id)
        await self._bindings.drop(tx, sandbox_id)
        await self._authorities.destroy(tx, sandbox_id)

    async def _authorize(
        self, principal: Principal, scope: str, action: str, key: str, request: RequestInfo | None, *, record: bool = True
    ) -> None:
        await self._identity.authorize(
            principal, scope, action, resource_type="sandbox", resource_id=key[:255], request=request, record=record
        )

    @asynccontextmanager
    async def _alone(self, sandbox_id: str) -> AsyncIterator[None]:
        async with self._locks.setdefault(sandbox_id, asyncio.Lock()):
            yield


def require_own(principal: Principal, *owners: str | None) -> None:
    """Whose a sandbox is decides whose secrets it gets, so a key of one external user does not say."""
    if principal.external_user_id is not None and any(owner is not None for owner in owners):
        raise Forbidden(
            "this key belongs to one external user: leave out owner_user_id, workspace_id and external_workspace_id, "
            "since they would give the sandbox other people's secrets"
        )


def _positive(name: str, given: int | None, default: int | None) -> int | None:
    if given is not None and given < 0:
        raise Invalid(f"{name} must not be negative", details={"field": name})
    return default if given is None else given or None
