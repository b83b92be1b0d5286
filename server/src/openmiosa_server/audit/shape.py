"""An event's forms: the row that a decision becomes, and the object that the API shows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.engine import RowMapping

from ..db.clock import parse, rfc3339
from .types import Event

# The words that clients of several generations filter by, and the action they mean.
ACTIONS = {
    "allow": "allow",
    "allowed": "allow",
    "reject": "reject",
    "rejected": "reject",
    "deny": "reject",
    "denied": "reject",
    "block": "reject",
    "blocked": "reject",
    "stub": "stub",
    "error": "error",
    "client_cancel": "client_cancel",
}
_LIMITS = {"host": 255, "method": 32, "path": 2048, "protocol": 16, "reason": 64, "rule": 40, "policy_mode": 16, "action": 16}


def row_of(record: Mapping[str, Any], sandbox: Mapping[str, Any] | RowMapping) -> dict[str, Any]:
    """The row of a decision. Tenant and owners are those of the sandbox as we know it, not as the record says."""
    return {
        "id": record["event"],
        "tenant_id": sandbox["tenant_id"],
        "resource_id": sandbox["id"],
        "resource_type": "sandbox",
        "action": _text(record, "action") or "error",
        "effect": "deny" if record.get("effect") == "deny" else "allow",
        "host": _text(record, "host") or "",
        "port": record.get("port"),
        "protocol": _text(record, "protocol"),
        "method": _text(record, "method"),
        "path": _text(record, "path"),
        "status_code": int(record.get("status") or 0),
        "secrets": [_use(use) for use in record.get("secrets") or ()],
        "reason": _text(record, "reason"),
        "rule_id": _text(record, "rule"),
        "policy_mode": _text(record, "policy_mode"),
        "revision": record.get("revision"),
        "count": int(record.get("count") or 1),
        "external_user_id": sandbox["external_user_id"],
        "external_workspace_id": sandbox["external_workspace_id"],
        "detail": {name: record.get(name) for name in ("stage", "upstream_address", "message", "held_back")},
        "timestamp": parse(record["at"]),
    }


def outcome_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that an outcome fills."""
    return {
        "bytes_in": record.get("bytes_in"),
        "bytes_out": record.get("bytes_out"),
        "duration_us": record.get("duration_us"),
        "ended_as": str(record.get("end") or "")[:24] or None,
    }


def event_of(row: Mapping[str, Any] | RowMapping) -> Event:
    """The event as the API shows it."""
    moment: datetime = row["timestamp"]
    uses: list[dict[str, Any]] = row["secrets"]
    swapped = list(dict.fromkeys(use["name"] for use in uses if use.get("name"))) if row["action"] != "reject" else []
    duration = row["duration_us"]
    return {
        "id": row["id"],
        "number": row["number"],
        "tenant_id": row["tenant_id"],
        "resource_id": row["resource_id"],
        "resource_type": row["resource_type"],
        "action": row["action"],
        "effect": row["effect"],
        "host": row["host"],
        "port": row["port"],
        "protocol": row["protocol"],
        "method": row["method"],
        "path": row["path"],
        "status_code": row["status_code"],
        "reason": row["reason"],
        "rejected_by": (row["rule_id"] or row["reason"]) if row["action"] == "reject" else None,
        "message": row["detail"].get("message"),
        "policy_id": None,
        "rule_id": row["rule_id"],
        "policy_mode": row["policy_mode"],
        "revision": row["revision"],
        "count": row["count"],
        "duration_ms": None if duration is None else round(duration / 1000, 3),
        "bytes_in": row["bytes_in"],
        "bytes_out": row["bytes_out"],
        "ended_as": row["ended_as"],
        "request_transforms": {"secrets": {"swapped": swapped}},
        "secrets": [{name: use.get(name) for name in ("name", "version", "place")} for use in uses],
        "external_user_id": row["external_user_id"],
        "external_workspace_id": row["external_workspace_id"],
        "actor_id": row["resource_id"],
        "metadata": {name: row["detail"].get(name) for name in ("stage", "upstream_address")},
        "mcp": None,
        "timestamp": rfc3339(moment),
        "inserted_at": rfc3339(moment),
    }


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    return None if value is None else str(value)[: _LIMITS[name]]


def _use(use: Mapping[str, Any]) -> dict[str, Any]:
    return {name: use.get(name) for name in ("secret", "name", "version", "binding", "place")}
