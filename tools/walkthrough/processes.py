"""Finds the processes of a sandbox from outside, by what the kernel says of them and nothing that our programs say."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process as the kernel knows it. `started` tells two processes with one number apart."""

    pid: int
    pid_inside: int
    started: int
    namespace: str


def find(marker: str, *also: str) -> list[Process]:
    """Processes in another pid namespace whose command line has all these words."""
    own = os.readlink("/proc/self/ns/pid")
    found = []
    for pid in _pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if all(word.encode() in words for word in (marker, *also)) and os.readlink(f"/proc/{pid}/ns/pid") != own:
                found.append(describe(pid))
        except OSError:
            continue
    return found


def describe(pid: int) -> Process:
    """The kernel's facts about one process."""
    # The name may hold spaces and brackets; everything after the last bracket is numbers.
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    inside = next(line.split()[-1] for line in status.splitlines() if line.startswith("NSpid:"))
    return Process(pid, int(inside), int(numbers[19]), os.readlink(f"/proc/{pid}/ns/pid"))


def together_with(process: Process) -> list[int]:
    """Every process of the same pid namespace, `process` first."""
    others = []
    for pid in _pids():
        try:
            if pid != process.pid and os.readlink(f"/proc/{pid}/ns/pid") == process.namespace:
                others.append(pid)
        except OSError:
            continue
    return [process.pid, *others]


def variable(pid: int, name: str) -> str:
    """A variable of a process's first environment."""
    wanted = name.encode() + b"="
    for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
        if entry.startswith(wanted):
            return entry[len(wanted) :].decode()
    return ""


def name(pid: int) -> str:
    """Its name and number, for messages."""
    return f"{Path(f'/proc/{pid}/comm').read_text().strip()} ({pid})"


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
