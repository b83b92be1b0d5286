"""What one life of egressd is known to hold, and what follows from it for the order of messages."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from .leases import Need, Prepared


@dataclass(slots=True)
class Held:
    """The memory of one boot, as far as it has confirmed it to us."""

    gateway: str
    boot: str
    public_key: bytes
    leases: dict[str, tuple[int, datetime | None]] = field(default_factory=dict)
    snapshots: dict[str, Prepared] = field(default_factory=dict)

    @classmethod
    def of(cls, status: dict[str, Any]) -> Self:
        """From what egressd says of itself; which snapshots it holds is not taken on trust, they are put again."""
        leases: dict[str, tuple[int, datetime | None]] = {entry["lease"]: (int(entry["version"]), None) for entry in status["leases"]}
        return cls(status["gateway"], status["boot"], base64.b64decode(status["public_key"]), leases)

    def has(self, need: Need) -> bool:
        """Whether exactly this is lent already."""
        return self.leases.get(need.lease) == (need.version, need.expires_at)

    def stale(self, need: Need) -> bool:
        """Whether another version of it is lent."""
        return need.lease in self.leases and self.leases[need.lease][0] != need.version

    def agreed(self, need: Need, hosts: tuple[str, ...] | None) -> bool:
        """Whether every snapshot that is out binds the secret to these hosts.

        A new value may come with new hosts. As long as one snapshot still names the old ones, the new value is
        not lent, or it would go where it was never meant to go.
        """
        return all(put.hosts.get(need.lease, hosts) == hosts for put in self.snapshots.values())

    def unneeded(self, leases: Iterable[str]) -> list[str]:
        """Of these leases, those that no snapshot needs any more."""
        needed = {need.lease for put in self.snapshots.values() for need in put.needs}
        return [lease for lease in leases if lease not in needed and lease in self.leases]
