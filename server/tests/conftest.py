"""The kit of the server's tests: a real database, the services of the core, and a gateway to publish to."""

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from openmiosa_server.audit import Audit
from openmiosa_server.bindings import Binder, Bindings
from openmiosa_server.db import Database, new_id, now
from openmiosa_server.db.tables import api_keys, sandboxes, tenants
from openmiosa_server.identity import SCOPES, Identity, Principal, rows, tokens
from openmiosa_server.link import EgressClient, LinkServer, Publisher, authority
from openmiosa_server.network import Network
from openmiosa_server.vault import Envelopes, SecretValue, SetSecret, Vault
from openmiosa_server.vault.keys import FileKey
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import create_async_engine

POSTGRES = os.environ.get("OPENMIOSA_TEST_POSTGRES")  # URL of a server where databases may be made
CANARY = "sk-proj-canary0123456789abcdefghijklmnopqrstuv"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Everything here is asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: a hundred migrations with their fsyncs would be most of the tests' time."""
    path = tmp_path_factory.mktemp("template") / "openmiosa.db"

    async def make() -> None:
        database = Database(f"sqlite:///{path}")
        await database.migrate()
        await database.dispose()

    asyncio.run(make())
    return path


@pytest.fixture(params=["sqlite", "postgresql"] if POSTGRES else ["sqlite"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path, migrated: Path) -> AsyncIterator[str]:
    """A database of this test's own."""
    if request.param == "sqlite":
        shutil.copy(migrated, tmp_path / "openmiosa.db")
        yield f"sqlite:///{tmp_path}/openmiosa.db"
        return
    name = f"test_{secrets.token_hex(6)}"
    admin = create_async_engine(POSTGRES.replace("postgresql://", "postgresql+asyncpg://"), isolation_level="AUTOCOMMIT")
    async with admin.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    yield f"{POSTGRES.rsplit('/', 1)[0]}/{name}"
    async with admin.connect() as connection:
        await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    await admin.dispose()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Open and migrated."""
    database = Database(database_url)
    await database.migrate()
    yield database
    await database.dispose()


class Core:
    """The services below the API, wired as main wires them."""

    def __init__(self, database: Database, folder: Path, *, answer_within: float = 10.0) -> None:
        self.database = database
        self.folder = folder
        self.identity = Identity(database)
        self.audit = Audit(database, self.identity)
        self.envelopes = Envelopes(database, FileKey.open(folder / "kek", may_create=True))
        self.egress = EgressClient(folder / "egressd.sock", answer_within=answer_within)
        self.publisher = Publisher(database, self.envelopes, self.egress)
        self.vault = Vault(database, self.identity, self.envelopes, self.publisher, Binder())
        self.bindings = Bindings(database, self.identity, self.publisher)
        self.network = Network(database, self.identity, self.publisher)
        self.link = LinkServer(folder / "link.sock", self.publisher, self.audit)

    async def tenant(self, *scopes: str, external_user_id: str | None = None, tenant_id: str | None = None) -> Principal:
        """A principal of a tenant of its own, with every scope unless some are named."""
        if tenant_id is None:
            tenant_id = new_id("ten")
            async with self.database.begin() as tx:
                await tx.execute(insert(tenants).values(id=tenant_id, name="t", created_at=now()))
        key = rows.row(tenant_id, "test", scopes or SCOPES, tokens.mint(), external_user_id=external_user_id)
        async with self.database.begin() as tx:
            await tx.execute(insert(api_keys).values(**key))
        return Principal(tenant_id, key["id"], "test", frozenset(scopes or SCOPES), external_user_id)

    async def sandbox(self, principal: Principal, name: str | None = None, **columns: Any) -> str:
        """A running sandbox's rows, made as the sandbox service makes them."""
        sandbox_id = new_id("sbx")
        pem, key = authority.make(sandbox_id)
        row = {
            "id": sandbox_id,
            "tenant_id": principal.tenant_id,
            "name": name or sandbox_id,
            "state": "running",
            "template_id": "host",
            "cpu_count": 1,
            "memory_mb": 512,
            "disk_size_mb": 1024,
            "env": {},
            "metadata": {},
            "tags": [],
            "authority_pem": pem,
            "created_at": now(),
            "updated_at": now(),
            **columns,
        }
        async with self.database.begin() as tx:
            await tx.execute(insert(sandboxes).values(**row))
            found = (await tx.execute(select(sandboxes).where(sandboxes.c.id == sandbox_id))).mappings().one()
            await self.network.create_default(tx, found)
            await self.envelopes.store(tx, principal.tenant_id, sandbox_id, "authority_key", SecretValue(key))
            await self.publisher.touch(tx, [sandbox_id])
        await self.publisher.publish(sandbox_id)
        return sandbox_id

    async def revision(self, sandbox_id: str) -> int:
        """The revision of a sandbox's snapshot."""
        async with self.database.read() as tx:
            return (await tx.execute(select(sandboxes.c.revision).where(sandboxes.c.id == sandbox_id))).scalar_one()

    async def close(self) -> None:
        """Stop what runs."""
        self.audit.close()
        await self.link.stop()
        await self.publisher.close()


@pytest.fixture
async def core(database: Database, tmp_path: Path) -> AsyncIterator[Core]:
    """The core with no gateway there, which enforces everything."""
    core = Core(database, tmp_path)
    await core.envelopes.open()
    yield core
    await core.close()


@pytest.fixture
def secret() -> Iterator[SetSecret]:
    """An OpenAI key as the walkthrough sets it, without a sandbox."""
    return SetSecret(name="openai_key", value=SecretValue(CANARY), expose_as_env="OPENAI_API_KEY", scope="tenant")


@pytest.fixture
def eventually() -> Any:
    """Poll until the (possibly async) condition gives something true, at most so long."""

    async def wait(condition: Any, *, within: float = 5.0) -> Any:
        deadline = asyncio.get_running_loop().time() + within
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            assert asyncio.get_running_loop().time() < deadline, "the condition did not come true in time"
            await asyncio.sleep(0.01)

    return wait
