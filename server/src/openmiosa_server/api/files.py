"""/sandboxes/:id/fs and /files: both generations of the wire's file routes."""

import base64
import binascii
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response, StreamingResponse

from ..errors import BadRequest, Invalid
from .answers import JSON, data, nothing
from .bodies import Body, body, example
from .context import Asked, Caller, services
from .operation import OCTETS, operation
from .route import Route
from .schemas.common import One
from .schemas.files import Entry, Folder, Listing, Tree, Written, WrittenMany

router = APIRouter(prefix="/sandboxes/{key}", route_class=Route)

_MANY = 1000
_ROOM = 2**20  # names and braces around the contents


def _limit(request: Request) -> int:
    return services(request).files.max_file_bytes * 4 // 3 + _ROOM


class FileWrite(Body):
    """A file: `content_base64`, or `content`, which the wire's older route means as base64 too."""

    model_config = example({"path": "/workspace/notes.txt", "content_base64": "aGVsbG8K"})

    path: str
    content_base64: str | None = None
    content: str | None = None
    mode: str | None = Field(default=None, pattern=r"^0?[0-7]{3}$")


class FilesWrite(Body):
    """Several files."""

    model_config = example({"files": [{"path": "/workspace/notes.txt", "content_base64": "aGVsbG8K"}]})

    files: list[FileWrite] = Field(max_length=_MANY)


class FilePath(Body):
    """A path."""

    model_config = example({"path": "/workspace/notes.txt"})

    path: str


class FolderMake(Body):
    """A folder to make."""

    model_config = example({"path": "/workspace/drafts"})

    path: str
    parents: bool = True


@router.post("/fs/write", **operation("files.write", One[Written], scope="sandboxes:write", sdk="sandbox.files.write"))
@router.post("/files", **operation("files.write_compat", One[Written], scope="sandboxes:write", compat="files.write"))
async def write(asked: Asked, key: str, given: Annotated[FileWrite, body(FileWrite, limit=_limit)]) -> Response:
    """Replace one file."""
    done = await asked.services.files.write(asked.principal, key, given.path, _content(given), mode=given.mode, **asked.who)
    return data({"path": done["path"], "size_bytes": done["size"], "size": done["size"]})


@router.post("/fs/write-many", **operation("files.write_many", WrittenMany, scope="sandboxes:write", sdk="sandbox.files.write_many"))
@router.post("/files/write-many", **operation("files.write_many_compat", WrittenMany, scope="sandboxes:write", compat="files.write_many"))
async def write_many(asked: Asked, key: str, given: Annotated[FilesWrite, body(FilesWrite, limit=_limit)]) -> Response:
    """Replace several; flat."""
    files = [(file.path, _content(file)) for file in given.files]
    written, failed = await asked.services.files.write_many(asked.principal, key, files, **asked.who)
    return JSON({"written": written, "failed": failed})


@router.post("/fs/stat", **operation("files.stat", One[Entry], scope="sandboxes:read", sdk=("sandbox.files.stat", "sandbox.files.exists")))
@router.post("/files/stat", **operation("files.stat_compat", One[Entry], scope="sandboxes:read", compat="files.stat"))
async def stat(asked: Asked, key: str, given: Annotated[FilePath, body(FilePath)]) -> Response:
    """One entry."""
    return data(await asked.services.files.stat(asked.principal, key, given.path, **asked.who))


@router.post("/fs/mkdir", **operation("files.mkdir", One[Folder], scope="sandboxes:write", sdk="sandbox.files.mkdir", status=201))
@router.post("/files/mkdir", **operation("files.mkdir_compat", One[Folder], scope="sandboxes:write", compat="files.mkdir", status=201))
async def mkdir(asked: Asked, key: str, given: Annotated[FolderMake, body(FolderMake)]) -> Response:
    """Make a folder."""
    await asked.services.files.mkdir(asked.principal, key, given.path, parents=given.parents, **asked.who)
    return data({"path": given.path}, status=201)


@router.get(
    "/fs/download",
    **operation(
        "files.read", media=OCTETS, scope="sandboxes:read", sdk=("sandbox.files.read", "sandbox.files.download"), refuses=(400, 409)
    ),
)
async def download(asked: Asked, key: str, path: str) -> Response:
    """The bytes of a file."""
    return await content(asked, key, path)


@router.get("/files", **operation("files.list", One[Listing], scope="sandboxes:read", sdk="sandbox.files.list", refuses=(400, 409)))
async def listed(asked: Asked, key: str, path: str = "/workspace", depth: Annotated[int, Query(ge=1, le=16)] = 1) -> Response:
    """A folder."""
    return data(await asked.services.files.entries(asked.principal, key, path, depth=depth, **asked.who))


@router.delete("/files", **operation("files.delete", scope="sandboxes:write", sdk="sandbox.files.delete", status=204, refuses=(400,)))
async def remove(asked: Asked, key: str, path: str, recursive: bool = False) -> Response:
    """Delete a file or folder."""
    await asked.services.files.remove(asked.principal, key, path, recursive=recursive, **asked.who)
    return nothing()


@router.get("/files/tree", **operation("files.tree", Tree, scope="sandboxes:read", sdk="sandbox.files.tree", refuses=(400, 409)))
async def tree(asked: Asked, key: str, path: str = "/workspace", depth: Annotated[int, Query(ge=1, le=16)] = 3) -> Response:
    """A folder as a tree; flat."""
    found = await asked.services.files.entries(asked.principal, key, path, depth=depth, **asked.who)
    return JSON(_tree(found))


@router.get(
    "/files/{path:path}", **operation("files.read_compat", media=OCTETS, scope="sandboxes:read", compat="files.read", refuses=(400, 409))
)
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


def _content(given: FileWrite) -> bytes:
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
