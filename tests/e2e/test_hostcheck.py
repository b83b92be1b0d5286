"""The check before any long build says what is missing and the command that mends it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.hostcheck import kernel

ROOT = Path(__file__).resolve().parents[2]


def hostcheck(path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.hostcheck", *arguments]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)


def test_missing_tools_end_the_check_with_the_command_that_installs_them(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    done = hostcheck(str(tmp_path))
    assert done.returncode == 1
    assert "cmake: sudo apt-get install cmake" in done.stdout
    assert "cargo: install Rust by rustup" in done.stdout


def test_an_old_compiler_is_named_with_the_version_that_is_needed(tmp_path: Path) -> None:
    for name in ("rustc", "cargo"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} 1.60.0\n")
        (tmp_path / name).chmod(0o755)
    done = hostcheck(f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "at least 1.89" in done.stdout


def test_an_old_node_is_named_with_what_brings_a_newer_one(tmp_path: Path) -> None:
    (tmp_path / "node").write_text("#!/bin/sh\necho v18.19.0\n")
    (tmp_path / "node").chmod(0o755)
    done = hostcheck(f"{tmp_path}:{os.environ['PATH']}", "--no-build", "--sdks")
    assert done.returncode == 1
    assert "node: `make toolchains` puts Node.js and Go into build/" in done.stdout


def test_one_screen_is_enough(tmp_path: Path) -> None:
    assert len(hostcheck(str(tmp_path)).stdout.splitlines()) <= 40


def test_every_step_of_the_kernel_is_tried_and_reported() -> None:
    results = kernel.probe()
    first_refused = next((step for step in kernel.STEPS if results.get(step)), None)
    tried = kernel.STEPS if first_refused is None else kernel.STEPS[: kernel.STEPS.index(first_refused) + 1]
    assert tuple(results) == tried


def test_a_step_that_the_kernel_refuses_is_reported_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    real = kernel._expression
    monkeypatch.setattr(kernel, "_expression", lambda name, data: real(name.replace(b"tproxy", b"tnoxxy"), data))
    results = kernel.probe()
    refused = [reason for reason in results.values() if reason]
    assert refused, "an expression that no kernel knows was accepted"
