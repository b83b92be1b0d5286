"""The composition root: settings, stores, services, application; then serve until told to stop."""

import argparse
import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from . import serving
from . import settings as configuration
from .connect import Scheduler
from .errors import OpenMiosaError, Unavailable
from .link import LinkServer
from .sandboxes import Housekeeping
from .settings import BadSettings, Settings
from .telemetry import logging
from .wiring import Places, System, application, this_version

BAD_CONFIGURATION, COULD_NOT_START = 2, 3

log = structlog.get_logger("openmiosa_server")


def main() -> int:
    """`python -m openmiosa_server.main`; 0 after a drain, 2 for a bad configuration, 3 when it could not start."""
    asked = _arguments()
    state = configuration.state_folder(asked.state)
    try:
        settings = configuration.load(configuration.config_file(asked.config, state), state)
        run = Path(asked.run_dir) if asked.run_dir else configuration.run_path(state)
        places = Places(state, run, configuration.link_peers() | set(asked.peer_uid))
    except BadSettings as error:
        sys.stderr.write(f"bad configuration: {error}\n")
        return BAD_CONFIGURATION
    logging.configure(settings.log.level, settings.log.format)
    try:
        asyncio.run(serve(settings, places, asked.listen_fd))
    except (OpenMiosaError, OSError) as error:
        log.error("could_not_start", reason=str(error))
        return COULD_NOT_START
    return 0


async def serve(settings: Settings, places: Places, descriptor: int | None = None) -> None:
    """Wire, listen, wait for a signal, drain. What is entered last is left first."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        bound = serving.bind(settings.server) if descriptor is None else serving.inherited(descriptor)
        listener = stack.enter_context(bound)
        system = await System.build(settings, places, listener, stack)
        link = LinkServer(
            places.run / "link.sock",
            system.publisher,
            system.services.audit,
            peer_uids=places.peer_uids,
            refresh=system.services.connect.refresh,
        )
        await link.start()
        stack.push_async_callback(link.stop)
        try:
            await system.publisher.resync()
        except Unavailable as error:
            # An egressd that lives and is stuck: every mutation says so until it answers, reading and revoking go on.
            log.warning("egress_not_in_step", reason=error.message)
        housekeeping = Housekeeping(system.database, system.services.sandboxes, system.cell, system.services.snapshots)
        for loop in (housekeeping, Scheduler(system.database, system.services.connect)):
            await loop.start()
            stack.push_async_callback(loop.stop)
        public = serving.Public(application(system, housekeeping, settings.server.browser_origins), listener, settings.server)
        await public.start()
        stack.push_async_callback(public.stop)
        stack.callback(system.services.audit.close)
        if settings.upstream.static_hosts:
            log.warning("static_hosts", hosts=settings.upstream.static_hosts, hint="these names are dialled where the operator said")
        log.info("ready", bind=public.address, state=str(places.state), version=this_version())
        await stop.wait()
        log.info("draining")
    log.info("stopped")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="openmiosa-server", description="The server of OpenMIOSA; `openmiosa up` starts it with its siblings."
    )
    parser.add_argument("--config", help="configuration file (default: openmiosa.toml in the state folder)")
    parser.add_argument("--state", help="state folder")
    parser.add_argument("--run-dir", help="folder of the sockets (default: run in the state folder)")
    parser.add_argument("--listen-fd", type=int, help="descriptor of a bound socket to serve on, instead of server.bind")
    parser.add_argument("--peer-uid", type=int, action="append", default=[], help="user id of egressd, when it is not ours; repeatable")
    return parser.parse_args()


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
