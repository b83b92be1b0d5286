# Generated from _async/sandboxes.py by tools/async_to_sync.py. Edit that file, then run that program.
"""Sandboxes: made, found, listed."""

import builtins
from collections.abc import Mapping
from typing import Any

from .. import _envelope, _wire
from ..errors import NameTakenError, NotFoundError
from ..models import SandboxInfo
from .pages import Pages
from .sandbox import WAIT_SECONDS, Sandbox
from .transport import Transport

__all__ = ["Sandbox", "Sandboxes"]


class Sandboxes:
    """The sandboxes of this key's tenant."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        name: str | None = None,
        *,
        template: str | None = None,
        env: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: builtins.list[str] | None = None,
        size: str | None = None,
        cpu_count: int | None = None,
        memory_mb: int | None = None,
        disk_size_mb: int | None = None,
        timeout_sec: int | None = None,
        idle_timeout_sec: int | None = None,
        persistent: bool | None = None,
        always_on: bool | None = None,
        slug: str | None = None,
        snapshot_id: str | None = None,
        keep_last_snapshots: int | None = None,
        snapshot_expiration_sec: int | None = None,
        workspace_id: str | None = None,
        owner_user_id: str | None = None,
        external_user_id: str | None = None,
        external_workspace_id: str | None = None,
        external_project_id: str | None = None,
        wait: bool = True,
        wait_timeout: float = WAIT_SECONDS,
    ) -> Sandbox:
        """Make a sandbox, empty or from a snapshot; with `wait` it runs when this returns.

        It inherits the secrets of its owners: `external_user_id` and the like.
        """
        body = _wire.given(
            name=name, slug=slug, template_id=template, env=env, metadata=metadata, tags=tags, size=size, cpu_count=cpu_count,
            memory_mb=memory_mb, disk_size_mb=disk_size_mb, timeout_sec=timeout_sec, idle_timeout_sec=idle_timeout_sec,
            persistent=persistent, always_on=always_on, workspace_id=workspace_id, owner_user_id=owner_user_id,
            external_user_id=external_user_id, external_workspace_id=external_workspace_id, external_project_id=external_project_id,
            snapshot_id=snapshot_id, keep_last_snapshots=keep_last_snapshots, snapshot_expiration_sec=snapshot_expiration_sec,
        )  # fmt: skip
        reply = self._transport.request("POST", "sandboxes", params={"wait": True if wait else None}, json=body)
        sandbox = Sandbox(self._transport, SandboxInfo.from_json(_envelope.one(reply)))
        if wait:
            sandbox.wait_until_ready(timeout=wait_timeout)
        return sandbox

    def get(self, id_or_name: str) -> Sandbox:
        """The sandbox with this id or name."""
        reply = self._transport.request("GET", _wire.path("sandboxes", id_or_name))
        return Sandbox(self._transport, SandboxInfo.from_json(_envelope.one(reply)))

    def get_by_name(self, name: str) -> Sandbox:
        """The sandbox with this name."""
        reply = self._transport.request("GET", _wire.path("sandboxes", "by-name", name))
        return Sandbox(self._transport, SandboxInfo.from_json(_envelope.one(reply)))

    def get_or_create(self, name: str, **options: Any) -> Sandbox:
        """The sandbox with this name, resumed if it is paused, made with `create`'s options if there is none."""
        try:
            sandbox = self.get_by_name(name)
        except NotFoundError:
            try:
                return self.create(name, **options)
            except NameTakenError:
                # Someone else made it between the two calls.
                sandbox = self.get_by_name(name)
        if sandbox.state == "paused":
            sandbox.resume()
        if options.get("wait", True):
            sandbox.wait_until_ready(timeout=options.get("wait_timeout", WAIT_SECONDS))
        return sandbox

    def list(
        self,
        *,
        state: str | None = None,
        tags: builtins.list[str] | None = None,
        external_user_id: str | None = None,
        external_workspace_id: str | None = None,
        external_project_id: str | None = None,
        limit: int | None = None,
    ) -> Pages[Sandbox]:
        """Sandboxes as an iterator, newest first; those with all of `tags`. `limit` is the size of a page."""
        owners = {
            "external_user_id": external_user_id, "external_workspace_id": external_workspace_id, "external_project_id": external_project_id
        }  # fmt: skip
        params = {"state": state, "tags": tags, **owners, "limit": limit}
        return Pages(self._transport, "sandboxes", params, lambda item: Sandbox(self._transport, SandboxInfo.from_json(item)))

    def delete(self, id_or_name: str) -> None:
        """Destroy a sandbox."""
        self._transport.request("DELETE", _wire.path("sandboxes", id_or_name))
