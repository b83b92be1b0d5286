"""Where sandboxes run. `Backend` is the seam: `local` is the embedded one, a cluster's would stand beside it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

Output = dict[str, Any]  # {"stream", "offset", "data": bytes}, {"gap": {...}} or {"exit": {...}}


@dataclass(frozen=True, slots=True)
class Spec:
    """All that a backend must know to start a sandbox; equal specs make starting again harmless."""

    sandbox_id: str
    hostname: str
    layers: tuple[str, ...]
    authority_pem: str
    memory_bytes: int
    processes: int
    cpu_millis: int
    open_files: int
    file_bytes: int
    from_snapshot: str | None = None
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pty:
    """The size of a terminal."""

    rows: int = 24
    cols: int = 80


@dataclass(frozen=True, slots=True)
class Launch:
    """A process to start."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str | None = None
    stdin: bool = False
    pty: Pty | None = None
    timeout_ms: int | None = None
    name: str | None = None


class Stream(Protocol):
    """A connection to a server inside a sandbox."""

    async def read(self, most: int) -> bytes:
        """What came, at most that many bytes; empty at the end."""

    async def write(self, data: bytes) -> None:
        """Send it all."""


class Backend(Protocol):
    """Starts, stops and reaches into sandboxes. Every method raises an OpenMiosaError that says what to do.

    `NotRunning` means that the sandbox is unknown to the backend, which the service answers by starting it again.
    """

    async def host(self) -> dict[str, Any]:
        """What this host can do, with its checks."""

    async def start(self, spec: Spec) -> None:
        """Start the sandbox, or take it up again; returns when its first process is ready."""

    async def living(self) -> list[dict[str, Any]]:
        """The sandboxes that live, with `id` and `state`."""

    async def knows(self, sandbox_id: str) -> bool:
        """Whether it lives there."""

    async def delete(self, sandbox_id: str) -> None:
        """Stop it and delete its files; one that is gone already is no error."""

    async def pause(self, sandbox_id: str) -> None:
        """Freeze its processes."""

    async def resume(self, sandbox_id: str) -> None:
        """Let them run again."""

    async def usage(self, sandbox_id: str) -> dict[str, Any]:
        """What it uses right now: `cpu_usec`, `memory_bytes`, `memory_peak_bytes`, `tasks`."""

    async def snapshot(self, sandbox_id: str, snapshot_id: str) -> int:
        """Keep a copy of its writable folders; returns the bytes."""

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a kept copy."""

    async def launch(self, sandbox_id: str, launch: Launch) -> dict[str, Any]:
        """Start a process and describe it."""

    async def processes(self, sandbox_id: str) -> list[dict[str, Any]]:
        """The processes started by `launch`, ended ones for a while too."""

    async def process(self, sandbox_id: str, process_id: str) -> dict[str, Any]:
        """One process."""

    def output(self, sandbox_id: str, process_id: str, *, follow: bool, from_start: bool = True) -> AsyncIterator[Output]:
        """Its output as it comes, data as bytes; with `follow` until it has ended, `exit` last."""

    async def stdin(self, sandbox_id: str, process_id: str, data: bytes, *, eof: bool = False) -> None:
        """Write to its standard input."""

    async def signal(self, sandbox_id: str, process_id: str, signal: int, *, group: bool = True) -> None:
        """Signal it, or its whole group."""

    async def resize(self, sandbox_id: str, process_id: str, pty: Pty) -> None:
        """Change the size of its terminal."""

    def connect(self, sandbox_id: str, port: int) -> AbstractAsyncContextManager[Stream]:
        """A TCP connection to a port of the sandbox's own loopback."""

    def read_file(self, sandbox_id: str, path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The content of a regular file."""

    async def write_file(
        self, sandbox_id: str, path: str, content: AsyncIterator[bytes] | bytes, *, mode: str | None = None
    ) -> dict[str, Any]:
        """Replace a file in one step, making its folders."""

    async def stat(self, sandbox_id: str, path: str) -> dict[str, Any]:
        """One entry."""

    async def list_files(self, sandbox_id: str, path: str, depth: int) -> dict[str, Any]:
        """A folder's entries down to a depth."""

    def watch_files(self, sandbox_id: str, path: str, *, recursive: bool) -> AbstractAsyncContextManager[AsyncIterator[dict[str, Any]]]:
        """What changes below a folder, from the moment that this is entered."""

    async def mkdir(self, sandbox_id: str, path: str, *, parents: bool) -> None:
        """Make a folder."""

    async def remove(self, sandbox_id: str, path: str, *, recursive: bool) -> None:
        """Delete a file or folder."""
