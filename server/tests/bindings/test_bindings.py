"""Which secret a sandbox gets, and where it may go."""

from dataclasses import replace

import pytest
from openmiosa_server.bindings import Binder, catalogue
from openmiosa_server.db.tables import sandboxes
from openmiosa_server.errors import Invalid, NotFound
from openmiosa_server.vault import SecretValue, SetSecret
from sqlalchemy import select


def bound_hosts(**given):
    return Binder().bound_hosts(**({"allowed_hosts": (), "env": None, "provider": None, "value": None} | given))


def test_hosts_that_were_given_win_over_the_catalogue():
    assert bound_hosts(allowed_hosts=("API.Example.test.",), env="OPENAI_API_KEY") == ("api.example.test",)


def test_then_the_variable_then_the_shape_then_the_provider():
    assert bound_hosts(env="OPENAI_API_KEY", value=SecretValue("ghp_" + "a" * 36)) == ("api.openai.com",)
    assert "api.github.com" in bound_hosts(env="MY_KEY", value=SecretValue("ghp_" + "a" * 36), provider="slack")
    assert "slack.com" in bound_hosts(env="MY_KEY", value=SecretValue("nothing known"), provider="slack")


def test_else_a_secret_is_inert():
    assert bound_hosts(env="openai_api_key", value=SecretValue("nothing known")) == ()


@pytest.mark.parametrize("host", ["*", "*.com", "10.0.0.0/8", "192.0.2.1", "https://api.openai.com", "api.openai.com:8443", "", "a b"])
def test_a_host_too_wide_or_none_is_refused(host):
    with pytest.raises(Invalid) as refused:
        bound_hosts(allowed_hosts=(host,))
    assert refused.value.code == "BAD_HOST"


def test_no_variable_belongs_to_two_providers_and_every_host_is_canonical():
    envs = [env for provider in catalogue.CATALOGUE for env in provider.env]
    assert len(envs) == len(set(envs))
    for provider in catalogue.CATALOGUE:
        assert bound_hosts(allowed_hosts=provider.hosts) == provider.hosts


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("sk-proj-" + "a" * 40, "openai"),
        ("sk-ant-api03-" + "a" * 40, "anthropic"),
        ("github_pat_" + "a" * 40, "github"),
        ("xoxb-1234567890-a", "slack"),
    ],
)
def test_known_shapes_are_known(value, name):
    assert catalogue.by_shape(value).name == name


LADDER = [
    {"scope": "tenant"},
    {"scope": "workspace", "workspace_id": "w1"},
    {"scope": "external_workspace", "external_workspace_id": "x1"},
    {"scope": "external_user", "external_user_id": "e1"},
    {"scope": "user", "owner_user_id": "u1"},
]


async def test_the_ladder_of_scopes_is_climbed_rung_by_rung(core, secret):
    principal = await core.tenant()
    owners = {"workspace_id": "w1", "external_workspace_id": "x1", "external_user_id": "e1", "owner_user_id": "u1"}
    sandbox = await core.sandbox(principal, **owners)
    seen = []
    for rung in LADDER:
        await core.vault.set(principal, replace(secret, name=rung["scope"], **rung))
        seen.append((await effective(core, sandbox))[0].name)
    await core.vault.set(principal, replace(secret, name="own", resource_id=sandbox))
    assert [*seen, (await effective(core, sandbox))[0].name] == [
        "tenant",
        "workspace",
        "external_workspace",
        "external_user",
        "user",
        "own",
    ]


async def test_a_neighbours_secret_is_not_on_the_ladder(core, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal, external_user_id="e1")
    await core.vault.set(principal, replace(secret, scope="external_user", external_user_id="e2"))
    await core.vault.set(principal, replace(secret, name="mine", scope="user"))
    assert await core.bindings.environment(sandbox) == {}


async def test_a_sandbox_made_later_finds_the_secret_of_its_user(core, secret):
    principal = await core.tenant()
    await core.vault.set(principal, replace(secret, scope="external_user", external_user_id="e1"))
    sandbox = await core.sandbox(principal, external_user_id="e1")
    assert set(await core.bindings.environment(sandbox)) == {"OPENAI_API_KEY"}


async def test_s03_two_sandboxes_get_two_placeholders_of_one_secret(core, secret):
    principal = await core.tenant()
    await core.vault.set(principal, secret)
    first, second = [(await core.bindings.environment(await core.sandbox(principal)))["OPENAI_API_KEY"] for _ in range(2)]
    assert first != second
    assert len(first) == len(second) == len("miosa-tok-") + 32


async def test_binding_twice_is_one_binding(core, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    await core.vault.set(principal, replace(secret, expose_as_env=None))
    made = [await core.bindings.bind(principal, "openai_key", sandbox, "OPENAI_API_KEY") for _ in range(2)]
    assert made[0].id == made[1].id
    assert len(await core.bindings.list(principal, resource_id=sandbox)) == 1


async def test_binding_anew_mints_anew(core, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    await core.vault.set(principal, replace(secret, expose_as_env=None))
    first = await core.bindings.bind(principal, "openai_key", sandbox, "OPENAI_API_KEY")
    await core.bindings.unbind(principal, first.id)
    assert (await core.bindings.bind(principal, "openai_key", sandbox, "OPENAI_API_KEY")).placeholder != first.placeholder


async def test_c08_another_tenants_binding_is_not_there(core, secret):
    mine, theirs = await core.tenant(), await core.tenant()
    bound = await core.vault.set(theirs, replace(secret, resource_id=await core.sandbox(theirs)))
    with pytest.raises(NotFound):
        await core.bindings.unbind(mine, bound.binding["id"])
    with pytest.raises(NotFound):
        await core.bindings.bind(mine, bound.secret.id, await core.sandbox(mine))
    assert await core.bindings.list(mine) == []


async def test_a_refresh_token_never_has_a_placeholder(core):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    given = SetSecret(
        name="github_token",
        value=SecretValue("gho_" + "a" * 36),
        refresh_token=SecretValue("ghr_" + "b" * 36),
        expose_as_env="GITHUB_TOKEN",
    )
    await core.vault.set(principal, replace(given, resource_id=sandbox))
    assert len(await effective(core, sandbox)) == 1


async def effective(core, sandbox_id):
    async with core.database.read() as tx:
        row = (await tx.execute(select(sandboxes).where(sandboxes.c.id == sandbox_id))).mappings().one()
        return await core.bindings.effective(tx, row, mint=False)
