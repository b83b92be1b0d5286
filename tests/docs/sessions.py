"""Where blocks run: a shell whose folder and variables stay, and a Python whose names stay."""

import json
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

# A block that is not done by then hangs.
PATIENCE = 240.0
Heard = Callable[[str], None]
# Runs in a process of its own; one JSON line is one block.
_INTERPRETER = """
import json, sys, traceback
names = {"__name__": "__main__"}
for order in sys.stdin:
    block, status = json.loads(order), 0
    try:
        exec(compile("\\n" * (block["line"] - 1) + block["text"], block["page"], "exec"), names)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stderr.flush()
    print(f"\\0{status}", flush=True)
"""


class Session:
    """The folder, the variables and the complaints of one page; `heard` is told every line that is printed."""

    def __init__(self, folder: Path, environment: Mapping[str, str], heard: Heard) -> None:
        self.folder = self.here = folder
        self.environment = dict(environment)
        self.heard = heard
        self.complaints: list[str] = []
        self._python: subprocess.Popen[str] | None = None

    def close(self) -> None:
        """End what runs."""
        if self._python is not None:
            assert self._python.stdin
            assert self._python.stdout
            self._python.stdin.close()
            self._python.stdout.close()
            self._python.wait(10)

    def sh(self, text: str) -> tuple[int, str]:
        """Run a block of a shell; gives its status and what it printed."""
        kept = self.folder / ".kept"
        dump = "import json, os; print(json.dumps([os.getcwd(), dict(os.environ)]))"
        script = f"set -eu\n{text}\n{shlex.quote(sys.executable)} -c {shlex.quote(dump)} >{shlex.quote(str(kept))}\n"
        status, printed = self.program(["/bin/sh", "-c", script])
        if status == 0:
            here, self.environment = json.loads(kept.read_text())
            self.here = Path(here)
        return status, printed

    def program(self, command: list[str], folder: Path | None = None) -> tuple[int, str]:
        """Run a program, where the page is unless a folder is given."""
        process = subprocess.Popen(
            command,
            cwd=folder or self.here,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        self.complaints = []
        listener = self._listen(process)
        printed = []
        deadline = threading.Timer(PATIENCE, process.kill)
        deadline.start()
        with process.stdout as lines:
            for line in lines:
                printed.append(line)
                self.heard(line)
        listener.join(10)
        status = process.wait()
        deadline.cancel()
        return status, "".join(printed)

    def python(self, text: str, page: str, line: int) -> tuple[int, str]:
        """Run a block of Python in the page's one interpreter."""
        if self._python is None:
            self._python = subprocess.Popen(
                [sys.executable, "-u", "-c", _INTERPRETER], cwd=self.here, env=self.environment,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            self._listen(self._python)
        self.complaints = []
        assert self._python.stdin
        assert self._python.stdout
        self._python.stdin.write(json.dumps({"text": text, "page": page, "line": line}) + "\n")
        self._python.stdin.flush()
        printed = []
        for said in self._python.stdout:
            before, ended, status = said.partition("\0")
            printed.append(before)
            if ended:
                return int(status), "".join(printed)
            self.heard(said)
        return self._python.wait() or 1, "".join(printed)

    def _listen(self, process: subprocess.Popen[str]) -> threading.Thread:
        def listen() -> None:
            assert process.stderr
            with process.stderr as lines:
                for line in lines:
                    self.complaints.append(line)
                    self.heard(line)

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        return listener
