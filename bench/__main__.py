"""`make bench`: measures on this machine, prints a table, keeps bench/results/<time>.json.

Each figure is taken in one run beside what it is compared with; the load of the machine stands next to it. Needs what
the tests need: a host that can run sandboxes. `--quick` takes a tenth of the samples; `python -m bench clients` takes only
the figures of the clients, which need no host.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.kit.system import surroundings, world

from . import clients, create, egress, tail
from .load import Generator

# Wide enough for every row, whatever the terminal: a figure that is cut off is none.
WIDTH = 130
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run everything and report."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples")
    parser.add_argument("what", nargs="?", choices=("all", "clients"), default="all", help="only these figures; default: all")
    asked = parser.parse_args()
    scale = 0.1 if asked.quick else 1.0
    figures: dict[str, Any] = {"machine": machine(), "scale": scale, "load_before": os.getloadavg()[0]}
    figures |= clients.measure(scale)
    if asked.what == "all":
        figures |= whole_system(scale)
    figures["load_after"] = os.getloadavg()[0]
    show(figures)
    kept = keep(figures)
    Console().print(f"kept in {kept.relative_to(Path.cwd()) if kept.is_relative_to(Path.cwd()) else kept}")


def whole_system(scale: float) -> dict[str, Any]:
    """What only a running system can tell."""
    generator = Generator.build()
    with surroundings() as (internet, names), world(internet, names, static_hosts=egress.STATIC_HOSTS) as system:
        return create.measure(system, scale) | egress.measure(system, generator, scale) | tail.measure(system, scale)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "user": "root" if os.geteuid() == 0 else "an ordinary user",
    }


def show(figures: dict[str, Any]) -> None:
    """The table."""
    said = figures["machine"]
    title = (
        f"{said['cores']} cores, {said['cpu']}, Linux {said['kernel']}, load {figures['load_before']:.1f} to {figures['load_after']:.1f}"
    )
    table = Table("figure", "value", "unit", "what", "samples", title=title)
    for column in table.columns:
        column.no_wrap = True
    for name, figure in figures.items():
        if isinstance(figure, dict) and "value" in figure:
            unit, _, what = figure["unit"].partition(", ")
            table.add_row(name, f"{figure['value']:,.3f}", unit, what, f"{figure['samples']:,}")
    Console(width=WIDTH).print(table)


def keep(figures: dict[str, Any]) -> Path:
    """Write the figures down."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
    path.write_text(json.dumps(figures, indent=1) + "\n")
    return path


if __name__ == "__main__":
    main()
