"""Envelopes: what lies in the database opens in its own place, with its own key, unchanged, and nowhere else."""

import base64
import os
import pickle
import stat

import pytest
from openmiosa_server.db.tables import secret_versions
from openmiosa_server.errors import Unavailable
from openmiosa_server.vault import Envelopes, SecretValue
from openmiosa_server.vault.envelopes import Damaged, seal, unseal
from openmiosa_server.vault.keys import FileKey, SealedKey, open_key
from sqlalchemy import select, update

CANARY = b"canary-7b1f0c9e-of-the-vault"
CONTEXT = b"openmiosa vault v1\nvalue\nten_1\nsec_1\n1"
FIRST_ENVELOPE = (
    "011566696c653a66313061653831653638323332303664003cfdf9a5669a7f53a9f072e3d9367654f564ba9cf9090abb4fa5fd0437a2242409e30d3b"
    "cf6443d958abef537d5322ffa537a662899fe825e3fc8dded27d9fa6fdd555e6cce4be27adaa688e0888e8bad48c28e4a1b4e2d36ead6eef028bf0d2"
    "61ae1a3caae93d0e7de3ae6a382d43989ec23f540e"
)


@pytest.fixture
def key():
    return FileKey(bytes(range(32)))


async def stored(core, owner="sec_a", tenant="ten_a", value=CANARY):
    async with core.database.begin() as tx:
        return await core.envelopes.store(tx, tenant, owner, "value", SecretValue(value))


async def lent(core, owner="sec_a"):
    async with core.database.read() as tx:
        return await core.envelopes.lend(tx, owner, "value")


async def test_k01_the_stolen_files_hold_no_value(core, tmp_path, database):
    await stored(core)
    if not database.is_sqlite:
        async with database.read() as tx:
            rows = (await tx.execute(select(secret_versions.c.envelope))).scalars().all()
        assert not any(CANARY in row for row in rows)
        return
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert any(path.name.endswith("-wal") for path in files)
    for form in (CANARY, CANARY.hex().encode(), CANARY[::-1], base64.b64encode(CANARY)[:30]):
        assert not [path.name for path in files if form in path.read_bytes()]


@pytest.mark.parametrize("moved", [{"owner_id": "sec_b"}, {"tenant_id": "ten_b"}, {"version": 2}, {"purpose": "refresh_token"}])
async def test_k02_an_envelope_moved_elsewhere_does_not_open(core, moved):
    await stored(core)
    async with core.database.begin() as tx:
        await tx.execute(update(secret_versions).values(**moved))
    async with core.database.read() as tx:
        with pytest.raises(Damaged):
            await core.envelopes.lend(tx, moved.get("owner_id", "sec_a"), moved.get("purpose", "value"))


async def test_k02_two_envelopes_swapped_do_not_open(core):
    await stored(core, "sec_a")
    await stored(core, "sec_b")
    async with core.database.begin() as tx:
        rows = await tx.execute(select(secret_versions.c.owner_id, secret_versions.c.envelope))
        held = {row.owner_id: row.envelope for row in rows}
        for owner, other in (("sec_a", "sec_b"), ("sec_b", "sec_a")):
            await tx.execute(update(secret_versions).where(secret_versions.c.owner_id == owner).values(envelope=held[other]))
    with pytest.raises(Damaged):
        await lent(core, "sec_a")


async def test_k10_every_flipped_byte_is_noticed(key):
    envelope = await seal(key, CANARY, CONTEXT)
    for place in range(len(envelope)):
        flipped = bytearray(envelope)
        flipped[place] ^= 1 << (place % 8)
        with pytest.raises(Damaged):
            await unseal(key, bytes(flipped), CONTEXT)


async def test_k10_every_truncation_is_noticed(key):
    envelope = await seal(key, CANARY, CONTEXT)
    for length in range(len(envelope)):
        with pytest.raises(Damaged):
            await unseal(key, envelope[:length], CONTEXT)


async def test_k10_the_format_of_today_opens_tomorrow():
    # Made once by this format; a reader that cannot open it any more would lose people's secrets.
    made = bytes.fromhex(FIRST_ENVELOPE)
    assert await unseal(FileKey(bytes(range(32))), made, CONTEXT) == CANARY


async def test_every_version_has_a_data_key_and_a_nonce_of_its_own(key):
    first, second = [await seal(key, CANARY, CONTEXT) for _ in range(2)]
    head = 2 + first[1]
    assert first[:head] == second[:head]
    assert first[head + 2 : head + 40] != second[head + 2 : head + 40]


async def test_a_new_version_destroys_the_old_one(core):
    await stored(core, value=b"old")
    assert await stored(core, value=b"new") == 2
    async with core.database.read() as tx:
        assert (await tx.execute(select(secret_versions.c.version))).scalars().all() == [2]
    assert (await lent(core))[1].reveal() == b"new"


async def test_k05_the_key_is_made_once_readable_by_its_owner_alone(tmp_path, database):
    first = await open_key("file", database, path=tmp_path / "kek")
    second = await open_key("file", database, path=tmp_path / "kek")
    assert first.id == second.id
    assert stat.S_IMODE((tmp_path / "kek").stat().st_mode) == 0o600


async def test_k05_a_missing_key_is_never_replaced_over_existing_secrets(core, tmp_path):
    await stored(core)
    (tmp_path / "kek").unlink()
    sealed = await open_key("file", core.database, path=tmp_path / "kek")
    assert isinstance(sealed, SealedKey)
    assert "missing" in sealed.reason
    assert not (tmp_path / "kek").exists()


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (None, 0o644, "read by others"),
        (None, 0o640, "read by others"),
        (b"12345678", 0o600, "format"),
        (b"openmiosa-kek-v1 MTIzNDU2Nzg=\n", 0o600, "8 bytes"),
        (b"openmiosa-kek-v1 ???\n", 0o600, "base64"),
        (b"openmiosa-kek-v2 " + b"A" * 43 + b"=\n", 0o600, "format"),
        (b"", 0o600, "format"),
    ],
)
async def test_k05_a_weak_or_open_key_file_seals_the_vault(database, tmp_path, content, mode, said):
    path = tmp_path / "kek"
    await open_key("file", database, path=path)
    if content is not None:
        path.write_bytes(content)
    path.chmod(mode)
    sealed = await open_key("file", database, path=path)
    assert isinstance(sealed, SealedKey)
    assert said in sealed.reason


async def test_k05_a_link_to_a_key_file_is_refused(database, tmp_path):
    await open_key("file", database, path=tmp_path / "kek")
    os.symlink(tmp_path / "kek", tmp_path / "link")
    assert isinstance(await open_key("file", database, path=tmp_path / "link"), SealedKey)


async def test_k05_another_key_is_noticed_at_start(core):
    await stored(core)
    other = Envelopes(core.database, FileKey(bytes(32)))
    assert "not the one" in await other.open()
    with pytest.raises(Unavailable, match="sealed"):
        other.require()


async def test_k05_a_sealed_vault_refuses_secrets_and_keeps_the_rest(core, secret):
    principal = await core.tenant()
    core.envelopes.sealed = "the key file is missing"
    with pytest.raises(Unavailable) as refused:
        await core.vault.set(principal, secret)
    assert (refused.value.code, refused.value.status) == ("VAULT_SEALED", 503)
    assert await core.vault.list(principal) == []


async def test_k11_a_destroyed_value_is_gone_from_the_database_file(core, database, tmp_path, secret):
    principal = await core.tenant()
    made = (await core.vault.set(principal, secret)).secret
    async with database.read() as tx:
        envelope = (await tx.execute(select(secret_versions.c.envelope).where(secret_versions.c.owner_id == made.id))).scalar_one()
    await core.vault.delete(principal, made.id)
    async with database.read() as tx:
        assert (await tx.execute(select(secret_versions).where(secret_versions.c.owner_id == made.id))).all() == []
    if database.is_sqlite:
        await database.dispose()  # closing the last connection writes the log back into the file
        assert envelope[60:] not in (tmp_path / "openmiosa.db").read_bytes()
        await database.open()


def test_a_value_is_not_printed_formatted_or_pickled():
    value = SecretValue(CANARY)
    assert CANARY.decode() not in f"{value} {value!r} {value!s} {[value]} {value:>40}"
    with pytest.raises(TypeError):
        pickle.dumps(value)
