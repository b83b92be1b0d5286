"""Looks at this machine before any long build: what is missing, and the command that mends it.

Plain Python 3.8, no packages. Exit status 0: everything needed is there; 1: something is missing.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys

from tools.hostcheck import kernel

KERNEL = (5, 13)
RUST = (1, 89)
NODE, GO = (20, 0), (1, 23)
PYTHONS = ("python3.14", "python3.13", "python3.12", "python3.11", "python3")
NEEDED, ADVISED = "needed", "advised"


class Report:
    """Collects one line per check and prints one screen."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.remedies: list[str] = []
        self.missing = False

    def add(self, ok: bool, name: str, detail: str, remedy: str = "", level: str = NEEDED) -> None:
        """One check: what was found, and what to do when it is not good."""
        mark = "ok" if ok else ("MISSING" if level == NEEDED else "note")
        self.lines.append("  {:<8} {:<18} {}".format(mark, name, detail))
        if not ok:
            self.missing = self.missing or level == NEEDED
            if remedy:
                self.remedies.append("  {}: {}".format(name, remedy))

    def show(self) -> None:
        """Print everything, remedies last, where the eye is."""
        print("This machine:")
        print("\n".join(self.lines))
        if self.remedies:
            print("\nWhat mends it:" if self.missing else "\nGood to know:")
            print("\n".join(self.remedies))
        if self.missing:
            print("\nThen run the same command again.")


def main() -> int:
    """Run the checks that were asked for."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.hostcheck", description=__doc__)
    parser.add_argument("--no-build", action="store_true", help="leave out what only building needs")
    parser.add_argument("--sdks", action="store_true", help="look for what the TypeScript and Go SDKs need, too")
    parser.add_argument("--quiet", action="store_true", help="print only when something is missing")
    arguments = parser.parse_args()
    report = Report()
    check_system(report)
    if sys.platform.startswith("linux"):
        check_kernel_features(report)
    check_python(report)
    if not arguments.no_build:
        check_build_tools(report)
    if arguments.sdks:
        check_sdk_tools(report)
    if report.missing or not arguments.quiet:
        report.show()
    return 1 if report.missing else 0


def check_system(report: Report) -> None:
    """Linux, and a kernel new enough for Landlock and the mounts of an ordinary user."""
    linux = sys.platform.startswith("linux")
    report.add(linux, "system", platform.system(), "the sandboxes are Linux namespaces; use a Linux machine or virtual machine")
    found = tuple(int(n) for n in re.findall(r"\d+", platform.release())[:2])
    wanted = "{}.{}".format(*KERNEL)
    report.add(
        found >= KERNEL, "kernel", platform.release(), "at least {} is needed (Landlock, overlay mounts without root)".format(wanted)
    )
    report.add(
        platform.machine() in ("x86_64", "aarch64"), "processor", platform.machine(), "the system call filter knows x86_64 and aarch64 only"
    )


def check_kernel_features(report: Report) -> None:
    """Namespaces, mounts, lo and nft tproxy, each tried for real in a child."""
    results = kernel.probe()
    for step in kernel.STEPS:
        error = results.get(step, "not reached")
        if step == "tproxy":
            remedy = "sudo modprobe nft_tproxy; without it sandboxes reach only the ports 80, 443 and a few more, by a listener each"
            report.add(not error, "nft tproxy", error or "works", remedy, ADVISED)
        else:
            report.add(not error, step, error or "works", namespace_remedy())


def namespace_remedy() -> str:
    """The command that allows what this kernel refused."""
    if kernel.setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return (
            "Ubuntu's AppArmor takes the rights from user namespaces of unknown programs. `sudo make host-setup` shows a profile "
            "for `cell` alone, asks, and installs it"
        )
    if kernel.setting("kernel/unprivileged_userns_clone") == "0":
        return "sudo sysctl -w kernel.unprivileged_userns_clone=1"
    if kernel.setting("user/max_user_namespaces") == "0":
        return "sudo sysctl -w user.max_user_namespaces=15000"
    if kernel.in_container():
        return "this looks like a container that forbids namespaces; use the host itself, or start the container with --privileged"
    return "this kernel or a policy on it forbids user namespaces, or mounts and networks inside them; ask who runs the machine"


def check_python(report: Report) -> None:
    """An interpreter between 3.11 and 3.14 that can make environments."""
    found = find_python()
    remedy = "install one: sudo apt-get install python3 python3-venv (Debian 12, Ubuntu 24.04), or dnf install python3.12"
    report.add(found is not None, "python", found[1] if found else "none between 3.11 and 3.14 with venv", remedy)


def find_python() -> tuple[str, str] | None:
    """The first interpreter on PATH that fits, as (path, version)."""
    wanted = "import sys, venv, ensurepip; print('%d.%d.%d' % sys.version_info[:3])"
    for name in PYTHONS:
        path = shutil.which(name)
        if not path:
            continue
        answer = run([path, "-c", wanted])
        if answer and (3, 11) <= tuple(int(n) for n in answer.split(".")[:2]) <= (3, 14):
            return path, answer
    return None


def check_build_tools(report: Report) -> None:
    """What `make` needs to build both Rust programs and the init of a sandbox."""
    packages = {"gcc": "gcc libc6-dev", "cmake": "cmake", "make": "make", "git": "git", "curl": "curl"}
    for name, debian in packages.items():
        answer = run([name, "--version"]) if shutil.which(name) else ""
        report.add(bool(answer), name, answer.splitlines()[0] if answer else "not found", "sudo apt-get install " + debian)
    for name in ("cargo", "rustc"):
        answer = run([name, "--version"]) if shutil.which(name) else ""
        found = tuple(int(n) for n in re.findall(r"\d+", answer)[:2])
        remedy = "rustup update stable" if shutil.which("rustup") else "install Rust by rustup (rustup.rs says how)"
        report.add(found >= RUST, name, answer or "not found", "{} (at least {}.{})".format(remedy, *RUST))
    free = shutil.disk_usage(".").free // 2**30
    report.add(free >= 6, "disk", "{} GiB free here".format(free), "building needs about 6 GiB", ADVISED)


def check_sdk_tools(report: Report) -> None:
    """What the SDKs of the other two languages are built and tested with."""
    for name, arguments, wanted in (("node", "--version", NODE), ("npm", "--version", (9, 0)), ("go", "version", GO)):
        answer = run([name, arguments]) if shutil.which(name) else ""
        found = tuple(int(n) for n in re.findall(r"\d+", answer)[:2])
        remedy = "`make toolchains` puts Node.js and Go into build/ for this folder alone (at least {}.{})".format(*wanted)
        report.add(found >= wanted, name, answer or "not found", remedy)


def run(command: list[str]) -> str:
    """The first output of a command, or an empty string."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=False)
    except OSError:
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""


if __name__ == "__main__":
    os.environ.setdefault("RUSTUP_AUTO_INSTALL", "0")
    sys.exit(main())
