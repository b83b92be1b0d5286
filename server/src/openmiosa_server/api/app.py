"""The application: routers, failures, and the layer around them."""

from collections.abc import Callable

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from . import (
    audit,
    computers,
    exec,
    failures,
    files,
    health,
    keys,
    network,
    oauth,
    previews,
    sandboxes,
    secrets,
    snapshots,
    templates,
    terminal,
)
from .context import Services
from .middleware import Edge

BASE = "/api/v1"
_ROUTERS = (
    network.router,  # before audit: its suggestions lie below /egress/audit/
    audit.router,
    audit.sockets,
    terminal.sockets,
    secrets.router,
    oauth.router,
    oauth.callback,
    keys.router,
    templates.router,
    exec.router,
    files.router,
    previews.router,
    snapshots.router,
    computers.router,
    sandboxes.router,
)


def build(
    services: Services,
    *,
    version: str,
    checks: dict[str, health.Check],
    metrics: Callable[[], tuple[bytes, str]],
    measured: Callable[[ASGIApp], ASGIApp],
    new_request_id: Callable[[], str],
) -> ASGIApp:
    """Everything below /api/v1, the three routes at the root, and the edge around both."""
    app = FastAPI(title="OpenMIOSA", version=version, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.services = services
    failures.install(app)
    api = APIRouter(prefix=BASE)
    for router in _ROUTERS:
        api.include_router(router)
    app.include_router(api)
    app.include_router(health.router(checks, metrics, version))
    return Edge(measured(app), new_request_id=new_request_id)
