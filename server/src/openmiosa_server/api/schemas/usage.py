"""What a sandbox uses, may use, and has made."""

from typing import Annotated, Any

from pydantic import Field

from .common import Moment, Number, Shape, Text
from .files import Entry
from .sandboxes import Preview, ResourceContract, Snapshot, State


class Calls(Shape):
    """Outbound calls, counted."""

    total: int
    allowed: int
    refused: int
    failed: int
    bytes_in: int
    bytes_out: int


class Live(Shape):
    """What is used right now; null of a sandbox that does not run."""

    cpu_usec: Annotated[Number, Field(description="Time on a processor since its processes began.")]
    memory_bytes: Number
    memory_peak_bytes: Annotated[Number, Field(description="Where the kernel counts it.")]
    tasks: Annotated[Number, Field(description="Processes and threads.")]
    running_sec: int


class Usage(ResourceContract):
    """How long a sandbox has lived, what it used and may use."""

    sandbox_id: str
    state: State
    started_at: Moment | None
    running_sec: int
    cpu_usec: Number
    window: str
    calls: Calls


class Metrics(Live):
    """What a sandbox uses right now, and what it called within the window."""

    sandbox_id: str
    state: State
    cpu_count: int
    memory_limit_bytes: int
    window: str
    calls: Calls


class Limits(Shape):
    """What a sandbox may use."""

    cpu: int
    memory_mb: int
    disk_size_mb: int


class Capabilities(Shape):
    """What of it can change while it runs."""

    live_cpu: bool
    live_memory: bool
    reason: Text


class Resources(Shape):
    """What a sandbox may use and uses."""

    id: str
    resources: Limits
    capabilities: Capabilities
    in_use: Live


class Made(Shape):
    """Files and snapshots."""

    path: str
    files: list[Entry]
    snapshots: list[Snapshot]


class Artifacts(Shape):
    """What a sandbox has made."""

    sandbox_id: str
    artifacts: Made
    preview: Annotated[dict[str, Any], Field(description="The first preview, or nothing.")]
    previews: list[Preview]
