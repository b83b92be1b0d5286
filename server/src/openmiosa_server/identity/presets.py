"""Presets: named sets of scopes, so that a person need not know the scopes by heart."""

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import RowMapping

from ..db.clock import now
from ..db.engine import Database
from ..db.tables import key_presets as table
from ..errors import Conflict, Invalid, NotFound
from . import rows
from .service import Identity
from .types import SCOPES, Preset, Principal, RequestInfo

_MOST = 100

BUILTIN = (
    Preset("admin", SCOPES, "everything", builtin=True),
    Preset("read_only", tuple(scope for scope in SCOPES if scope.endswith(":read")), "look at everything, change nothing", builtin=True),
    Preset("runner", ("sandboxes:read", "sandboxes:write"), "make sandboxes and run commands in them", builtin=True),
    Preset("auditor", ("sandboxes:read", "network:read", "audit:read"), "see what sandboxes call", builtin=True),
)


class Presets:
    """A tenant's own presets beside the built-in ones."""

    def __init__(self, database: Database, identity: Identity) -> None:
        self._database = database
        self._identity = identity

    async def listed(self, principal: Principal, *, request: RequestInfo | None = None) -> list[Preset]:
        """All, the built-in ones first; a key of one external user sees these alone."""
        await self._identity.authorize(principal, "keys:read", "identity:preset:list", request=request, record=False)
        if principal.external_user_id is not None:
            return list(BUILTIN)
        async with self._database.read() as tx:
            query = select(table).where(table.c.tenant_id == principal.tenant_id).order_by(table.c.name)
            return [*BUILTIN, *(_record(row) for row in (await tx.execute(query)).mappings())]

    async def save(
        self, principal: Principal, name: str, scopes: tuple[str, ...], description: str | None, *, request: RequestInfo | None = None
    ) -> Preset:
        """Make one, or replace it; with scopes that the caller has, or it would choose what a stronger key gives by that name."""
        await self._authorize(principal, "save", name, request)
        if not 1 <= len(name) <= 64 or not name.isprintable() or "/" in name:
            raise Invalid("the name of a preset has 1 to 64 printable characters and no slash", code="BAD_NAME", details={"field": "name"})
        _not_builtin(name)
        row = {"tenant_id": principal.tenant_id, "name": name, "scopes": list(rows.granted(principal, scopes)), "description": description}
        async with self._database.begin() as tx:
            theirs = table.c.tenant_id == principal.tenant_id
            await tx.execute(delete(table).where(theirs, table.c.name == name))
            if len((await tx.execute(select(table.c.name).where(theirs))).all()) >= _MOST:
                raise Conflict(f"there are {_MOST} presets already; delete some", code="QUOTA_EXCEEDED")
            await tx.execute(insert(table).values(**row, created_at=now()))
            return _record((await tx.execute(select(table).where(theirs, table.c.name == name))).mappings().one())

    async def delete(self, principal: Principal, name: str, *, request: RequestInfo | None = None) -> None:
        """Delete one; keys that were made with it keep their scopes."""
        await self._authorize(principal, "delete", name, request)
        _not_builtin(name)
        async with self._database.begin() as tx:
            done = await tx.execute(delete(table).where(table.c.tenant_id == principal.tenant_id, table.c.name == name))
        if done.rowcount == 0:
            raise NotFound(f"no preset {name[:64]!r}")

    async def _authorize(self, principal: Principal, verb: str, name: str, request: RequestInfo | None) -> None:
        action = f"identity:preset:{verb}"
        await self._identity.authorize(principal, "keys:write", action, resource_type="key_preset", resource_id=name[:255], request=request)
        if principal.external_user_id is not None:
            raise NotFound("a key of one external user has no presets of its own")


def _not_builtin(name: str) -> None:
    if any(preset.name == name for preset in BUILTIN):
        raise Conflict(f"{name} is built in; take another name", code="NAME_TAKEN")


def _record(row: RowMapping) -> Preset:
    return Preset(row["name"], tuple(row["scopes"]), row["description"], builtin=False, created_at=row["created_at"])
