"""Writes contracts/openapi.json: the API's document, made of the server's routes. `--check` says whether it has drifted."""

import json
import sys
from pathlib import Path

from openmiosa_server.api import app

TARGET = Path(__file__).parent.parent / "contracts" / "openapi.json"


def rendered() -> str:
    """The document as the file holds it."""
    return json.dumps(app.documented(), indent=1, ensure_ascii=True, sort_keys=False) + "\n"


def main() -> int:
    """Write it, or compare."""
    text = rendered()
    if "--check" in sys.argv[1:]:
        if TARGET.read_text() == text:
            return 0
        print("contracts/openapi.json is not what the server's routes say: run .venv/bin/python tools/dump_openapi.py")
        return 1
    TARGET.write_text(text)
    print(f"{TARGET.name}: {sum(method != 'servers' for item in json.loads(text)['paths'].values() for method in item)} operations")
    return 0


if __name__ == "__main__":
    sys.exit(main())
