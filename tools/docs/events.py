"""The page of audit events, from contracts/events.json."""

import json
from collections.abc import Mapping
from pathlib import Path


def page(root: Path) -> str:
    """The whole page."""
    contract = json.loads((root / "contracts/events.json").read_text())
    said = [f"# Events\n\n{contract['description']}\n\nThis page is made from `contracts/events.json`.\n"]
    said += [_table("Actions", "`action`: what became of the call.", contract["actions"])]
    said += [
        _table(
            "Reasons",
            "`reason`: why a call was refused or failed. [Troubleshooting](../troubleshooting.md) says what helps.",
            contract["reasons"],
        )
    ]
    said += [_table("Ends", "`ended_as`: how the exchange ended; null while it lasts.", contract["ends"])]
    said += [_table("Fields", "What `audit.list`, `audit.get`, the tail and the JSON-lines export give.", contract["fields"])]
    return "\n".join(said)


def _table(title: str, about: str, rows: Mapping[str, str]) -> str:
    return "\n".join(
        [f"## {title}\n", f"{about}\n", "| | meaning |", "|---|---|", *(f"| `{name}` | {said} |" for name, said in rows.items()), ""]
    )
