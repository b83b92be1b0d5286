"""Files of a sandbox: the runtime resolves every path inside its root, this adds who may and how large."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from ..errors import BadRequest, TooLarge
from ..identity import Principal, RequestInfo
from .export import Export
from .reach import Reach
from .types import Sandbox

HOME = "/workspace"
_DEEPEST = 16
_MIB = 2**20
_EXPORTED = 1000  # paths of one export
_READ, _WRITE = "sandboxes:read", "sandboxes:write"


class Files:
    """Read, write, list, stat, make, delete."""

    def __init__(self, reach: Reach, *, max_file_bytes: int) -> None:
        self._reach = reach
        self._backend = reach.backend
        self.max_file_bytes = max_file_bytes

    @asynccontextmanager
    async def read(
        self, principal: Principal, key: str, path: str, *, request: RequestInfo | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The content of a regular file, streamed."""
        sandbox = await self._into(principal, key, _READ, "sandbox:file:read", request)
        wanted = checked(path)
        await self._reach.do(sandbox, lambda: self._backend.stat(sandbox.id, wanted))
        with self._reach.sandboxes.activity.use(sandbox.id):
            async with self._backend.read_file(sandbox.id, wanted) as content:
                yield content

    async def write(
        self, principal: Principal, key: str, path: str, content: bytes, *, mode: str | None = None, request: RequestInfo | None = None
    ) -> dict[str, Any]:
        """Replace a file in one step, making its folders."""
        sandbox = await self._into(principal, key, _WRITE, "sandbox:file:write", request)
        return await self._write(sandbox, path, content, mode)

    async def write_many(
        self, principal: Principal, key: str, files: list[tuple[str, bytes]], *, request: RequestInfo | None = None
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Several files; what could not be written is listed beside what was."""
        sandbox = await self._into(principal, key, _WRITE, "sandbox:file:write", request)
        written: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for path, content in files:
            try:
                done = await self._write(sandbox, path, content, None)
                written.append({"path": done["path"], "size_bytes": done["size"]})
            except (BadRequest, TooLarge) as error:
                failed.append({"path": path, "error": error.message, "code": error.code})
        return written, failed

    async def upload(
        self,
        principal: Principal,
        key: str,
        path: str,
        content: AsyncIterator[bytes],
        *,
        length: int | None = None,
        mode: str | None = None,
        request: RequestInfo | None = None,
    ) -> dict[str, Any]:
        """Replace a file by what arrives, of any size that the sandbox's disk takes, without keeping it in memory."""
        sandbox = await self._into(principal, key, _WRITE, "sandbox:file:write", request)
        wanted, most = checked(path), sandbox.disk_size_mb * _MIB
        if length is not None and length > most:
            raise TooLarge(f"a file of this sandbox has at most {most} bytes; this one has {length}", details={"limit": most})
        # A body can be sent once, so the runtime is asked before whether it is there at all.
        await self._reach.do(sandbox, lambda: self._backend.stat(sandbox.id, "/"))
        with self._reach.sandboxes.activity.use(sandbox.id):
            return await self._backend.write_file(sandbox.id, wanted, content, mode=mode)

    @asynccontextmanager
    async def watch(
        self, principal: Principal, key: str, path: str, *, recursive: bool = True, request: RequestInfo | None = None
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """What changes below a folder, from the moment that this is entered."""
        sandbox = await self._into(principal, key, _READ, "sandbox:file:watch", request)
        wanted = checked(path)
        await self._reach.do(sandbox, lambda: self._backend.stat(sandbox.id, wanted))
        async with self._backend.watch_files(sandbox.id, wanted, recursive=recursive) as changes:
            yield changes

    async def to_export(self, principal: Principal, key: str, paths: list[str], *, request: RequestInfo | None = None) -> Export:
        """Files and folders, to be sent together; they must be there."""
        sandbox = await self._into(principal, key, _READ, "sandbox:file:export", request)
        if not 1 <= len(paths) <= _EXPORTED:
            raise BadRequest(f"give a path, or 1 to {_EXPORTED} paths", details={"field": "paths"})
        entries = [await self._reach.do(sandbox, partial(self._backend.stat, sandbox.id, checked(path))) for path in paths]
        return Export(self._backend, sandbox, entries, self._reach.sandboxes.activity)

    async def stat(self, principal: Principal, key: str, path: str, *, request: RequestInfo | None = None) -> dict[str, Any]:
        """One entry."""
        sandbox = await self._into(principal, key, _READ, "sandbox:file:stat", request)
        wanted = checked(path)
        return await self._reach.do(sandbox, lambda: self._backend.stat(sandbox.id, wanted))

    async def entries(
        self, principal: Principal, key: str, path: str, *, depth: int = 1, request: RequestInfo | None = None
    ) -> dict[str, Any]:
        """A folder's entries down to a depth."""
        if not 1 <= depth <= _DEEPEST:
            raise BadRequest(f"depth must be between 1 and {_DEEPEST}", details={"field": "depth"})
        sandbox = await self._into(principal, key, _READ, "sandbox:file:list", request)
        wanted = checked(path or HOME)
        return await self._reach.do(sandbox, lambda: self._backend.list_files(sandbox.id, wanted, depth))

    async def mkdir(self, principal: Principal, key: str, path: str, *, parents: bool = True, request: RequestInfo | None = None) -> None:
        """Make a folder."""
        sandbox = await self._into(principal, key, _WRITE, "sandbox:file:mkdir", request)
        wanted = checked(path)
        await self._reach.do(sandbox, lambda: self._backend.mkdir(sandbox.id, wanted, parents=parents))

    async def remove(
        self, principal: Principal, key: str, path: str, *, recursive: bool = False, request: RequestInfo | None = None
    ) -> None:
        """Delete a file or folder."""
        sandbox = await self._into(principal, key, _WRITE, "sandbox:file:remove", request)
        wanted = checked(path)
        await self._reach.do(sandbox, lambda: self._backend.remove(sandbox.id, wanted, recursive=recursive))

    async def _write(self, sandbox: Sandbox, path: str, content: bytes, mode: str | None) -> dict[str, Any]:
        if len(content) > self.max_file_bytes:
            raise TooLarge(f"a file sent in one request has at most {self.max_file_bytes} bytes; this one has {len(content)}")
        wanted = checked(path)
        return await self._reach.do(sandbox, lambda: self._backend.write_file(sandbox.id, wanted, content, mode=mode))

    async def _into(self, principal: Principal, key: str, scope: str, action: str, request: RequestInfo | None) -> Sandbox:
        return await self._reach.into(principal, key, scope, action, request)


def checked(path: str) -> str:
    """A path that can be one; whether it stays inside is decided where it is opened, on the kernel's word."""
    if not path or "\0" in path:
        raise BadRequest("a path is missing, or has a NUL in it", code="INVALID_PATH", details={"field": "path"})
    if len(path.encode(errors="surrogatepass")) > 4095:
        raise BadRequest("a path has at most 4095 bytes", code="INVALID_PATH", details={"field": "path"})
    if ".." in path.split("/"):
        raise BadRequest("a path has no `..`; say where the file is", code="INVALID_PATH", details={"field": "path"})
    return path
