"""The real system, once for all tests of a file; a client and a sandbox of each test's own."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from openmiosa_server.testing import System


@dataclass
class Box:
    """A sandbox behind the API."""

    client: httpx2.Client
    name: str
    id: str

    def at(self, path: str) -> str:
        """A path below the sandbox."""
        return f"/sandboxes/{self.name}{path}"

    def run(self, command: str, **more: Any) -> dict[str, Any]:
        """Run to the end."""
        answer = self.client.post(self.at("/exec"), json={"command": command, **more})
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["data"])

    def get(self, path: str = "", **options: Any) -> httpx2.Response:
        """GET below the sandbox."""
        return self.client.get(self.at(path), **options)

    def post(self, path: str, **options: Any) -> httpx2.Response:
        """POST below the sandbox."""
        return self.client.post(self.at(path), **options)

    @property
    def state(self) -> str:
        """As the record says it."""
        return str(self.get().json()["data"]["state"])


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """Server, egressd and cell."""
    with System() as running:
        yield running


@pytest.fixture
def client(system: System) -> Iterator[httpx2.Client]:
    """An admin."""
    headers = {"Authorization": f"Bearer {system.api_key}"}
    with httpx2.Client(base_url=f"{system.base_url}/api/v1", headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
def make(client: httpx2.Client) -> Iterator[Any]:
    """Creates sandboxes and destroys them after the test."""
    made: list[Box] = []

    def create(**given: Any) -> Box:
        answer = client.post("/sandboxes", json={"name": f"test-{secrets.token_hex(4)}", "template_id": "miosa-sandbox", **given})
        assert answer.status_code == 201, answer.text
        record = answer.json()["data"]
        made.append(Box(client, record["name"], record["id"]))
        return made[-1]

    yield create
    for box in made:
        client.delete(f"/sandboxes/{box.id}")


@pytest.fixture
def box(make: Any) -> Box:
    """One sandbox."""
    created: Box = make()
    return created
