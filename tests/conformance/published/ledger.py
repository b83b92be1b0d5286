"""What a run showed, as a table. Every figure is counted from the reports of that run."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

COUNTED = (
    ("step", "walkthrough: steps passed of possible"),
    ("method", "section 19: methods passed of driven"),
    ("row", "section 19: rows with all their methods passing"),
    ("further", "methods beyond it"),
    ("replaced", "calls it cannot make, replaced"),
)


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
    """Lines with their outcomes; a test that failed at any stage did not pass. `kinds` are the columns."""

    kinds: tuple[str, ...]
    remarks: list[str] = field(default_factory=list)
    outcomes: dict[tuple[str, Line], bool] = field(default_factory=dict)

    def note(self, test: str, properties: Iterable[tuple[str, Any]], passed: bool) -> None:
        """One report of one test: there may be several, and it passes when all did."""
        for name, values in properties:
            if name == "published":
                line = Line(*values)
                self.outcomes[(test, line)] = self.outcomes.get((test, line), True) and passed

    def table(self) -> list[str]:
        """The lines to print, or none when nothing was noted."""
        if not self.outcomes:
            return []
        shown = [f"{'':52}" + "".join(f"{kind:>12}" for kind in self.kinds)]
        shown += [f"{title:52}" + "".join(f"{_share(self._counts(what, kind)):>12}" for kind in self.kinds) for what, title in COUNTED]
        if shapes := self._counts("shape", ""):
            shown.append(f"{'TypeScript client: not run; its shapes, raw':52}{_share(shapes):>12}")
        shown += [f"  {remark}" for remark in self.remarks]
        shown += [f"  failed: {line.what} {line.row} {line.name} {line.kind}" for (_, line), passed in self.outcomes.items() if not passed]
        replaced = {(line.name, line.replacement) for _, line in self.outcomes if line.what == "replaced"}
        return shown + [f"  {name}  ->  {replacement}" for name, replacement in sorted(replaced)]

    def _counts(self, what: str, kind: str) -> list[bool]:
        if what == "row":
            return list(self._rows(kind).values())
        return list(self._of(what, kind).values())

    def _rows(self, kind: str) -> dict[str, bool]:
        rows: dict[str, bool] = {}
        for (row, _), passed in self._of("method", kind).items():
            if row.isdigit():
                rows[row] = rows.get(row, True) and passed
        return rows

    def _of(self, what: str, kind: str) -> dict[tuple[str, str], bool]:
        """Row and name of what was driven, the same method with other arguments counted once."""
        found: dict[tuple[str, str], bool] = {}
        for (_, line), passed in self.outcomes.items():
            if line.what == what and line.kind == kind:
                name = line.name if what == "replaced" else line.name.partition("(")[0].partition(": ")[0].strip()
                found[(line.row, name)] = found.get((line.row, name), True) and passed
        return found


def _share(outcomes: list[bool]) -> str:
    return f"{sum(outcomes)} of {len(outcomes)}"
