"""/tokens/scoped and stream tickets: what is handed to end users and browsers, and ends by itself."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from .answers import JSON
from .bodies import Body, body, example
from .context import Asked
from .operation import operation
from .route import Route
from .schemas.keys import ScopedToken, StreamTicket

router = APIRouter(route_class=Route)

_LIFETIME = 60  # seconds; identity keeps the promise


class TokenCreate(Body):
    """For whom, how long, and for what."""

    model_config = example({"user_id": "user-42", "workspace_id": "clinic-7", "expires_in_seconds": 900, "scopes": ["sandboxes:read"]})

    user_id: str = Field(min_length=1, max_length=255)
    workspace_id: str | None = Field(default=None, max_length=255)
    expires_in_seconds: int = Field(default=3600, ge=1, le=86400)
    scopes: list[str] | None = None


@router.post(
    "/tokens/scoped",
    **operation("tokens.create_scoped", ScopedToken, scope="keys:write", sdk="client.tokens.create_scoped", status=201),
)
async def create_scoped(asked: Asked, given: Annotated[TokenCreate, body(TokenCreate)]) -> Response:
    """A token for one end user: it sees that user's sandboxes and nothing else, and ends with the key that made it.

    The workspace is noted with it and opens nothing.
    """
    made = await asked.services.identity.delegate(
        asked.principal,
        given.user_id,
        given.workspace_id,
        scopes=None if given.scopes is None else tuple(given.scopes),
        expires_in_seconds=given.expires_in_seconds,
        **asked.who,
    )
    view = made.key.view()
    said = {name: view[name] for name in ("id", "expires_at", "scopes")}
    return JSON({"token": made.token, **said, "user_id": given.user_id, "workspace_id": given.workspace_id}, status_code=201)


@router.post("/sse/ticket", **operation("sse.ticket", StreamTicket, scope=None, sdk="client.sse_ticket"))
@router.post("/auth/sse-ticket", **operation("sse.ticket_compat", StreamTicket, scope=None, compat="sse.ticket"))
async def ticket(asked: Asked) -> Response:
    """For a browser's EventSource: `?ticket=` opens one stream within a minute, in the name of who asks here."""
    return JSON({"ticket": await asked.services.identity.issue_ticket(asked.principal), "expires_in": _LIFETIME})
