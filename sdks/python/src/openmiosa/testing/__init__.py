"""The real system for tests of your own: server, gateway and sandboxes, started for them and gone after them.

    from openmiosa.testing import LocalServer

    with LocalServer() as server, server.client() as client, client.sandboxes.create() as sandbox:
        assert sandbox.exec("echo hello").stdout == "hello\\n"

In pytest the fixtures `miosa_server`, `miosa` and `miosa_sandbox` are there once this package is installed. It needs
openmiosa-server beside it (`pip install openmiosa-server`) and a Linux machine that can run sandboxes (`openmiosa host`).
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from ..errors import MiosaError

if TYPE_CHECKING:
    from .. import AsyncMiosa, Miosa

__all__ = ["LocalServer", "LocalServerError"]

# What the end of a system takes when something in it hangs.
STOP_SECONDS = 60.0


class LocalServerError(MiosaError):
    """The system did not start; the message says why, and what to do."""


class LocalServer:
    """`openmiosa up --ephemeral` as a child process. It ends with this program, however this program ends.

    `settings` are those of `openmiosa.toml`, such as `{"upstream": {"static_hosts": {"api.example.com:443": "127.0.0.1:8443"}}}`;
    settings in the environment are not read. `start_timeout` is in seconds.
    """

    def __init__(self, settings: Mapping[str, Any] | None = None, *, start_timeout: float = 120.0) -> None:
        self._settings = settings
        self._patience = start_timeout
        self._process: subprocess.Popen[str] | None = None
        self._said: dict[str, str] = {}
        self._log: IO[str] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """Where it serves."""
        return self._fact("base_url")

    @property
    def api_key(self) -> str:
        """Its admin key."""
        return self._fact("api_key")

    @property
    def state(self) -> Path:
        """Its folder, with the logs of its programs below `log`; gone when it ends."""
        return Path(self._fact("state"))

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point a client or the `openmiosa` command at it."""
        return {"MIOSA_BASE_URL": self.base_url, "MIOSA_API_KEY": self.api_key}

    def client(self, **options: Any) -> "Miosa":
        """A client of it, with the admin key unless `api_key` is given."""
        from .. import Miosa

        return Miosa(options.pop("api_key", self.api_key), self.base_url, **options)

    def async_client(self, **options: Any) -> "AsyncMiosa":
        """The same, asynchronous."""
        from .. import AsyncMiosa

        return AsyncMiosa(options.pop("api_key", self.api_key), self.base_url, **options)

    def start(self) -> Self:
        """Start it and wait until it serves; raises LocalServerError."""
        if self._process is not None:
            raise LocalServerError("this LocalServer runs already")
        self._log = tempfile.TemporaryFile("w+", prefix="openmiosa-up-")  # noqa: SIM115 (open for as long as the process lives)
        with _file_of(self._settings) as config:
            command = [sys.executable, "-m", "openmiosa.cli", "up", "--ephemeral", *(["--config", config] if config else [])]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, start_new_session=True
            )
            try:
                self._said = json.loads(self._first_line())
            except ValueError:
                raise LocalServerError(self._why()) from None
            except BaseException:
                self.stop()
                raise
        return self

    def stop(self) -> None:
        """End it with everything that runs in it; its folder is gone when this returns."""
        process, self._process, self._said = self._process, None, {}
        if process is not None:
            try:
                process.communicate(timeout=STOP_SECONDS)  # Closing its standard input is what ends it.
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        if self._log is not None:
            self._log.close()
            self._log = None

    def _first_line(self) -> str:
        """The line that it prints when it serves; empty when it ended instead."""
        assert self._process is not None
        assert self._process.stdout is not None
        late = threading.Timer(self._patience, self._process.terminate)
        late.start()
        try:
            return self._process.stdout.readline()
        finally:
            late.cancel()

    def _why(self) -> str:
        assert self._process is not None
        assert self._log is not None
        status = self._process.wait(STOP_SECONDS)
        self._log.seek(0)
        said = self._log.read().strip()[-8000:]
        self.stop()
        late = "" if status else f" within {self._patience:g} s"
        return f"`openmiosa up --ephemeral` did not serve{late} (status {status}):\n{said}"

    def _fact(self, name: str) -> str:
        if name not in self._said:
            raise LocalServerError("this LocalServer does not run: use it as a context manager, or call start()")
        return self._said[name]

    def __repr__(self) -> str:
        return f"LocalServer({self._said.get('base_url', 'not running')!r})"


@contextlib.contextmanager
def _file_of(settings: Mapping[str, Any] | None) -> Iterator[str | None]:
    """The settings as the file that the server reads at its start."""
    if settings is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="openmiosa-settings-") as folder:
        path = Path(folder, "openmiosa.toml")
        path.write_text(_toml(settings))
        yield os.fspath(path)


def _toml(value: Mapping[str, Any]) -> str:
    """Settings as TOML: every section is a key with an inline table, whose strings are written as in JSON."""
    return "".join(f"{_quoted(name)} = {_inline(item)}\n" for name, item in value.items() if item is not None)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(name)} = {_inline(item)}" for name, item in value.items() if item is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value) if isinstance(value, bool | int | float) else _quoted(value)


def _quoted(text: object) -> str:
    return json.dumps(str(text), ensure_ascii=False)
