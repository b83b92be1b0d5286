"""The rig's name server: scripted answers, and a log of every query that anybody sent."""

import itertools
import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from .rig import RESOLVER

_A, _AAAA = 1, 28


@dataclass
class Names:
    """Answers A and AAAA from a table; a list of lists is answered in turn, one a query (rebinding)."""

    table: dict[str, list[list[str]]] = field(default_factory=dict)
    queries: list[tuple[str, int]] = field(default_factory=list)

    def set(self, name: str, *turns: Sequence[str]) -> None:
        """Answer `name` with these addresses; several sets are given in turn, the last one again and again."""
        self.table[name.lower()] = [list(turn) for turn in turns]

    def asked(self, suffix: str) -> list[str]:
        """The names under `suffix` that were asked for."""
        return [name for name, _ in self.queries if name == suffix or name.endswith("." + suffix)]

    def start(self) -> "Names":
        """Serve on the rig's resolver address."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((RESOLVER, 53))
        threading.Thread(target=self._serve, daemon=True, name="names").start()
        return self

    def stop(self) -> None:
        """End the service."""
        self._socket.close()

    def _serve(self) -> None:
        for _ in itertools.count():
            try:
                packet, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            if (answer := self._answer(packet)) is not None:
                self._socket.sendto(answer, peer)

    def _answer(self, packet: bytes) -> bytes | None:
        if len(packet) < 17:
            return None
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1 : at + 1 + packet[at]].decode("ascii", "backslashreplace"))
            at += 1 + packet[at]
        kind = struct.unpack_from("!H", packet, at + 1)[0]
        name = ".".join(labels).lower()
        self.queries.append((name, kind))
        question = packet[12 : at + 5]
        turns = self.table.get(name)
        known = turns[0] if turns and kind in (_A, _AAAA) else []
        addresses = [address for address in known if (":" in address) == (kind == _AAAA)]
        if turns is not None and kind == _A and len(turns) > 1:
            turns.pop(0)
        records = b"".join(_record(kind, address) for address in addresses)
        flags = 0x8180 if turns is not None else 0x8183  # NOERROR or NXDOMAIN
        return packet[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0) + question + records


def _record(kind: int, address: str) -> bytes:
    packed = socket.inet_pton(socket.AF_INET6 if kind == _AAAA else socket.AF_INET, address)
    # Time to live 0: whoever asks twice may get two answers.
    return struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(packed)) + packed
