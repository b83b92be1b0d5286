"""Run the stand-ins: `python -m examples.standins --folder DIR`.

Writes `DIR/ca.pem` and `DIR/ready.json`, and serves until SIGINT or SIGTERM.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from examples.standins import github_api, github_oauth, openai_api
from examples.standins.authority import Authority
from examples.standins.control import Control
from examples.standins.github_tokens import TokenStore
from examples.standins.journal import Journal, Recorded


@dataclass
class Service:
    """One server with its listening socket."""

    server: uvicorn.Server
    listener: socket.socket


class QuietServer(uvicorn.Server):
    """A server among others: signals belong to the program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signal handlers alone."""
        yield


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m examples.standins", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where ca.pem, ready.json and control.sock go")
    parser.add_argument("--token-seconds", type=float, default=15.0, help="lifetime of an access token")
    parser.add_argument("--openai-keys", type=Path, help='a JSON file {"label": "sk-..."} of keys to accept')
    parser.add_argument("--port", type=int, default=0, help="first of three ports in a row (default: any free ones)")
    arguments = parser.parse_args()
    arguments.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments))


async def serve(arguments: argparse.Namespace) -> None:
    """Start every service, say where they are, and wait for the end."""
    journal, tokens = Journal(), TokenStore(access_lifetime=arguments.token_seconds)
    openai, oauth = openai_api.OpenAI(), github_oauth.GitHubOAuth(tokens)
    if arguments.openai_keys:
        openai.keys = {key: label for label, key in json.loads(arguments.openai_keys.read_text()).items()}
    authority = Authority(arguments.folder)
    apps: dict[str, ASGIApp] = {
        openai_api.HOST: openai.app(),
        github_api.HOST: github_api.GitHub(tokens).app(),
        github_oauth.HOST: oauth.app(),
    }
    services, addresses = [], {}
    for offset, (host, app) in enumerate(apps.items()):
        service = _tls_service(Recorded(app, host, journal), host, authority, arguments.port and arguments.port + offset)
        addresses[f"{host}:443"] = f"127.0.0.1:{service.listener.getsockname()[1]}"
        services.append(service)
    services.append(_control_service(Control(journal, openai, oauth).app(), arguments.folder / "control.sock"))
    await _run(services, arguments.folder, addresses)


async def _run(services: list[Service], folder: Path, addresses: dict[str, str]) -> None:
    def stop() -> None:
        for service in services:
            service.server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    tasks = [asyncio.create_task(service.server.serve(sockets=[service.listener])) for service in services]
    # The sockets listen already: whoever reads ready.json can connect at once.
    ready = folder / "ready.json"
    (folder / "ready.json.new").write_text(json.dumps({"pid": os.getpid(), "hosts": addresses}, indent=2))
    (folder / "ready.json.new").replace(ready)
    print(json.dumps({"event": "ready", "folder": str(folder), "hosts": addresses}), flush=True)
    await asyncio.gather(*tasks)
    (folder / "control.sock").unlink(missing_ok=True)


def _tls_service(app: ASGIApp, host: str, authority: Authority, port: int) -> Service:
    certificate, key = authority.issue(host)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(512)
    return Service(_server(app, ssl_certfile=str(certificate), ssl_keyfile=str(key)), listener)


def _control_service(app: ASGIApp, path: Path) -> Service:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(16)
    return Service(_server(app), listener)


def _server(app: ASGIApp, **tls: str) -> QuietServer:
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
        ssl_certfile=tls.get("ssl_certfile"),
        ssl_keyfile=tls.get("ssl_keyfile"),
    )
    return QuietServer(config)


if __name__ == "__main__":
    main()
