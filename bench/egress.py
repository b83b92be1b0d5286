"""What egressd adds to a call, and what it costs: against a direct connection, interleaved in one run.

The same generator asks the same upstream, once from outside and once from inside a sandbox through egressd, with a
placeholder that is swapped in every request; two relays in Python stand beside it (relay.py says what they leave out).
"""

import contextlib
import statistics
from collections.abc import Iterator
from typing import Any

from tests.kit.canary import canary
from tests.kit.system import World

from .figures import cpu_seconds, figure, percentile
from .load import Generator, Sample
from .relay import Relay

HOST, UPSTREAM, RELAY = "bench.test", ("11.3.0.1", 8444), ("11.3.0.2", 8445)
# The rig's recorders hold port 443 of every address, so the operator sends this name to the generator's own upstream.
STATIC_HOSTS = {f"{HOST}:443": f"{UPSTREAM[0]}:{UPSTREAM[1]}"}
INSIDE_CA = "/etc/ssl/certs/ca-certificates.crt"
ROUNDS, REQUESTS, RELAYED, NAMES = 6, 4000, 1000, 200


def measure(world: World, generator: Generator, scale: float) -> dict[str, Any]:
    """All figures of the egress path."""
    world.names.set(HOST, [UPSTREAM[0]])
    sandbox = world.sandbox()
    generator.install(sandbox)
    sandbox.secrets.set(name="bench", value=canary(), expose_as_env="BENCH", allowed_hosts=[HOST])
    certificate, key = world.internet.authority.leaf(HOST)
    try:
        with generator.serving(f"{UPSTREAM[0]}:{UPSTREAM[1]}", certificate, key, world.folder):
            figures = _leaves(generator, sandbox, scale)
            for connections in (1, 16):
                figures |= _compare(world, generator, sandbox, connections, scale)
            return figures
    finally:
        sandbox.destroy()


def _leaves(generator: Generator, sandbox: Any, scale: float) -> dict[str, Any]:
    """A handshake with a name never seen before, and one with the same name right after it: the difference is the minting."""
    names = [f"leaf-{number}.{HOST}" for number in range(max(10, int(NAMES * scale)))]
    both = generator.inside(sandbox, "handshakes", INSIDE_CA, "443", *(name for name in names for _ in range(2))).latencies_ms
    first, again = percentile(both[::2], 0.5), percentile(both[1::2], 0.5)
    count = len(names)
    return {
        "leaf.p50_ms": figure(first, "ms, handshake with a new name", count),
        "leaf.again_p50_ms": figure(again, "ms, handshake with a known name", count),
        "leaf.minting_ms": figure(first - again, "ms, the difference", count),
    }


def _compare(world: World, generator: Generator, sandbox: Any, connections: int, scale: float) -> dict[str, Any]:
    """The same requests in turn: direct, through egressd, through two relays in Python."""
    egressd = world.system.pid("egressd")
    count, relayed = (max(160, int(number * scale)) for number in (REQUESTS, RELAYED))
    direct, through = Runs(count), Runs(count)
    relays = {kind: Runs(relayed) for kind in ("bytes", "parse")}
    authority = str(world.folder / "authority.pem")
    world.names.set(f"relay.{HOST}", [RELAY[0]])
    header = {"OPENMIOSA_BENCH_HEADER": f"Bearer {_placeholder(sandbox)}"}
    for _ in range(ROUNDS):
        direct.take(generator.outside("requests", HOST, str(UPSTREAM[1]), authority, str(count), str(connections)))
        with through.cpu_of(egressd):
            through.take(generator.inside(sandbox, "requests", HOST, "443", INSIDE_CA, str(count), str(connections), env=header))
        for kind, runs in relays.items():
            with Relay(world, kind, HOST, RELAY, UPSTREAM) as relay, runs.cpu_of(relay.pid):
                runs.take(generator.outside("requests", f"relay.{HOST}", str(RELAY[1]), authority, str(relayed), str(connections)))
    return _figures(connections, direct, through, relays)


class Runs:
    """The rounds of one way."""

    def __init__(self, count: int) -> None:
        self.count, self.samples, self.cpu = count, list[Sample](), 0.0

    def take(self, sample: Sample) -> None:
        """One round."""
        self.samples.append(sample)

    @contextlib.contextmanager
    def cpu_of(self, pid: int) -> Iterator[None]:
        """Count what a process uses meanwhile."""
        before = cpu_seconds(pid)
        yield
        self.cpu += cpu_seconds(pid) - before

    @property
    def total(self) -> int:
        """Requests of all rounds."""
        return self.count * len(self.samples)

    @property
    def cpu_per_10k(self) -> float:
        """CPU seconds for 10,000 requests."""
        return self.cpu / self.total * 10_000

    def at(self, share: float) -> float:
        """The median over the rounds of a percentile, in milliseconds."""
        return statistics.median(percentile(sample.latencies_ms, share) for sample in self.samples)


def _figures(connections: int, direct: Runs, through: Runs, relays: dict[str, Runs]) -> dict[str, Any]:
    rates = [there.seconds / here.seconds for there, here in zip(direct.samples, through.samples, strict=True)]
    at, total = f"at {connections} connection{'s' if connections > 1 else ''}", through.total
    prefix = f"egress_{connections}"
    figures = {
        f"{prefix}.direct_p50_ms": figure(direct.at(0.5), f"ms, direct, {at}", total),
        f"{prefix}.p50_ms": figure(through.at(0.5), f"ms, through egressd, {at}", total),
        f"{prefix}.added_p50_ms": figure(through.at(0.5) - direct.at(0.5), f"ms, added, {at}", total),
        f"{prefix}.added_p99_ms": figure(through.at(0.99) - direct.at(0.99), f"ms, added at p99, {at}", total),
        f"{prefix}.p50_ratio": figure(through.at(0.5) / direct.at(0.5), f"ratio, to direct, {at}", total),
        f"{prefix}.rate_ratio": figure(statistics.median(rates), f"ratio, requests a second to direct, {at}", total),
        f"{prefix}.cpu_seconds_per_10k": figure(through.cpu_per_10k, f"s, egressd's CPU, {at}", total),
    }
    for kind, runs in relays.items():
        figures[f"python_{kind}_{connections}.p50_ms"] = figure(runs.at(0.5), f"ms, relay in Python ({kind}), {at}", runs.total)
        figures[f"python_{kind}_{connections}.cpu_seconds_per_10k"] = figure(runs.cpu_per_10k, f"s, its CPU, {at}", runs.total)
    return figures


def _placeholder(sandbox: Any) -> str:
    return sandbox.exec("printf %s $BENCH").stdout
