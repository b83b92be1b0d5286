"""The stage: the real system, and beside it the services that the walkthrough's agent talks to."""

import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openmiosa_server.testing import System

from tools.walkthrough.control import StandIns
from tools.walkthrough.person import Browser

ROOT = Path(__file__).resolve().parents[3]
CALLBACK = "/api/v1/egress/oauth/callback"
GITHUB, OPENAI = "api.github.com", "api.openai.com"


class Stage:
    """A running system whose operator registered a GitHub app, and two services that say which credential they were shown."""

    def __init__(self, folder: Path, authorities: list[Path]) -> None:
        self.standins = StandIns(folder / "standins", ROOT)
        client_id, client_secret = f"Iv23li{secrets.token_hex(7)}", secrets.token_hex(20)
        github = {"client_id": client_id, "client_secret": client_secret}
        self.system = System(
            folder / "state",
            static_hosts=self.standins.hosts,
            extra_ca_files=[self.standins.ca_file, *authorities],
            settings={"oauth": {"providers": {"github": github}}},
        )
        # An installation on loopback calls itself localhost to browsers.
        self.standins.register_app(client_id, client_secret, self.base_url.replace("127.0.0.1", "localhost") + CALLBACK)
        self._keys: dict[str, str] = {}

    @property
    def base_url(self) -> str:
        """Where the server listens, without a path."""
        return self.system.base_url

    @property
    def api_key(self) -> str:
        """The admin key of the first start."""
        return self.system.api_key

    def stop(self) -> None:
        """End the system, then the services."""
        self.system.stop()
        self.standins.stop()

    def openai_key(self, label: str) -> str:
        """A new key that OpenAI takes; the journal calls it by its label."""
        self._keys[label] = f"sk-proj-{secrets.token_urlsafe(48)}"
        self.standins.accept_openai_keys(**self._keys)
        return self._keys[label]

    def revoke(self, label: str) -> None:
        """OpenAI takes this key no longer."""
        del self._keys[label]
        self.standins.accept_openai_keys(**self._keys)

    def consent(self, authorize_url: str) -> None:
        """What the person does in a browser: open the page, press its button, come back."""
        Browser(self.standins.hosts, self.standins.ca_file).consent(authorize_url)

    def calls(self, host: str, after: int = 0) -> list[dict[str, Any]]:
        """What a service saw since a moment that `moment` gave."""
        entries = self.standins.journal()["entries"]
        return [entry for entry in entries if entry["host"] == host and entry["number"] > after]

    def moment(self) -> int:
        """Now, in the services' count."""
        return len(self.standins.journal()["entries"])


@contextlib.contextmanager
def stage(*authorities: Path) -> Iterator[Stage]:
    """Everything started, `authorities` trusted like the services' own; nothing of it is left behind."""
    with tempfile.TemporaryDirectory(prefix="openmiosa-published-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # egressd has an id of its own when root starts it, and passes through here to its journal.
        folder.chmod(0o711)
        made = Stage(folder, list(authorities))
        try:
            made.system.start()
            yield made
        finally:
            made.stop()
