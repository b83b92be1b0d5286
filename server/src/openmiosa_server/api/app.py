"""The application: routers, failures, and the layer around them."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from . import (
    audit,
    computer_sockets,
    computers,
    document,
    events,
    exec,
    failures,
    files,
    health,
    keys,
    logs,
    network,
    oauth,
    previews,
    sandboxes,
    secrets,
    snapshots,
    templates,
    terminal,
    tokens,
    transfers,
    tunnels,
    usage,
)
from .context import Services
from .document import BASE
from .middleware import Edge

_ROUTERS = (
    network.router,  # before audit: its suggestions lie below /egress/audit/
    audit.router,
    audit.sockets,
    events.router,
    terminal.sockets,
    tunnels.sockets,
    computer_sockets.sockets,
    terminal.router,
    secrets.router,
    oauth.router,
    oauth.callback,
    keys.router,
    tokens.router,
    templates.router,
    exec.router,
    logs.router,
    transfers.router,  # before files: its watch lies where a file of that name would
    transfers.streamed,
    files.router,
    previews.router,
    snapshots.router,
    computers.router,
    usage.router,
    sandboxes.router,
)


def routers(checks: dict[str, health.Check], metrics: Callable[[], tuple[bytes, str]], version: str) -> list[APIRouter]:
    """Every route there is: those below /api/v1, the document of all of them among these, and the three at the root."""
    api, root = APIRouter(prefix=BASE), health.router(checks, metrics, version)
    for router in _ROUTERS:
        api.include_router(router)
    api.include_router(document.router(lambda: [*api.routes, *root.routes]))
    return [api, root]


def documented() -> dict[str, Any]:
    """The API's document, without anything that runs."""
    return document.describe([route for router in routers({}, lambda: (b"", ""), "") for route in router.routes])


def build(
    services: Services,
    *,
    version: str,
    checks: dict[str, health.Check],
    metrics: Callable[[], tuple[bytes, str]],
    measured: Callable[[ASGIApp], ASGIApp],
    new_request_id: Callable[[], str],
) -> ASGIApp:
    """All routes, failures, and the edge around them."""
    app = FastAPI(title="OpenMIOSA", version=version, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.services = services
    failures.install(app)
    for router in routers(checks, metrics, version):
        app.include_router(router)
    return Edge(measured(app), new_request_id=new_request_id)
