"""The real system for tests: server, egressd and cell on a state folder and ports of their own.

    with System() as system:
        client = Miosa(api_key=system.api_key, base_url=system.base_url)

Needs a host that can run sandboxes (`openmiosa host`). Nothing of it outlives `stop()`.

Users have `openmiosa.testing` instead, over `up --ephemeral`. This one is for tests of the system itself: it comes back on the state that
it left, kills one program by its id, and looks into folders and sockets; a system that is gone with its starter allows none of that.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit

from .supervise import layout, programs


class System:
    """`openmiosa up` as a child process, on a temporary state folder unless one is given."""

    def __init__(
        self,
        state: Path | None = None,
        *,
        static_hosts: Mapping[str, str] | None = None,
        extra_ca_files: list[Path] | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        patience: float = 60.0,
    ) -> None:
        self._temporary = state is None
        self.state = Path(state or tempfile.mkdtemp(prefix="openmiosa-test-"))
        self.places = layout.layout(self.state)
        self.contexts = self.state / "contexts.json"
        self._settings = {section: dict(values) for section, values in (settings or {}).items()}
        self._settings.setdefault("upstream", {}).update(
            {"static_hosts": dict(static_hosts or {}), "extra_ca_files": [str(path) for path in extra_ca_files or []]}
        )
        self._settings.setdefault("server", {}).setdefault("bind", f"127.0.0.1:{free_port()}")
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "System":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """Where the server listens."""
        return f"http://{self._settings['server']['bind']}"

    @property
    def api_key(self) -> str:
        """The admin key that the first start made."""
        return str(json.loads(self.contexts.read_text())["contexts"]["local"]["api_key"])

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point a client or the CLI at this system and away from the user's own."""
        return {
            **os.environ,
            "MIOSA_API_KEY": self.api_key,
            "MIOSA_BASE_URL": self.base_url,
            "OPENMIOSA_CONTEXTS": str(self.contexts),
            "OPENMIOSA_STATE": str(self.state),
        }

    def start(self) -> "System":
        """Start and wait until it serves; raises with the end of its output when it does not."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.places.config.write_text(tomlkit.dumps(self._settings))
        output = (self.state / "up.log").open("ab")
        command = [sys.executable, "-m", "openmiosa_server.supervise.commands", "up", "--state", str(self.state)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, "OPENMIOSA_CONTEXTS": str(self.contexts)}
        )
        output.close()
        self.wait(self._greeted, "the system to be up")
        return self

    def _greeted(self) -> bool:
        assert self._process is not None
        said = (self.state / "up.log").read_text(errors="replace")
        if self._process.poll() is not None:
            raise RuntimeError(f"`openmiosa up` ended with status {self._process.returncode}:\n{said[-4000:]}")
        return "Ctrl-C stops everything." in said

    def stop(self) -> None:
        """End it and, when the state folder is a temporary one, remove it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        if self._temporary:
            shutil.rmtree(self.state, ignore_errors=True)
            if self.places.run.parent != self.state:
                shutil.rmtree(self.places.run, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                (self.state / "up.log").unlink()

    def pid(self, program: str) -> int:
        """The process id of `server`, `egressd` or `cell` as it runs now."""
        return int(json.loads(self.places.up.read_text())["programs"][program]["pid"])

    def kill(self, program: str) -> int:
        """SIGKILL one of the programs; gives the id that it had."""
        pid = self.pid(program)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_restart(self, program: str, old: int) -> None:
        """Until the supervisor has brought the program back under another id and it answers."""
        self.wait(
            lambda: program in self._running() and self.pid(program) != old and programs.started(self.pid(program)) is not None,
            f"{program} to come back",
        )

    def _running(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.places.up.read_text())["programs"])
        except (OSError, ValueError):
            return {}

    def wait(self, condition: Any, what: str) -> None:
        """Poll a condition until it holds, within this system's patience."""
        deadline = time.monotonic() + self._patience
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {self._patience:.0f} s for {what}. The end of the log:\n{self.log_tail()}")
            time.sleep(0.02)

    def log_tail(self) -> str:
        """The end of every program's log."""
        texts = [(self.state / "up.log"), *sorted(self.places.log.glob("*.log"))]
        return "\n".join(
            f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-15:]) for path in texts if path.exists()
        )


def free_port() -> int:
    """A TCP port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
