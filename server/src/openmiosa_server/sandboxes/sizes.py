"""The named sizes of the published clients, and the checks of what a caller asks for."""

from dataclasses import dataclass

from ..errors import Invalid
from .types import CreateSandbox

# size: (processors, MiB of memory, MiB of disk); the published clients check against the same figures.
SIZES = {
    "xs": (1, 2048, 10240),
    "small": (2, 4096, 10240),
    "medium": (4, 8192, 20480),
    "large": (8, 16384, 40960),
    "xl": (16, 32768, 81920),
}
_BOUNDS = {"cpu_count": (1, 256), "memory_mb": (64, 1 << 20), "disk_size_mb": (16, 1 << 24)}


@dataclass(frozen=True, slots=True)
class Resources:
    """What one sandbox may use."""

    cpu_count: int
    memory_mb: int
    disk_size_mb: int


def resolve(wanted: CreateSandbox, default: Resources) -> Resources:
    """A named size, single figures over it, and the installation's defaults below both."""
    if wanted.size is not None and wanted.size not in SIZES:
        raise Invalid(f"no size {wanted.size!r}; there are {', '.join(SIZES)}", code="UNKNOWN_SIZE", details={"field": "size"})
    base = Resources(*SIZES[wanted.size]) if wanted.size else default
    chosen = Resources(
        cpu_count=base.cpu_count if wanted.cpu_count is None else wanted.cpu_count,
        memory_mb=base.memory_mb if wanted.memory_mb is None else wanted.memory_mb,
        disk_size_mb=base.disk_size_mb if wanted.disk_size_mb is None else wanted.disk_size_mb,
    )
    for name, (low, high) in _BOUNDS.items():
        if not low <= getattr(chosen, name) <= high:
            raise Invalid(f"{name} must be between {low} and {high}", details={"field": name, "minimum": low, "maximum": high})
    return chosen
