"""Records of sandboxes, their snapshots and templates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxInfo(Record):
    """What the server knows of a sandbox."""

    id: str
    name: str | None = None
    state: str = "provisioning"
    ready: bool = False
    template_id: str | None = None
    slug: str | None = None
    size: str | None = None
    cpu_count: int | None = None
    memory_mb: int | None = None
    disk_size_mb: int | None = None
    timeout_sec: int | None = None
    idle_timeout_sec: int | None = None
    persistent: bool | None = None
    always_on: bool | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tenant_id: str | None = None
    external_user_id: str | None = None
    external_workspace_id: str | None = None
    external_project_id: str | None = None
    boot_ms: int | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    ready_at: datetime | None = None
    destroyed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotInfo(Record):
    """A stored state of a sandbox's file system."""

    id: str
    sandbox_id: str | None = None
    state: str | None = None
    comment: str | None = None
    size_bytes: int | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template(Record):
    """What a sandbox's file system starts from."""

    id: str
    layers: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    created_at: datetime | None = None
