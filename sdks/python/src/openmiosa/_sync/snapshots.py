# Generated from _async/snapshots.py by tools/async_to_sync.py. Edit that file, then run that program.
"""Stored states of a sandbox's file system."""

import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import _envelope, _wire
from ..models import SandboxInfo, SnapshotInfo
from .transport import Transport

if TYPE_CHECKING:
    from .sandbox import Sandbox


class Snapshots:
    """The snapshots of one sandbox."""

    def __init__(self, transport: Transport, sandbox_id: str, handle: "Callable[[SandboxInfo], Sandbox]") -> None:
        self._transport = transport
        self._handle = handle
        self._sandbox = sandbox_id

    def create(self, comment: str | None = None, *, keep: bool | None = None, retention_seconds: int | None = None) -> SnapshotInfo:
        """Store the file system as it is now: for so long, or with `keep` for good, whatever its sandbox says of its snapshots."""
        path = _wire.path("sandboxes", self._sandbox, "snapshots")
        reply = self._transport.request(
            "POST", path, json=_wire.given(comment=comment, keep=keep, retention_seconds=retention_seconds)
        )
        return SnapshotInfo.from_json(_envelope.one(reply))

    def list(self) -> builtins.list[SnapshotInfo]:
        """What is stored."""
        reply = self._transport.request("GET", _wire.path("sandboxes", self._sandbox, "snapshots"))
        return [SnapshotInfo.from_json(item) for item in _envelope.many(reply)]

    def restore(self, snapshot_id: str) -> "Sandbox":
        """A new sandbox that starts from a snapshot; this one stays as it is."""
        reply = self._transport.request("POST", _wire.path("sandboxes", self._sandbox, "restore", snapshot_id), json={})
        return self._handle(SandboxInfo.from_json(_envelope.one(reply)))

    def delete(self, snapshot_id: str) -> None:
        """Forget a snapshot."""
        self._transport.request("DELETE", _wire.path("sandboxes", self._sandbox, "snapshots", snapshot_id))
