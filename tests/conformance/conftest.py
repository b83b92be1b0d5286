"""A system whose operator has connected GitHub, two tenants in it, and one thing of each kind."""

from collections.abc import Iterator

import pytest

from ..kit.names import Names
from ..kit.system import World
from ..kit.system import world as make_world
from ..kit.upstreams import Internet, Request, Response
from .objects import Objects

GITHUB = {"client_id": "openmiosa-tests", "client_secret": "a client secret"}


@pytest.fixture(scope="package")
def wire(surrounding: tuple[Internet, Names]) -> Iterator[World]:
    """The system that the rows of the API's document are run against."""
    internet, names = surrounding
    names.set("login.example.com", ["11.4.0.9"])
    internet.answer("login.example.com", _token)
    with make_world(*surrounding, settings={"oauth": {"providers": {"github": GITHUB}}}) as made:
        made.add_tenant()
        yield made


@pytest.fixture(scope="package")
def objects(wire: World) -> Iterator[Objects]:
    """What the rows address."""
    made = Objects(wire)
    yield made
    made.close()


def _token(_: Request) -> Response:
    return Response(headers={"Content-Type": "application/json"}, body=b'{"access_token": "a-token-of-a-machine", "expires_in": 3600}')
