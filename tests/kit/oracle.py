"""A row of the threat catalogue: an attempt from inside a sandbox, and the oracle that judges what came of it.

G1 no canary, in any of thirteen encodings, in anything that the sandbox received or holds
G2 no canary at any recorder but the one that its secret is bound to
G3 nothing dialled but egressd, and only what the row may dial; no name asked for but those
G4 exactly one decision row for each attempt, with its action and reason
G5 the three programs are alive and the same, and none panicked
G6 no canary in database, journal, logs, metrics or run folder
"""

import collections
import json
import os
import re
from typing import Any

import httpx2

from .canary import Finder, Sighting, canary
from .system import ADDRESSES, ALLOWED, World, parsed
from .upstreams import Request

Verdict = tuple[str, str, str | None]


class Row:
    """One attempt's arrangement and record; `judge` evaluates the oracle."""

    def __init__(self, world: World, mode: str = "audit_only", allowed: list[str] | None = None) -> None:
        self.world, self.mode = world, mode
        self.allowed = ALLOWED if allowed is None else allowed
        self.sandbox = world.sandbox()
        self.canaries: dict[str, str] = {}
        self.bound: dict[str, set[str]] = {}
        self._hosts: dict[str, set[str]] = {}
        self.received: list[bytes] = []
        self._expected: collections.Counter[Verdict] = collections.Counter()
        self._dialled: set[str] = set()
        self._asked: set[str] = set()
        self._connections, self._queries = world.internet.mark(), len(world.names.queries)
        self._pids = world.pids()
        self._callers = {None, world.egress_uid}
        self.secret("s1", "ok.test", "PH")
        self.secret("s2", "echo.test", "PH2")
        self._apply(mode)

    def secret(self, name: str, host: str, variable: str) -> str:
        """Set a canary as a secret bound to `host`; gives its value."""
        value = self.canaries[name] = canary()
        self.bound[value] = self._hosts[name] = {host}
        self.sandbox.secrets.set(name=name, value=value, expose_as_env=variable, allowed_hosts=[host])
        return value

    def rotate(self, name: str, *, watched: bool = True) -> str:
        """A new canary for a secret; the old one stays forbidden everywhere else. Of very many, only some can be watched for."""
        value = canary()
        if watched:
            self.bound[value] = self._hosts[name]
        self.sandbox.secrets.rotate(name, value)
        self.canaries[name] = value
        return value

    def foreign(self, host: str) -> str:
        """A canary that is somebody else's: bound to `host`, and forbidden here like the others."""
        value = canary()
        self.bound[value] = {host}
        return value

    @property
    def mark(self) -> int:
        """Where this row began in the Internet's record."""
        return self._connections

    def carries(self, request: Request, name: str) -> bool:
        """Whether a request that arrived holds the value of a secret, in any spelling."""
        whole = "\n".join([request.target, *(f"{key}: {value}" for key, value in request.headers)]).encode() + request.body
        return any(Finder([self.canaries[name]]).in_bytes(whole, "request"))

    def run(self, command: str | list[str], **options: Any) -> Any:
        """Run a command inside; everything it prints is kept for G1."""
        result = self.sandbox.exec(command, timeout=options.pop("timeout", 30), **options)
        self.received += [result.stdout.encode(), result.stderr.encode()]
        return result

    def curl(self, *arguments: str) -> str:
        """`curl -s` with the variables expanded by a shell; gives its standard output."""
        quoted = " ".join('"' + argument.replace('"', '\\"') + '"' for argument in arguments)
        return self.run(f"curl -s -m 10 {quoted}").stdout

    def probe(self, do: str, **asked: Any) -> Any:
        """One attempt of the probe; `$PH` in it is expanded inside."""
        return parsed(self.run(_probing(do, asked)).stdout)

    def probes(self, attempts: list[dict[str, Any]]) -> list[Any]:
        """Several attempts, one after another, in one command."""
        commands = [_probing(attempt["do"], {key: value for key, value in attempt.items() if key != "do"}) for attempt in attempts]
        return [parsed(line) for line in self.run("; ".join(commands), timeout=120).stdout.splitlines()]

    def start_probe(self, do: str, **asked: Any) -> None:
        """An attempt that goes on in the background."""
        self.sandbox.processes.start(_probing(do, asked))

    def expect(
        self, host: str, action: str, reason: str | None = None, *, times: int = 1, dialled: bool | None = None, asked: bool = False
    ) -> None:
        """A decision that this row shall leave; an allowed one may be dialled, and what may be dialled may be asked for."""
        self._expected[(host, action, reason)] += times
        if dialled if dialled is not None else action == "allow":
            self.may_dial(host)
        if asked:
            self._asked.add(host)

    def may_dial(self, host: str) -> None:
        """The row may connect to this name or address."""
        self._dialled.add(ADDRESSES.get(host, host))
        self._asked.add(host)

    def decisions(self) -> list[Any]:
        """The decision rows of this sandbox, names that were only asked for left out."""
        return [event for event in self.sandbox.audit.list(limit=500, since="2000-01-01T00:00:00Z") if event.protocol != "dns"]

    def judge(self) -> None:
        """Evaluate the oracle; raises AssertionError with everything that is wrong."""
        self._settle()
        wrong = [*self._g1(), *self._g2(), *self._g3(), *self._g4(), *self._g5(), *self._g6()]
        assert not wrong, "\n".join(wrong)

    def judge_from_outside(self) -> None:
        """The same for rows in which the server itself calls a provider: those calls are not egressd's."""
        self._callers.add(os.geteuid())
        self.judge()

    def accept_restarts(self) -> None:
        """This row kills programs; those that run now are the right ones."""
        self._pids = self.world.pids()

    def close(self) -> None:
        """Remove the sandbox."""
        self.sandbox.destroy()

    def _apply(self, mode: str) -> None:
        if mode == "lockdown":
            self.sandbox.network.lockdown(self.allowed)
        elif mode == "enforce":
            for host in self.allowed:
                self.sandbox.network.allow(host)
            policy = self.sandbox.network.get_policy()
            self.sandbox.network.update_policy(policy.id, mode="enforce")

    def _settle(self) -> None:
        """Until the expected rows are there and every record is stored: then what is not there will not come."""
        wanted = sum(self._expected.values())

        def settled() -> bool:
            return self.world.shipped() and len(self.decisions()) >= wanted

        try:
            self.world.wait(settled, "the decision rows", 10)
        except TimeoutError:
            return

    def _finder(self) -> Finder:
        return Finder(self.bound)

    def _g1(self) -> list[str]:
        return [f"G1 {said(sighting)}" for data in self.received for sighting in self._finder().in_bytes(data, "output of the sandbox")]

    def _g2(self) -> list[str]:
        wrong = []
        for connection in self.world.internet.dialled(self._connections):
            for value, hosts in self.bound.items():
                if connection.name not in hosts or connection.handshake != "done":
                    where = f"{connection.name or connection.address}:{connection.port}"
                    wrong += [f"G2 {said(sighting)}" for sighting in Finder([value]).in_bytes(bytes(connection.received), where)]
        return wrong

    def _g3(self) -> list[str]:
        wrong = []
        for connection in self.world.internet.dialled(self._connections):
            if connection.peer_uid not in self._callers:
                wrong.append(f"G3 {connection.address}:{connection.port} was dialled by user {connection.peer_uid}")
            if connection.address not in self._dialled:
                wrong.append(f"G3 {connection.address}:{connection.port} was dialled")
        names = {name for name, _ in self.world.names.queries[self._queries :]}
        return wrong + [f"G3 the name {name} was asked for outside" for name in sorted(names - self._asked)]

    def _g4(self) -> list[str]:
        found = collections.Counter((event.host, event.action, event.reason) for event in self.decisions())
        if found == self._expected:
            return []
        told = collections.Counter(
            f"{event} reason={event.reason} {event.method} {event.path} {event.message or ''}" for event in self.decisions()
        )
        shown = [f"{times} x {line}" for line, times in told.most_common(20)]
        return [f"G4 expected {dict(self._expected)}, found {dict(found)}:\n  " + "\n  ".join(shown)]

    def _g5(self) -> list[str]:
        now = self.world.pids()
        wrong = [
            f"G5 {program} is another process: {self._pids[program]} -> {now[program]}"
            for program in now
            if now[program] != self._pids[program]
        ]
        for path in self.world.system.places.log.glob("*.log"):
            text = path.read_text(errors="replace")
            wrong += [f"G5 {path.name}: {text[text.index(word) :][:1500]}" for word in ("panicked", "Traceback") if word in text]
        return wrong

    def _g6(self) -> list[str]:
        places = self.world.system.places
        sightings = [*self._finder().in_folder(places.state), *self._finder().in_folder(places.run)]
        metrics = httpx2.get(f"{self.world.system.base_url}/metrics").content
        sightings += self._finder().in_bytes(metrics, "metrics")
        return [f"G6 {said(sighting)}" for sighting in sightings]


def _probing(do: str, asked: dict[str, Any]) -> str:
    written = json.dumps({"do": do, **asked}).replace("'", "'\\''")
    # The shell expands the variables between the quotes.
    return "python3 /workspace/probe.py '" + re.sub(r"[$](PH\w*)", r"""'"$\1"'""", written) + "'"


def said(sighting: Sighting) -> str:
    """A sighting as a sentence."""
    return f"a canary as {sighting.encoding} in {sighting.where} at {sighting.offset}"
