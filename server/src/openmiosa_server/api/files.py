"""/sandboxes/:id/fs and /files: both generations of the wire's file routes."""

import base64
import binascii
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response, StreamingResponse

from ..errors import BadRequest, Invalid
from .answers import JSON, data, nothing
from .bodies import Body, body
from .context import Asked, Caller, services
from .route import Route

router = APIRouter(prefix="/sandboxes/{key}", route_class=Route, tags=["files"])

_MANY = 1000
_ROOM = 2**20  # names and braces around the contents


def _limit(request: Request) -> int:
    return services(request).files.max_file_bytes * 4 // 3 + _ROOM


class Write(Body):
    """A file: `content_base64`, or `content`, which the wire's older route means as base64 too."""

    path: str
    content_base64: str | None = None
    content: str | None = None
    mode: str | None = Field(default=None, pattern=r"^0?[0-7]{3}$")


class WriteMany(Body):
    """Several files."""

    files: list[Write] = Field(max_length=_MANY)


class Path(Body):
    """A path."""

    path: str


class Folder(Body):
    """A folder to make."""

    path: str
    parents: bool = True


@router.post("/fs/write")
@router.post("/files")
async def write(asked: Asked, key: str, given: Annotated[Write, body(Write, limit=_limit)]) -> Response:
    """Replace one file."""
    done = await asked.services.files.write(asked.principal, key, given.path, _content(given), mode=given.mode, **asked.who)
    return data({"path": done["path"], "size_bytes": done["size"], "size": done["size"]})


@router.post("/fs/write-many")
@router.post("/files/write-many")
async def write_many(asked: Asked, key: str, given: Annotated[WriteMany, body(WriteMany, limit=_limit)]) -> Response:
    """Replace several; flat."""
    files = [(file.path, _content(file)) for file in given.files]
    written, failed = await asked.services.files.write_many(asked.principal, key, files, **asked.who)
    return JSON({"written": written, "failed": failed})


@router.post("/fs/stat")
@router.post("/files/stat")
async def stat(asked: Asked, key: str, given: Annotated[Path, body(Path)]) -> Response:
    """One entry."""
    return data(await asked.services.files.stat(asked.principal, key, given.path, **asked.who))


@router.post("/fs/mkdir", status_code=201)
@router.post("/files/mkdir", status_code=201)
async def mkdir(asked: Asked, key: str, given: Annotated[Folder, body(Folder)]) -> Response:
    """Make a folder."""
    await asked.services.files.mkdir(asked.principal, key, given.path, parents=given.parents, **asked.who)
    return data({"path": given.path}, status=201)


@router.get("/fs/download")
async def download(asked: Asked, key: str, path: str) -> Response:
    """The bytes of a file."""
    return await content(asked, key, path)


@router.get("/files")
async def listed(asked: Asked, key: str, path: str = "/workspace", depth: Annotated[int, Query(ge=1, le=16)] = 1) -> Response:
    """A folder."""
    return data(await asked.services.files.entries(asked.principal, key, path, depth=depth, **asked.who))


@router.delete("/files")
async def remove(asked: Asked, key: str, path: str, recursive: bool = False) -> Response:
    """Delete a file or folder."""
    await asked.services.files.remove(asked.principal, key, path, recursive=recursive, **asked.who)
    return nothing()


@router.get("/files/tree")
async def tree(asked: Asked, key: str, path: str = "/workspace", depth: Annotated[int, Query(ge=1, le=16)] = 3) -> Response:
    """A folder as a tree; flat."""
    found = await asked.services.files.entries(asked.principal, key, path, depth=depth, **asked.who)
    return JSON(_tree(found))


@router.get("/files/{path:path}")
async def download_by_path(asked: Asked, key: str, path: str) -> Response:
    """The same under the path itself; TypeScript strips the leading slash."""
    return await content(asked, key, "/" + path)


async def content(asked: Caller, key: str, path: str) -> Response:
    """Always octets: a JSON file served as JSON is unwrapped by a client and lost."""
    opened = asked.services.files.read(asked.principal, key, path, **asked.who)
    chunks = await opened.__aenter__()

    async def body() -> Any:
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            await opened.__aexit__(None, None, None)

    return StreamingResponse(body(), media_type="application/octet-stream", headers={"Content-Disposition": "attachment"})


def decoded(text: str) -> bytes:
    """Base64, strictly."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("the content is not base64", code="BAD_BASE64", details={"field": "content_base64"}) from None


def _content(given: Write) -> bytes:
    text = given.content if given.content_base64 is None else given.content_base64
    if text is None:
        raise BadRequest("content_base64 is missing", details={"field": "content_base64"})
    return decoded(text)


def _tree(found: dict[str, Any]) -> dict[str, Any]:
    root: dict[str, Any] = {
        "path": found["path"],
        "name": found["path"].rstrip("/").rpartition("/")[2] or "/",
        "type": "dir",
        "children": [],
    }
    nodes = {found["path"].rstrip("/"): root}
    for entry in sorted(found["entries"], key=lambda entry: entry["path"].count("/")):
        node = {
            "path": entry["path"],
            "name": entry["name"],
            "type": "dir" if entry["is_dir"] else "file",
            "modified_at": entry["modified_at"],
        }
        if entry["is_dir"]:
            node["children"] = []
            nodes[entry["path"].rstrip("/")] = node
        else:
            node["size"] = entry["size"]
        parent = nodes.get(entry["path"].rstrip("/").rpartition("/")[0], root)
        parent["children"].append(node)
    return root
