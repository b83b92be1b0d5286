"""The application: routers, failures, and the layer around them."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware
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

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_EXPOSED = ("X-Request-Id", "Retry-After", "Idempotency-Replayed", "Content-Disposition")
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
    browser_origins: Sequence[str] = (),
) -> ASGIApp:
    """All routes, failures, and the edge around them."""
    app = FastAPI(title="OpenMIOSA", version=version, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.services = services
    app.state.browser_origins = frozenset(browser_origins)
    failures.install(app)
    for router in routers(checks, metrics, version):
        app.include_router(router)
    inner = measured(app)
    if browser_origins:
        # Without credentials: a key is sent by the page itself, never by the browser on its own.
        inner = CORSMiddleware(
            inner, allow_origins=browser_origins, allow_methods=_METHODS, allow_headers=["*"], expose_headers=_EXPOSED, max_age=600
        )
    return Edge(inner, new_request_id=new_request_id)
