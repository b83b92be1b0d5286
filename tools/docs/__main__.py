"""`make docs`: write every generated page, and fill the marked blocks of the others; `--check` only says which are out of date."""

import argparse
import sys
from pathlib import Path

from tools.docs import api, command_line, errors, events, go, python, regions, typescript

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = {
    "api.md": api.page,
    "cli.md": command_line.page,
    "errors.md": errors.page,
    "events.md": events.page,
    "go.md": go.page,
    "python.md": python.page,
    "typescript.md": typescript.page,
}


def main() -> int:
    """Write, or with --check compare; gives 1 when something was out of date and was not written."""
    parser = argparse.ArgumentParser(prog="python -m tools.docs", description=__doc__)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    stale = [path for path, text in made().items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{'out of date' if asked.check else 'written'}: {path.relative_to(ROOT)}")
        if not asked.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made()[path])
    return 1 if stale and asked.check else 0


def made() -> dict[Path, str]:
    """Every page that is made here, as it should be."""
    reference = {ROOT / "docs/reference" / name: page(ROOT) for name, page in REFERENCE.items()}
    tutorial = {path: regions.filled(path.read_text(), ROOT) for path in sorted((ROOT / "docs/tutorial").glob("*.md"))}
    return {**reference, **tutorial}


if __name__ == "__main__":
    sys.exit(main())
