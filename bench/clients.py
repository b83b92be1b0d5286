"""Clients: what a person waits for before anything happens, beside an interpreter that does nothing; and how much they write.

    python -m bench clients

Needs no server. The three are started in turn, so that what else the machine does falls on all alike.
"""

import os
import statistics
import subprocess
import sys
import time
from typing import Any

from tools.docs import regions
from tools.walkthrough.programs import PROGRAMS, ROOT

from .figures import figure

RUNS = 20
PASS, IMPORT, HELP = "pass", "import", "help"
COMMANDS = {
    PASS: [sys.executable, "-c", "pass"],
    IMPORT: [sys.executable, "-c", "import openmiosa"],
    HELP: [sys.executable, "-m", "openmiosa.cli", "--help"],
}
WHAT = {IMPORT: "import openmiosa", HELP: "openmiosa --help"}


def measure(scale: float) -> dict[str, Any]:
    """Medians, in milliseconds and as a ratio to the bare interpreter."""
    runs = max(5, int(RUNS * scale))
    took: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for command in COMMANDS.values():
        _run(command)  # compiles what is not compiled yet
    for _ in range(runs):
        for name, command in COMMANDS.items():
            took[name].append(_run(command))
    bare = statistics.median(took[PASS])
    figures = {"clients.pass_ms": figure(bare * 1000, "ms, python -c pass", runs)}
    for name, what in WHAT.items():
        median = statistics.median(took[name])
        figures[f"clients.{name}_ms"] = figure(median * 1000, f"ms, {what}", runs)
        figures[f"clients.{name}_ratio"] = figure(median / bare, f"times, {what} ÷ python -c pass", runs)
    return figures | _lines()


def _lines() -> dict[str, Any]:
    """Lines of code of the seven steps and the rotation in each language: what the tutorial shows, blank lines and comments left out."""
    figures = {}
    for name, program in PROGRAMS.items():
        steps = regions.of((ROOT / program.source).read_text())
        written = [line.strip() for text in steps.values() for line in text.splitlines()]
        count = sum(bool(line) and not line.startswith(("#", "//")) for line in written)
        figures[f"clients.lines_{name}"] = figure(count, f"lines, the walkthrough's steps in {name}", len(steps))
    return figures


def _run(command: list[str]) -> float:
    """Seconds from the start of a process to its end."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=env)
    return time.perf_counter() - began
