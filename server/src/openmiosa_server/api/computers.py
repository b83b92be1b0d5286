"""/computers: sandboxes under the routes that Go's client needs for blocking commands and single files. All flat."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.responses import Response

from ..errors import BadRequest, TooLarge
from .answers import JSON, data, nothing
from .bodies import Body, body, example
from .context import Asked
from .exec import ExecRun
from .files import FilePath, FileWrite, content, decoded
from .operation import BYTES, OCTETS, operation
from .padded import Padded
from .route import Route
from .schemas.common import One
from .schemas.exec import ComputerResult
from .schemas.files import ComputerListing, Entries, Entry, Written
from .schemas.sandboxes import Sandbox

router = APIRouter(prefix="/computers/{key}", route_class=Route)

_PARTS = 2**20
_FORM = {"multipart/form-data": {"type": "object", "required": ["path", "file"], "properties": {"path": {"type": "string"}, "file": BYTES}}}


class ScriptRun(Body):
    """Python to run."""

    model_config = example({"code": "print(6 * 7)"})

    code: str
    timeout: float | None = None


@router.get("", **operation("computers.get", Sandbox, scope="sandboxes:read", compat="sandboxes.get"))
async def get(asked: Asked, key: str) -> Response:
    """A sandbox as a computer: values of its metadata are texts."""
    view = (await asked.services.sandboxes.get(asked.principal, key, **asked.who)).view()
    metadata = {name: value if isinstance(value, str) else str(value) for name, value in view["metadata"].items()}
    return JSON({**view, "status": view["state"], "metadata": metadata})


@router.post("/exec", **operation("computers.exec", ComputerResult, scope="sandboxes:write", compat="exec.run"))
async def run(asked: Asked, key: str, given: Annotated[ExecRun, body(ExecRun)]) -> Response:
    """Run to the end."""
    return await _run(asked, key, given)


@router.post("/exec/python", **operation("computers.exec_python", ComputerResult, scope="sandboxes:write", compat="exec.run"))
async def run_python(asked: Asked, key: str, given: Annotated[ScriptRun, body(ScriptRun)]) -> Response:
    """Run a script to the end."""
    return await _run(asked, key, ExecRun(argv=["python3", "-c", given.code], timeout=given.timeout))


@router.post(
    "/files/upload", **operation("computers.upload", Written, scope="sandboxes:write", compat="files.write", status=201, takes=_FORM)
)
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


@router.post("/files/write", **operation("computers.write", Written, scope="sandboxes:write", compat="files.write", status=201))
async def write(asked: Asked, key: str, given: Annotated[FileWrite, body(FileWrite, limit=2**27)]) -> Response:
    """The same as base64."""
    done = await asked.services.files.write(
        asked.principal, key, given.path, decoded(given.content_base64 or given.content or ""), **asked.who
    )
    return JSON({"path": done["path"], "size": done["size"], "size_bytes": done["size"]}, status_code=201)


@router.get(
    "/files/download", **operation("computers.download", media=OCTETS, scope="sandboxes:read", compat="files.read", refuses=(400, 409))
)
async def download(asked: Asked, key: str, path: str) -> Response:
    """The bytes of a file."""
    return await content(asked, key, path)


@router.get("/files", **operation("computers.list_files", ComputerListing, scope="sandboxes:read", compat="files.list", refuses=(400, 409)))
async def listed(asked: Asked, key: str, path: str = "/workspace") -> Response:
    """A folder, under the keys of both clients."""
    found = await asked.services.files.entries(asked.principal, key, path, **asked.who)
    return JSON({"path": found["path"], "entries": found["entries"], "data": found["entries"]})


@router.get(
    "/files/readdir", **operation("computers.readdir", One[Entries], scope="sandboxes:read", compat="files.list", refuses=(400, 409))
)
async def readdir(asked: Asked, key: str, path: str = "/workspace") -> Response:
    """The same in an envelope."""
    return data({"entries": (await asked.services.files.entries(asked.principal, key, path, **asked.who))["entries"]})


@router.post("/files/stat", **operation("computers.stat", One[Entry], scope="sandboxes:read", compat="files.stat"))
async def stat(asked: Asked, key: str, given: Annotated[FilePath, body(FilePath)]) -> Response:
    """One entry."""
    return data(await asked.services.files.stat(asked.principal, key, given.path, **asked.who))


@router.delete("/files", **operation("computers.delete_file", scope="sandboxes:write", compat="files.delete", status=204))
async def remove(asked: Asked, key: str, given: Annotated[FilePath, body(FilePath)]) -> Response:
    """Delete; the path stands in the body."""
    await asked.services.files.remove(asked.principal, key, given.path, recursive=True, **asked.who)
    return nothing()


async def _run(asked: Asked, key: str, given: ExecRun) -> Response:
    running = await asked.services.execution.start(asked.principal, key, given.wanted(), **asked.who)

    async def work() -> dict[str, Any]:
        view = (await asked.services.execution.wait(running)).view()
        return {**view, "output": view["stdout"] + view["stderr"], "success": view["exit_code"] == 0}

    return Padded(work())
