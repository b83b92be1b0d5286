"""What a run of these tests showed, as a table. Every figure is counted from the reports of that run."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

KINDS = ("sync", "async")
# The rows of the contract's section 19 that the Python client has no method for; raw requests and the Go client drive them.
WITHOUT_PYTHON = {11: "oauth/status", 14: "a fallback", 25: "audit/stream", 26: "the audit WebSocket", 30: "policies without an id"}


@dataclass(frozen=True)
class Line:
    """What one test stands for: `step` of the walkthrough, `method` of section 19 or `further`, `replaced` call, `shape` on the wire."""

    what: str
    name: str
    row: str = ""
    kind: str = ""
    replacement: str = ""


@dataclass
class Ledger:
    """Lines with their outcomes; a test that failed at any stage did not pass."""

    outcomes: dict[tuple[str, Line], bool] = field(default_factory=dict)

    def note(self, test: str, properties: Iterable[tuple[str, Any]], passed: bool) -> None:
        """One report of one test: it has three, and passes when all did."""
        for name, line in properties:
            if name == "published":
                self.outcomes[(test, line)] = self.outcomes.get((test, line), True) and passed

    def table(self) -> list[str]:
        """The lines to print, or none when no test of this folder ran."""
        if not self.outcomes:
            return []
        shown = [f"{'':52}{'sync':>12}{'async':>12}"]
        shown.append(self._counted("walkthrough: steps passed of possible", "step"))
        shown.append(self._counted("section 19: methods passed of driven", "method"))
        shown.append(f"{'section 19: rows with all their methods passing':52}" + "".join(self._rows(kind) for kind in KINDS))
        shown.append(self._counted("methods beyond it", "further"))
        shown.append(self._counted("calls it cannot make, replaced", "replaced"))
        shown.append("  rows it has no method for: " + ", ".join(f"{row} ({what})" for row, what in WITHOUT_PYTHON.items()))
        shown.append(f"{'TypeScript client: not run; its shapes, raw':52}{_share(self._of('shape', '').values()):>12}")
        shown += [f"  failed: {line.what} {line.row} {line.name} {line.kind}" for (_, line), passed in self.outcomes.items() if not passed]
        replaced = {(line.name, line.replacement) for _, line in self.outcomes if line.what == "replaced"}
        return shown + [f"  {name}  ->  {replacement}" for name, replacement in sorted(replaced)]

    def _counted(self, title: str, what: str) -> str:
        return f"{title:52}" + "".join(f"{_share(self._of(what, kind).values()):>12}" for kind in KINDS)

    def _rows(self, kind: str) -> str:
        rows: dict[str, bool] = {}
        for (row, _), passed in self._of("method", kind).items():
            rows[row] = rows.get(row, True) and passed
        numbered = [passed for row, passed in rows.items() if row.isdigit()]
        return f"{_share(numbered):>12}"

    def _of(self, what: str, kind: str) -> dict[tuple[str, str], bool]:
        """Row and name of what was driven, the same method with other arguments counted once."""
        found: dict[tuple[str, str], bool] = {}
        for (_, line), passed in self.outcomes.items():
            if line.what == what and line.kind == kind:
                name = line.name if what == "replaced" else line.name.partition("(")[0].partition(": ")[0]
                found[(line.row, name)] = found.get((line.row, name), True) and passed
        return found


def _share(outcomes: Iterable[bool]) -> str:
    counted = list(outcomes)
    return f"{sum(counted)} of {len(counted)}"
