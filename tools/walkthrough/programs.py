"""The walkthrough as a program, one in each language: how it is built from its SDK, and how it is started."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build/walkthrough"


@dataclass(frozen=True)
class Program:
    """One language: its source, and the command that runs it once it is built."""

    source: str
    prepare: Callable[[], None]
    command: Callable[[Path], list[str]]


def _python() -> None:
    """The wheel is installed already."""


def _typescript() -> None:
    _run(["npm", "run", "--silent", "build"], ROOT / "sdks/typescript")
    _run(["npm", "run", "--silent", "build"], ROOT / "examples/typescript")


def _go() -> None:
    _run(["go", "build", "-o", str(BUILD / "walkthrough-go"), "."], ROOT / "examples/go/walkthrough")


PROGRAMS = {
    "python": Program(
        "examples/walkthrough.py",
        _python,
        lambda environment: [str(environment / "bin/python"), "-u", str(ROOT / "examples/walkthrough.py")],
    ),
    "typescript": Program(
        "examples/typescript/walkthrough.ts", _typescript, lambda _: ["node", str(ROOT / "examples/typescript/dist/walkthrough.js")]
    ),
    "go": Program("examples/go/walkthrough/main.go", _go, lambda _: [str(BUILD / "walkthrough-go")]),
}


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=os.environ, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} in {folder.relative_to(ROOT)} failed:\n{done.stdout}{done.stderr}")
