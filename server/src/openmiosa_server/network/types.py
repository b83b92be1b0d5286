"""Policies and rules as they are stored and shown."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..db.clock import optional_rfc3339, rfc3339


@dataclass(frozen=True, slots=True)
class Rule:
    """One allow or deny."""

    id: str
    tenant_id: str
    policy_id: str
    host: str
    port: int | None
    effect: str
    methods: tuple[str, ...] | None
    path_glob: str | None
    note: str | None
    resource_id: str | None
    resource_type: str | None
    created_at: datetime

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "host": self.host,
            "port": self.port,
            "effect": self.effect,
            "methods": None if self.methods is None else list(self.methods),
            "path_glob": self.path_glob,
            "policy_id": self.policy_id,
            "resource_id": self.resource_id,
            "resource_type": self.resource_type,
            "note": self.note,
            "created_at": rfc3339(self.created_at),
        }


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy of a sandbox, of a workspace, or (without resource) of the tenant, with its rules."""

    id: str
    tenant_id: str
    name: str
    mode: str
    default_effect: str
    resource_id: str | None
    resource_type: str | None
    description: str | None
    locked_at: datetime | None
    created_at: datetime
    updated_at: datetime
    rules: tuple[Rule, ...] = ()

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "mode": self.mode,
            "default_effect": self.default_effect,
            "resource_id": self.resource_id,
            "resource_type": self.resource_type,
            "description": self.description,
            "locked_at": optional_rfc3339(self.locked_at),
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
            "rules": [rule.view() for rule in self.rules],
            "allow_rules": [rule.view() for rule in self.rules if rule.effect == "allow"],
            "deny_rules": [rule.view() for rule in self.rules if rule.effect == "deny"],
        }


@dataclass(frozen=True, slots=True)
class AddRule:
    """A rule as the caller gives it; the policy is `policy_id`, else the resource's, else the tenant's."""

    host: str
    effect: str = "allow"
    port: int | None = None
    methods: tuple[str, ...] | None = None
    path_glob: str | None = None
    policy_id: str | None = None
    resource_id: str | None = None  # id or name
    resource_type: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class NewPolicy:
    """A policy as the caller gives it."""

    name: str
    mode: str = "enforce"
    default_effect: str = "deny"
    resource_id: str | None = None
    resource_type: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What changes in a policy; None keeps what is there."""

    mode: str | None = None
    default_effect: str | None = None
    name: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """A host that traffic was seen to, with counts; a suggestion and a pending approval are both made of it."""

    host: str
    port: int | None
    methods: tuple[str, ...]
    count: int
    denied_count: int
    first_seen: datetime
    last_seen: datetime
    reason: str
    resource_id: str | None = None
    resource_type: str | None = None
    secret: str | None = None

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "host": self.host,
            "port": self.port,
            "methods": list(self.methods),
            "path_glob": None,
            "count": self.count,
            "denied_count": self.denied_count,
            "first_seen": rfc3339(self.first_seen),
            "last_seen": rfc3339(self.last_seen),
            "reason": self.reason,
            "resource_id": self.resource_id,
            "resource_type": self.resource_type,
            "secret": self.secret,
        }
