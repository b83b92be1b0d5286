"""White label: a backend whose end users bring their own keys; who gets which, and that nobody reaches anybody else's."""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openmiosa import Miosa, NotFoundError, PermissionDeniedError

from ..kit.canary import canary
from ..kit.system import World
from ..kit.upstreams import Request, Response

ROOT = Path(__file__).resolve().parents[2]
HOST = "api.openai.com"
ADA, GRACE = "ada@customer.example", "grace@customer.example"
SHOW = 'curl -s -m 10 -o /dev/null -H "Authorization: Bearer $OPENAI_API_KEY" https://api.openai.com/v1/models'
VARIABLE: dict[str, Any] = {"expose_as_env": "OPENAI_API_KEY", "allowed_hosts": [HOST]}
NUMBERS = itertools.count(1)


class Shop:
    """The product: its backend's client, and what the upstream has seen."""

    def __init__(self, world: World) -> None:
        self.world, self.backend = world, world.client
        world.names.set(HOST, ["11.5.0.1"])
        world.internet.answer(HOST, self.models)

    def models(self, _: Request) -> Response:
        """What the upstream answers."""
        return Response(body=json.dumps({"data": [{"id": "one"}, {"id": "two"}]}).encode())

    def keys_seen(self) -> list[str]:
        """The credentials that arrived, oldest first."""
        return [(request.header("Authorization") or "").removeprefix("Bearer ") for request in self.world.internet.requests(HOST)]

    def key_used(self, sandbox: Any) -> str | None:
        """The credential with which a sandbox's call arrives; None when it does not."""
        before = len(self.keys_seen())
        sandbox.exec(SHOW)
        new = self.keys_seen()[before:]
        return new[0] if new else None

    def keep(self, scope: str, **owner: str) -> str:
        """Keep a value at a scope; gives it."""
        value = canary()
        self.backend.secrets.set(name=f"key-{next(NUMBERS)}", value=value, scope=scope, **owner, **VARIABLE)
        return value


@pytest.fixture
def shop(own_world: World) -> Iterator[Shop]:
    """A shop without users, and nothing left of it afterwards."""
    made = Shop(own_world)
    yield made
    for sandbox in made.backend.sandboxes.list():
        sandbox.destroy()
    for secret in made.backend.secrets.list():
        made.backend.secrets.delete(secret.id)


def test_the_example_works_for_each_user_with_the_right_key(shop: Shop, tmp_path: Path):
    users = {"company": canary(), "users": {ADA: canary(), GRACE: None}}
    file = tmp_path / "users.json"
    file.write_text(json.dumps(users))
    command = [sys.executable, "-m", "examples.white_label", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=shop.world.system.environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{ADA}: 2 models",
        f"{ADA}: [audit] allow {HOST} HTTP 200 secrets=own_key",
        f"{GRACE}: 2 models",
        f"{GRACE}: [audit] allow {HOST} HTTP 200 secrets=company_key",
    ]
    assert shop.keys_seen()[-2:] == [users["users"][ADA], users["company"]]


def test_the_nearest_owner_wins_and_the_next_one_steps_in(shop: Shop):
    owners = {"owner_user_id": "u", "external_user_id": ADA, "external_workspace_id": "team", "workspace_id": "w"}
    sandbox = shop.backend.sandboxes.create(**owners)
    ladder = [
        shop.keep("tenant"),
        shop.keep("workspace", workspace_id="w"),
        shop.keep("external_workspace", external_workspace_id="team"),
        shop.keep("external_user", external_user_id=ADA),
        shop.keep("user", owner_user_id="u"),
        shop.keep("user", resource_id=sandbox.id),
    ]
    used = []
    newest_first = sorted(shop.backend.secrets.list(), key=lambda secret: str(secret.created_at), reverse=True)
    for secret in newest_first:
        used.append(shop.key_used(sandbox))
        shop.backend.secrets.delete(secret.id)
    assert used == ladder[::-1]
    assert sandbox.exec("echo -n $OPENAI_API_KEY").stdout == "", "nothing is left to inherit"


def test_a_key_that_is_brought_later_is_in_the_sandbox_that_runs(shop: Shop):
    company = shop.keep("tenant")
    sandbox = shop.backend.sandboxes.create(external_user_id=ADA)
    assert shop.key_used(sandbox) == company
    own = shop.keep("external_user", external_user_id=ADA)
    assert shop.key_used(sandbox) == own


def test_one_rotation_reaches_every_sandbox_of_its_user_and_no_other(shop: Shop):
    theirs = [shop.backend.sandboxes.create(external_user_id=user) for user in (ADA, ADA, GRACE)]
    shop.keep("external_user", external_user_id=ADA)
    of_grace = shop.keep("external_user", external_user_id=GRACE)
    [secret] = shop.backend.secrets.list(external_user_id=ADA)
    renewed = canary()
    shop.backend.secrets.rotate(secret.id, renewed)
    assert [shop.key_used(sandbox) for sandbox in theirs] == [renewed, renewed, of_grace]


def test_colleagues_do_not_see_each_other(shop: Shop):
    shop.keep("external_user", external_user_id=ADA)
    of_grace = shop.backend.sandboxes.create(external_user_id=GRACE)
    assert of_grace.exec("echo -n $OPENAI_API_KEY").stdout == ""
    assert of_grace.secrets.bindings() == []


def test_a_placeholder_that_is_carried_over_opens_nothing(shop: Shop):
    value = shop.keep("external_user", external_user_id=ADA)
    of_ada, of_grace = (shop.backend.sandboxes.create(external_user_id=user) for user in (ADA, GRACE))
    placeholder = of_ada.exec("echo -n $OPENAI_API_KEY").stdout
    assert placeholder.startswith("miosa-tok-")
    of_grace.exec(SHOW, env={"OPENAI_API_KEY": placeholder})
    assert value not in shop.keys_seen()


class Session:
    """What Grace's own key can reach of Ada's: nothing, by whichever call."""

    def __init__(self, shop: Shop) -> None:
        self.of_ada = shop.backend.sandboxes.create("work-of-ada", external_user_id=ADA)
        self.of_grace = shop.backend.sandboxes.create("work-of-grace", external_user_id=GRACE)
        shop.keep("external_user", external_user_id=ADA)
        shop.keep("external_user", external_user_id=GRACE)
        [self.secret] = shop.backend.secrets.list(external_user_id=ADA)
        shop.key_used(self.of_ada)
        self.event = shop.backend.audit.list(external_user_id=ADA).first()
        self.key = shop.backend.api_keys.create_scoped(ADA, name="of ada")
        self.grace = shop.world.connect(shop.backend.api_keys.create_scoped(GRACE).token)


@pytest.fixture
def session(shop: Shop) -> Iterator[Session]:
    """Both at work, and Grace's app with her key."""
    made = Session(shop)
    with made.grace:
        yield made


REACHES = [
    "grace.sandboxes.get(of_ada.id)",
    "grace.sandboxes.get_by_name('work-of-ada')",
    "grace.sandboxes.delete(of_ada.id)",
    "grace.request('POST', f'sandboxes/{of_ada.id}/exec', json={'command': 'id'})",
    "grace.request('GET', f'sandboxes/{of_ada.id}/files')",
    "grace.request('POST', f'sandboxes/{of_ada.id}/snapshots', json={})",
    "grace.secrets.get(secret.id)",
    "grace.secrets.rotate(secret.id, 'mine now')",
    "grace.secrets.delete(secret.id)",
    "grace.secrets.bind(secret.id, expose_as_env='STOLEN', resource_id=of_grace.id)",
    "grace.secrets.set(name='x', value='y', expose_as_env='X', resource_id=of_ada.id)",
    "grace.secrets.set(name='x', value='y', scope='external_user', external_user_id=of_ada.info.external_user_id, expose_as_env='X')",
    "grace.secrets.set(name='x', value='y', scope='tenant', expose_as_env='X')",
    "grace.network.lockdown([])",
    "grace.request('POST', 'egress/allowlist', json={'host': 'a.example', 'resource_id': of_ada.id})",
    "grace.audit.get(event.id)",
    "grace.api_keys.get(key.id)",
    "grace.api_keys.create_scoped(of_ada.info.external_user_id)",
    "grace.api_keys.create('everything')",
    "grace.sandboxes.create(external_user_id=of_ada.info.external_user_id)",
    "grace.sandboxes.create(owner_user_id='u')",
]


@pytest.mark.parametrize("reach", REACHES)
def test_a_users_key_does_not_reach_anothers(session: Session, reach: str):
    with pytest.raises((NotFoundError, PermissionDeniedError)) as refused:
        eval(reach, dict(vars(session)))
    assert getattr(refused.value, "required", None) is None, "the key lacks no scope; it is the owner that is another"


def test_a_users_key_lists_what_is_theirs_alone(session: Session):
    grace: Miosa = session.grace
    session.of_grace.exec(SHOW)
    assert [sandbox.name for sandbox in grace.sandboxes.list()] == ["work-of-grace"]
    assert {secret.external_user_id for secret in grace.secrets.list()} == {GRACE}
    assert {event.external_user_id for event in grace.audit.list()} <= {GRACE}
    assert session.key.id not in [key.id for key in grace.api_keys.list()]


def test_a_users_key_works_in_what_is_theirs(session: Session):
    with session.grace.sandboxes.create() as sandbox:
        assert sandbox.info.external_user_id == GRACE
        assert sandbox.exec("echo -n $OPENAI_API_KEY").stdout.startswith("miosa-tok-")
