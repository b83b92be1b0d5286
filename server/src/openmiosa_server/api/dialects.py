"""How a command talks over a WebSocket: ours, and what each published client speaks. Bytes and texts in, bytes and texts out."""

import codecs
import json
import struct
from typing import Any, Protocol

from ..errors import Invalid
from ..sandboxes import Execution, Running
from ..sandboxes.backends import Output, Pty
from .answers import dump

WIDEST = 4096
_MARKS = {"stdout": b"\x01", "stderr": b"\x02"}
_INPUT, _EXIT, _RESIZE = 0, 3, 5  # of the binary dialect


class Dialect(Protocol):
    """Turns output into frames and frames into input."""

    def frames(self, chunk: Output) -> list[bytes | str]:
        """What is sent of a piece of output."""

    async def take(self, execution: Execution, running: Running, content: bytes | str) -> None:
        """Do what a frame of the client says."""


class Marked:
    """Ours, and the Go client's: output as bytes, at a terminal as they are, else behind a byte that names the stream."""

    def __init__(self, *, marks: bool) -> None:
        self._marks = marks

    def frames(self, chunk: Output) -> list[bytes | str]:
        """What is sent of a piece of output."""
        if "data" in chunk:
            return [_MARKS[chunk["stream"]] + chunk["data"] if self._marks else chunk["data"]]
        if "gap" in chunk and self._marks:
            # A program reads this, and must not take what is left for the whole.
            return [dump({"type": "gap", **chunk["gap"]})]
        return [ended(chunk["exit"])] if "exit" in chunk else []

    async def take(self, execution: Execution, running: Running, content: bytes | str) -> None:
        """Bytes are input, texts are messages."""
        if isinstance(content, bytes):
            await execution.write(running, content)
        else:
            await control(execution, running, content)


class Texts:
    """The Python client's: JSON both ways."""

    def __init__(self) -> None:
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}

    def frames(self, chunk: Output) -> list[bytes | str]:
        """What is sent of a piece of output; half a character waits for its other half."""
        if "data" in chunk:
            decoder = self._decoders.setdefault(chunk["stream"], codecs.getincrementaldecoder("utf-8")("replace"))
            text = decoder.decode(chunk["data"])
            return [dump({"type": chunk["stream"], "data": text})] if text else []
        return [ended(chunk["exit"])] if "exit" in chunk else []

    async def take(self, execution: Execution, running: Running, content: bytes | str) -> None:
        """Every frame is a message."""
        await control(execution, running, content if isinstance(content, str) else content.decode(errors="replace"))


class Binary:
    """The TypeScript client's `miosa-exec-v1`: one byte says what the rest is."""

    PROTOCOL = "miosa-exec-v1"

    def frames(self, chunk: Output) -> list[bytes | str]:
        """What is sent of a piece of output."""
        if "data" in chunk:
            return [_MARKS[chunk["stream"]] + chunk["data"]]
        return [struct.pack(">BI", _EXIT, chunk["exit"]["exit_code"] & 0xFFFFFFFF)] if "exit" in chunk else []

    async def take(self, execution: Execution, running: Running, content: bytes | str) -> None:
        """Input, or a new size."""
        if isinstance(content, str):
            await control(execution, running, content)
        elif content[:1] == bytes([_INPUT]):
            await execution.write(running, content[1:])
        elif content[:1] == bytes([_RESIZE]) and len(content) == 5:
            await execution.resize(running, size(*struct.unpack(">HH", content[1:])))
        else:
            raise Invalid("a frame begins with 0 for input or 5 for a size")


def ended(exit: dict[str, Any]) -> str:
    """The last message, with the exit code under the names that clients read."""
    return dump({"type": "exit", **exit, "code": exit["exit_code"], "exit": exit["exit_code"]})


async def control(execution: Execution, running: Running, text: str) -> None:
    """Do what a message says; one of a kind that nobody knows is nothing."""
    try:
        said: Any = json.loads(text)
        kind = said["type"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Invalid("a text frame is a JSON object with a type") from None
    if kind == "resize":
        await execution.resize(running, size(said.get("rows"), said.get("cols")))
    elif kind == "stdin_close":
        await execution.write(running, b"", eof=True)
    elif kind == "signal":
        await execution.signal(running, str(said.get("signal")))
    elif kind == "stdin":
        await execution.write(running, str(said.get("data", "")).encode())


def size(rows: Any, cols: Any) -> Pty:
    """A terminal's size."""
    try:
        wanted = Pty(rows=int(rows), cols=int(cols))
    except (TypeError, ValueError, OverflowError):
        raise Invalid("rows and cols are numbers", details={"field": "rows"}) from None
    if not (1 <= wanted.rows <= WIDEST and 1 <= wanted.cols <= WIDEST):
        raise Invalid(f"rows and cols are between 1 and {WIDEST}", details={"field": "rows"})
    return wanted
