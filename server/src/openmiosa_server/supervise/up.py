"""Start the system, say where it is, watch it, end it."""

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import tomlkit

from .. import settings as configuration
from ..templates import TemplateStore
from . import context, layout
from .layout import Layout
from .programs import CouldNotStart, Program, end_leftovers, programs, remember


@dataclass(frozen=True)
class Request:
    """What the command line asked for."""

    state: Path
    config: Path
    context: str = "local"


async def up(asked: Request) -> int:
    """Run until SIGINT or SIGTERM. 0: ended as asked; 2: bad configuration; 3: a program could not start."""
    places = layout.layout(asked.state)
    settings = configuration.load(asked.config, places.state)
    layout.prepare(places)
    with alone(places):
        for name in await end_leftovers(places):
            say(f"ended {name}, left behind by an earlier run")
        TemplateStore(places.templates, settings.sandboxes.default_template).prepare()
        write_egress_config(places, settings)
        # A key that an interrupted first start left unread is read by this one.
        children = programs(places, asked.config, address(settings), verify(settings))
        greeting = partial(greet, places, settings, address(settings), asked.context, places.bootstrap_key)
        return await run(places, children, address(settings), greeting, stop=asyncio.Event(), say=say)


async def run(
    places: Layout, children: list[Program], base_url: str, greeting: Callable[[], None], *, stop: asyncio.Event, say: Callable[[str], None]
) -> int:
    """Start the programs, greet, keep them until a signal or `stop`, end them."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    watchers: list[asyncio.Task[None]] = []
    try:
        for child in children:
            await _unless(stop, child.start())
            remember(places, children, base_url)
        if not stop.is_set():
            greeting()
        watchers = [asyncio.create_task(child.keep(lambda: remember(places, children, base_url), say)) for child in children]
        await stop.wait()
        return 0
    except CouldNotStart as error:
        say(str(error))
        return 3
    finally:
        await _end(children, watchers)
        places.up.unlink(missing_ok=True)


async def _unless(stop: asyncio.Event, start: Coroutine[None, None, None]) -> None:
    """Start a program, unless the person has changed their mind in the meantime."""
    starting, stopping = asyncio.ensure_future(start), asyncio.ensure_future(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if starting.done():
        starting.result()
        return
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting


async def _end(children: list[Program], watchers: list[asyncio.Task[None]]) -> None:
    for watcher in watchers:
        watcher.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)
    # The server first, so that nothing new begins; cell last, so that events of ending calls are still recorded.
    for child in reversed(children):
        await child.stop()


@contextlib.contextmanager
def alone(places: Layout) -> Iterator[None]:
    """One `up` per state folder."""
    descriptor = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise CouldNotStart(f"Another `openmiosa up` runs on {places.state}. Stop it first, or name another folder with --state.") from None
    finally:
        os.close(descriptor)


def write_egress_config(places: Layout, settings: "configuration.Settings") -> None:
    """Hand egressd its sections, with the extra authorities copied to where its own user can read them."""
    upstream = settings.upstream.model_dump(mode="json", exclude_none=True)
    extra = settings.upstream.extra_ca_files
    bundle = places.extra_authorities
    if extra:
        bundle.write_text("\n".join(Path(file).read_text() for file in extra))
        os.chmod(bundle, 0o644)
        upstream["extra_ca_files"] = [str(bundle)]
    document = {
        "egress": settings.egress.model_dump(mode="json", exclude_none=True),
        "upstream": upstream,
        "log": settings.log.model_dump(mode="json", exclude_none=True),
    }
    places.egress_config.write_text("# Written by `openmiosa up` from its own configuration at each start.\n" + tomlkit.dumps(document))
    os.chmod(places.egress_config, 0o644)


def address(settings: "configuration.Settings") -> str:
    """Where a client on this machine finds the server."""
    host, _, port = settings.server.bind.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}.get(host, host)  # noqa: S104 — nothing is bound here
    return f"{'https' if settings.server.tls_cert else 'http'}://{host}:{port}"


def verify(settings: "configuration.Settings") -> bool:
    """Whether the certificate of the server is checked when its readiness is asked."""
    # The server's own certificate may be for its public name alone; here only its readiness is asked, by address.
    return not settings.server.tls_cert


def greet(places: Layout, settings: "configuration.Settings", base_url: str, name: str, bootstrap: Path) -> None:
    """Say where it runs and, the first time only, the admin key."""
    url = settings.server.public_url or base_url
    say(f"OpenMIOSA is up.\n\n  address   {url}\n  state     {places.state}\n  logs      {places.log}")
    for pair, target in settings.upstream.static_hosts.items():
        say(f"  static    {pair} -> {target} (operator's setting; its guard is this line)")
    if bootstrap.exists():
        key = bootstrap.read_text().strip()
        bootstrap.unlink()
        file = context.save(name, str(url), key)
        say(f"\n  The admin key, shown this once (kept for the CLI in {file}):\n")
        say(f"    export MIOSA_BASE_URL={url}\n    export MIOSA_API_KEY={key}")
    say("\nNext, in another terminal:  openmiosa sandbox create my-agent\nCtrl-C stops everything.")


def say(line: str) -> None:
    """To the person at the terminal; flushed, since `up` often runs under another program."""
    print(line, flush=True)
