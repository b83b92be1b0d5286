"""What egressd adds to a call, and what it costs: against a direct connection, interleaved in one run.

The same generator asks the same upstream, once from outside and once from inside a sandbox through egressd, with a
placeholder that is swapped in every request; a bare relay in Python (two TLS legs, no policy at all) stands beside it.
"""

import statistics
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
    """Handshakes with names never seen before, and with the same names again: the difference is the minting."""
    names = [f"leaf-{number}.{HOST}" for number in range(max(10, int(NAMES * scale)))]
    cold = generator.inside(sandbox, "handshakes", INSIDE_CA, "443", *names)
    warm = generator.inside(sandbox, "handshakes", INSIDE_CA, "443", *names)
    count = len(names)
    first, again = (percentile(sample.latencies_ms, 0.5) for sample in (cold, warm))
    return {
        "leaf.p50_ms": figure(first, "ms, handshake with a new name", count),
        "leaf.again_p50_ms": figure(again, "ms, handshake with a known name", count),
        "leaf.minting_ms": figure(first - again, "ms, the difference", count),
    }


def _compare(world: World, generator: Generator, sandbox: Any, connections: int, scale: float) -> dict[str, Any]:
    egressd = world.system.pid("egressd")
    count = max(160, int(REQUESTS * scale))
    relayed_count = max(160, int(RELAYED * scale))
    direct: list[Sample] = []
    through: list[Sample] = []
    relayed: list[Sample] = []
    spent = relay_spent = 0.0
    authority = str(world.folder / "authority.pem")
    with Relay(world, HOST, RELAY, UPSTREAM) as relay:
        world.names.set(f"relay.{HOST}", [RELAY[0]])
        for _ in range(ROUNDS):
            direct.append(generator.outside("requests", HOST, str(UPSTREAM[1]), authority, str(count), str(connections)))
            before = cpu_seconds(egressd)
            header = {"OPENMIOSA_BENCH_HEADER": f"Bearer {_placeholder(sandbox)}"}
            through.append(generator.inside(sandbox, "requests", HOST, "443", INSIDE_CA, str(count), str(connections), env=header))
            spent += cpu_seconds(egressd) - before
            before = cpu_seconds(relay.pid)
            arguments = ("requests", f"relay.{HOST}", str(RELAY[1]), authority, str(relayed_count), str(connections))
            relayed.append(generator.outside(*arguments))
            relay_spent += cpu_seconds(relay.pid) - before
    total, relayed_total = count * ROUNDS, relayed_count * ROUNDS
    plain, gated, python = (_median_of_medians(samples) for samples in (direct, through, relayed))
    rates = [there.seconds / here.seconds for there, here in zip(direct, through, strict=True)]
    at = f"at {connections} connection{'s' if connections > 1 else ''}"
    prefix = f"egress_{connections}"
    return {
        f"{prefix}.direct_p50_ms": figure(plain, f"ms, direct, {at}", total),
        f"{prefix}.p50_ms": figure(gated, f"ms, through egressd, {at}", total),
        f"{prefix}.added_p50_ms": figure(gated - plain, f"ms, added, {at}", total),
        f"{prefix}.p50_ratio": figure(gated / plain, f"ratio, to direct, {at}", total),
        f"{prefix}.added_p99_ms": figure(_median_p99(through) - _median_p99(direct), f"ms, added at p99, {at}", total),
        f"{prefix}.rate_ratio": figure(statistics.median(rates), f"ratio, requests a second to direct, {at}", total),
        f"{prefix}.cpu_seconds_per_10k": figure(spent / total * 10_000, f"s, egressd's CPU, {at}", total),
        f"python_relay_{connections}.p50_ms": figure(python, f"ms, bare relay in Python, {at}", relayed_total),
        f"python_relay_{connections}.cpu_seconds_per_10k": figure(relay_spent / relayed_total * 10_000, f"s, its CPU, {at}", relayed_total),
    }


def _placeholder(sandbox: Any) -> str:
    return sandbox.exec("printf %s $BENCH").stdout


def _median_of_medians(samples: list[Sample]) -> float:
    return statistics.median(percentile(sample.latencies_ms, 0.5) for sample in samples)


def _median_p99(samples: list[Sample]) -> float:
    return statistics.median(percentile(sample.latencies_ms, 0.99) for sample in samples)
