"""Sandboxes: their life, the processes and files in them, and the seam to where they run."""

from .execution import Execution, Result, Running
from .export import Export
from .files import Files
from .housekeeping import Housekeeping
from .lifecycle import Happening, Lifecycle
from .logs import Logs
from .previews import Preview, Previews
from .reach import Reach
from .service import Defaults, Sandboxes
from .sizes import Resources
from .snapshots import Snapshots
from .terminals import Terminal, Terminals
from .tunnels import Tunnels
from .types import Command, CreateSandbox, ForkSandbox, KeepSnapshot, Sandbox, SandboxFilter, SandboxSnapshot, UpdateSandbox

__all__ = [
    "Command",
    "CreateSandbox",
    "Defaults",
    "Execution",
    "Export",
    "Files",
    "ForkSandbox",
    "Happening",
    "Housekeeping",
    "KeepSnapshot",
    "Lifecycle",
    "Logs",
    "Preview",
    "Previews",
    "Reach",
    "Resources",
    "Result",
    "Running",
    "Sandbox",
    "SandboxFilter",
    "SandboxSnapshot",
    "Sandboxes",
    "Snapshots",
    "Terminal",
    "Terminals",
    "Tunnels",
    "UpdateSandbox",
]
