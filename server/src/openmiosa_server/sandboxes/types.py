"""A sandbox as it is asked for, stored and shown."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..db.clock import now, optional_rfc3339, rfc3339
from .states import LIVING


@dataclass(frozen=True, slots=True)
class CreateSandbox:
    """A sandbox as the caller wants it; None takes the installation's default."""

    name: str | None = None
    slug: str | None = None
    template_id: str | None = None
    size: str | None = None
    cpu_count: int | None = None
    memory_mb: int | None = None
    disk_size_mb: int | None = None
    timeout_sec: int | None = None
    idle_timeout_sec: int | None = None
    persistent: bool = True
    always_on: bool = False
    env: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    workspace_id: str | None = None
    owner_user_id: str | None = None
    external_workspace_id: str | None = None
    external_user_id: str | None = None
    external_project_id: str | None = None
    from_snapshot: str | None = None


@dataclass(frozen=True, slots=True)
class UpdateSandbox:
    """What changes; None keeps what is there."""

    name: str | None = None
    slug: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: dict[str, Any] | None = None
    always_on: bool | None = None
    timeout_sec: int | None = None
    idle_timeout_sec: int | None = None
    persistent: bool | None = None
    env: dict[str, str] | None = None
    env_without: str | None = None  # this variable goes, the others stay


@dataclass(frozen=True, slots=True)
class ForkSandbox:
    """What a copy is to have of its own; None takes what the original has."""

    snapshot_id: str | None = None
    name: str | None = None
    template_id: str | None = None
    timeout_sec: int | None = None
    idle_timeout_sec: int | None = None
    metadata: dict[str, Any] | None = None
    env: dict[str, str] | None = None
    tags: tuple[str, ...] | None = None
    external_user_id: str | None = None
    external_workspace_id: str | None = None
    external_project_id: str | None = None


@dataclass(frozen=True, slots=True)
class KeepSnapshot:
    """Why a copy is made and how long it stays; without a word, as its sandbox's metadata says, else for good."""

    comment: str | None = None
    keep: bool = False
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class SandboxFilter:
    """Which sandboxes to list; without a state the living ones. `cursor` is the id of the last one seen."""

    state: str | None = None
    tags: tuple[str, ...] = ()
    external_workspace_id: str | None = None
    external_user_id: str | None = None
    external_project_id: str | None = None
    cursor: str | None = None
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox as it is stored."""

    id: str
    tenant_id: str
    name: str
    slug: str | None
    state: str
    state_reason: str | None
    template_id: str
    size: str | None
    cpu_count: int
    memory_mb: int
    disk_size_mb: int
    timeout_sec: int | None
    idle_timeout_sec: int | None
    persistent: bool
    always_on: bool
    env: dict[str, str]
    metadata: dict[str, Any]
    tags: tuple[str, ...]
    workspace_id: str | None
    owner_user_id: str | None
    external_workspace_id: str | None
    external_user_id: str | None
    external_project_id: str | None
    authority_pem: str | None
    revision: int
    started_at: datetime | None
    ready_at: datetime | None
    destroyed_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def lives(self) -> bool:
        """Whether it can be used, or woken up to be used."""
        return self.state in LIVING

    @property
    def deadline(self) -> datetime | None:
        """When its lifetime ends, if it has one."""
        if self.always_on or self.timeout_sec is None or self.started_at is None:
            return None
        return self.started_at + timedelta(seconds=self.timeout_sec)

    def view(self) -> dict[str, Any]:
        """As the API shows it. The names of variables are shown, their values are the owner's business."""
        plain = (
            "id",
            "tenant_id",
            "name",
            "slug",
            "state",
            "state_reason",
            "template_id",
            "size",
            "cpu_count",
            "memory_mb",
            "disk_size_mb",
        )
        more = ("timeout_sec", "idle_timeout_sec", "persistent", "always_on", "metadata", "workspace_id", "owner_user_id")
        owners = ("external_workspace_id", "external_user_id", "external_project_id")
        left = None if self.deadline is None else max(0, int((self.deadline - now()).total_seconds() * 1000))
        boot = None if self.ready_at is None else int((self.ready_at - self.created_at).total_seconds() * 1000)
        return {
            **{name: getattr(self, name) for name in (*plain, *more, *owners)},
            "ready": self.state == "running",
            "status": self.state,
            "image_id": self.template_id,
            "tags": list(self.tags),
            "env_names": sorted(self.env),
            "timeout_remaining_ms": left,
            "boot_ms": boot,
            "resource_contract": {
                "id": self.size or "custom",
                "version": "1",  # a text for the published Go client, which decodes nothing else
                "product": "sandbox",
                "size": self.size,
                "vcpus": self.cpu_count,
                "memory_mb": self.memory_mb,
                "disk_size_mb": self.disk_size_mb,
            },
            "created_at": rfc3339(self.created_at),
            "inserted_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
            "started_at": optional_rfc3339(self.started_at),
            "ready_at": optional_rfc3339(self.ready_at),
            "destroyed_at": optional_rfc3339(self.destroyed_at),
        }


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: a line for the shell, or an argument vector."""

    command: str | None = None
    argv: tuple[str, ...] | None = None
    cwd: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    timeout: float | None = None
    stdin: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SandboxSnapshot:
    """A kept copy of a sandbox's writable folders."""

    id: str
    sandbox_id: str
    comment: str | None
    state: str
    size_bytes: int | None
    keep: bool
    expires_at: datetime | None
    created_at: datetime

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "snapshot_id": self.id,
            "sandbox_id": self.sandbox_id,
            "comment": self.comment,
            "state": self.state,
            "status": self.state,
            "size_bytes": self.size_bytes,
            "keep": self.keep,
            "expires_at": optional_rfc3339(self.expires_at),
            "created_at": rfc3339(self.created_at),
            "inserted_at": rfc3339(self.created_at),
        }
