"""Runs the blocks of a page in order, as its reader would."""

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable

from openmiosa_server.settings import load

from . import compiled
from .blocks import KINDS, RUN, Block, matches
from .sessions import Session


class Page:
    """One page on its way through; `counts` says how many blocks of each kind were met."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.counts: Counter[str] = Counter()
        self._printed: tuple[Block, str] | None = None

    def take(self, block: Block) -> None:
        """Do with a block what its kind asks for; an AssertionError says what is not so."""
        assert block.kind in KINDS, f"{block}: say what it is, one of {', '.join(KINDS)}"
        self.counts[block.kind] += 1
        if block.kind in RUN:
            self._run(block)
        elif block.kind != "text":
            CHECKS[block.kind](self, block)

    def _run(self, block: Block) -> None:
        status, printed = getattr(self, f"_{block.kind}")(block)
        self._printed = (block, printed)
        complained = "".join(self.session.complaints)
        assert status == 0, f"{block} ended with status {status}:\n{block.text}\nprinted:\n{printed}\ncomplained:\n{complained}"

    def _sh(self, block: Block) -> tuple[int, str]:
        return self.session.sh(block.text)

    def _python(self, block: Block) -> tuple[int, str]:
        return self.session.python(block.text, str(block.page), block.line)

    def _go(self, block: Block) -> tuple[int, str]:
        return compiled.go(self.session, block.text)

    def _typescript(self, block: Block) -> tuple[int, str]:
        return compiled.typescript(self.session, block.text)

    def _output(self, block: Block) -> None:
        assert self._printed, f"{block}: nothing ran before it"
        ran, printed = self._printed
        assert matches(block.text, printed), f"{block}: {ran} printed\n{printed}\nand the page shows\n{block.text}"


def _toml(page: Page, block: Block) -> None:
    """A configuration has to be one that the server takes."""
    written = page.session.folder / ".openmiosa.toml"
    written.write_text(block.text)
    load(written, page.session.folder)


def _json(page: Page, block: Block) -> None:
    json.loads(block.text)


def _ini(page: Page, block: Block) -> None:
    """A unit of systemd, in systemd's own opinion where there is one."""
    assert "[Service]" in block.text, f"{block}: only units are ini here"
    unit = page.session.folder / "openmiosa.service"
    unit.write_text(block.text)
    if program := shutil.which("systemd-analyze"):
        done = subprocess.run([program, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
        # That the program is not installed on this machine is not the page's fault.
        complaints = [line for line in done.stderr.splitlines() if "openmiosa.service" in line and "is not executable" not in line]
        assert complaints == [], f"{block}: {complaints}"


CHECKS: dict[str, Callable[[Page, Block], None]] = {"output": Page._output, "toml": _toml, "json": _json, "ini": _ini}
