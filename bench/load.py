"""The load generator (crates/testkit/examples/load.rs): built once, run outside or inside a sandbox."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Sample:
    """What one run of the generator measured."""

    latencies_ms: list[float]
    seconds: float

    @classmethod
    def parse(cls, text: str) -> "Sample":
        """From its output."""
        read = json.loads(text)
        return cls([micros / 1000 for micros in read["latencies_us"]], read["seconds"])


@dataclass(frozen=True)
class Generator:
    """The program."""

    path: Path

    @classmethod
    def build(cls) -> "Generator":
        """Build it with the one profile."""
        command = ["cargo", "build", "--release", "--locked", "--quiet", "-p", "openmiosa-testkit", "--example", "load"]
        subprocess.run(command, cwd=ROOT, check=True)
        target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        return cls(target / "release" / "examples" / "load")

    @contextlib.contextmanager
    def serving(self, address: str, certificate: bytes, key: bytes, folder: Path) -> Iterator[int]:
        """The upstream; gives its process id."""
        chain, secret = folder / "bench-chain.pem", folder / "bench-key.pem"
        chain.write_bytes(certificate)
        secret.write_bytes(key)
        process = subprocess.Popen([self.path, "serve", address, chain, secret], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("the upstream did not start")
            yield process.pid
        finally:
            process.terminate()
            process.wait(10)
            assert process.stdout is not None
            process.stdout.close()

    def outside(self, *arguments: str) -> Sample:
        """Run it on this side, straight to its target."""
        ran = subprocess.run([self.path, *arguments], check=True, capture_output=True, text=True)
        return Sample.parse(ran.stdout)

    def install(self, sandbox: Any) -> None:
        """Put it into a sandbox."""
        stripped = subprocess.run(["strip", "-o", "/dev/stdout", self.path], capture_output=True, check=False)
        sandbox.files.write("/workspace/load", stripped.stdout if stripped.returncode == 0 and stripped.stdout else self.path.read_bytes())
        sandbox.exec("chmod 755 /workspace/load").check()

    def inside(self, sandbox: Any, *arguments: str, env: dict[str, str] | None = None) -> Sample:
        """Run it in a sandbox: the same program, through the gateway."""
        command = "/workspace/load " + " ".join(arguments) + " > /workspace/sample"
        sandbox.exec(command, env=env, timeout=300).check()
        return Sample.parse(sandbox.files.read_text("/workspace/sample"))
