"""Records of commands and processes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ..errors import CommandFailedError
from .record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult(Record):
    """How a command ended, and what it wrote."""

    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0
    signal: int | None = None
    timed_out: bool = False
    truncated: bool = False
    duration_ms: float | None = None

    @property
    def ok(self) -> bool:
        """Whether it exited with 0."""
        return self.exit_code == 0

    def check(self) -> "ExecResult":
        """This result, or CommandFailedError when the command did not exit with 0."""
        if not self.ok:
            raise CommandFailedError(self)
        return self


@dataclass(frozen=True, slots=True)
class OutputEvent:
    """A piece of a running command's output, or (last) its end: then `exit_code` is set."""

    type: Literal["stdout", "stderr", "exit"]
    data: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class TerminalOutput:
    """Bytes that a command wrote; a terminal has only stdout."""

    stream: Literal["stdout", "stderr"]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Process(Record):
    """A process in the background of a sandbox."""

    pid: int = field(metadata={"wire": str})  # published clients want text there
    id: str | None = None
    name: str | None = None
    command: str | None = None
    status: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    timed_out: bool = False
    duration_ms: float | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
