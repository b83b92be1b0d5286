# Generated from _async/sandbox.py by tools/async_to_sync.py. Edit that file, then run that program.
"""The handle of one sandbox."""

import builtins
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from .. import _envelope, _wire
from ..errors import NotFoundError, SandboxFailedError, TransportError, WaitTimeoutError
from ..models import Artifacts, Metrics, Readiness, Resources, SandboxInfo, Usage
from .audit import Audit
from .env import Env
from .exec import Exec, Processes
from .files import Files
from .network import Network
from .previews import Previews
from .secrets import Secrets
from .snapshots import Snapshots
from .terminal import Shell
from .transport import SILENCE_SECONDS, Transport

WAIT_SECONDS = 60.0
OVER = ("error", "failed", "destroyed")


class Sandbox:
    """One sandbox; as a context manager it is destroyed at the end."""

    def __init__(self, transport: Transport, info: SandboxInfo) -> None:
        self._transport = transport
        self.info = info
        self.exec = Exec(transport, info.id)
        self.processes = Processes(transport, info.id)
        self.files = Files(transport, info.id)
        self.env = Env(transport, info.id)
        self.snapshots = Snapshots(transport, info.id, self._sibling)
        self.previews = Previews(transport, info.id)
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

    def resume(self, *, env: Mapping[str, str] | None = None) -> Self:
        """Let its processes go on; new ones have these variables beside those that it has."""
        return self._take("POST", "resume", **_wire.given(env=env))

    def stop(self) -> Self:
        """End its processes and keep its files."""
        return self._take("POST", "stop")

    def extend(self, timeout_sec: int) -> Self:
        """Let it live this much longer."""
        return self._take("POST", "extend", timeout_sec=timeout_sec)

    def update(
        self,
        *,
        name: str | None = None,
        slug: str | None = None,
        tags: builtins.list[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        always_on: bool | None = None,
        persistent: bool | None = None,
        timeout_sec: int | None = None,
        idle_timeout_sec: int | None = None,
    ) -> Self:
        """Change what is said of it, or how long it lives; what is not given stays."""
        body = _wire.given(
            name=name, slug=slug, tags=tags, metadata=metadata, always_on=always_on, persistent=persistent, timeout_sec=timeout_sec,
            idle_timeout_sec=idle_timeout_sec,
        )  # fmt: skip
        return self._take("PATCH", **body)

    def set_tags(self, tags: builtins.list[str]) -> Self:
        """Give it these tags instead of those that it has."""
        return self._take("PATCH", "tags", tags=builtins.list(tags))

    def fork(
        self,
        *,
        name: str | None = None,
        snapshot_id: str | None = None,
        template: str | None = None,
        timeout_sec: int | None = None,
        idle_timeout_sec: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        tags: builtins.list[str] | None = None,
        external_user_id: str | None = None,
        external_workspace_id: str | None = None,
        external_project_id: str | None = None,
    ) -> Self:
        """A new sandbox with this one's files, as they are or as a snapshot has them; processes, secrets and rules stay behind."""
        body = _wire.given(
            name=name, snapshot_id=snapshot_id, template_id=template, timeout_sec=timeout_sec, idle_timeout_sec=idle_timeout_sec,
            metadata=metadata, env=env, tags=tags, external_user_id=external_user_id, external_workspace_id=external_workspace_id,
            external_project_id=external_project_id,
        )  # fmt: skip
        return self._sibling(SandboxInfo.from_json(_envelope.one(self._ask("POST", "fork", json=body))))

    def destroy(self) -> None:
        """End it with all that is in it; one that is gone already is no error."""
        try:
            self._transport.request("DELETE", _wire.path("sandboxes", self.id))
        except NotFoundError:
            return

    def readiness(self) -> Readiness:
        """Whether commands can run in it, and what is missing."""
        return Readiness.from_json(_envelope.one(self._ask("GET", "readiness")))

    def wait_until_ready(self, timeout: float = WAIT_SECONDS) -> Self:  # noqa: ASYNC109
        """Return when commands can run in it."""
        deadline = time.monotonic() + timeout
        while self.state != "running":
            if self.state in OVER:
                said = f": {self.info.state_reason}" if self.info.state_reason else ""
                raise SandboxFailedError(f"sandbox {self.name or self.id} is {self.state}{said}; the server's log says why")
            left = deadline - time.monotonic()
            if left <= 0:
                raise WaitTimeoutError(f"sandbox {self.name or self.id} was still {self.state} after {timeout:g} s")
            if not self._heard_of_readiness(min(left, SILENCE_SECONDS)):
                time.sleep(0.1)
            self.refresh()
        return self

    def usage(self, *, window: str | None = None) -> Usage:
        """How long it has lived, what it has used, and what it called within a window such as `24h`."""
        return Usage.from_json(_envelope.one(self._ask("GET", "usage", params={"window": window})))

    def metrics(self, *, window: str | None = None) -> Metrics:
        """What it uses at this moment, and what it called within a window such as `1h`."""
        return Metrics.from_json(_envelope.one(self._ask("GET", "metrics", params={"window": window})))

    def resources(self) -> Resources:
        """What it may use, and whether that can change while it runs."""
        return Resources.from_json(_envelope.one(self._ask("GET", "resources")))

    def artifacts(self) -> Artifacts:
        """What it has made: the files in /workspace/artifacts, its snapshots, its previews."""
        return Artifacts.from_json(_envelope.one(self._ask("GET", "artifacts")))

    def logs(self, *, lines: int = 200) -> str:
        """The last lines that its background processes wrote."""
        return _envelope.text(self._ask("GET", "logs", params={"lines": lines}))

    def logs_stream(self) -> Iterator[str]:
        """What its background processes write, line by line, for as long as it lives."""
        path = _wire.path("sandboxes", self.id, "logs", "stream")
        with self._transport.events("GET", path, timeout=SILENCE_SECONDS) as frames:
            for frame in frames:
                said = _wire.object_of(frame.data)
                if "line" in said and "gap" not in said:
                    yield str(said["line"])

    def _heard_of_readiness(self, timeout: float) -> bool:  # noqa: ASYNC109
        """Whether the stream said that it is ready; servers without the stream are asked by `refresh`."""
        path = _wire.path("sandboxes", self.id, "readiness", "stream")
        try:
            with self._transport.events("GET", path, timeout=timeout) as frames:
                for frame in frames:
                    return frame.event == "ready"
        except (NotFoundError, TransportError):
            pass
        return False

    def _take(self, method: str, action: str | None = None, **body: Any) -> Self:
        reply = self._ask(method, *([action] if action else []), json=None if method == "GET" else body)
        self.info = SandboxInfo.from_json(_envelope.one(reply))
        return self

    def _ask(self, method: str, *more: str, **options: Any) -> Any:
        return self._transport.request(method, _wire.path("sandboxes", self.id, *more), **options)

    def _sibling(self, info: SandboxInfo) -> Self:
        return type(self)(self._transport, info)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.destroy()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.id!r}, name={self.name!r}, state={self.state!r})"
