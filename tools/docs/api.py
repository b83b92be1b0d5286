"""The page of the HTTP API, from its OpenAPI document, a section a noun."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
# What the published clients alone need stands at the end, in one table.
COMPATIBLE = "x-compat"
HEAD = """# API

{summary} All routes lie below `/api/v1`; `Authorization: Bearer msk_live_…` carries the key. {description}

Errors are in [errors](errors.md). This page is made from `contracts/openapi.json`, which a running server gives at `/api/v1/openapi.json`.
"""


def page(root: Path) -> str:
    """The whole page."""
    document = json.loads((root / "contracts/openapi.json").read_text())
    by_tag: dict[str, list[tuple[str, str, Any]]] = defaultdict(list)
    compatible: list[tuple[str, str, Any]] = []
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                (compatible if COMPATIBLE in operation else by_tag[operation["tags"][0]]).append((method.upper(), path, operation))
    said = [HEAD.format(summary=document["info"]["summary"], description=_plain(document["info"]["description"]))]
    for tag in document["tags"]:
        if by_tag[tag["name"]]:
            said.append(f"## {tag['name'].replace('_', ' ')}\n\n{tag['description']}\n")
            said += [_operation(method, path, operation, document) for method, path, operation in by_tag[tag["name"]]]
    said.append(_compatible(compatible, document))
    said.append(_models(document))
    return "\n".join(said)


def operations(root: Path) -> list[str]:
    """The names of the operations: of those that exist for the published clients, what they do the same as."""
    document = json.loads((root / "contracts/openapi.json").read_text())
    found = [item[method] for item in document["paths"].values() for method in METHODS if method in item]
    return [str(one.get(COMPATIBLE) or one["operationId"]) for one in found]


def _operation(method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    lines = [f"### `{method} {path}`", "", _plain(operation["description"]), ""]
    facts = [f"scope `{operation['x-scope']}`"] if operation.get("x-scope") else []
    facts += [f"`{operation['operationId']}`"]
    if sdk := operation.get("x-sdk"):
        facts.append("SDK: " + ", ".join(f"`{name}`" for name in sdk))
    elif reason := operation.get("x-no-sdk"):
        facts.append(f"no SDK method: {_plain(reason)}")
    lines += [" · ".join(facts), ""]
    parameters = [_resolved(one, document) for one in operation.get("parameters", ())]
    rows = [
        f"| `{one['name']}` | {one['in']} | {_kind(one['schema'])} | {_cell(one.get('description', ''))} |"
        for one in parameters
        if one["in"] != "header"
    ]
    if rows:
        lines += ["| parameter | in | type | |", "|---|---|---|---|", *rows, ""]
    if body := operation.get("requestBody"):
        lines += [f"Body: {_content(body['content'])}", ""]
    lines += ["Answers: " + "; ".join(_answers(operation, document)), ""]
    return "\n".join(lines)


def _answers(operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        found = _resolved(answer, document)
        if status.startswith("2") or status == "101":
            said = _content(found.get("content", {}))
            yield f"{status}{' ' + said if said else ''}"
    errors = [status for status in operation["responses"] if not status.startswith(("1", "2"))]
    if errors:
        yield f"errors {', '.join(errors)}"


def _content(content: Mapping[str, Any]) -> str:
    return ", ".join(f"{_kind(one.get('itemSchema') or one.get('schema') or {})} as `{media}`" for media, one in content.items())


def _kind(schema: Mapping[str, Any]) -> str:
    """A type in few words; models are links."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if either := schema.get("anyOf") or schema.get("oneOf"):
        kinds = [_kind(one) for one in either if one.get("type") != "null"]
        return " or ".join(kinds) + (" or null" if len(kinds) < len(either) else "")
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if frame := schema.get("properties", {}).get("data", {}).get("contentSchema"):
        return f"events of {_kind(frame)}"
    kind = str(schema.get("format") or schema.get("type") or "anything")
    return f"{kind}, default `{schema['default']}`" if schema.get("default") not in (None, "", False) else kind


def _compatible(found: list[tuple[str, str, Any]], document: Mapping[str, Any]) -> str:
    rows = [f"| `{method} {path}` | `{operation[COMPATIBLE]}` |" for method, path, operation in found]
    for one in document.get("x-websockets", ()):
        same = [one[COMPATIBLE]] if COMPATIBLE in one else one["x-sdk"]
        rows.append(f"| WebSocket `{one['path']}` | {', '.join(f'`{name}`' for name in same)} |")
    head = "## Routes of the published clients, and WebSockets\n\nEach does what the operation beside it does.\n"
    return "\n".join([head, "| route | the same as |", "|---|---|", *rows, ""])


def _models(document: Mapping[str, Any]) -> str:
    lines = ["## Models", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += [f"### {name}", ""]
        if schema.get("description"):
            lines += [_plain(schema["description"]), ""]
        required = set(schema.get("required", ()))
        rows = [
            f"| `{field}`{'' if field in required else ' ?'} | {_kind(one)} | {_cell(one.get('description', ''))} |"
            for field, one in schema.get("properties", {}).items()
        ]
        if rows:
            lines += ["| field | type | |", "|---|---|---|", *rows, ""]
        elif "properties" not in schema:
            lines += [f"{_kind(schema)}", ""]
    lines.append("`?`: may be absent.\n")
    return "\n".join(lines)


def _resolved(item: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in item:
        found: Any = document
        for part in item["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        item = found
    return item


def _plain(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")
