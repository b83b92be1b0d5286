"""Worlds of their own for tests that break the shared one or need another configuration."""

from collections.abc import Iterator

import pytest

from ..kit.names import Names
from ..kit.system import World
from ..kit.system import world as make_world
from ..kit.upstreams import Internet


@pytest.fixture(scope="module")
def own_world(surrounding: tuple[Internet, Names]) -> Iterator[World]:
    """A system that a module may kill parts of."""
    with make_world(*surrounding) as made:
        yield made


@pytest.fixture(scope="module")
def static_world(surrounding: tuple[Internet, Names]) -> Iterator[World]:
    """A system whose operator has set a static host."""
    with make_world(*surrounding, static_hosts={"static.test:443": "127.0.0.1:8443"}) as made:
        yield made


@pytest.fixture(scope="module")
def oauth_world(surrounding: tuple[Internet, Names]) -> Iterator[World]:
    """A system with an OAuth provider of the rig's Internet."""
    demo = {
        "client_id": "openmiosa-tests",
        "client_secret": "a client secret",
        "display_name": "Demo",
        "authorize_url": "https://idp.test/authorize",
        "token_url": "https://idp.test/token",
        "scopes": ["read"],
        "hosts": ["api.idp.test"],
        "expose_as_env": "DEMO_TOKEN",
        "client_auth": "client_secret_post",
    }
    internet, names = surrounding
    names.set("idp.test", ["11.4.0.1"])
    names.set("api.idp.test", ["11.4.0.2"])
    with make_world(internet, names, settings={"oauth": {"providers": {"demo": demo}}}) as made:
        yield made
