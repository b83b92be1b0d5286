"""Records of the network: policies, their rules, and hosts that were seen."""

from dataclasses import dataclass
from datetime import datetime

from .record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Record):
    """A host that may, or may not, be called."""

    id: str
    host: str
    effect: str = "allow"
    port: int | None = None
    methods: tuple[str, ...] = ()
    path_glob: str | None = None
    policy_id: str | None = None
    resource_id: str | None = None
    resource_type: str | None = None
    note: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Record):
    """What a sandbox may call: `audit_only` records and lets pass, `enforce` lets only the rules pass."""

    id: str
    name: str | None = None
    mode: str = "audit_only"
    default_effect: str = "deny"
    resource_id: str | None = None
    resource_type: str | None = None
    description: str | None = None
    rules: tuple[Rule, ...] = ()
    allow_rules: tuple[Rule, ...] = ()
    deny_rules: tuple[Rule, ...] = ()
    locked_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion(Record):
    """A host that was called, with counts: what a lockdown would have to allow."""

    host: str
    port: int | None = None
    methods: tuple[str, ...] = ()
    path_glob: str | None = None
    count: int = 0
    denied_count: int = 0
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    reason: str | None = None
    secret: str | None = None
    resource_id: str | None = None
    resource_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingHost(Record):
    """A host that was refused since the lockdown, or a secret that waits for a host, until someone decides."""

    host: str
    port: int | None = None
    methods: tuple[str, ...] = ()
    path_glob: str | None = None
    count: int = 0
    denied_count: int = 0
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    reason: str | None = None
    secret: str | None = None
    resource_id: str | None = None
    resource_type: str | None = None
