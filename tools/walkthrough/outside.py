"""Runs a program on the bare machine, where the real names lead to the stand-ins.

A network namespace of its own holds nothing but `lo` and an `/etc/hosts` with the real names; the listeners made in
there are handed out to this process, which relays each connection to its stand-in. The program is not changed.
"""

import array
import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

Relay = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
INNER = Path(__file__).with_name("outside_inner.py")


def run_with_names(command: list[str], hosts: dict[str, str], environment: dict[str, str], timeout: float = 60) -> str:
    """Run `command` where each `name:port` of `hosts` leads to its loopback address, and return its output."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    launcher = ["unshare", "--user", "--map-root-user", "--net", "--mount", sys.executable, str(INNER)]
    arguments = [str(theirs.fileno()), json.dumps(list(hosts)), *command]
    with ours:
        process = subprocess.Popen(
            launcher + arguments,
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        theirs.close()
        try:
            with Relays(_listeners(ours, len(hosts)), list(hosts.values())):
                ours.sendall(b"\n")
                output, _ = process.communicate(timeout=timeout)
        finally:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise RuntimeError(f"{command[-1]} ended with {process.returncode}:\n{output}")
    return output


def _listeners(channel: socket.socket, count: int) -> list[socket.socket]:
    channel.settimeout(10)
    room = array.array("i", [0] * count)
    data, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(count * room.itemsize))
    if not data or not ancillary:
        raise RuntimeError("this machine refuses a user or network namespace; `python3 -m tools.hostcheck` says why")
    descriptors = array.array("i", ancillary[0][2])
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


class Relays:
    """Accepts on each listener and copies both ways to its target, in a thread of its own."""

    def __init__(self, listeners: list[socket.socket], targets: list[str]) -> None:
        self.pairs = list(zip(listeners, targets, strict=True))
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.done: asyncio.Event | None = None
        self.ready = threading.Event()

    def __enter__(self) -> "Relays":
        self.thread.start()
        self.ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        if self.done:
            self.loop.call_soon_threadsafe(self.done.set)
        self.thread.join()
        self.loop.close()

    def _run(self) -> None:
        self.loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self.done = asyncio.Event()
        servers = [await asyncio.start_server(_relay_to(target), sock=listener) for listener, target in self.pairs]
        self.ready.set()
        await self.done.wait()
        for server in servers:
            server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()


def _relay_to(target: str) -> Relay:
    host, _, port = target.rpartition(":")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(_copy(reader, upstream_writer), _copy(upstream_reader, writer))
        finally:
            writer.close()
            upstream_writer.close()

    return relay


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()


def bare_environment(**values: str) -> dict[str, str]:
    """What a program needs of the environment, and nothing of this process's."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8", **values}
