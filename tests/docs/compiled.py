"""Runs blocks of Go and TypeScript as programs of their own that import the SDKs of this repository."""

import json
import os
import subprocess
from pathlib import Path

from .sessions import Session

SDKS = Path(__file__).resolve().parents[2] / "sdks"
GO_MODULE = "github.com/openmiosa/openmiosa/sdks/go"


def go(session: Session, text: str) -> tuple[int, str]:
    """A file of tests is tested, any other is run; nothing is downloaded."""
    folder = session.folder / "go"
    folder.mkdir(exist_ok=True)
    (folder / "go.mod").write_text(f"module reader\n\ngo 1.24\n\nrequire {GO_MODULE} v0.1.0\n\nreplace {GO_MODULE} => {SDKS / 'go'}\n")
    tests = "testing.T" in text
    (folder / ("page_test.go" if tests else "main.go")).write_text(text)
    caches = json.loads(subprocess.run(["go", "env", "-json", "GOCACHE", "GOMODCACHE"], check=True, capture_output=True).stdout)
    session.environment |= {**caches, "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOWORK": "off"}
    return session.program(["go", "test", "./..."] if tests else ["go", "run", "."], folder)


def typescript(session: Session, text: str) -> tuple[int, str]:
    """Compiled strictly against the built package, then run."""
    package, folder = SDKS / "typescript", session.folder / "typescript"
    (folder / "node_modules").mkdir(parents=True, exist_ok=True)
    for name, target in (("openmiosa", package), ("@types", package / "node_modules/@types")):
        if not (folder / "node_modules" / name).exists():
            os.symlink(target, folder / "node_modules" / name)
    _build(package)
    (folder / "package.json").write_text('{"type": "module"}')
    options = {"target": "ES2022", "module": "NodeNext", "strict": True, "types": ["node"], "outDir": "out", "rootDir": "."}
    libraries = ["ES2023", "ESNext.Disposable", "DOM", "DOM.Iterable", "DOM.AsyncIterable"]
    settings = {"compilerOptions": {**options, "lib": libraries}, "files": ["page.ts"]}
    (folder / "tsconfig.json").write_text(json.dumps(settings))
    (folder / "page.ts").write_text(text)
    status, printed = session.program([str(package / "node_modules/.bin/tsc"), "-p", "."], folder)
    return (status, printed) if status else session.program(["node", "out/page.js"], folder)


def _build(package: Path) -> None:
    """As `make setup` leaves it, and anew when a source is younger."""
    built = package / "dist/index.js"
    changed = max(path.stat().st_mtime for path in (package / "src").rglob("*.ts"))
    if not built.exists() or built.stat().st_mtime < changed:
        subprocess.run(["npm", "run", "--silent", "build"], cwd=package, check=True)
