"""The database: one writer, whole transactions, no way back in schemas."""

import asyncio
import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from openmiosa_server.db import Database, now
from openmiosa_server.db.tables import metadata, server_state, tenants
from openmiosa_server.errors import Unavailable
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError


async def test_the_migrations_make_the_tables_that_the_code_means(database):
    def drift(connection):
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": False}), metadata)

    async with database.begin() as tx:
        assert await tx.run_sync(drift) == []


async def test_migrating_again_changes_nothing(database):
    await database.migrate()


async def test_a_schema_of_a_newer_server_is_refused(database):
    async with database.begin() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="newer server"):
        await database.migrate()


async def test_an_exception_takes_the_whole_transaction_back(database):
    async def fail():
        async with database.begin() as tx:
            await tx.execute(insert(server_state).values(key="a", value="1"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.read() as tx:
        assert (await tx.execute(select(server_state))).all() == []


async def test_a_cancelled_transaction_leaves_the_next_one_alone(database):
    written = asyncio.Event()

    async def slow():
        async with database.begin() as tx:
            await tx.execute(insert(server_state).values(key="a", value="1"))
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(slow())
    await written.wait()
    task.cancel()
    async with database.begin() as tx:
        await tx.execute(insert(server_state).values(key="b", value="2"))
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.read() as tx:
        assert (await tx.execute(select(server_state.c.key))).scalars().all() == ["b"]


async def test_parallel_writers_lose_no_update(database):
    async with database.begin() as tx:
        await tx.execute(insert(server_state).values(key="n", value="0"))

    async def add():
        async with database.begin() as tx:
            mine = select(server_state.c.value).where(server_state.c.key == "n").with_for_update()
            value = int((await tx.execute(mine)).scalar_one())
            await tx.execute(update(server_state).where(server_state.c.key == "n").values(value=str(value + 1)))

    await asyncio.gather(*(add() for _ in range(20)))
    async with database.read() as tx:
        assert (await tx.execute(select(server_state.c.value))).scalar_one() == "20"


async def test_times_come_back_aware_and_exact(database):
    moment = now()
    async with database.begin() as tx:
        await tx.execute(insert(tenants).values(id="ten_1", name="t", created_at=moment))
    async with database.read() as tx:
        assert (await tx.execute(select(tenants.c.created_at))).scalar_one() == moment


async def test_a_transaction_inside_a_transaction_is_a_mistake_and_no_deadlock(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/x.db")
    await database.migrate()
    async with database.read():
        with pytest.raises(RuntimeError, match="inside a transaction"):
            async with database.read():
                pass
    await database.dispose()


async def test_a_second_server_on_the_same_file_is_refused(tmp_path):
    first, second = (Database(f"sqlite:///{tmp_path}/x.db") for _ in range(2))
    await first.open()
    with pytest.raises(Unavailable, match="in use by another server"):
        await second.open()
    await first.dispose()
    await second.open()
    await second.dispose()


async def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "x.db"
    plain = sqlite3.connect(path)
    plain.execute("CREATE TABLE t (x)")
    plain.executemany("INSERT INTO t VALUES (?)", [("y" * 500,)] * 200)
    plain.commit()
    plain.close()
    data = bytearray(path.read_bytes())
    data[8192:20480] = b"\xff" * 12288
    path.write_bytes(data)
    with pytest.raises(Exception, match=r"damaged|malformed"):
        await Database(f"sqlite:///{path}").open()


async def test_sqlite_runs_as_promised(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/x.db")
    await database.open()
    async with database.read() as tx:
        found = {name: (await tx.execute(text(f"PRAGMA {name}"))).scalar_one() for name in ("journal_mode", "synchronous", "foreign_keys")}
    await database.dispose()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert (tmp_path / "x.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("url", ["sqlite:///:memory:", "sqlite://", "mysql://host/name"])
async def test_a_database_that_cannot_be_ours_is_refused(url):
    with pytest.raises(Unavailable):
        await Database(url).open()


async def test_an_error_of_the_database_does_not_carry_what_was_stored(database):
    row = {"id": "ten_one", "name": "what nobody but the tenant should read", "created_at": now()}
    async with database.begin() as tx:
        await tx.execute(insert(tenants).values(**row))
    with pytest.raises(IntegrityError) as refused:
        async with database.begin() as tx:
            await tx.execute(insert(tenants).values(**row))
    assert row["name"] not in str(refused.value)
