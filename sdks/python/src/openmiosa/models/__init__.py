"""The typed records of the API, one file a noun."""

from .event import Event, RequestTransforms, SecretTransforms, SecretUse
from .execution import ExecResult, OutputEvent, Process, TerminalOutput
from .files import FileChange, FileInfo, FileTree
from .key import AdminEntry, ApiKey, Identity, KeyPreset, ScopedToken, Ticket
from .policy import PendingHost, Policy, Rule, Suggestion
from .record import Record
from .sandbox import (
    Artifacts,
    Calls,
    Limits,
    Made,
    Metrics,
    Preview,
    Readiness,
    ResourceContract,
    Resources,
    SandboxInfo,
    SnapshotInfo,
    Template,
    Usage,
    Variable,
)
from .secret import Binding, ConnectionInfo, ConnectionStatus, Provider, Secret

__all__ = [
    "AdminEntry",
    "ApiKey",
    "Artifacts",
    "Binding",
    "Calls",
    "ConnectionInfo",
    "ConnectionStatus",
    "Event",
    "ExecResult",
    "FileChange",
    "FileInfo",
    "FileTree",
    "Identity",
    "KeyPreset",
    "Limits",
    "Made",
    "Metrics",
    "OutputEvent",
    "PendingHost",
    "Policy",
    "Preview",
    "Process",
    "Provider",
    "Readiness",
    "Record",
    "RequestTransforms",
    "ResourceContract",
    "Resources",
    "Rule",
    "SandboxInfo",
    "ScopedToken",
    "Secret",
    "SecretTransforms",
    "SecretUse",
    "SnapshotInfo",
    "Suggestion",
    "Template",
    "TerminalOutput",
    "Ticket",
    "Usage",
    "Variable",
]
