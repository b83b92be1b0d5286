"""Templates on disk: `<state>/templates/NAME/{template.json,layer/}`; `host` is always there."""

import json
import os
import shutil
import sys
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import NotFound
from . import interpreter

# Names that mean the default template: ours, and what the published clients always send.
DEFAULTS = ("host", "miosa-sandbox")
RESERVED = (*DEFAULTS, "python")


@dataclass(frozen=True)
class Template:
    """A name and the layers (absolute folders, the topmost first) that lie above the host's /usr."""

    id: str
    layers: list[Path] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    python: str | None = None
    created_at: datetime | None = None

    def view(self) -> dict[str, Any]:
        """As the API shows it: no path of the host."""
        created = self.created_at.isoformat().replace("+00:00", "Z") if self.created_at else None
        return {"id": self.id, "layers": len(self.layers), "packages": self.packages, "python": self.python, "created_at": created}


class TemplateStore:
    """Reads and keeps templates below `folder`."""

    def __init__(self, folder: Path, default: str = "host") -> None:
        self.folder = folder
        self.default = default

    def programs(self) -> dict[str, bytes]:
        """Programs that every new sandbox finds in its own folder, by their paths inside."""
        return interpreter.aliases()

    def prepare(self) -> None:
        """Before any sandbox runs: drop drafts and replaced layers, and make the layer with Python when the host has none under /usr."""
        self._sweep()
        if interpreter.find() is None:
            self._make_python_layer()

    def _make_python_layer(self) -> None:
        if self._python_layer().exists():
            return
        draft = self.draft("python")
        try:
            interpreter.copy_into(draft / "layer")
            self._python_layer().parent.mkdir(parents=True, exist_ok=True)
            os.rename(draft / "layer", self._python_layer())
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def all(self) -> list[Template]:
        """Every template, the default first."""
        names = sorted(path.parent.name for path in self.folder.glob("*/template.json"))
        return [self.get("host"), *(self.get(name) for name in names)]

    def get(self, template_id: str) -> Template:
        """The template of that name; the aliases of the default give what the operator made the default."""
        name = template_id or self.default
        if name in DEFAULTS and self.default not in DEFAULTS and name != "host":
            name = self.default
        if name in DEFAULTS:
            return Template("host", layers=self.base_layers())
        if not self.exists(name):
            known = ", ".join(["host", *sorted(path.parent.name for path in self.folder.glob("*/template.json"))])
            raise NotFound(
                f"There is no template '{name[:80]}'. Known: {known}. "
                "Build one on the server's machine: openmiosa template build NAME --pip PACKAGE",
                code="TEMPLATE_NOT_FOUND",
            )
        record = json.loads((self.folder / name / "template.json").read_text())
        return Template(
            name,
            layers=[self.folder / name / record["layer"], *self.base_layers()],
            packages=record["packages"],
            python=record["python"],
            created_at=datetime.fromisoformat(record["created_at"]),
        )

    def exists(self, name: str) -> bool:
        """Whether a template of that name was built; a name that is a path is no name."""
        return bool(name) and "/" not in name and name not in (".", "..") and (self.folder / name / "template.json").is_file()

    def remove(self, name: str) -> None:
        """Forget a template; sandboxes that run on it keep their mounts until they end."""
        if not self.exists(name):
            raise NotFound(f"There is no template '{name[:80]}'.", code="TEMPLATE_NOT_FOUND")
        shutil.rmtree(self.folder / name)

    def base_layers(self) -> list[Path]:
        """The layer with Python, when this host needs one."""
        return [self._python_layer()] if self._python_layer().exists() else []

    def copied_interpreter(self) -> interpreter.Interpreter:
        """The interpreter of the Python layer, for hosts without one under /usr."""
        self._make_python_layer()
        name = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return interpreter.Interpreter(Path(sys.executable), sys.version_info[:3], Path("/usr/local/lib", name, "site-packages"))

    def draft(self, name: str) -> Path:
        """A fresh folder on the same file system, so that keeping it is one rename."""
        path = self.folder / f".draft-{name}-{uuid.uuid4().hex[:8]}"
        path.mkdir(parents=True)
        return path

    def keep(self, name: str, draft: Path, *, packages: list[str], python: str, below: list[Path]) -> Template:
        """Move a finished draft into place. The layer has a name of its own per build: a running sandbox keeps the old one mounted."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        layer = f"layer-{uuid.uuid4().hex[:8]}"
        os.rename(draft / "layer", home / layer)
        record = {"v": 1, "layer": layer, "packages": packages, "python": python, "created_at": datetime.now(UTC).isoformat()}
        pending = home / ".template.json"
        pending.write_text(json.dumps(record, indent=1) + "\n")
        os.replace(pending, home / "template.json")
        return self.get(name)

    def _sweep(self) -> None:
        for draft in self.folder.glob(".draft-*"):
            shutil.rmtree(draft, ignore_errors=True)
        for record in self.folder.glob("*/template.json"):
            kept = json.loads(record.read_text())["layer"]
            for layer in record.parent.glob("layer-*"):
                if layer.name != kept:
                    shutil.rmtree(layer, ignore_errors=True)

    def _python_layer(self) -> Path:
        return self.folder / "python" / "layer"
