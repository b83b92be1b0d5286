"""How help is laid out: names in one column, what they do in the next, no boxes."""

import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

WIDEST = 26


class Columns:
    """The formatter of help pages."""

    def __call__(self, console: "Console", options: "ConsoleOptions", panel: "HelpPanel") -> None:
        """One panel: commands, arguments or options."""
        lines = [(_label(entry), _about(entry)) for entry in panel.entries if entry.display_labels]
        if not lines:
            return
        if panel.title:
            _print(console, f"{panel.title}:")
        column = 4 + min(WIDEST, max(len(label) for label, _ in lines))
        for label, about in lines:
            head = f"  {label:<{column - 2}}"
            if len(head) > column:
                _print(console, f"  {label}")
                head = " " * column
            filled = textwrap.fill(about, console.width, initial_indent=head, subsequent_indent=" " * column, break_on_hyphens=False)
            _print(console, (filled or head).rstrip())
        _print(console, "")

    def render_usage(self, console: "Console", options: "ConsoleOptions", usage: Any) -> None:
        """The first line."""
        _print(console, f"{_text(usage)}\n")

    def render_description(self, console: "Console", options: "ConsoleOptions", description: Any) -> None:
        """What the command does, and what stands at the end of the page."""
        if said := _text(description):
            paragraphs = (textwrap.fill(part, console.width, break_on_hyphens=False) for part in said.split("\n\n"))
            _print(console, "\n\n".join(paragraphs) + "\n")


def _label(entry: "HelpEntry") -> str:
    return ", ".join(entry.display_labels_with_metavar)


def _about(entry: "HelpEntry") -> str:
    parts = [" ".join(_text(entry.description).split())]
    if entry.choices:
        parts.append(f"({', '.join(entry.choices)})")
    if entry.default not in (None, "", "False", "None"):
        parts.append(f"(default: {entry.default})")
    if entry.required:
        parts.append("(needed)")
    return " ".join(part for part in parts if part)


def _text(shown: Any) -> str:
    """The words of what the help's maker wraps for a richer page than this one."""
    inner = getattr(shown, "primary_renderable", shown)
    return str(getattr(inner, "plain", inner) or "").strip()


def _print(console: "Console", text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
