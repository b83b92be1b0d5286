"""Export of a filtered list, streamed: CSV for spreadsheets, JSON lines for programs."""

import csv
import io
import json
from collections.abc import Sequence

from .types import Event

FORMATS = ("csv", "jsonl")
COLUMNS = [
    "id",
    "number",
    "timestamp",
    "resource_id",
    "action",
    "effect",
    "host",
    "port",
    "protocol",
    "method",
    "path",
    "status_code",
    "reason",
    "rejected_by",
    "secrets",
    "rule_id",
    "policy_mode",
    "duration_ms",
    "bytes_in",
    "bytes_out",
    "ended_as",
    "external_user_id",
    "external_workspace_id",
]
# A spreadsheet runs a cell that begins so; a path or host that a sandbox chose must stay text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def header(kind: str) -> bytes:
    """What stands before the first event."""
    return (",".join(COLUMNS) + "\r\n").encode() if kind == "csv" else b""


def lines(kind: str, events: Sequence[Event]) -> bytes:
    """Events in the format."""
    if kind == "jsonl":
        return b"".join(json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode() + b"\n" for event in events)
    text = io.StringIO()
    writer = csv.writer(text)
    for event in events:
        writer.writerow([_cell(event, column) for column in COLUMNS])
    return text.getvalue().encode()


def _cell(event: Event, column: str) -> str:
    value = event[column]
    if column == "secrets":
        value = " ".join(event["request_transforms"]["secrets"]["swapped"])
    if value is None:
        return ""
    text = str(value)
    return "'" + text if isinstance(value, str) and text.startswith(_FORMULA) else text
