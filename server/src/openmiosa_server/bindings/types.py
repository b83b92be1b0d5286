"""A binding: one secret, for one sandbox, under one variable, behind one placeholder."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..db.clock import rfc3339


@dataclass(frozen=True, slots=True)
class Binding:
    """A binding as it is stored."""

    id: str
    tenant_id: str
    secret_id: str
    secret_name: str
    resource_id: str
    resource_type: str
    expose_as_env: str
    placeholder: str
    inherited: bool
    created_at: datetime

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "tenant_id": self.tenant_id,
            "secret_id": self.secret_id,
            "secret_name": self.secret_name,
            "resource_id": self.resource_id,
            "resource_type": self.resource_type,
            "expose_as_env": self.expose_as_env,
            "placeholder": self.placeholder,
            "placeholder_token": self.placeholder,
            "inherited": self.inherited,
            "created_at": rfc3339(self.created_at),
        }


def binding_of(row: Any) -> Binding:
    """A binding from its row joined with the name of its secret."""
    return Binding(**{name: row[name] for name in Binding.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class EffectiveBinding:
    """What one sandbox gets for one variable after the ladder of scopes was walked."""

    binding_id: str
    secret_id: str
    name: str
    env: str
    placeholder: str
    hosts: tuple[str, ...]
    state: str  # active inert needs_reauth expired
    connected: bool  # an OAuth account
    version: int
    expires_at: datetime | None
