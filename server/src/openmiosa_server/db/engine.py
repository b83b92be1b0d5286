"""The one door to the database: write transactions, reads, migrations.

SQLite: one connection for everything, guarded by a lock, in one process (`lock.py` says why);
`synchronous=FULL`, so that what was acknowledged survives a power cut. PostgreSQL: an ordinary pool.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from ..errors import Unavailable
from .lock import ProcessLock
from .migrate import migrate

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "temp_store=MEMORY")


class Database:
    """An engine with `begin` (write transaction), `read`, `migrate` and `dispose`."""

    def __init__(self, url: str) -> None:
        self.url = _with_driver(url)
        self.dialect = make_url(self.url).get_backend_name()
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[Any] | None = None
        self._process_lock: ProcessLock | None = None
        self._engine: AsyncEngine | None = None

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.dialect == "sqlite"

    async def open(self) -> None:
        """Take the process lock, connect, and check the file; a damaged one is refused with what SQLite said."""
        if self._engine is not None:
            return
        if not self.is_sqlite:
            self._engine = create_async_engine(self.url, pool_size=8, max_overflow=8, pool_pre_ping=True, hide_parameters=True)
            return
        path = Path(make_url(self.url).database or "")
        if path.name in ("", ":memory:"):
            raise Unavailable("the database must be a file: an in-memory SQLite would lose everything at stop", code="BAD_DATABASE_URL")
        self._process_lock = ProcessLock(path.with_name(path.name + ".lock"))
        self._process_lock.acquire()
        try:
            await asyncio.to_thread(path.touch, mode=0o600)
            self._engine = _sqlite_engine(self.url)
            await self._quick_check()
        except BaseException:
            await self.dispose()
            raise

    async def migrate(self) -> None:
        """Bring the schema up to this server's; refuse a newer one."""
        await self.open()
        async with self.begin() as tx:
            await tx.run_sync(migrate)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A write transaction: committed at the end of the block, rolled back by an exception."""
        async with self._turn(), _connection(self._opened()) as tx:
            transaction = await tx.begin()
            try:
                yield tx
                await _finish(transaction.commit())
            finally:
                if transaction.is_active:
                    await _finish(transaction.rollback())

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction for reading, rolled back at the end of the block."""
        async with self._turn(), _connection(self._opened()) as tx:
            yield tx

    async def dispose(self) -> None:
        """Close every connection and give the process lock back."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None
        if self._process_lock is not None:
            self._process_lock.release()
            self._process_lock = None

    def _opened(self) -> AsyncEngine:
        if self._engine is None:
            raise Unavailable("the database is not open", code="DATABASE_CLOSED", retry=True)
        return self._engine

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        task = asyncio.current_task()
        if self._owner is not None and self._owner is task:
            raise RuntimeError("a transaction was begun inside a transaction; pass the `tx` there is instead")
        if not self.is_sqlite:
            yield
            return
        async with self._lock:
            self._owner = task
            try:
                yield
            finally:
                self._owner = None

    async def _quick_check(self) -> None:
        async with self.read() as tx:
            found = (await tx.execute(text("PRAGMA quick_check(5)"))).scalars().all()
        if found != ["ok"]:
            raise Unavailable(
                f"the database file is damaged ({'; '.join(found)}); restore it from a backup, do not go on with it",
                code="DATABASE_DAMAGED",
            )


@asynccontextmanager
async def _connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    connection = engine.connect()
    try:
        yield await connection.start()
    finally:
        await _finish(connection.close())


async def _finish(step: Coroutine[Any, Any, None]) -> None:
    """Await a commit, rollback or close to its end even when this task is cancelled.

    With one connection for everything, a turn given away while the driver still works on the last
    transaction would let the next one be rolled back with it.
    """
    task = asyncio.ensure_future(step)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled


def _with_driver(url: str) -> str:
    parsed = make_url(url)
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
    if parsed.drivername in drivers:
        parsed = parsed.set(drivername=drivers[parsed.drivername])
    if parsed.drivername not in drivers.values():
        raise Unavailable(f"no such database: {parsed.drivername}; use sqlite:////path or postgresql://host/name", code="BAD_DATABASE_URL")
    return parsed.render_as_string(hide_password=False)


def _sqlite_engine(url: str) -> AsyncEngine:
    # Errors end up in the log, and the parameters of a statement are what people store.
    engine = create_async_engine(url, poolclass=StaticPool, hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, record: object) -> None:
        # The driver's own transaction handling begins late and commits around DDL; ours is said aloud below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine
