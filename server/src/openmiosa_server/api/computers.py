"""/computers: sandboxes under the routes that Go's client needs for blocking commands and single files. All flat."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.responses import Response

from ..errors import BadRequest, TooLarge
from .answers import JSON, data, nothing
from .bodies import Body, body
from .context import Asked
from .exec import Exec
from .files import Path, Write, content, decoded
from .padded import Padded
from .route import Route

router = APIRouter(prefix="/computers/{key}", route_class=Route, tags=["computers"])

_PARTS = 2**20


class Script(Body):
    """Python to run."""

    code: str
    timeout: float | None = None


@router.get("")
async def get(asked: Asked, key: str) -> Response:
    """A sandbox as a computer: values of its metadata are texts."""
    view = (await asked.services.sandboxes.get(asked.principal, key, **asked.who)).view()
    metadata = {name: value if isinstance(value, str) else str(value) for name, value in view["metadata"].items()}
    return JSON({**view, "status": view["state"], "metadata": metadata})


@router.post("/exec")
async def run(asked: Asked, key: str, given: Annotated[Exec, body(Exec)]) -> Response:
    """Run to the end."""
    return await _run(asked, key, given)


@router.post("/exec/python")
async def run_python(asked: Asked, key: str, given: Annotated[Script, body(Script)]) -> Response:
    """Run a script to the end."""
    return await _run(asked, key, Exec(argv=["python3", "-c", given.code], timeout=given.timeout))


@router.post("/files/upload", status_code=201)
async def upload(asked: Asked, key: str, request: Request) -> Response:
    """A multipart form with `path` and `file`."""
    limit = asked.services.files.max_file_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit + _PARTS:
        raise TooLarge(f"an upload has at most {limit} bytes", details={"limit": limit})
    try:
        async with request.form(max_files=1, max_fields=8, max_part_size=_PARTS) as form:
            path, file = form.get("path"), form.get("file")
            if not isinstance(file, UploadFile) or not isinstance(path, str):
                raise BadRequest("the form needs a field `path` and a file `file`", details={"field": "file"})
            given = await file.read(limit + 1)
    except MultiPartException as error:
        raise BadRequest(f"the form could not be read: {error.message}") from None
    done = await asked.services.files.write(asked.principal, key, path, given, **asked.who)
    return JSON({"path": done["path"], "size": done["size"], "size_bytes": done["size"]}, status_code=201)


@router.post("/files/write", status_code=201)
async def write(asked: Asked, key: str, given: Annotated[Write, body(Write, limit=2**27)]) -> Response:
    """The same as base64."""
    done = await asked.services.files.write(
        asked.principal, key, given.path, decoded(given.content_base64 or given.content or ""), **asked.who
    )
    return JSON({"path": done["path"], "size": done["size"], "size_bytes": done["size"]}, status_code=201)


@router.get("/files/download")
async def download(asked: Asked, key: str, path: str) -> Response:
    """The bytes of a file."""
    return await content(asked, key, path)


@router.get("/files")
async def listed(asked: Asked, key: str, path: str = "/workspace") -> Response:
    """A folder, under the keys of both clients."""
    found = await asked.services.files.entries(asked.principal, key, path, **asked.who)
    return JSON({"path": found["path"], "entries": found["entries"], "data": found["entries"]})


@router.get("/files/readdir")
async def readdir(asked: Asked, key: str, path: str = "/workspace") -> Response:
    """The same in an envelope."""
    return data({"entries": (await asked.services.files.entries(asked.principal, key, path, **asked.who))["entries"]})


@router.post("/files/stat")
async def stat(asked: Asked, key: str, given: Annotated[Path, body(Path)]) -> Response:
    """One entry."""
    return data(await asked.services.files.stat(asked.principal, key, given.path, **asked.who))


@router.delete("/files")
async def remove(asked: Asked, key: str, given: Annotated[Path, body(Path)]) -> Response:
    """Delete; the path stands in the body."""
    await asked.services.files.remove(asked.principal, key, given.path, recursive=True, **asked.who)
    return nothing()


async def _run(asked: Asked, key: str, given: Exec) -> Response:
    running = await asked.services.execution.start(asked.principal, key, given.wanted(), **asked.who)

    async def work() -> dict[str, Any]:
        view = (await asked.services.execution.wait(running)).view()
        return {**view, "output": view["stdout"] + view["stderr"], "success": view["exit_code"] == 0}

    return Padded(work())
