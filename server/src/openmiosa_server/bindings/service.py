"""Bindings: which secret a sandbox gets, asked for by name, and the environment that comes of it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.engine import Database
from ..db.lookup import find_sandbox, visible_sandboxes
from ..db.ports import Publishes
from ..db.tables import bindings, sandboxes, secrets
from ..errors import Invalid, NotFound
from ..identity import Identity, Principal, RequestInfo
from ..vault import grammar, rows
from .ladder import effective
from .placeholder import ensure
from .types import Binding, EffectiveBinding, binding_of


class Bindings:
    """Bind, unbind, list; and what an exec gets."""

    def __init__(self, database: Database, identity: Identity, publisher: Publishes) -> None:
        self._database = database
        self._identity = identity
        self._publisher = publisher

    async def bind(
        self,
        principal: Principal,
        secret: str,
        resource_id: str,
        expose_as_env: str | None = None,
        *,
        resource_type: str | None = None,
        request: RequestInfo | None = None,
    ) -> Binding:
        """Give a sandbox a secret under a variable; binding twice is one binding."""
        about = {"secret": secret[:255], "expose_as_env": (expose_as_env or "")[:255]}
        await self._allow(principal, "secrets:write", "bindings:binding:create", resource_id, request, **about)
        if resource_type not in (None, "sandbox"):
            raise Invalid(f"resource_type {resource_type!r} is not known here; use `sandbox`", code="UNKNOWN_RESOURCE_TYPE")
        async with self._database.begin() as tx:
            sandbox = await find_sandbox(tx, principal.tenant_id, principal.external_user_id, resource_id, live=True)
            found = await rows.find(tx, principal, secret, sandbox["id"])
            env = expose_as_env or found.expose_as_env
            if env is None:
                raise Invalid(
                    "expose_as_env is missing, and the secret has none of its own", code="BAD_ENV", details={"field": "expose_as_env"}
                )
            grammar.check_env(env)
            row = await ensure(tx, principal.tenant_id, found.id, sandbox["id"], env, inherited=False)
            await self._publisher.touch(tx, [sandbox["id"]])
        await self._publisher.publish(sandbox["id"])
        return binding_of({**row, "secret_name": found.name})

    async def unbind(self, principal: Principal, binding_id: str, *, request: RequestInfo | None = None) -> None:
        """Take a binding away: its placeholder is worth nothing when this returns."""
        await self._allow(principal, "secrets:write", "bindings:binding:delete", binding_id, request)
        async with self._database.begin() as tx:
            row = (await tx.execute(self._query(principal).where(bindings.c.id == binding_id))).mappings().one_or_none()
            if row is None:
                raise NotFound("no such binding; list the bindings for those there are")
            await tx.execute(delete(bindings).where(bindings.c.id == binding_id))
            await self._publisher.touch(tx, [row["resource_id"]])
        await self._publisher.publish(row["resource_id"])

    async def list(
        self,
        principal: Principal,
        *,
        resource_id: str | None = None,
        resource_type: str | None = None,
        secret_id: str | None = None,
        request: RequestInfo | None = None,
    ) -> list[Binding]:
        """Bindings, oldest first."""
        await self._allow(principal, "secrets:read", "bindings:binding:list", resource_id, request)
        async with self._database.read() as tx:
            query = self._query(principal)
            if resource_id is not None:
                sandbox = await find_sandbox(tx, principal.tenant_id, principal.external_user_id, resource_id)
                query = query.where(bindings.c.resource_id == sandbox["id"])
            if resource_type is not None:
                query = query.where(bindings.c.resource_type == resource_type)
            if secret_id is not None:
                query = query.where((secrets.c.id == secret_id) | (secrets.c.name == secret_id))
            query = query.order_by(bindings.c.created_at, bindings.c.id)
            return [binding_of(row) for row in (await tx.execute(query)).mappings()]

    async def environment(self, sandbox_id: str) -> dict[str, str]:
        """The placeholders of an exec, by variable. The caller has authorised the exec."""
        async with self._database.read() as tx:
            return {binding.env: binding.placeholder for binding in await self.effective(tx, await _row(tx, sandbox_id), mint=False)}

    async def effective(self, tx: AsyncConnection, sandbox: RowMapping, *, mint: bool = True) -> Sequence[EffectiveBinding]:
        """What the sandbox gets after the ladder of scopes was walked."""
        return await effective(tx, sandbox, mint=mint)

    async def drop(self, tx: AsyncConnection, sandbox_id: str) -> None:
        """Delete every binding of a sandbox that is being destroyed."""
        await tx.execute(delete(bindings).where(bindings.c.resource_id == sandbox_id))

    async def _allow(
        self,
        principal: Principal,
        scope: str,
        action: str,
        resource_id: str | None,
        request: RequestInfo | None,
        **metadata: Any,
    ) -> None:
        await self._identity.authorize(
            principal, scope, action, resource_type="binding", resource_id=resource_id, metadata=metadata, request=request
        )

    def _query(self, principal: Principal) -> Any:
        query = (
            select(bindings, secrets.c.name.label("secret_name"))
            .join(secrets, secrets.c.id == bindings.c.secret_id)
            .where(bindings.c.tenant_id == principal.tenant_id)
        )
        if principal.external_user_id is not None:
            seen = select(sandboxes.c.id).where(*visible_sandboxes(principal.tenant_id, principal.external_user_id))
            query = query.where(bindings.c.resource_id.in_(seen))
        return query


async def _row(tx: AsyncConnection, sandbox_id: str) -> RowMapping:
    row = (await tx.execute(select(sandboxes).where(sandboxes.c.id == sandbox_id))).mappings().one_or_none()
    if row is None:
        raise NotFound("no such sandbox")
    return row
