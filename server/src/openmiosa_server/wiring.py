"""How the server's parts are put together: stores first, then what stands on them. Part of the composition root."""

import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from starlette.types import ASGIApp

from . import serving
from .api import app as api
from .api.context import Services
from .audit import Audit
from .bindings import Binder, Bindings
from .connect import Connect, Protocol, Providers, Transport
from .db import Database, new_id
from .identity import Identity, Presets
from .link import EgressClient, Publisher
from .link.authorities import Authorities
from .network import Network
from .replay import Replay
from .sandboxes import Defaults, Execution, Files, Housekeeping, Logs, Previews, Reach, Resources, Sandboxes, Snapshots, Terminals, Tunnels
from .sandboxes.backends.local import CellClient
from .settings import Settings
from .telemetry import metrics
from .templates.store import TemplateStore
from .vault import Envelopes, Vault
from .vault.keys import Key, open_key


@dataclass(frozen=True, slots=True)
class Places:
    """Where state and sockets are, and who besides ourselves may speak on link.sock."""

    state: Path
    run: Path
    peer_uids: frozenset[int]


@dataclass(frozen=True, slots=True)
class System:
    """Everything that lives as long as the server."""

    database: Database
    publisher: Publisher
    cell: CellClient
    services: Services

    @classmethod
    async def build(cls, settings: Settings, places: Places, listener: socket.socket, stack: AsyncExitStack) -> "System":
        """Stores first, then what stands on them."""
        database = Database(settings.database_url(places.state))
        stack.push_async_callback(database.dispose)
        await database.open()
        await database.migrate()
        identity = Identity(database)
        await identity.bootstrap(serving.hand_over)
        envelopes = Envelopes(database, await _key(settings, places, database))
        await envelopes.open()
        publisher = Publisher(database, envelopes, EgressClient(places.run / "egressd.sock"))
        stack.push_async_callback(publisher.close)
        cell = CellClient(places.run / "cell.sock")
        stack.push_async_callback(cell.close)
        transport = Transport(static_hosts=settings.upstream.static_hosts, extra_ca_files=settings.upstream.extra_ca_files)
        stack.push_async_callback(transport.aclose)
        vault = Vault(database, identity, envelopes, publisher, Binder())
        connect = Connect(
            database,
            identity,
            vault,
            publisher,
            providers=Providers(settings.registrations()),
            protocol=Protocol(transport),
            public_url=settings.public_url(listener.getsockname()[1]),
            redirect_hosts=tuple(settings.oauth.redirect_hosts),
        )
        bindings, network = Bindings(database, identity, publisher), Network(database, identity, publisher)
        templates = TemplateStore(places.state / "templates", settings.sandboxes.default_template)
        sandboxes = Sandboxes(
            database,
            identity,
            cell,
            publisher,
            bindings=bindings,
            vault=vault,
            network=network,
            authorities=Authorities(envelopes),
            templates=templates,
            defaults=_defaults(settings),
        )
        reach, replay = Reach(sandboxes, cell), Replay(database)
        await replay.start()
        execution = Execution(reach, max_output_bytes=settings.sandboxes.max_output_bytes)
        stack.push_async_callback(execution.aclose)
        previews = Previews(reach)
        stack.push_async_callback(previews.aclose)
        services = Services(
            identity=identity,
            presets=Presets(database, identity),
            sandboxes=sandboxes,
            execution=execution,
            logs=Logs(execution),
            terminals=Terminals(execution),
            tunnels=Tunnels(reach),
            files=Files(reach, max_file_bytes=settings.sandboxes.max_file_bytes),
            snapshots=Snapshots(database, reach),
            previews=previews,
            templates=templates,
            vault=vault,
            bindings=bindings,
            connect=connect,
            network=network,
            audit=Audit(database, identity),
            replay=replay,
        )
        return cls(database, publisher, cell, services)


def application(system: System, housekeeping: Housekeeping, browser_origins: Sequence[str]) -> ASGIApp:
    """The API with its health checks and metrics."""

    async def sealed() -> str | None:
        return "sealed" if system.services.vault.sealed else None

    async def egress() -> str | None:
        return None if system.publisher.connected else "egressd does not answer"

    async def runtime() -> str | None:
        return None if housekeeping.adopted.is_set() else "cell does not answer"

    measured = metrics.Metrics()
    return api.build(
        system.services,
        version=this_version(),
        checks={"vault": sealed, "egress": egress, "runtime": runtime},
        metrics=lambda: (measured.render(), measured.content_type),
        measured=measured.middleware,
        new_request_id=lambda: new_id("req"),
        browser_origins=browser_origins,
    )


async def _key(settings: Settings, places: Places, database: Database) -> Key:
    vault = settings.vault
    if vault.key == "file":
        return await open_key("file", database, path=vault.path or places.state / "kek")
    return await open_key(vault.key, database, **vault.options())


def _defaults(settings: Settings) -> Defaults:
    given = settings.sandboxes
    return Defaults(
        resources=Resources(given.cpu_count, given.memory_mb, given.disk_size_mb),
        processes=given.processes,
        open_files=given.open_files,
        max_per_tenant=given.max_per_tenant,
        timeout_sec=given.timeout_sec,
        idle_timeout_sec=given.idle_timeout_sec,
    )


def this_version() -> str:
    """The installed version."""
    try:
        return version("openmiosa-server")
    except PackageNotFoundError:
        return "0.1.0"
