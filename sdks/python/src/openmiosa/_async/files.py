"""Files of a sandbox."""

import base64
import builtins
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any

from .. import _envelope, _local, _wire
from ..errors import MiosaError, NotFoundError
from ..models import FileChange, FileInfo, FileTree
from .transport import SILENCE_SECONDS, AsyncTransport

WORKSPACE = "/workspace"
# A request that carries files stays under this many bytes of them, unless one file alone is larger.
BATCH_BYTES = 4 * 1024 * 1024


class AsyncFiles:
    """Reads and writes files; paths are those inside the sandbox."""

    def __init__(self, transport: AsyncTransport, sandbox_id: str) -> None:
        self._transport = transport
        self._sandbox = sandbox_id

    async def write(self, path: str, data: str | bytes) -> None:
        """Write a file, replacing what is there; text is stored as UTF-8."""
        body = {"path": path, "content_base64": _base64(data)}
        await self._transport.request("POST", self._path("fs", "write"), json=body)

    async def write_many(self, files: Mapping[str, str | bytes]) -> None:
        """Write several files in one request; raises when one of them was not written."""
        body = {"files": [{"path": path, "content_base64": _base64(data)} for path, data in files.items()]}
        reply = await self._transport.request("POST", self._path("fs", "write-many"), json=body)
        failed = reply.get("failed") if isinstance(reply, Mapping) else None
        if failed:
            raise MiosaError("not written: " + "; ".join(f"{one.get('path')}: {one.get('error')}" for one in failed))

    async def read(self, path: str) -> bytes:
        """A file's bytes."""
        return b"".join([chunk async for chunk in self.read_stream(path)])

    async def read_text(self, path: str) -> str:
        """A file's text, which must be UTF-8."""
        return (await self.read(path)).decode()

    async def read_stream(self, path: str) -> AsyncIterator[bytes]:
        """A file's bytes, as they arrive."""
        async with self._transport.stream("GET", self._path("fs", "download"), params={"path": path}) as response:
            async for chunk in response.aiter_bytes():
                yield chunk

    async def list(self, path: str = WORKSPACE, *, depth: int | None = None) -> builtins.list[FileInfo]:
        """What is in a folder."""
        reply = await self._transport.request("GET", self._path("files"), params={"path": path, "depth": depth})
        return [FileInfo.from_json(item) for item in _envelope.many(reply)]

    async def stat(self, path: str) -> FileInfo:
        """What is known of a file or folder."""
        return FileInfo.from_json(_envelope.one(await self._transport.request("POST", self._path("fs", "stat"), json={"path": path})))

    async def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        try:
            await self.stat(path)
        except NotFoundError:
            return False
        return True

    async def tree(self, path: str = WORKSPACE, *, depth: int = 3) -> FileTree:
        """A folder with its folders."""
        reply = await self._transport.request("GET", self._path("files", "tree"), params={"path": path, "depth": depth})
        return FileTree.from_json(_envelope.one(reply))

    async def mkdir(self, path: str, *, parents: bool = True) -> None:
        """Make a folder, and with `parents` those above it."""
        await self._transport.request("POST", self._path("fs", "mkdir"), json={"path": path, "parents": parents})

    async def delete(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file, or with `recursive` a folder with all that is in it."""
        await self._transport.request("DELETE", self._path("files"), params={"path": path, "recursive": recursive or None})

    async def upload(self, local: str | os.PathLike[str], remote: str) -> None:
        """Send a file, or a folder with what is in it, to a path in the sandbox."""
        batch: dict[str, str | bytes] = {}
        size = 0
        for relative, source in _local.files_under(local):
            data = source.read_bytes()
            if batch and size + len(data) > BATCH_BYTES:
                await self.write_many(batch)
                batch, size = {}, 0
            batch[f"{remote.rstrip('/')}/{relative}" if relative else remote] = data
            size += len(data)
        if len(batch) == 1:
            await self.write(*batch.popitem())
        elif batch:
            await self.write_many(batch)

    async def download(self, remote: str, local: str | os.PathLike[str]) -> None:
        """Fetch a file; it appears here once all of it has arrived."""
        with _local.whole_file(local) as write:
            async for chunk in self.read_stream(remote):
                write(chunk)

    async def watch(self, path: str = WORKSPACE) -> AsyncIterator[FileChange]:
        """What happens to the files of a folder, as it happens; it never ends by itself."""
        async with self._transport.events("GET", self._path("files", "watch"), params={"path": path}, timeout=SILENCE_SECONDS) as frames:
            async for frame in frames:
                said = _wire.object_of(frame.data)
                if "event" in said and "path" in said:
                    yield FileChange.from_json(said)

    def _path(self, *more: str) -> str:
        return _wire.path("sandboxes", self._sandbox, *more)


def _base64(data: Any) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else bytes(data)).decode()
