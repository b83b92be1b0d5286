"""The CLI's context file: which server, with which key. Made by the first `up`, read by the `openmiosa` command."""

import json
import os
from pathlib import Path
from typing import Any


def path() -> Path:
    """`OPENMIOSA_CONTEXTS`, else `contexts.json` in the user's configuration folder."""
    if named := os.environ.get("OPENMIOSA_CONTEXTS"):
        return Path(named)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", "openmiosa", "contexts.json")


def save(name: str, base_url: str, api_key: str) -> Path:
    """Add or replace context `name` and make it the current one; the file is readable by its owner alone."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True)
    held: dict[str, Any] = {"v": 1, "current": name, "contexts": {}}
    if file.exists():
        held = json.loads(file.read_text())
    held["current"] = name
    held.setdefault("contexts", {})[name] = {"base_url": base_url, "api_key": api_key}
    draft = file.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(held, out, indent=1)
        out.write("\n")
    draft.replace(file)
    return file
