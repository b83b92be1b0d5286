"""The operations of contracts/openapi.json, unfolded: what is shared is put in, so that a test reads one dictionary."""

import json
from pathlib import Path
from typing import Any

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "contracts" / "openapi.json").read_text())


def resolved(told: dict[str, Any]) -> dict[str, Any]:
    """What a reference points to."""
    while "$ref" in told:
        _, *parts = told["$ref"].split("/")
        told = DOCUMENT
        for part in parts:
            told = told[part]
    return told


def _unfolded(path: str, item: dict[str, Any], method: str) -> dict[str, Any]:
    told = item[method]
    json_body = told.get("requestBody", {}).get("content", {}).get("application/json")
    return {
        **told,
        "method": method.upper(),
        "path": path,
        "root": "servers" in item,
        "parameters": [resolved(given) for given in told.get("parameters", ())],
        "body": None if json_body is None else resolved(json_body["schema"]),
    }


OPERATIONS = [_unfolded(path, item, method) for path, item in DOCUMENT["paths"].items() for method in item if method != "servers"]
SOCKETS: list[dict[str, Any]] = DOCUMENT["x-websockets"]
