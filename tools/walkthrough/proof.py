"""The proof from outside: what the stand-ins saw, what the kernel says of the agent, and what a search of its sandbox finds."""

import base64
import contextlib
import itertools
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from openmiosa import Miosa, Sandbox

from tools.walkthrough import needles, processes, search

LOOP_MARKER = "--until"
PLANT = (
    "import sys, time, pathlib\n"
    "held = sys.stdin.read()\n"
    "pathlib.Path('/workspace/.canary-held').touch()\n"
    "while not pathlib.Path('/workspace/.canary-done').exists(): time.sleep(0.05)\n"
)


@dataclass
class Proof:
    """Collects the checks; the table is printed whether they hold or not."""

    lines: list[tuple[bool, str, str]] = field(default_factory=list)

    def check(self, holds: bool, what: str, detail: str) -> None:
        """One line of the table."""
        self.lines.append((holds, what, detail))

    def show(self) -> bool:
        """Print the table and say whether every line holds."""
        print("\nProof, from outside the sandbox")
        for holds, what, detail in self.lines:
            print(f"  {'ok' if holds else 'FAILED':<7} {what:<38} {detail}")
        return all(holds for holds, _, _ in self.lines)


def credentials(proof: Proof, journal: dict[str, Any]) -> None:
    """Which credential each stand-in saw, in order, and whether anything failed."""
    entries = journal["entries"]
    for host in ("api.openai.com", "api.github.com", "github.com"):
        seen = [e["credential"] for e in entries if e["host"] == host]
        runs = [(label, len(list(group))) for label, group in itertools.groupby(seen)]
        shown = " -> ".join(f"{label} x{count}" for label, count in runs)
        if host == "api.openai.com":
            proof.check([label for label, _ in runs] == ["old", "new"], f"{host}: one switch", shown)
        elif host == "api.github.com":
            proof.check(_only_newer(seen), f"{host}: never an older token", shown)
        else:
            proof.check(bool(runs) and "unknown" not in shown, f"{host}: what the server showed", shown)
    bad = [f"{e['method']} {e['host']}{e['path']} {e['status']} {e['error'] or ''}" for e in entries if e["status"] >= 400 or e["error"]]
    unfinished = sum(not e["complete"] for e in entries)
    counted = f"{len(bad)} of {len(entries)} requests; {unfinished} cut short {'; '.join(bad[:4])}"
    proof.check(not bad and not unfinished, "failures at the stand-ins", counted)


def _only_newer(seen: list[str]) -> bool:
    tokens = [tuple(int(n) for n in label.split()[1].split(".")) for label in seen if label.startswith("token ")]
    return bool(tokens) and tokens == sorted(tokens) and not any(label.startswith("unknown") for label in seen)


@contextlib.contextmanager
def sandbox(base_url: str, api_key: str, name: str) -> Iterator[Sandbox]:
    """The sandbox through the public SDK, to plant the canaries."""
    with Miosa(api_key, base_url=base_url) as client:
        yield client.sandboxes.get(name)


@dataclass
class AgentSeen:
    """The long-running agent at one moment."""

    process: processes.Process
    openai: str
    github: str

    @classmethod
    def now(cls) -> "AgentSeen":
        """Look at it through /proc."""
        found = [p for p in processes.find("/workspace/agent.py", LOOP_MARKER) if processes.variable(p.pid, "OPENAI_API_KEY")]
        # A shell that carries the command may stand in front; the agent is the youngest.
        if not found:
            raise RuntimeError("no agent runs in any sandbox of this machine")
        process = max(found, key=lambda p: p.started)
        return cls(process, processes.variable(process.pid, "OPENAI_API_KEY"), processes.variable(process.pid, "GITHUB_TOKEN"))


def same_agent(proof: Proof, moments: list[AgentSeen], refreshes: list[int] | None) -> None:
    """Process, start time and placeholders did not change; tokens did."""
    first = moments[0]
    same = all(m == first for m in moments)
    placeholders = first.openai.startswith("miosa-tok-") and first.github.startswith("miosa-tok-")
    numbers = f"pid {first.process.pid}, inside {first.process.pid_inside}, seen {len(moments)} times"
    proof.check(same and len(moments) > 1, "same agent process", numbers)
    proof.check(same and placeholders, "same placeholders", f"{first.openai[:18]}… and {first.github[:18]}…")
    if refreshes:
        happened = refreshes[-1] - refreshes[0]
        proof.check(happened >= 2, "token refreshes while it ran", str(happened))


def nothing_inside(proof: Proof, sandbox: Sandbox, values: list[str], born: float) -> None:
    """Plant canaries, search everything, and find the canaries and nothing else."""
    canaries = {place: f"canary-{secrets.token_hex(16)}" for place in ("file", "variable", "heap")}
    with Planted(sandbox, canaries):
        agent = AgentSeen.now()
        sought = [*values, *canaries.values()]
        forms = {form: (value, encoding) for value in sought for form, encoding in needles.encodings(value).items()}
        looked = search.Search(list(forms)).sandbox(processes.together_with(agent.process), born)
        still = AgentSeen.now()
    found = {(forms[hit.needle][0], hit.place): hit for hit in looked.hits}
    planted = {
        "file": (canaries["file"], "file") in found,
        "variable": (canaries["variable"], "environ") in found,
        "heap": (canaries["heap"], "memory") in found,
    }
    proof.check(all(planted.values()), "canaries found", ", ".join(f"{place}: {'yes' if ok else 'NO'}" for place, ok in planted.items()))
    leaks = [hit for (value, _), hit in found.items() if value in values]
    where = "; ".join(f"{forms[hit.needle][1]} in {hit.where}" for hit in leaks[:4])
    scope = (
        f"{looked.processes} processes, {looked.mappings} mappings, {looked.memory_bytes / 2**20:.0f} MiB of memory, "
        f"{looked.files_read} files read, {looked.files_older} older than the values"
    )
    proof.check(not leaks and agent == still, f"real values inside ({len(values)} sought)", where or f"none in {scope}")
    notes = ["yes"]
    if looked.closed:
        notes.append(f"memory of {', '.join(looked.closed)} by process_vm_readv")
    if looked.foreign:
        notes.append(f"{looked.foreign} folders of other users are closed to the agent as well")
    proof.check(not looked.unreadable, "everything could be read", "; ".join(looked.unreadable[:3] or notes))


class Planted:
    """A file, a variable and a heap in the sandbox that hold a canary each, for as long as the search takes."""

    def __init__(self, sandbox: Sandbox, canaries: dict[str, str]) -> None:
        self.sandbox, self.canaries = sandbox, canaries
        self.thread = threading.Thread(target=self._hold, daemon=True)
        self.trouble: Exception | None = None

    def __enter__(self) -> "Planted":
        # As base64 inside other text: the search has to see through an encoding here too.
        hidden = base64.b64encode(f"x{self.canaries['file']}".encode())
        self.sandbox.files.write("/workspace/.canary", b"{" + hidden + b"}")
        self.thread.start()
        deadline = time.monotonic() + 20
        while not self.sandbox.files.exists("/workspace/.canary-held"):
            if self.trouble or time.monotonic() > deadline:
                raise RuntimeError(f"the canary process did not start: {self.trouble}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.files.write("/workspace/.canary-done", b"")
        self.thread.join(timeout=10)

    def _hold(self) -> None:
        try:
            self.sandbox.exec(["python3", "-c", PLANT], env={"CANARY": self.canaries["variable"]}, stdin=self.canaries["heap"])
        except Exception as error:  # reported by the thread that waits
            self.trouble = error
