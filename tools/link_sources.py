"""Put the sources of both packages on the environment's path, with their commands, as an editable install would.

The server's wheel holds Rust binaries; a development environment takes those from Cargo's folder instead, so neither
package is built here.
"""

import sys
import sysconfig
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (ROOT / "sdks/python", ROOT / "server")


def main() -> None:
    """Write one .pth file, and for each package its metadata and scripts."""
    site = Path(sysconfig.get_path("purelib"))
    (site / "openmiosa_sources.pth").write_text("".join(f"{package / 'src'}\n" for package in PACKAGES))
    for package in PACKAGES:
        project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
        write_metadata(site, project)
        for name, target in project.get("scripts", {}).items():
            write_script(name, target)


def write_metadata(site: Path, project: dict[str, object]) -> None:
    """What `importlib.metadata` reads: name, version and entry points."""
    folder = site / f"{str(project['name']).replace('-', '_')}-{project['version']}.dist-info"
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = dict(project.get("entry-points", {}))  # type: ignore[call-overload]
    groups["console_scripts"] = project.get("scripts", {})
    lines = [f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items()) for group, entries in groups.items()]
    (folder / "entry_points.txt").write_text("\n".join(lines))
    (folder / "INSTALLER").write_text("openmiosa-link-sources\n")
    (folder / "RECORD").write_text("")


def write_script(name: str, target: str) -> None:
    """A console script beside the interpreter."""
    module, _, function = target.partition(":")
    script = Path(sysconfig.get_path("scripts")) / name
    script.write_text(f"#!{sys.executable}\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n")
    script.chmod(0o755)


if __name__ == "__main__":
    main()
