"""Talks to the stand-ins: starts them, reads their journal, sets what they accept."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2

START_SECONDS = 20


class StandIns:
    """The running stand-ins."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self.log = (folder.parent / "standins.log").open("w")
        command = [sys.executable, "-m", "examples.standins", "--folder", str(folder)]
        self.process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True
        )
        self.hosts: dict[str, str] = self._wait_until_ready()
        self.ca_file = folder / "ca.pem"
        self.http = httpx2.Client(transport=httpx2.HTTPTransport(uds=str(folder / "control.sock")), base_url="http://control")

    def _wait_until_ready(self) -> dict[str, str]:
        ready, deadline = self.folder / "ready.json", time.monotonic() + START_SECONDS
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the stand-ins did not start; see {self.log.name}")
            time.sleep(0.05)
        return dict(json.loads(ready.read_text())["hosts"])

    def accept_openai_keys(self, **keys: str) -> None:
        """Make exactly these keys valid; each keyword is the label that the journal shows."""
        self.http.put("/openai-keys", json=keys).raise_for_status()

    def register_app(self, client_id: str, client_secret: str, callback: str) -> None:
        """Register a GitHub App."""
        body = {"client_id": client_id, "client_secret": client_secret, "callback": callback}
        self.http.put("/github-app", json=body).raise_for_status()

    def personal_token(self) -> str:
        """A token that a person would use on the bare machine."""
        return str(self.http.post("/personal-token").raise_for_status().json()["token"])

    def journal(self) -> dict[str, Any]:
        """What the stand-ins saw."""
        return dict(self.http.get("/journal").raise_for_status().json())

    def values(self) -> list[str]:
        """Every real value that exists right now."""
        return list(self.http.get("/values").raise_for_status().json()["values"])

    def stop(self) -> None:
        """End the stand-ins."""
        self.http.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
