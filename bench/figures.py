"""Percentiles, CPU time, and the form of a figure."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_TICKS = os.sysconf("SC_CLK_TCK")


def figure(value: float, unit: str, samples: int) -> dict[str, Any]:
    """One line of the table."""
    return {"value": round(value, 4), "unit": unit, "samples": samples}


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the sorted samples lies, nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used in its life, its own and the kernel's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
