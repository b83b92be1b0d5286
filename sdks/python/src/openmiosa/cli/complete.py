"""What the shell offers at TAB beside the commands themselves: names that the server or the context file knows.

A person waits for it, so it asks with a bare connection and gives up quickly; without an answer nothing is offered.
"""

import contextlib
import http.client
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from cyclopts.completion._engine import CompletionContext

SECONDS = 1.0

Offered = list[tuple[str, str]]


def sandboxes(context: "CompletionContext") -> Offered:
    """Names of sandboxes, with their states."""
    return [(one["name"], str(one.get("state", ""))) for one in _asked(context, "/sandboxes?limit=200") if one.get("name")]


def secrets(context: "CompletionContext") -> Offered:
    """Names of secrets, of the sandbox that stands on the line or of the tenant."""
    sandbox = _word(context, "--sandbox")
    resource = f"?resource_type=sandbox&resource_id={quote(sandbox)}" if sandbox else ""
    return [(one["name"], str(one.get("type", ""))) for one in _asked(context, f"/egress/secrets{resource}") if one.get("name")]


def providers(context: "CompletionContext") -> Offered:
    """Account providers that the server knows."""
    return [(one["name"], str(one.get("display_name") or "")) for one in _asked(context, "/egress/oauth/providers") if one.get("name")]


def templates(context: "CompletionContext") -> Offered:
    """Templates that the server has."""
    return [(one["id"], ", ".join(one.get("packages") or ())) for one in _asked(context, "/templates") if one.get("id")]


def keys(context: "CompletionContext") -> Offered:
    """Ids of keys, with their names."""
    return [(one["id"], str(one.get("name") or "")) for one in _asked(context, "/api-keys") if one.get("id")]


def contexts(_context: "CompletionContext") -> Offered:
    """Servers of the context file."""
    from . import context as place

    return [(name, str(one.get("base_url", ""))) for name, one in sorted(place.read()["contexts"].items())]


def nothing(_context: "CompletionContext") -> Offered:
    """Words that only a person can know; without this the shell would offer files."""
    return []


def places(context: "CompletionContext") -> Offered:
    """The sandboxes' side of a copy; the shell itself offers files."""
    return [(f"{name}:", state) for name, state in sandboxes(context)]


def _asked(context: "CompletionContext", path: str) -> Iterator[dict[str, Any]]:
    from .. import _settings
    from ..errors import MiosaError
    from .context import place

    with contextlib.suppress(MiosaError, OSError, ValueError, http.client.HTTPException):
        chosen = place(_word(context, "--context"))
        yield from _listed(_settings.base_url(chosen.base_url) + path, chosen.api_key)


def _listed(url: str, key: str) -> list[dict[str, Any]]:
    """The records in a reply, whatever its envelope calls them."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=SECONDS)
    with contextlib.closing(connection):
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request("GET", target, headers={"Authorization": f"Bearer {key}", "Accept": "application/json"})
        body = json.loads(connection.getresponse().read())
    found = body if isinstance(body, list) else next((one for one in body.values() if isinstance(one, list)), [])
    return [one for one in found if isinstance(one, dict)]


def _word(context: "CompletionContext", option: str) -> str | None:
    given = context.get(option)
    return given.raw if given is not None and given.provided else None
