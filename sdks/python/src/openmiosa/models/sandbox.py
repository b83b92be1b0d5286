"""Records of sandboxes, their snapshots, previews, variables and templates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .files import FileInfo
from .record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceContract(Record):
    """How large a sandbox is."""

    id: str | None = None
    version: str | None = None
    product: str | None = None
    size: str | None = None
    vcpus: float | None = None
    memory_mb: int | None = None
    disk_size_mb: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxInfo(Record):
    """What the server knows of a sandbox."""

    id: str
    name: str | None = None
    state: str = "provisioning"
    state_reason: str | None = None
    ready: bool = False
    template_id: str | None = None
    slug: str | None = None
    size: str | None = None
    cpu_count: float | None = None
    memory_mb: int | None = None
    disk_size_mb: int | None = None
    timeout_sec: int | None = None
    idle_timeout_sec: int | None = None
    persistent: bool | None = None
    always_on: bool | None = None
    resource_contract: ResourceContract | None = None
    timeout_remaining_ms: int | None = None
    tags: tuple[str, ...] = ()
    env_names: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tenant_id: str | None = None
    workspace_id: str | None = None
    owner_user_id: str | None = None
    external_user_id: str | None = None
    external_workspace_id: str | None = None
    external_project_id: str | None = None
    boot_ms: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    started_at: datetime | None = None
    ready_at: datetime | None = None
    destroyed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls(Record):
    """Outbound calls, counted."""

    total: int = 0
    allowed: int = 0
    refused: int = 0
    failed: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics(Record):
    """What a sandbox uses at one moment, and what it called within the window; `cpu_usec` counts from its start."""

    sandbox_id: str | None = None
    state: str | None = None
    cpu_usec: int | None = None
    memory_bytes: int | None = None
    memory_peak_bytes: int | None = None
    tasks: int | None = None
    running_sec: float | None = None
    cpu_count: float | None = None
    memory_limit_bytes: int | None = None
    window: str | None = None
    calls: Calls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Record):
    """How long a sandbox has lived, what it may use, what it has used, and what it called within the window."""

    sandbox_id: str | None = None
    state: str | None = None
    started_at: datetime | None = None
    size: str | None = None
    vcpus: float | None = None
    memory_mb: int | None = None
    disk_size_mb: int | None = None
    cpu_usec: int | None = None
    running_sec: float | None = None
    window: str | None = None
    calls: Calls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Record):
    """What a sandbox may use."""

    cpu: float | None = None
    memory_mb: int | None = None
    disk_size_mb: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources(Record):
    """What a sandbox may use, what of that can change while it runs, and what it uses."""

    id: str | None = None
    resources: Limits | None = None
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    in_use: Metrics | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotInfo(Record):
    """A stored state of a sandbox's file system."""

    id: str
    sandbox_id: str | None = None
    state: str | None = None
    comment: str | None = None
    size_bytes: int | None = None
    keep: bool = False
    expires_at: datetime | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview(Record):
    """A port of the sandbox, reachable at `url` on the server's own machine."""

    id: str
    sandbox_id: str | None = None
    url: str
    port: int
    state: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made(Record):
    """Files that a sandbox offers as results, and its snapshots."""

    path: str | None = None
    files: tuple[FileInfo, ...] = ()
    snapshots: tuple[SnapshotInfo, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifacts(Record):
    """What a sandbox has made."""

    sandbox_id: str | None = None
    artifacts: Made | None = None
    previews: tuple[Preview, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable(Record):
    """A variable of the sandbox's environment; its agent can read it, so it is no place for a secret."""

    key: str
    value: str = ""
    encrypted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness(Record):
    """Whether commands can run in a sandbox, and what each of its parts says."""

    id: str | None = None
    state: str | None = None
    ready: bool = False
    status: str | None = None
    reason: str | None = None
    components: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template(Record):
    """What a sandbox's file system starts from."""

    id: str
    layers: int = 0
    packages: tuple[str, ...] = ()
    python: str | None = None
    created_at: datetime | None = None
