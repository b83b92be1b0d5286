"""Bytes as they come, cut into lines for the streams of the wire."""

import codecs
from collections.abc import Iterator
from typing import Any

LONGEST = 8 * 1024  # characters: a frame stays below 64 KiB even when each is six bytes of escaped JSON


class Lines:
    """One buffer a stream. A line longer than the limit comes in pieces, marked `partial`."""

    def __init__(self) -> None:
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}
        self._rest: dict[str, str] = {}

    def feed(self, stream: str, content: bytes) -> Iterator[dict[str, Any]]:
        """The lines that these bytes complete."""
        decoder = self._decoders.setdefault(stream, codecs.getincrementaldecoder("utf-8")("replace"))
        *whole, rest = (self._rest.get(stream, "") + decoder.decode(content)).split("\n")
        for line in whole:
            yield from _pieces(line.removesuffix("\r"))
        while len(rest) > LONGEST:
            yield {"line": rest[:LONGEST], "partial": True}
            rest = rest[LONGEST:]
        self._rest[stream] = rest

    def rest(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What came without a line's end."""
        for stream, text in self._rest.items():
            last = text + self._decoders[stream].decode(b"", True)
            if last:
                yield stream, {"line": last, "partial": True}
        self._rest.clear()


def _pieces(line: str) -> Iterator[dict[str, Any]]:
    while len(line) > LONGEST:
        yield {"line": line[:LONGEST], "partial": True}
        line = line[LONGEST:]
    yield {"line": line}
