"""Installs the wheels into an empty environment, and runs `openmiosa up` from there on a state folder of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ["openai==3.54.0", "requests==2.34.2"]
TEMPLATE = "agent"
START_SECONDS = 60
STOP_SECONDS = 30


def install(wheels: Path, environment: Path, constraints: Path) -> None:
    """An empty environment with both wheels and what they depend on, held to the lock."""
    shutil.rmtree(environment, ignore_errors=True)
    uv = str(Path(sys.executable).with_name("uv"))
    files = [str(path) for path in sorted(wheels.glob("openmiosa*.whl"))]
    if len(files) != 2:
        raise RuntimeError(f"{wheels} should hold the two wheels of `make dist`, and holds {len(files)}")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(environment)], check=True)
    command = [uv, "pip", "install", "--quiet", "--python", str(environment / "bin/python"), "--constraint", str(constraints), *files]
    # The second time everything is in uv's cache, and no registry has to be asked.
    if subprocess.run([*command, "--offline"], capture_output=True, check=False).returncode != 0:
        subprocess.run(command, check=True)


@dataclass
class System:
    """A running OpenMIOSA."""

    environment: Path
    state: Path
    process: subprocess.Popen[bytes]
    base_url: str
    log: Path

    @property
    def api_key(self) -> str:
        """The admin key that the first `up` made and left in the command line's context file."""
        contexts = json.loads((self.state.parent / "contexts.json").read_text())
        return str(contexts["contexts"][contexts["current"]]["api_key"])

    def stop(self) -> None:
        """Drain, and say so when it does not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"`openmiosa up` did not end within {STOP_SECONDS} s; killing its processes", file=sys.stderr)
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass(frozen=True)
class Upstreams:
    """What an operator would write down of the services: the registered app, and for stand-ins where they are."""

    client_id: str
    client_secret: str
    ca_file: Path | None = None
    hosts: dict[str, str] = field(default_factory=dict)


def configure(folder: Path, port: int, upstreams: Upstreams) -> Path:
    """The one configuration file: a free port, and for the stand-ins the operator's static hosts and extra CA."""
    lines = ["[server]", f'bind = "127.0.0.1:{port}"', f'public_url = "http://127.0.0.1:{port}"']
    lines += ["[sandboxes]", f'default_template = "{TEMPLATE}"']
    lines += ["[oauth.providers.github]", f'client_id = "{upstreams.client_id}"', f'client_secret = "{upstreams.client_secret}"']
    if upstreams.ca_file:
        lines += ["[upstream]", f'extra_ca_files = ["{upstreams.ca_file}"]', "[upstream.static_hosts]"]
        lines += [f'"{name}" = "{address}"' for name, address in upstreams.hosts.items()]
    path = folder / "openmiosa.toml"
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n")
    return path


def build_template(environment: Path, folder: Path) -> None:
    """A layer with the agent's two libraries, as `openmiosa template build` makes it for any user."""
    command = [str(environment / "bin/openmiosa"), "template", "build", TEMPLATE, *(word for name in PACKAGES for word in ("--pip", name))]
    done = subprocess.run(command, env=variables(folder), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def start(environment: Path, folder: Path, port: int) -> System:
    """Start `openmiosa up` and wait until it is ready."""
    log = folder / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(environment / "bin/openmiosa"), "up"],
            env=variables(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    system = System(environment, folder / "state", process, f"http://127.0.0.1:{port}", log)
    try:
        _wait_until_ready(system)
    except BaseException:
        system.stop()
        raise
    return system


def variables(folder: Path) -> dict[str, str]:
    """The environment of the operator's commands: the machine's own (certificates, package index), nothing of OpenMIOSA's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENMIOSA_", "MIOSA_", "XDG_"))}
    return {
        **kept,
        "OPENMIOSA_STATE": str(folder / "state"),
        "OPENMIOSA_CONFIG": str(folder / "openmiosa.toml"),
        "OPENMIOSA_CONTEXTS": str(folder / "contexts.json"),
        "PATH": f"{Path(sys.executable).parent}:{kept.get('PATH', os.defpath)}",
    }


def free_port() -> int:
    """A port that nobody has now; `up` says so if somebody takes it meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_ready(system: System) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if system.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{system.base_url}/readyz", timeout=2) as reply:  # noqa: S310 - our own loopback address
                if reply.status == 200 and (system.state.parent / "contexts.json").exists():
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.05)
    raise RuntimeError(f"`openmiosa up` did not become ready. The end of its output:\n{_tail(system.log)}")


def _tail(path: Path, lines: int = 25) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
