"""The vault's service: what may be set, what is shown of it, and who finds it."""

from dataclasses import replace

import pytest
from openmiosa_server.errors import Conflict, Forbidden, InsufficientScope, Invalid, NotFound, OpenMiosaError
from openmiosa_server.identity import AdminFilter
from openmiosa_server.vault import RotateSecret, SecretFilter, SecretValue, SetSecret

from server.tests.conftest import CANARY


async def test_a_description_never_holds_the_value(core, secret):
    principal = await core.tenant()
    bound = await core.vault.set(principal, secret)
    shown = f"{bound} {bound.secret.view()} {await core.vault.get(principal, 'openai_key')}"
    assert CANARY not in shown
    assert CANARY[:12] not in shown


@pytest.mark.parametrize(("value", "shown"), [("x" * 23, None), ("a" * 20 + "WXYZ", "WXYZ"), ("short", None)])
async def test_k09_four_characters_of_a_long_value_and_none_of_a_short_one(core, secret, value, shown):
    principal = await core.tenant()
    made = (await core.vault.set(principal, replace(secret, value=SecretValue(value)))).secret
    assert made.preview == shown
    assert value[:4] not in made.view()["masked_value"]


@pytest.mark.parametrize(
    ("value", "said"),
    [(b"", "empty"), (b"a\0b", "NUL"), (b"a\n", "LF"), (b"a\rb", "CR"), (b"\xff\xfe", "UTF-8"), (b"x" * (70 * 1024), "at most 65536")],
)
async def test_a_value_that_no_header_can_carry_is_refused_with_the_rule(core, secret, value, said):
    with pytest.raises(OpenMiosaError, match=said) as refused:
        await core.vault.set(await core.tenant(), replace(secret, value=SecretValue(value)))
    assert refused.value.status in (413, 422)


@pytest.mark.parametrize("size", [1, 64 * 1024])
async def test_values_of_one_byte_and_of_64_kib_are_stored(core, secret, size):
    principal = await core.tenant()
    made = (await core.vault.set(principal, replace(secret, value=SecretValue("v" * size)))).secret
    async with core.database.read() as tx:
        assert len((await core.vault.lend(tx, made.id, "value"))[1]) == size


@pytest.mark.parametrize("env", ["", "1X", "A B", "A-B", "X=1", "$(id)", "PATH", "LD_PRELOAD", "ld_preload", "É", "X" * 256])
async def test_a_variable_that_no_shell_takes_or_that_rules_programs_is_refused(core, secret, env):
    with pytest.raises(Invalid) as refused:
        await core.vault.set(await core.tenant(), replace(secret, expose_as_env=env))
    assert refused.value.code == "BAD_ENV"


@pytest.mark.parametrize("name", ["", "a/b", "a\nb", " a", "x" * 256, "y" * 1024 * 1024, ".."])
async def test_a_name_that_cannot_be_addressed_is_refused(core, secret, name):
    with pytest.raises(Invalid):
        await core.vault.set(await core.tenant(), replace(secret, name=name))


async def test_the_same_name_in_the_same_place_is_a_new_version_with_the_same_placeholder(core, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    there = replace(secret, resource_id=sandbox, scope="user")
    first = await core.vault.set(principal, there)
    second = await core.vault.set(principal, replace(there, value=SecretValue("sk-proj-second-0123456789abcdef")))
    assert (second.secret.id, second.secret.version) == (first.secret.id, 2)
    assert second.binding["placeholder"] == first.binding["placeholder"]


async def test_the_same_name_elsewhere_is_another_secret(core, secret):
    principal = await core.tenant()
    one, two = await core.sandbox(principal), await core.sandbox(principal)
    made = [await core.vault.set(principal, replace(secret, resource_id=place)) for place in (None, one, two)]
    assert len({bound.secret.id for bound in made}) == 3


async def test_a_secret_set_on_a_sandbox_is_bound_whatever_its_scope(core):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal, "support-agent")
    given = SetSecret(
        name="k", value=SecretValue(CANARY), expose_as_env="OPENAI_API_KEY", resource_id="support-agent", resource_type="sandbox"
    )
    bound = await core.vault.set(principal, given)
    assert (bound.secret.resource_id, bound.binding["resource_id"]) == (sandbox, sandbox)
    assert await core.bindings.environment(sandbox) == {"OPENAI_API_KEY": bound.binding["placeholder"]}


async def test_rotation_by_name_finds_the_sandboxs_own_first(core, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    wide = (await core.vault.set(principal, secret)).secret
    own = (await core.vault.set(principal, replace(secret, resource_id=sandbox))).secret
    rotated = await core.vault.rotate(principal, "openai_key", RotateSecret(SecretValue("n" * 30)), resource_id=sandbox)
    assert (rotated.id, rotated.version) == (own.id, 2)
    assert (await core.vault.get(principal, wide.id)).version == 1


async def test_rotation_keeps_the_hosts(core, secret):
    principal = await core.tenant()
    await core.vault.set(principal, replace(secret, expose_as_env=None, allowed_hosts=("api.example.test",)))
    rotated = await core.vault.rotate(principal, "openai_key", RotateSecret(SecretValue("anything else")))
    assert rotated.bound_hosts == ("api.example.test",)


async def test_new_hosts_need_no_new_value(core, secret):
    principal = await core.tenant()
    await core.vault.set(principal, replace(secret, expose_as_env="X_TOKEN", value=SecretValue("inert so far")))
    changed = await core.vault.rotate(principal, "openai_key", RotateSecret(allowed_hosts=("api.example.test",)))
    assert (changed.version, changed.bound_hosts) == (1, ("api.example.test",))


async def test_a_rotation_of_nothing_is_refused(core, secret):
    principal = await core.tenant()
    await core.vault.set(principal, secret)
    with pytest.raises(Invalid, match="nothing to change"):
        await core.vault.rotate(principal, "openai_key", RotateSecret())


async def test_a_deleted_secret_is_gone_with_its_bindings_and_its_variable(core, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    await core.vault.set(principal, replace(secret, resource_id=sandbox))
    await core.vault.delete(principal, "openai_key", resource_id=sandbox)
    assert await core.bindings.environment(sandbox) == {}
    assert await core.bindings.list(principal) == []
    with pytest.raises(NotFound):
        await core.vault.get(principal, "openai_key")


async def test_a_name_can_be_set_again_after_it_was_deleted(core, secret):
    principal = await core.tenant()
    first = (await core.vault.set(principal, secret)).secret
    await core.vault.delete(principal, first.id)
    assert (await core.vault.set(principal, secret)).secret.id != first.id


async def test_c08_another_tenants_secret_is_not_there(core, secret):
    mine, theirs = await core.tenant(), await core.tenant()
    made = (await core.vault.set(theirs, secret)).secret
    for key in (made.id, made.name):
        for attempt in (
            core.vault.get(mine, key),
            core.vault.delete(mine, key),
            core.vault.rotate(mine, key, RotateSecret(SecretValue("x"))),
        ):
            with pytest.raises(NotFound):
                await attempt
    assert await core.vault.list(mine) == []


async def test_c08_another_tenants_sandbox_takes_no_secret(core, secret):
    mine, theirs = await core.tenant(), await core.tenant()
    sandbox = await core.sandbox(theirs)
    with pytest.raises(NotFound):
        await core.vault.set(mine, replace(secret, resource_id=sandbox))


async def test_an_external_users_key_sees_that_users_secrets_alone(core, secret):
    owner = await core.tenant()
    await core.vault.set(owner, secret)
    user = await core.tenant(external_user_id="u1", tenant_id=owner.tenant_id)
    own = await core.vault.set(user, replace(secret, scope="external_user"))
    assert [found.id for found in await core.vault.list(user)] == [own.secret.id]
    with pytest.raises(Forbidden):
        await core.vault.set(user, secret)


async def test_a_key_without_the_scope_reads_and_writes_nothing(core, secret):
    principal = await core.tenant("secrets:read")
    with pytest.raises(InsufficientScope):
        await core.vault.set(principal, secret)
    assert await core.vault.list(principal) == []


async def test_a_destroyed_sandbox_takes_no_secret(core, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal, state="destroyed")
    with pytest.raises(Conflict):
        await core.vault.set(principal, replace(secret, resource_id=sandbox))


async def test_a_secret_ends_with_the_only_sandbox_that_has_it(core, secret):
    principal = await core.tenant()
    first, second = await core.sandbox(principal), await core.sandbox(principal)
    alone = (await core.vault.set(principal, replace(secret, resource_id=first))).secret
    shared = (await core.vault.set(principal, replace(secret, name="shared", resource_id=first))).secret
    everywhere = (await core.vault.set(principal, replace(secret, name="everywhere"))).secret
    await core.bindings.bind(principal, shared.id, second, "SHARED_KEY")
    async with core.database.begin() as tx:
        await core.vault.drop(tx, first)
    assert {left.id for left in await core.vault.list(principal)} == {shared.id, everywhere.id}
    async with core.database.read() as tx:
        with pytest.raises(NotFound):
            await core.vault.lend(tx, alone.id, "value")


async def test_lists_honour_every_filter(core, secret):
    principal = await core.tenant()
    await core.vault.set(principal, secret)
    await core.vault.set(principal, replace(secret, name="gh", provider="github", type="oauth_connect", expose_as_env=None))
    assert [found.name for found in await core.vault.list(principal, SecretFilter(provider="github"))] == ["gh"]
    assert [found.name for found in await core.vault.list(principal, SecretFilter(type="api_key"))] == ["openai_key"]
    assert await core.vault.list(principal, SecretFilter(scope="user")) == []


async def test_a_connection_is_reserved_settled_and_reserved_again(core):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    given = SetSecret(name="github_token", type="oauth_connect", provider="github", expose_as_env="GITHUB_TOKEN", resource_id=sandbox)
    async with core.database.begin() as tx:
        bound = await core.vault.reserve(tx, principal.tenant_id, given)
    assert (bound.secret.status, bound.secret.version) == ("pending", 0)
    async with core.database.begin() as tx:
        ready = await core.vault.settle(tx, bound.secret.id, SecretValue("gho_" + "a" * 36))
    async with core.database.begin() as tx:
        again = await core.vault.reserve(tx, principal.tenant_id, given)
    assert (ready.status, ready.version, again.secret.status, again.secret.version) == ("ready", 1, "pending", 1)
    assert again.binding["placeholder"] == bound.binding["placeholder"]


async def test_the_log_says_where_a_value_was_allowed_to_go(core, secret):
    principal = await core.tenant()
    await core.vault.set(principal, secret)
    await core.vault.rotate(principal, "openai_key", RotateSecret(allowed_hosts=("api.example.test",)))
    entries, _ = await core.identity.admin_log(principal, AdminFilter(action="vault:secret:rotate"))
    assert entries[0].metadata == {"allowed_hosts": ["api.example.test"]}
