"""The embedded backend: a client of `cell`, HTTP/1.1 over a Unix socket."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import httpcore2
import httpx2

from ...errors import BadRequest, Conflict, Invalid, NotFound, OpenMiosaError, RateLimited, TooLarge, Unavailable
from . import Launch, Output, Pty, Spec, Stream

_TIMEOUT = httpx2.Timeout(60.0, connect=2.0)
_STREAM_TIMEOUT = httpx2.Timeout(None, connect=2.0)  # a process may be silent for days

_BEYOND = str(2**63)  # an offset that no output reaches: what is followed from there is the end alone

# cell's codes as the public API says them; what is missing here is our own fault and answers 500.
_ERRORS: dict[str, tuple[type[OpenMiosaError], str]] = {
    "exists": (Conflict, "EXISTS"),
    "invalid": (Invalid, "INVALID"),
    "invalid_path": (BadRequest, "INVALID_PATH"),
    "is_directory": (Conflict, "IS_DIRECTORY"),
    "not_a_file": (Conflict, "NOT_A_FILE"),
    "too_large": (TooLarge, "TOO_LARGE"),
    "not_found": (NotFound, "NOT_FOUND"),
    "too_many": (RateLimited, "TOO_MANY"),
    "host_unsupported": (Unavailable, "HOST_UNSUPPORTED"),
}


class NotRunning(Conflict):
    """cell does not know the sandbox, or it has ended: its processes are gone, its files are not."""

    default_code = "SANDBOX_NOT_RUNNING"
    default_retry = True


class NoSpace(OpenMiosaError):
    """The sandbox's own disk limit, or the host's disk, is reached."""

    default_status = 507
    default_code = "NO_SPACE"


class CellClient:
    """Speaks to cell's socket; one connection pool for calls and one for streams, so that tails never starve calls."""

    def __init__(self, socket: Path) -> None:
        self._calls = _client(socket, 64, _TIMEOUT)
        self._streams = _client(socket, 4096, _STREAM_TIMEOUT)

    async def close(self) -> None:
        """Close every connection."""
        await self._calls.aclose()
        await self._streams.aclose()

    async def host(self) -> dict[str, Any]:
        """What this host can do, with its checks."""
        return await self._json("GET", "/v1/host")

    async def start(self, spec: Spec) -> None:
        """Start the sandbox, or take it up again; returns when its first process is ready."""
        body = {
            "v": 1,
            "hostname": spec.hostname,
            "layers": list(spec.layers),
            "authority_pem": spec.authority_pem,
            "from_snapshot": spec.from_snapshot,
            "limits": {
                "memory_bytes": spec.memory_bytes,
                "processes": spec.processes,
                "cpu_millis": spec.cpu_millis,
                "files": spec.open_files,
                "file_bytes": spec.file_bytes,
            },
            "env": spec.env,
        }
        await self._json("PUT", _at(spec.sandbox_id), json=body)

    async def living(self) -> list[dict[str, Any]]:
        """The sandboxes that live, with `id` and `state`."""
        return list((await self._json("GET", "/v1/sandboxes"))["sandboxes"])

    async def knows(self, sandbox_id: str) -> bool:
        """Whether it lives there."""
        try:
            await self._json("GET", _at(sandbox_id))
        except NotRunning:
            return False
        return True

    async def delete(self, sandbox_id: str) -> None:
        """Stop it and delete its files; one that is gone already is no error."""
        try:
            await self._json("DELETE", _at(sandbox_id))
        except (NotRunning, NotFound):
            return

    async def pause(self, sandbox_id: str) -> None:
        """Freeze its processes."""
        await self._json("POST", _at(sandbox_id, "pause"))

    async def resume(self, sandbox_id: str) -> None:
        """Let them run again."""
        await self._json("POST", _at(sandbox_id, "resume"))

    async def usage(self, sandbox_id: str) -> dict[str, Any]:
        """What it uses right now."""
        return await self._json("GET", _at(sandbox_id, "usage"))

    async def snapshot(self, sandbox_id: str, snapshot_id: str) -> int:
        """Keep a copy of its writable folders; returns the bytes."""
        made = await self._json("POST", _at(sandbox_id, "snapshots", snapshot_id), timeout=_STREAM_TIMEOUT)
        return int(made["bytes"])

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a kept copy; one that is gone already is no error."""
        try:
            await self._json("DELETE", f"/v1/snapshots/{quote(snapshot_id, safe='')}")
        except (NotRunning, NotFound):
            return

    async def launch(self, sandbox_id: str, launch: Launch) -> dict[str, Any]:
        """Start a process and describe it."""
        body = {
            "argv": list(launch.argv),
            "env": launch.env,
            "cwd": launch.cwd or "/workspace",
            "stdin": launch.stdin,
            "pty": None if launch.pty is None else {"rows": launch.pty.rows, "cols": launch.pty.cols},
            "timeout_ms": launch.timeout_ms,
            "name": launch.name,
        }
        return dict((await self._json("POST", _at(sandbox_id, "processes"), json=body))["process"])

    async def processes(self, sandbox_id: str) -> list[dict[str, Any]]:
        """The processes started by `launch`, ended ones for a while too."""
        return list((await self._json("GET", _at(sandbox_id, "processes")))["processes"])

    async def process(self, sandbox_id: str, process_id: str) -> dict[str, Any]:
        """One process."""
        return dict((await self._json("GET", _at(sandbox_id, "processes", process_id), missing="process"))["process"])

    async def output(self, sandbox_id: str, process_id: str, *, follow: bool, from_start: bool = True) -> AsyncIterator[Output]:
        """Its output as it comes, data as bytes; with `follow` until it has ended, `exit` last."""
        offset = "0" if from_start else _BEYOND
        parameters = {"stdout": offset, "stderr": offset, "follow": "true" if follow else "false"}
        request = self._streams.build_request("GET", _at(sandbox_id, "processes", process_id, "output"), params=parameters)
        async with self._opened(request, "process") as response:
            async for line in response.aiter_lines():
                if not line:
                    continue
                chunk = json.loads(line)
                if "data" in chunk:
                    chunk["data"] = base64.b64decode(chunk["data"])
                yield chunk

    async def stdin(self, sandbox_id: str, process_id: str, data: bytes, *, eof: bool = False) -> None:
        """Write to its standard input."""
        path = _at(sandbox_id, "processes", process_id, "stdin")
        await self._json("POST", path, params={"eof": "true" if eof else "false"}, content=data, missing="process", timeout=_STREAM_TIMEOUT)

    async def signal(self, sandbox_id: str, process_id: str, signal: int, *, group: bool = True) -> None:
        """Signal it, or its whole group."""
        path = _at(sandbox_id, "processes", process_id, "signal")
        await self._json("POST", path, json={"signal": signal, "group": group}, missing="process")

    async def resize(self, sandbox_id: str, process_id: str, pty: Pty) -> None:
        """Change the size of its terminal."""
        path = _at(sandbox_id, "processes", process_id, "resize")
        await self._json("POST", path, json={"rows": pty.rows, "cols": pty.cols}, missing="process")

    @asynccontextmanager
    async def connect(self, sandbox_id: str, port: int) -> AsyncIterator[Stream]:
        """A TCP connection to a port of the sandbox's own loopback, over an upgraded HTTP connection."""
        headers = {"Connection": "Upgrade", "Upgrade": "tcp"}
        try:
            async with self._streams.stream("GET", _at(sandbox_id, "connect"), params={"port": port}, headers=headers) as response:
                if response.status_code != 101:
                    await response.aread()
                    raise _error(response, "sandbox")
                yield _Upgraded(response.extensions["network_stream"])
        except httpx2.TransportError as error:
            raise _away(error) from error

    @asynccontextmanager
    async def read_file(self, sandbox_id: str, path: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The content of a regular file."""
        request = self._streams.build_request("GET", _at(sandbox_id, "files", "content"), params={"path": path})
        async with self._opened(request, "file") as response:
            yield response.aiter_bytes()

    async def write_file(
        self, sandbox_id: str, path: str, content: AsyncIterator[bytes] | bytes, *, mode: str | None = None
    ) -> dict[str, Any]:
        """Replace a file in one step, making its folders."""
        parameters = {"path": path, "mode": mode or "0644", "parents": "true"}
        return await self._json("PUT", _at(sandbox_id, "files", "content"), params=parameters, content=content, missing="file")

    async def stat(self, sandbox_id: str, path: str) -> dict[str, Any]:
        """One entry."""
        return await self._json("GET", _at(sandbox_id, "files", "stat"), params={"path": path}, missing="file")

    async def list_files(self, sandbox_id: str, path: str, depth: int) -> dict[str, Any]:
        """A folder's entries down to a depth."""
        return await self._json("GET", _at(sandbox_id, "files", "list"), params={"path": path, "depth": str(depth)}, missing="file")

    @asynccontextmanager
    async def watch_files(self, sandbox_id: str, path: str, *, recursive: bool) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """What changes below a folder, from the moment that this is entered."""
        parameters = {"path": path, "recursive": "true" if recursive else "false"}
        request = self._streams.build_request("GET", _at(sandbox_id, "files", "watch"), params=parameters)
        async with self._opened(request, "file") as response:
            yield _changes(response)

    async def mkdir(self, sandbox_id: str, path: str, *, parents: bool) -> None:
        """Make a folder."""
        await self._json("POST", _at(sandbox_id, "files", "mkdir"), json={"path": path, "parents": parents}, missing="file")

    async def remove(self, sandbox_id: str, path: str, *, recursive: bool) -> None:
        """Delete a file or folder."""
        parameters = {"path": path, "recursive": "true" if recursive else "false"}
        await self._json("DELETE", _at(sandbox_id, "files"), params=parameters, missing="file")

    async def _json(self, method: str, path: str, *, missing: str = "sandbox", **options: Any) -> dict[str, Any]:
        try:
            response = await self._calls.request(method, path, **options)
        except httpx2.TransportError as error:
            raise _away(error) from error
        if response.is_error:
            raise _error(response, missing)
        return dict(response.json()) if response.content else {}

    @asynccontextmanager
    async def _opened(self, request: httpx2.Request, missing: str) -> AsyncIterator[httpx2.Response]:
        try:
            response = await self._streams.send(request, stream=True)
        except httpx2.TransportError as error:
            raise _away(error) from error
        try:
            if response.is_error:
                await response.aread()
                raise _error(response, missing)
            yield response
        except httpx2.TransportError as error:
            raise _away(error) from error
        finally:
            await response.aclose()


async def _changes(response: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in response.aiter_lines():
        if line:
            yield json.loads(line)


class _Upgraded:
    """The bytes after a 101."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def read(self, most: int) -> bytes:
        """What came; empty at the end."""
        try:
            return bytes(await self._stream.read(most))
        except (httpcore2.ReadError, anyio.ClosedResourceError, anyio.EndOfStream):
            return b""

    async def write(self, data: bytes) -> None:
        """Send it all."""
        await self._stream.write(data)


def _client(socket: Path, connections: int, timeout: httpx2.Timeout) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=16)
    transport = httpx2.AsyncHTTPTransport(uds=str(socket), limits=limits, retries=0)
    return httpx2.AsyncClient(transport=transport, base_url="http://cell", timeout=timeout)


def _at(sandbox_id: str, *parts: str) -> str:
    return "/".join(["/v1/sandboxes", *(quote(part, safe="") for part in (sandbox_id, *parts))])


def _away(error: httpx2.TransportError) -> Unavailable:
    return Unavailable(
        f"the sandbox runtime does not answer ({type(error).__name__}); `openmiosa up` starts it again by itself, try again in a moment",
        code="RUNTIME_UNAVAILABLE",
    )


def _error(response: httpx2.Response, missing: str) -> OpenMiosaError:
    try:
        said = response.json()["error"]
        code, message = str(said["code"]), str(said["message"])
    except (ValueError, KeyError, TypeError):
        code, message = "internal", f"the sandbox runtime answered {response.status_code} without a reason"
    if code == "not_running" or (code == "not_found" and missing == "sandbox"):
        return NotRunning(message)
    if code == "no_space":
        return NoSpace(message)
    kind, public = _ERRORS.get(code, (OpenMiosaError, "RUNTIME_ERROR"))
    return kind(message, code=public)
