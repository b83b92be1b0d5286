"""/egress/oauth: connect an account, wait for it, connect a machine; and the callback that a browser visits."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import HTMLResponse, Response

from ..connect import MachineConnection, StartConnection, page
from ..vault import SecretValue
from .answers import data
from .bodies import Body, body, example
from .context import Asked, services
from .operation import operation
from .route import OpenRoute, Route
from .schemas.common import Many, One
from .schemas.egress import Attempt, Provider, SecretSetAnswer, Started

router = APIRouter(prefix="/egress", route_class=Route)
callback = APIRouter(prefix="/egress/oauth", route_class=OpenRoute)

Text = Annotated[str | None, Field(default=None, max_length=255)]
Flow = Literal["code", "device"]


class OAuthPlace(Body):
    """Whose the connection is, and where it is used."""

    expose_as_env: Text
    workspace_id: Text
    owner_user_id: Text
    external_user_id: Text
    external_workspace_id: Text
    resource_id: Text
    resource_type: Text


class OAuthStart(OAuthPlace):
    """An account to connect."""

    model_config = example({"provider": "github", "expose_as_env": "GITHUB_TOKEN", "resource_id": "agent", "resource_type": "sandbox"})

    provider: str = Field(min_length=1, max_length=64)
    flow: Flow = "code"
    scope: str | None = Field(default=None, max_length=4000)
    scopes: list[str] | None = None
    redirect_uri: str | None = None


class OAuthMachine(OAuthPlace):
    """A client with a secret of its own."""

    model_config = example(
        {
            "name": "crm",
            "token_url": "https://login.example.com/token",
            "client_id": "openmiosa",
            "client_secret": "example0123456789",
            "allowed_hosts": ["api.example.com"],
        }
    )

    name: str
    token_url: str
    client_id: str = Field(min_length=1, max_length=1000)
    client_secret: str = Field(min_length=1, max_length=65536)
    scopes: list[str] | None = None
    scope: str = Field(default="user", max_length=24)
    client_auth: str = "client_secret_basic"
    allowed_hosts: list[str] | None = None


class OAuthAgain(Body):
    """How to ask again."""

    model_config = example({"flow": "code"})

    flow: Flow = "code"
    resource_id: Text


@router.get(
    "/oauth/providers",
    **operation("oauth.providers", Many[Provider], scope="secrets:read", sdk=("sandbox.secrets.providers", "client.secrets.providers")),
)
async def providers(asked: Asked) -> Response:
    """What can be connected."""
    return data([provider.view() for provider in await asked.services.connect.providers(asked.principal, **asked.who)])


@router.post(
    "/oauth/start",
    **operation(
        "oauth.start", One[Started], scope="secrets:write", sdk=("sandbox.secrets.connect", "client.secrets.connect"), refuses=(502,)
    ),
)
async def start(asked: Asked, given: Annotated[OAuthStart, body(OAuthStart)]) -> Response:
    """Where the person goes; the secret is pending until they come back."""
    wanted = StartConnection(
        provider=given.provider,
        flow=given.flow,
        scope=given.scope,
        scopes=None if given.scopes is None else tuple(given.scopes),
        redirect_uri=given.redirect_uri,
        **_place(given),
    )
    return data((await asked.services.connect.start(asked.principal, wanted, **asked.who)).view())


@router.get("/oauth/status", **operation("oauth.status", One[Attempt], scope="secrets:read", sdk="connection.status", refuses=(404,)))
async def status(asked: Asked, state: str) -> Response:
    """How it stands."""
    return data(await asked.services.connect.status(asked.principal, state, **asked.who))


@router.post(
    "/oauth/machine",
    **operation(
        "oauth.machine",
        SecretSetAnswer,
        scope="secrets:write",
        sdk=("sandbox.secrets.add_machine_oauth", "client.secrets.add_machine_oauth"),
        status=201,
        refuses=(502,),
    ),
)
async def machine(asked: Asked, given: Annotated[OAuthMachine, body(OAuthMachine)]) -> Response:
    """Client credentials; refreshed like every connection."""
    wanted = MachineConnection(
        name=given.name,
        token_url=given.token_url,
        client_id=given.client_id,
        client_secret=SecretValue(given.client_secret),
        scopes=tuple(given.scopes or ()),
        scope=given.scope,
        client_auth=given.client_auth,
        allowed_hosts=tuple(given.allowed_hosts or ()),
        **_place(given),
    )
    bound = await asked.services.connect.machine(asked.principal, wanted, **asked.who)
    return data(bound.secret.view(), status=201, binding=bound.binding)


@router.post(
    "/secrets/{secret}/reauthorize",
    **operation(
        "secrets.reauthorize",
        One[Started],
        scope="secrets:write",
        sdk=("sandbox.secrets.reauthorize", "client.secrets.reauthorize"),
        refuses=(502,),
    ),
)
async def reauthorize(
    asked: Asked, secret: str, given: Annotated[OAuthAgain, body(OAuthAgain)], resource_id: str | None = None
) -> Response:
    """Ask the person again."""
    started = await asked.services.connect.reauthorize(
        asked.principal, secret, flow=given.flow, resource_id=given.resource_id or resource_id, **asked.who
    )
    return data(started.view())


@callback.get(
    "/callback",
    **operation("oauth.callback", media={"text/html": {"type": "string"}}, scope=None, no_sdk="a browser visits it", also=(400,)),
)
async def come_back(request: Request) -> Response:
    """Authorised by its state alone; answers a page and no data."""
    given = {
        name: value for name, value in request.query_params.multi_items() if name in ("state", "code", "error", "error_description", "iss")
    }
    finished = await services(request).connect.callback(given)
    return HTMLResponse(page.render(finished), status_code=200 if finished.ok else 400, headers=page.HEADERS)


def _place(given: OAuthPlace) -> dict[str, str | None]:
    return {name: getattr(given, name) for name in OAuthPlace.model_fields}
