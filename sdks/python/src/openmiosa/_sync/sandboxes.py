# Generated from _async/sandboxes.py by tools/async_to_sync.py. Edit that file, then run that program.
"""Sandboxes: made, found, listed; and the handle of one."""

import builtins
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from .. import _envelope, _wire
from ..errors import NameTakenError, NotFoundError, SandboxFailedError, WaitTimeoutError
from ..models import SandboxInfo
from .audit import Audit
from .exec import Exec, Processes
from .files import Files
from .network import Network
from .pages import Pages
from .secrets import Secrets
from .snapshots import Snapshots
from .terminal import Shell
from .transport import Transport

WAIT_SECONDS = 60.0


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
        workspace_id: str | None = None,
        external_user_id: str | None = None,
        external_workspace_id: str | None = None,
        external_project_id: str | None = None,
        wait: bool = True,
        wait_timeout: float = WAIT_SECONDS,
        **more: Any,
    ) -> "Sandbox":
        """Make a sandbox; with `wait` it runs when this returns. Fields without an argument here pass through as they are named."""
        body = _wire.given(
            name=name, template_id=template, env=env, metadata=metadata, tags=tags, size=size, cpu_count=cpu_count, memory_mb=memory_mb,
            disk_size_mb=disk_size_mb, timeout_sec=timeout_sec, idle_timeout_sec=idle_timeout_sec, persistent=persistent,
            always_on=always_on, workspace_id=workspace_id, external_user_id=external_user_id,
            external_workspace_id=external_workspace_id, external_project_id=external_project_id, **more,
        )  # fmt: skip
        reply = self._transport.request("POST", "sandboxes", params={"wait": True if wait else None}, json=body)
        sandbox = Sandbox(self._transport, SandboxInfo.from_json(_envelope.one(reply)))
        if wait:
            sandbox.wait_until_ready(timeout=wait_timeout)
        return sandbox

    def get(self, id_or_name: str) -> "Sandbox":
        """The sandbox with this id or name."""
        reply = self._transport.request("GET", _wire.path("sandboxes", id_or_name))
        return Sandbox(self._transport, SandboxInfo.from_json(_envelope.one(reply)))

    def get_by_name(self, name: str) -> "Sandbox":
        """The sandbox with this name."""
        reply = self._transport.request("GET", _wire.path("sandboxes", "by-name", name))
        return Sandbox(self._transport, SandboxInfo.from_json(_envelope.one(reply)))

    def get_or_create(self, name: str, **options: Any) -> "Sandbox":
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

    def list(self, *, state: str | None = None, tags: builtins.list[str] | None = None, **filters: Any) -> Pages["Sandbox"]:
        """Sandboxes as an iterator; `filters` are those of the API, such as external_user_id."""
        params = {"state": state, "tags": tags, **filters}
        return Pages(self._transport, "sandboxes", params, lambda item: Sandbox(self._transport, SandboxInfo.from_json(item)))

    def delete(self, id_or_name: str) -> None:
        """Destroy a sandbox."""
        self._transport.request("DELETE", _wire.path("sandboxes", id_or_name))


class Sandbox:
    """One sandbox; as a context manager it is destroyed at the end."""

    def __init__(self, transport: Transport, info: SandboxInfo) -> None:
        self._transport = transport
        self.info = info
        self.exec = Exec(transport, info.id)
        self.processes = Processes(transport, info.id)
        self.files = Files(transport, info.id)
        self.snapshots = Snapshots(transport, info.id)
        self.secrets = Secrets(transport, info.id)
        self.network = Network(transport, info.id)
        self.audit = Audit(transport, info.id)
        self.shell = Shell(transport, info.id)
        self.exec_stream = self.exec.stream

    @property
    def id(self) -> str:
        """Its id, for ever the same."""
        return self.info.id

    @property
    def name(self) -> str | None:
        """Its name."""
        return self.info.name

    @property
    def state(self) -> str:
        """Its state when this handle last heard of it; `refresh()` asks again."""
        return self.info.state

    def refresh(self) -> Self:
        """Ask the server for the state of things."""
        return self._take("GET")

    def pause(self) -> Self:
        """Stop its processes where they are."""
        return self._take("POST", "pause")

    def resume(self) -> Self:
        """Let its processes go on."""
        return self._take("POST", "resume")

    def stop(self) -> Self:
        """End its processes and keep its files."""
        return self._take("POST", "stop")

    def extend(self, timeout_sec: int) -> Self:
        """Let it live this much longer."""
        return self._take("POST", "extend", timeout_sec=timeout_sec)

    def update(self, **fields: Any) -> Self:
        """Change name, tags, metadata, always_on, timeout_sec or idle_timeout_sec."""
        reply = self._transport.request("PATCH", _wire.path("sandboxes", self.id), json=_wire.given(**fields))
        self.info = SandboxInfo.from_json(_envelope.one(reply))
        return self

    def destroy(self) -> None:
        """End it with all that is in it; one that is gone already is no error."""
        try:
            self._transport.request("DELETE", _wire.path("sandboxes", self.id))
        except NotFoundError:
            return

    def wait_until_ready(self, timeout: float = WAIT_SECONDS) -> Self:  # noqa: ASYNC109
        """Return when commands can run in it."""
        deadline = time.monotonic() + timeout
        while self.state != "running":
            if self.state in ("error", "failed", "destroyed"):
                raise SandboxFailedError(f"sandbox {self.name or self.id} is {self.state}: the server's log says why")
            if time.monotonic() > deadline:
                raise WaitTimeoutError(f"sandbox {self.name or self.id} was still {self.state} after {timeout:g} s")
            time.sleep(0.1)
            self.refresh()
        return self

    def _take(self, method: str, action: str | None = None, **body: Any) -> Self:
        path = _wire.path("sandboxes", self.id, *([action] if action else []))
        reply = self._transport.request(method, path, json=None if method == "GET" else body)
        self.info = SandboxInfo.from_json(_envelope.one(reply))
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.destroy()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.id!r}, name={self.name!r}, state={self.state!r})"
