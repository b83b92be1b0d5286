"""/healthz, /readyz, /metrics: at the root, for machines, without a key and without details."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from starlette.responses import Response

from .answers import JSON
from .operation import operation
from .route import OpenRoute
from .schemas.health import Alive, Ready

_PROBE = "machines that watch the server call it"

Check = Callable[[], Awaitable[str | None]]


def router(checks: dict[str, Check], metrics: Callable[[], tuple[bytes, str]], version: str) -> APIRouter:
    """Each check answers None, or what is wrong in a word."""
    made = APIRouter(route_class=OpenRoute)

    @made.get("/healthz", **operation("health.alive", Alive, scope=None, no_sdk=_PROBE))
    async def alive() -> Response:
        """The process answers."""
        return JSON({"status": "ok"})

    @made.get("/readyz", **operation("health.ready", Ready, scope=None, no_sdk=_PROBE, also=(503,)))
    async def ready() -> Response:
        """Sandboxes can be made and used."""
        found = {name: await check() for name, check in checks.items()}
        wrong = {name: said for name, said in found.items() if said is not None}
        content = {
            "version": version,
            "status": "ready" if not wrong else "not ready",
            "checks": {name: said or "ok" for name, said in found.items()},
        }
        return JSON(content, status_code=503 if wrong else 200)

    @made.get("/metrics", **operation("health.metrics", media={"text/plain": {"type": "string"}}, scope=None, no_sdk=_PROBE))
    async def measured() -> Response:
        """Prometheus text."""
        content, kind = metrics()
        return Response(content, media_type=kind)

    return made
