"""Takes the payload out of the forms that servers of this API answer in."""

from collections.abc import Mapping
from typing import Any

from .errors import UnexpectedReplyError

# The names under which lists arrive; the first that holds a list wins.
_LISTS = (
    "data", "items", "sandboxes", "secrets", "bindings", "providers", "rules", "allowlist", "policies", "suggestions", "pending",
    "events", "audit", "keys", "vars", "presets", "previews", "api_keys", "snapshots", "processes", "entries", "templates", "written",
)  # fmt: skip


def one(body: object, *names: str) -> dict[str, Any]:
    """A single record: under `data`, under one of `names`, or flat."""
    if not isinstance(body, Mapping):
        raise UnexpectedReplyError(f"expected a JSON object, got {type(body).__name__}")
    for name in ("data", *names):
        if isinstance(body.get(name), Mapping):
            return dict(body[name])
    return dict(body)


def many(body: object) -> list[Any]:
    """A list: bare, or under whichever name."""
    if isinstance(body, list):
        return body
    if isinstance(body, Mapping):
        for name in _LISTS:
            if isinstance(body.get(name), list):
                return list(body[name])
        if isinstance(body.get("data"), Mapping):
            return many(body["data"])
    raise UnexpectedReplyError("expected a list, got a JSON value without one")


def text(body: object) -> str:
    """A text: bare, or under `data`, `logs` or `lines`, where lines may come one by one."""
    if isinstance(body, Mapping):
        for name in ("data", "logs", "lines"):
            if body.get(name) is not None:
                return text(body[name])
        return ""
    if isinstance(body, list):
        return "".join(f"{one.get('line', '') if isinstance(one, Mapping) else one}\n" for one in body)
    return "" if body is None else str(body)


def next_cursor(body: object) -> str | None:
    """Where the next page starts, when there is one."""
    if not isinstance(body, Mapping):
        return None
    for holder in (body, body.get("meta"), body.get("page")):
        if isinstance(holder, Mapping) and holder.get("next_cursor"):
            return str(holder["next_cursor"])
    return None
