# Generated from _async/previews.py by tools/async_to_sync.py. Edit that file, then run that program.
"""Ports of a sandbox, opened on the server's own machine."""

import builtins

from .. import _envelope, _wire
from ..models import Preview
from .transport import Transport


class Previews:
    """The previews of one sandbox."""

    def __init__(self, transport: Transport, sandbox_id: str) -> None:
        self._transport = transport
        self._sandbox = sandbox_id

    def open(self, port: int) -> Preview:
        """Reach a port of the sandbox under the preview's `url`; asking again gives the same one."""
        return Preview.from_json(_envelope.one(self._transport.request("POST", self._path(), json={"port": port})))

    def list(self) -> builtins.list[Preview]:
        """Those that are open."""
        return [Preview.from_json(item) for item in _envelope.many(self._transport.request("GET", self._path()))]

    def get(self, preview_id: str) -> Preview:
        """One of them."""
        return Preview.from_json(_envelope.one(self._transport.request("GET", self._path(preview_id))))

    def close(self, preview_id: str) -> None:
        """End one, with the connections through it."""
        self._transport.request("DELETE", self._path(preview_id))

    def _path(self, *more: str) -> str:
        return _wire.path("sandboxes", self._sandbox, "previews", *more)
