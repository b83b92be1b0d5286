"""Searches a sandbox from outside for byte strings: its files, its environments, and the memory of all its processes."""

import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools.walkthrough import processes
from tools.walkthrough.memory import Memory

CHUNK = 32 * 2**20
# No needle is longer, so that one on the border of two chunks is seen in the second.
OVERLAP = 4096
FILES_A_CALL = 400
# Pages of the kernel's own, the same for every process.
KERNEL_PAGES = ("[vvar]", "[vvar_vclock]", "[vsyscall]", "[vdso]")
PSEUDO_FILES = ("proc", "sys")


@dataclass(frozen=True, order=True)
class Hit:
    """One needle, where it was found."""

    place: str
    where: str
    needle: bytes


@dataclass
class Findings:
    """What a search saw."""

    hits: set[Hit] = field(default_factory=set)
    processes: int = 0
    mappings: int = 0
    memory_bytes: int = 0
    files_read: int = 0
    files_older: int = 0
    foreign: int = 0
    closed: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class Search:
    """Many needles at once, by `grep -F` in one pass over each piece."""

    def __init__(self, needles: list[bytes]) -> None:
        # In memory, not on disk: the needles are the very values that must not lie around.
        self._patterns = os.memfd_create("needles", 0)
        os.write(self._patterns, b"\n".join(needles))
        self._grep = ["grep", "--text", "--fixed-strings", f"--file=/proc/self/fd/{self._patterns}", "--only-matching"]
        self.findings = Findings()

    def sandbox(self, pids: list[int], born: float) -> Findings:
        """Search every process of a sandbox, and its file system as its processes see it.

        A file whose inode last changed before the values were made (`born`) cannot hold them: nobody can set that time.
        """
        for pid in pids:
            self.findings.processes += 1
            self._variables(pid)
            self._memory(pid)
            self._unlinked(pid)
        self._files(Path(f"/proc/{pids[0]}/root"), born)
        return self.findings

    def _variables(self, pid: int) -> None:
        try:
            for name in ("environ", "cmdline"):
                self._bytes(Path(f"/proc/{pid}/{name}").read_bytes(), name, f"process {pid}")
        except PermissionError:
            # It has closed its files in /proc to everyone; its environment lies in its memory, which is read all the same.
            self.findings.closed.append(processes.name(pid))

    def _unlinked(self, pid: int) -> None:
        """Files that have no name any more but are still open."""
        if processes.name(pid) in self.findings.closed:
            return
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{descriptor}"
            facts = os.stat(path)
            if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0:
                self._bytes(Path(path).read_bytes(), "unlinked file", f"process {pid}, descriptor {descriptor}")

    def _memory(self, pid: int) -> None:
        with open(f"/proc/{pid}/maps") as maps, Memory(pid) as memory:
            for line in maps:
                span, access, *_, name = [*line.split(None, 5), ""][:6]
                if not access.startswith("r") or name.strip() in KERNEL_PAGES:
                    continue
                start, end = (int(number, 16) for number in span.split("-"))
                self.findings.mappings += 1
                try:
                    self._mapping(memory, start, end, f"process {pid}, {name.strip() or 'anonymous memory'}")
                except OSError as error:
                    self.findings.unreadable.append(f"process {pid} {line.strip()}: {error.strerror}")

    def _mapping(self, memory: Memory, start: int, end: int, where: str) -> None:
        position = start
        while position < end:
            data = memory.read(position, min(CHUNK, end - position))
            if not data:
                return
            self.findings.memory_bytes += len(data)
            self._bytes(data, "memory", where)
            position += len(data)
            if position < end:
                position -= min(OVERLAP, len(data) - 1)

    def _bytes(self, data: bytes, place: str, where: str) -> None:
        done = self._run(["-"], data)
        if done.returncode > 1:
            raise RuntimeError(f"grep failed on {where}: {done.stderr.decode(errors='replace')}")
        for needle in done.stdout.splitlines():
            self.findings.hits.add(Hit(place, where, needle))

    def _run(self, arguments: list[str], data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        command = [*self._grep, *arguments]
        environment = {"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)}
        return subprocess.run(command, input=data, capture_output=True, env=environment, pass_fds=[self._patterns], check=False)

    def _files(self, root: Path, born: float) -> None:
        batch: list[str] = []
        for path in self._changed_files(root, born):
            batch.append(path)
            if len(batch) == FILES_A_CALL:
                self._grep_files(root, batch)
                batch = []
        self._grep_files(root, batch)

    def _changed_files(self, root: Path, born: float) -> Iterator[str]:
        folders = [str(root)]
        while folders:
            folder = folders.pop()
            try:
                entries = list(os.scandir(folder))
            except OSError as error:
                self._closed_folder(folder, error)
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if folder != str(root) or entry.name not in PSEUDO_FILES:
                        folders.append(entry.path)
                    continue
                facts = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(facts.st_mode):
                    continue
                if facts.st_ctime < born:
                    self.findings.files_older += 1
                else:
                    yield entry.path

    def _closed_folder(self, folder: str, error: OSError) -> None:
        facts = os.stat(folder)
        if isinstance(error, PermissionError) and facts.st_uid != os.getuid():
            # Only an ordinary user meets these, and then the agent has the same id: it cannot look or write there either.
            self.findings.foreign += 1
        else:
            self.findings.unreadable.append(f"{folder}: {error.strerror}")

    def _grep_files(self, root: Path, paths: list[str]) -> None:
        if not paths:
            return
        self.findings.files_read += len(paths)
        done = self._run(["--with-filename", "--null", "--", *paths])
        if done.returncode > 1:
            self.findings.unreadable.extend(done.stderr.decode(errors="replace").splitlines())
        for line in done.stdout.splitlines():
            name, _, needle = line.partition(b"\0")
            self.findings.hits.add(Hit("file", "/" + os.path.relpath(name.decode(errors="replace"), root), needle))
