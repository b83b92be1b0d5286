"""Every operation of the API has its methods in every SDK: `x-sdk` of the document against what the packages really have.

With `-s` it prints the coverage. Each language lists its own methods under the names that the document uses: Python here,
TypeScript from its built package (`tools/methods.mjs`), Go from its types (`internal/methods`).
"""

import asyncio
import inspect
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openmiosa import AsyncConnection, AsyncMiosa, AsyncSandbox, Connection, Miosa, Sandbox
from openmiosa.models import ConnectionInfo, SandboxInfo

from .operations import OPERATIONS, SOCKETS

SDKS = Path(__file__).parents[2] / "sdks"
CALLED: dict[str, list[str]] = {told["operationId"]: told["x-sdk"] for told in (*OPERATIONS, *SOCKETS) if "x-sdk" in told}


def methods_of(name: str, thing: Any) -> Iterator[str]:
    """The public methods of an object and of the groups of methods that it holds, in dotted names."""
    for part in dir(thing):
        value = None if part.startswith("_") else getattr(thing, part)
        ours = type(value).__module__.startswith(("openmiosa._async", "openmiosa._sync"))
        if inspect.isroutine(value) or (ours and callable(value)):
            yield f"{name}.{part}"
        if ours:
            yield from methods_of(f"{name}.{part}", value)


def python() -> set[str]:
    """The synchronous client's."""
    with Miosa("msk_nobody", "http://127.0.0.1:1") as client:
        sandbox = Sandbox(client._transport, SandboxInfo(id="sbx_none"))
        connection = Connection(client._transport, ConnectionInfo(state="none"))
        return {*methods_of("client", client), *methods_of("sandbox", sandbox), *methods_of("connection", connection)}


def python_async() -> set[str]:
    """The asynchronous client's."""

    async def listed() -> set[str]:
        async with AsyncMiosa("msk_nobody", "http://127.0.0.1:1") as client:
            sandbox = AsyncSandbox(client._transport, SandboxInfo(id="sbx_none"))
            connection = AsyncConnection(client._transport, ConnectionInfo(state="none"))
            return {*methods_of("client", client), *methods_of("sandbox", sandbox), *methods_of("connection", connection)}

    return asyncio.run(listed())


def typescript() -> set[str]:
    """Those of the built package, which is built anew when its sources have changed."""
    folder = SDKS / "typescript"
    built = folder / "dist" / "index.js"
    changed = max(path.stat().st_mtime for path in (folder / "src").rglob("*.ts"))
    if not built.exists() or built.stat().st_mtime < changed:
        _output(["npm", "run", "--silent", "build"], folder)
    return set(_output(["node", "tools/methods.mjs"], folder).split())


def go() -> set[str]:
    """Those of the module."""
    return set(_output(["go", "run", "./internal/methods"], SDKS / "go").split())


@pytest.mark.parametrize("language", [python, python_async, typescript, go], ids=lambda language: language.__name__)
def test_every_operation_has_its_methods(language: Callable[[], set[str]]) -> None:
    there = language()
    missing = {operation: sorted(set(names) - there) for operation, names in CALLED.items() if not there.issuperset(names)}
    print(f"\n{language.__name__} {len(CALLED) - len(missing)}/{len(CALLED)} operations")
    assert missing == {}


def _output(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)} in {folder}: {done.stdout}{done.stderr}"
    return done.stdout
