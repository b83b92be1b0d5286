"""The typed records of the API, one file a noun."""

from .event import Event, RequestTransforms, SecretTransforms, SecretUse
from .execution import ExecResult, OutputEvent, Process, TerminalOutput
from .files import FileInfo, FileTree
from .key import ApiKey, Identity
from .policy import PendingHost, Policy, Rule, Suggestion
from .record import Record
from .sandbox import SandboxInfo, SnapshotInfo, Template
from .secret import Binding, ConnectionInfo, ConnectionStatus, Provider, Secret

__all__ = [
    "ApiKey",
    "Binding",
    "ConnectionInfo",
    "ConnectionStatus",
    "Event",
    "ExecResult",
    "FileInfo",
    "FileTree",
    "Identity",
    "OutputEvent",
    "PendingHost",
    "Policy",
    "Process",
    "Provider",
    "Record",
    "RequestTransforms",
    "Rule",
    "SandboxInfo",
    "Secret",
    "SecretTransforms",
    "SecretUse",
    "SnapshotInfo",
    "Suggestion",
    "Template",
    "TerminalOutput",
]
