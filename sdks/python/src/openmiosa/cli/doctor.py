"""`openmiosa doctor` and `openmiosa version`: what is there, what works, what is missing and why it matters."""

import platform
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from .. import _settings
from .._version import __version__
from ..errors import APIError, ConfigurationError, MiosaError, TransportError
from . import host, output
from .context import client, place
from .options import DEFAULTS, Common

if TYPE_CHECKING:
    import httpx2

SCOPES = ("audit:read", *(f"{noun}:{right}" for noun in ("sandboxes", "secrets", "network", "keys") for right in ("read", "write")))
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    state: str  # ok, warn, fail or skip
    text: str


def doctor(*, common: Common = DEFAULTS) -> int:
    """Check the server, the key, the versions and this host; the exit code says whether all is well."""
    findings = list(_findings(common))
    failed = {one.check for one in findings if one.state == "fail"}
    # A server that runs shows that its host is good enough; without one the host may be the reason.
    findings.append(_host(lacking="fail" if failed & {"settings", "server"} else "warn"))
    if common.json:
        output.emit([asdict(one) for one in findings])
    else:
        for one in findings:
            _say(one)
    if "settings" in failed:
        return 2
    return 3 if "server" in failed else 1 if failed else 0


def version(*, common: Common = DEFAULTS) -> None:
    """Show the versions of client and server."""
    output.record(_versions(common), common)


def _findings(common: Common) -> Iterator[Finding]:
    yield Finding("client", "ok", f"openmiosa {__version__}, Python {platform.python_version()}")
    try:
        chosen = place(common.context)
        base = _settings.base_url(chosen.base_url)
    except ConfigurationError as error:
        yield Finding("settings", "fail", str(error))
        return
    yield Finding("settings", "ok", f"{base} ({chosen.source})")
    server = _server(base)
    if isinstance(server, str):
        yield Finding("server", "fail", server)
        return
    yield Finding("server", *_health(server))
    yield from _key(common)


def _server(base: str) -> "httpx2.Response | str":
    """The answer of the server's readiness check, or why there is none."""
    import httpx2

    from .. import _wire

    try:
        with _wire.own_errors(base):
            return httpx2.get(f"{_settings.server_url(base)}/readyz", timeout=SECONDS)
    except TransportError as error:
        return str(error)


def _health(answer: "httpx2.Response") -> tuple[str, str]:
    try:
        said = answer.json()
    except ValueError:
        return "fail", f"{answer.request.url} answered {answer.status_code} and not in this API's form: is the base URL right?"
    if answer.status_code == 200:
        return "ok", f"reachable and ready{_version_of(said)}"
    checks = said.get("checks") if isinstance(said, dict) else None
    waiting = ", ".join(f"{name}: {state}" for name, state in (checks or {}).items() if state != "ok")
    return "fail", f"reachable, and not ready: {waiting or answer.status_code}"


def _key(common: Common) -> Iterator[Finding]:
    try:
        with client(common) as api:
            known = api.whoami()
    except MiosaError as error:
        yield Finding("key", "fail", error.message if isinstance(error, APIError) else str(error))
        return
    yield Finding("key", "ok", f"{known.name or known.key_id} of tenant {known.tenant_id}")
    missing = [scope for scope in SCOPES if scope not in known.scopes]
    if missing:
        yield Finding("scopes", "warn", f"this key lacks {', '.join(missing)}: those calls answer 403")
    else:
        yield Finding("scopes", "ok", "all of them")


def _host(lacking: str) -> Finding:
    """What this machine offers to sandboxes, said by the server's own check where it is installed."""
    if not host.installed("host"):
        return Finding("host", "skip", "no openmiosa-server here, so this machine runs no sandboxes (pip install openmiosa-server)")
    # In a process of its own, since its output is its own; this interpreter has the entry point.
    command = [sys.executable, "-m", "openmiosa.cli", "host"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return Finding("host", "ok" if ran.returncode == 0 else lacking, (ran.stdout + ran.stderr).strip() or "nothing was said")


def _say(one: Finding) -> None:
    head = f"{one.state:<5} {one.check:<9} "
    for line in one.text.splitlines():
        inside = " " * (len(head) + len(line) - len(line.lstrip()))
        print(textwrap.fill(output.cell(line.strip()), output.WIDTH, initial_indent=head, subsequent_indent=inside, break_on_hyphens=False))
        head = " " * len(head)


def _versions(common: Common) -> dict[str, Any]:
    found: dict[str, Any] = {"client": __version__, "python": platform.python_version()}
    try:
        found["server_here"] = metadata.version("openmiosa-server")
    except metadata.PackageNotFoundError:
        found["server_here"] = None
    try:
        answer = _server(_settings.base_url(place(common.context).base_url))
        found["server"] = "unreachable" if isinstance(answer, str) else answer.json().get("version")
    except (ConfigurationError, ValueError, AttributeError):
        found["server"] = None
    return found


def _version_of(said: object) -> str:
    return f", version {said['version']}" if isinstance(said, dict) and said.get("version") else ""
