"""Sandboxes: their life, the processes and files in them, and the seam to where they run."""

from .execution import Execution, Result, Running
from .files import Files
from .housekeeping import Housekeeping
from .previews import Preview, Previews
from .reach import Reach
from .service import Defaults, Sandboxes
from .sizes import Resources
from .snapshots import Snapshots
from .types import Command, CreateSandbox, Sandbox, SandboxFilter, SandboxSnapshot, UpdateSandbox

__all__ = [
    "Command",
    "CreateSandbox",
    "Defaults",
    "Execution",
    "Files",
    "Housekeeping",
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
    "UpdateSandbox",
]
