"""The typed records of the API, one file a noun."""

from .event import Event, RequestTransforms, SecretTransforms, SecretUse
from .execution import ExecResult, OutputEvent, Process, TerminalOutput
from .files import FileChange, FileInfo, FileTree
from .key import AdminEntry, ApiKey, Identity, ScopedToken, Ticket
from .policy import PendingHost, Policy, Rule, Suggestion
from .record import Record
from .sandbox import Preview, Readiness, ResourceContract, SandboxInfo, SnapshotInfo, Template, Variable
from .secret import Binding, ConnectionInfo, ConnectionStatus, Provider, Secret

__all__ = [
    "AdminEntry",
    "ApiKey",
    "Binding",
    "ConnectionInfo",
    "ConnectionStatus",
    "Event",
    "ExecResult",
    "FileChange",
    "FileInfo",
    "FileTree",
    "Identity",
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
    "Variable",
]
