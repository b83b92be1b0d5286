"""/sandboxes/:id/usage, /metrics, /resources, /artifacts: what it uses, may use, and has made."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from ..errors import Invalid, NotFound
from .answers import data
from .context import Asked
from .operation import operation
from .route import Route
from .schemas.common import One
from .schemas.usage import Artifacts, Metrics, Resources, Usage
from .times import moment

router = APIRouter(prefix="/sandboxes/{key}", route_class=Route)

_MADE_IN = "/workspace/artifacts"  # where the published client's own agents are told to put what they make

Window = Annotated[str, Query(description="Since when calls are counted: a time in ISO 8601 or an age such as `1h`.")]


@router.get("/usage", **operation("sandboxes.usage", One[Usage], scope="sandboxes:read", sdk="sandbox.usage"))
async def usage(asked: Asked, key: str, window: Window = "24h") -> Response:
    """How long it has lived, what it used, what it may use, and what it called within the window."""
    view, live = await _live(asked, key)
    lived = {"sandbox_id": view["id"], "state": view["state"], "started_at": view["started_at"], "running_sec": live["running_sec"]}
    return data({**lived, **view["resource_contract"], "cpu_usec": live["cpu_usec"], **await _calls(asked, view["id"], window)})


@router.get("/metrics", **operation("sandboxes.metrics", One[Metrics], scope="sandboxes:read", sdk="sandbox.metrics"))
async def metrics(asked: Asked, key: str, window: Window = "1h") -> Response:
    """What it uses right now, and what it called within the window."""
    view, live = await _live(asked, key)
    limits = {"cpu_count": view["cpu_count"], "memory_limit_bytes": view["memory_mb"] * 2**20}
    return data({"sandbox_id": view["id"], "state": view["state"], **live, **limits, **await _calls(asked, view["id"], window)})


@router.get("/resources", **operation("sandboxes.resources", One[Resources], scope="sandboxes:read", sdk="sandbox.resources"))
async def resources(asked: Asked, key: str) -> Response:
    """What it may use. Limits are set when a sandbox is made; a fork can have its files under others."""
    view, live = await _live(asked, key)
    may = {"cpu": view["cpu_count"], "memory_mb": view["memory_mb"], "disk_size_mb": view["disk_size_mb"]}
    why = "limits are set when a sandbox is made: create one of another size from its snapshot"
    can = {"live_cpu": False, "live_memory": False, "reason": why}
    return data({"id": view["id"], "resources": may, "capabilities": can, "in_use": live})


@router.get("/artifacts", **operation("sandboxes.artifacts", One[Artifacts], scope="sandboxes:read", sdk="sandbox.artifacts"))
async def artifacts(asked: Asked, key: str) -> Response:
    """What it has made: the files in /workspace/artifacts, its previews, its snapshots."""
    services = asked.services
    sandbox = await services.sandboxes.get(asked.principal, key, **asked.who)
    try:
        files = (await services.files.entries(asked.principal, sandbox.id, _MADE_IN, depth=8, **asked.who))["entries"]
    except NotFound:
        files = []
    previews = [preview.view() for preview in await services.previews.listed(asked.principal, sandbox.id, **asked.who)]
    kept = [snapshot.view() for snapshot in await services.snapshots.list_snapshots(asked.principal, sandbox.id, **asked.who)]
    made: dict[str, Any] = {"path": _MADE_IN, "files": files, "snapshots": kept}
    return data({"sandbox_id": sandbox.id, "artifacts": made, "preview": previews[0] if previews else {}, "previews": previews})


async def _live(asked: Asked, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    sandbox = await asked.services.sandboxes.get(asked.principal, key, **asked.who)
    return sandbox.view(), await asked.services.sandboxes.measure(sandbox)


async def _calls(asked: Asked, sandbox_id: str, window: str) -> dict[str, Any]:
    since = moment(window, "window")
    if since is None:
        raise Invalid("window is a time or an age", details={"field": "window"})
    counted = await asked.services.audit.totals(asked.principal, sandbox_id, since)
    return {"window": window, "calls": counted}
