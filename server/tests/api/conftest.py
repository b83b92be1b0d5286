"""The real application behind a real listener, on a database and sockets of its own; no runtime and no egressd beside it."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from openmiosa_server import serving
from openmiosa_server.link import LinkServer
from openmiosa_server.sandboxes import Housekeeping
from openmiosa_server.settings import Settings
from openmiosa_server.wiring import Places, System, application


@dataclass
class Api:
    """A running server and an admin's client."""

    system: System
    client: httpx2.AsyncClient
    root: str
    key: str

    async def tenant_key(self, *scopes: str) -> str:
        """A key with these scopes alone."""
        made = await self.client.post("/api-keys", json={"name": "narrow", "scopes": list(scopes)})
        assert made.status_code == 201, made.text
        return str(made.json()["data"]["token"])

    def as_key(self, key: str) -> dict[str, str]:
        """Headers of another caller."""
        return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def settings() -> Settings:
    """Defaults on a free port."""
    return Settings.model_validate({"server": {"bind": "127.0.0.1:0", "drain_seconds": 1}})


@pytest.fixture
async def api(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """Wired as main wires it."""
    key_file = tmp_path / "key"
    monkeypatch.setenv("OPENMIOSA_BOOTSTRAP_KEY_FILE", str(key_file))
    async with AsyncExitStack() as stack:
        run = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="om-")))
        listener = stack.enter_context(serving.bind(settings.server))
        system = await System.build(settings, Places(tmp_path, run, frozenset()), listener, stack)
        link = LinkServer(run / "link.sock", system.publisher, system.services.audit, refresh=system.services.connect.refresh)
        await link.start()
        stack.push_async_callback(link.stop)
        housekeeping = Housekeeping(system.database, system.services.sandboxes, system.cell, system.services.snapshots)
        public = serving.Public(application(system, housekeeping, settings.server.browser_origins), listener, settings.server)
        await public.start()
        stack.push_async_callback(public.stop)
        stack.callback(system.services.audit.close)
        key = key_file.read_text().strip()
        root = f"http://{public.address}"
        client = httpx2.AsyncClient(base_url=f"{root}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=20)
        stack.push_async_callback(client.aclose)
        yield Api(system, client, root, key)
