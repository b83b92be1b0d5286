"""/sandboxes/:id/fs/content, /files/watch, /exports: files as streams, in constant memory."""

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse

from ..errors import BadRequest, OpenMiosaError
from . import sse
from .answers import data
from .bodies import Body, body, example
from .context import Asked, while_valid
from .operation import BYTES, OCTETS, operation
from .route import Route, StreamedRoute
from .schemas.common import One
from .schemas.files import ExportMade, WatchFrame, Written

router = APIRouter(prefix="/sandboxes/{key}", route_class=Route)
streamed = APIRouter(prefix="/sandboxes/{key}", route_class=StreamedRoute)

_GZIP = "application/gzip"
_ARCHIVES = {**OCTETS, _GZIP: BYTES}
_MODE = re.compile(r"0?[0-7]{3}\Z")
_WASTE = 64 << 20  # bytes of a refused upload that are read, so that its sender gets to read why

Filename = Annotated[str | None, Query(max_length=255, description="What a browser is to call the file.")]


class ExportCreate(Body):
    """A path or several, and what to call the file."""

    model_config = example({"path": "/workspace"})

    path: str | None = None
    paths: list[str] | None = Field(default=None, max_length=1000)
    label: str | None = Field(default=None, max_length=255)
    filename: str | None = Field(default=None, max_length=255)


@streamed.put("/fs/content", **operation("files.upload", One[Written], scope="sandboxes:write", sdk="sandbox.files.upload", takes=OCTETS))
async def upload(
    asked: Asked,
    key: str,
    path: str,
    request: Request,
    mode: Annotated[str | None, Query(description="Octal permissions, such as 0644.")] = None,
) -> Response:
    """Replace a file by the body as it is, of any size that the sandbox's disk takes; it is in place whole, or not at all."""
    if mode is not None and not _MODE.match(mode):
        raise BadRequest("mode is octal, such as 0644", details={"field": "mode"})
    declared = request.headers.get("content-length", "")
    content = _content(request)
    try:
        length = int(declared) if declared.isdigit() else None
        done = await asked.services.files.upload(asked.principal, key, path, content, length=length, mode=mode, **asked.who)
    except OpenMiosaError:
        await _waste(request)
        raise
    return data({"path": done["path"], "size_bytes": done["size"], "size": done["size"]})


@router.get("/files/watch", **operation("files.watch", stream=WatchFrame, scope="sandboxes:read", sdk="sandbox.files.watch"))
async def watch(
    asked: Asked,
    key: str,
    path: str = "/workspace",
    recursive: Annotated[bool, Query(description="Whether folders below are watched too.")] = True,
) -> Response:
    """Changes below a folder as they happen. When the answer's head is there, none is missed."""
    opened = contextlib.AsyncExitStack()
    changes = await opened.enter_async_context(asked.services.files.watch(asked.principal, key, path, recursive=recursive, **asked.who))

    async def frames() -> AsyncIterator[str]:
        async with opened:
            async for change in while_valid(asked, changes):
                told = {"event": change["event"], "type": change["event"], "path": change["path"], "is_dir": change["is_dir"]}
                said = {"message": change["message"]} if "message" in change else {}
                yield sse.frame({**told, "old_path": change.get("old_path"), **said}, event=change["event"])

    return sse.stream(frames())


@router.post("/exports", **operation("files.export", One[ExportMade], scope="sandboxes:read", sdk="sandbox.files.export", status=201))
async def export(asked: Asked, key: str, given: Annotated[ExportCreate, body(ExportCreate)]) -> Response:
    """Where files can be had together; nothing is copied before they are fetched."""
    paths = given.paths if given.path is None else [given.path]
    made = await asked.services.files.to_export(asked.principal, key, paths or [], **asked.who)
    filename = given.filename or _filename(made.entries, alone=made.only_file is not None)
    query = {"path": given.path} if given.path is not None else {"paths[]": paths}
    url = f"/api/v1/sandboxes/{made.sandbox_id}/exports/download?{urlencode({**query, 'filename': filename}, doseq=True)}"
    kind = "application/octet-stream" if made.only_file else _GZIP
    said: dict[str, Any] = {"url": url, "download_url": url, "filename": filename, "content_type": kind, "label": given.label}
    return data({**said, "paths": [entry["path"] for entry in made.entries]}, status=201)


@router.get(
    "/exports/download",
    **operation("files.export_download", media=_ARCHIVES, scope="sandboxes:read", sdk="sandbox.files.export", refuses=(400, 409)),
)
async def download(
    asked: Asked,
    key: str,
    path: Annotated[str | None, Query(description="One file, sent as it is, or one folder, as tar.gz.")] = None,
    paths: Annotated[list[str] | None, Query(alias="paths[]", description="Several, as tar.gz.")] = None,
    filename: Filename = None,
) -> Response:
    """Files and folders: one file as it is, everything else as a tar.gz that is made while it is sent."""
    made = await asked.services.files.to_export(asked.principal, key, [path] if path is not None else paths or [], **asked.who)
    alone = made.only_file is not None and path is not None
    named = re.sub(r"[^A-Za-z0-9._ -]", "_", filename or _filename(made.entries, alone=alone))
    headers = {"Content-Disposition": f'attachment; filename="{named}"'}
    content = made.content() if alone else made.archive()
    return StreamingResponse(content, media_type="application/octet-stream" if alone else _GZIP, headers=headers)


async def _content(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        if piece:
            yield piece


async def _waste(request: Request) -> None:
    # From the request itself: who was to take the content may have closed it. RuntimeError says that nothing is left of it.
    wasted = 0
    with contextlib.suppress(ClientDisconnect, RuntimeError):
        async for piece in request.stream():
            wasted += len(piece)
            if wasted > _WASTE:
                return


def _filename(entries: list[dict[str, Any]], *, alone: bool) -> str:
    name = str(entries[0]["name"] or "sandbox") if len(entries) == 1 else "export"
    return name if alone else f"{name}.tar.gz"
