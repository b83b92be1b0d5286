"""Commands, processes and the frames of their streams."""

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from .common import Moment, Number, Shape, StreamError, Text


class Result(Shape):
    """How a command ended. One that fails is an answer with its exit code, not an error."""

    stdout: str
    stderr: str
    exit_code: Annotated[int, Field(description="128 and the signal's number when a signal ended it.")]
    signal: Number
    timed_out: bool
    duration_ms: int
    truncated: Annotated[bool, Field(description="Whether more was said than is kept.")]
    error: Annotated[
        dict[str, Any] | None, Field(description="Present when the system failed after the answer had begun; exit_code is 255 then.")
    ] = None


class ComputerResult(Result):
    """The same for Go's client."""

    output: Annotated[str, Field(description="What was said on both streams.")]
    success: bool


class Process(Shape):
    """A process as the published clients read it: the number is text."""

    pid: Annotated[str, Field(pattern="^[0-9]+$")]
    id: str
    name: Text
    command: str
    status: Literal["running", "exited"]
    started_at: Moment
    ended_at: Moment | None
    exit_code: Number
    signal: Number
    timed_out: bool
    duration_ms: Number


class CommandResult(Process):
    """A command that was run to its end, or (detached) has only begun: then without output."""

    stdout: str = ""
    stderr: str = ""
    truncated: bool = False


class Killed(Shape):
    """A command that was ended."""

    pid: str
    status: Literal["exited"]


class Logs(Shape):
    """The last lines of a process."""

    logs: str


class LogText(RootModel[str]):
    """The last lines of a process as one JSON text."""


class TerminalMade(Shape):
    """A shell at a terminal, waiting for its socket."""

    id: str
    session_id: Annotated[str, Field(description="The same as `id`.")]
    sandbox_id: str
    pid: str
    rows: int
    cols: int
    socket: Annotated[str, Field(description="Path of its WebSocket below /api/v1.")]
    created_at: Moment


class OutputFrame(Shape):
    """A line; `partial` when it was too long or had no end, `gap` when output was lost because nobody read it in time."""

    type: Literal["stdout", "stderr"]
    line: str
    partial: bool = False
    gap: dict[str, Any] | None = None


class ExitFrame(Shape):
    """The last frame."""

    type: Literal["exit"]
    exit_code: int
    exitCode: int
    signal: Number = None
    timed_out: bool = False
    duration_ms: Number = None


class ExecFrame(RootModel[OutputFrame | ExitFrame | StreamError]):
    """What a stream of a command's output carries."""
