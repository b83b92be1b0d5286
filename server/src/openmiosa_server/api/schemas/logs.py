"""What all processes of a sandbox say."""

from typing import Annotated

from pydantic import Field, RootModel

from .common import Shape, StreamError, Text
from .exec import ExitFrame, OutputFrame


class LogLine(Shape):
    """A line, and whose it is."""

    process: str
    pid: str
    name: Text
    line: str


class SandboxLogs(Shape):
    """The last lines of a sandbox's processes."""

    logs: Annotated[str, Field(description="All of them as one text.")]
    lines: list[LogLine]


class LogOutputFrame(OutputFrame):
    """A line, and whose it is."""

    process: str
    pid: str
    name: Text


class LogExitFrame(ExitFrame):
    """The end of one process; the stream goes on."""

    process: str
    pid: str
    name: Text


class LogFrame(RootModel[LogOutputFrame | LogExitFrame | StreamError]):
    """What a sandbox's log stream carries."""
