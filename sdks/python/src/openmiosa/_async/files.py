"""Files of a sandbox."""

import base64
import builtins
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

from .. import _envelope, _local, _wire
from .._local import Progress, Source
from ..errors import MiosaError, NotFoundError
from ..models import FileChange, FileInfo, FileTree
from .transport import SILENCE_SECONDS, AsyncTransport

WORKSPACE = "/workspace"
# What is longer is sent as it is: as base64 in JSON it would be a third longer, and in memory several times.
INLINE_BYTES = 1024 * 1024


class AsyncFiles:
    """Reads and writes files; paths are those inside the sandbox."""

    def __init__(self, transport: AsyncTransport, sandbox_id: str) -> None:
        self._transport = transport
        self._sandbox = sandbox_id

    async def write(self, path: str, data: str | bytes) -> None:
        """Write a file, replacing what is there; text is stored as UTF-8."""
        if len(data) > INLINE_BYTES:
            await self.upload(data.encode() if isinstance(data, str) else data, path)
            return
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

    async def upload(self, local: Any, remote: str, *, mode: str | None = None, progress: Progress | None = None) -> None:
        """Send a file to a path in the sandbox, or a folder with what is in it, never holding more than a piece of it.

        Links in a folder that lead out of it are left out.
        `local` is a path, bytes, a file open for reading, or an iterable of bytes. `mode` is such as "0755"; a path brings its own.
        `progress(done, total)` is called as bytes are read; of a folder, over all its files.
        """
        if not _local.is_folder(local):
            await self._upload(Source(local, progress), remote, mode or _local.mode_of(local))
            return
        empty, files = _local.inside(local)
        top = remote.rstrip("/") or "/"
        for name in [f"{top}/{name}" for name in empty] or ([] if files else [top]):
            await self.mkdir(name)
        total, before = sum(path.stat().st_size for _, path in files), 0
        for name, path in files:
            source = Source(path, None if progress is None else _shifted(progress, before, total))
            await self._upload(source, f"{top}/{name}", mode or _local.mode_of(path))
            before += source.size or 0

    async def download(self, remote: str, local: Any, *, progress: Progress | None = None) -> None:
        """Fetch a file; it appears here once all of it has arrived. `local` is a path, or a file open for writing."""
        with _local.whole_file(local) as write:
            await self._pour(self._path("fs", "download"), {"path": remote}, write, progress)

    async def export(
        self,
        paths: str | Iterable[str] = WORKSPACE,
        *,
        to: Any = None,
        progress: Progress | None = None,
    ) -> bytes:
        """Files and folders as one tar.gz, or one file as it is.

        With `to` (a path, or a file open for writing) it is written there and nothing is returned.
        """
        params = {"path": paths} if isinstance(paths, str) else {"paths[]": builtins.list(paths)}
        where = self._path("exports", "download")
        if to is not None:
            with _local.whole_file(to) as write:
                await self._pour(where, params, write, progress)
            return b""
        whole = bytearray()
        await self._pour(where, params, whole.extend, progress)
        return bytes(whole)

    async def watch(self, path: str = WORKSPACE, *, recursive: bool = True) -> AsyncIterator[FileChange]:
        """What happens to the files of a folder, as it happens; it never ends by itself. An `overflow` says that some were lost."""
        params = {"path": path, "recursive": None if recursive else False}
        async with self._transport.events("GET", self._path("files", "watch"), params=params, timeout=SILENCE_SECONDS) as frames:
            async for frame in frames:
                said = _wire.object_of(frame.data)
                if "event" in said and "path" in said:
                    yield FileChange.from_json(said)

    async def _upload(self, source: Source, remote: str, mode: str | None) -> None:
        await self._transport.upload(self._path("fs", "content"), source, params={"path": remote, "mode": mode})

    async def _pour(self, path: str, params: dict[str, Any], write: Callable[[bytes], object], progress: Progress | None) -> None:
        """Write an answer's body where it belongs, as it comes."""
        done = 0
        async with self._transport.stream("GET", path, params=params) as response:
            length = response.headers.get("content-length")
            async for chunk in response.aiter_bytes():
                write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, int(length) if length else None)

    def _path(self, *more: str) -> str:
        return _wire.path("sandboxes", self._sandbox, *more)


def _shifted(progress: Progress, before: int, total: int) -> Progress:
    """The progress of one file as that of all of them."""
    return lambda done, _: progress(before + done, total)


def _base64(data: Any) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else bytes(data)).decode()
