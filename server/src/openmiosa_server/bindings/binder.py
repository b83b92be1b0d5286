"""What the vault asks of bindings: bound hosts, the binding of a secret just set, and who uses a secret."""

from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.lookup import LIVE_STATES
from ..db.tables import bindings, sandboxes
from ..errors import Invalid
from ..policy import HostError, parse_pattern
from ..vault.types import Secret
from ..vault.value import SecretValue
from . import catalogue
from .ladder import reach
from .placeholder import ensure
from .types import binding_of

_MAX_HOSTS = 64


class Binder:
    """Stateless; satisfies `vault.ports.Binds`."""

    def bound_hosts(
        self, *, allowed_hosts: tuple[str, ...], env: str | None, provider: str | None, value: SecretValue | None
    ) -> tuple[str, ...]:
        """As given; else by the variable, by the shape of the value, by the OAuth provider; else none."""
        if allowed_hosts:
            return canonical_hosts(allowed_hosts)
        found = catalogue.by_env(env) if env else None
        if found is None and value is not None:
            found = catalogue.by_shape(value.reveal_text())
        if found is None and provider is not None:
            found = catalogue.by_name(provider)
        return found.hosts if found else ()

    async def bind(self, tx: AsyncConnection, secret: Secret, sandbox_id: str, env: str) -> dict[str, Any]:
        """Bind, or find the equal binding that is there; an inherited one becomes one asked for by name."""
        row = await ensure(tx, secret.tenant_id, secret.id, sandbox_id, env, inherited=False)
        return binding_of({**row, "secret_name": secret.name}).view()

    async def users(self, tx: AsyncConnection, secret_id: str) -> list[str]:
        """Live sandboxes that are bound to the secret or that its scope reaches."""
        bound = select(bindings.c.resource_id).where(bindings.c.secret_id == secret_id)
        found = set((await tx.execute(select(sandboxes.c.id).where(sandboxes.c.id.in_(bound), _live()))).scalars())
        return sorted(found | set(await _reached(tx, secret_id)))

    async def forget(self, tx: AsyncConnection, secret_id: str) -> None:
        """Delete the bindings of a secret."""
        await tx.execute(delete(bindings).where(bindings.c.secret_id == secret_id))


def canonical_hosts(given: tuple[str, ...]) -> tuple[str, ...]:
    """`allowed_hosts` in canonical form: names and `*.suffix`; addresses are no hosts for a secret."""
    if len(given) > _MAX_HOSTS:
        raise _bad_host(f"at most {_MAX_HOSTS} entries")
    found: dict[str, None] = {}
    for host in given:
        try:
            pattern = parse_pattern(host.strip())
        except HostError as error:
            raise _bad_host(str(error)) from None
        if pattern.is_cidr:
            raise _bad_host("a value goes out over verified TLS only, and an address has no name to verify; name the host")
        if pattern.breadth != "owned":
            raise _bad_host(f"{pattern.text} covers hosts of unrelated owners; a secret goes to named hosts only")
        found[pattern.text] = None
    return tuple(found)


def _bad_host(why: str) -> Invalid:
    return Invalid(f"allowed_hosts: {why}", code="BAD_HOST", details={"field": "allowed_hosts"})


def _live() -> ColumnElement[bool]:
    return sandboxes.c.state.in_(LIVE_STATES)


async def _reached(tx: AsyncConnection, secret_id: str) -> list[str]:
    condition = await reach(tx, secret_id)
    if condition is None:
        return []
    return list((await tx.execute(select(sandboxes.c.id).where(condition, _live()))).scalars())
