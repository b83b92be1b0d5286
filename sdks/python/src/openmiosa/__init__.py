"""OpenMIOSA's client: agents in sandboxes use real credentials that they never hold.

    from openmiosa import Miosa

    with Miosa() as client, client.sandboxes.create("support-agent") as sandbox:
        sandbox.secrets.set(name="openai_key", value=key, expose_as_env="OPENAI_API_KEY")
        print(sandbox.exec("python /workspace/agent.py").check().stdout)

`AsyncMiosa` has the same methods, awaited. Everything that is raised is a `MiosaError`; `openmiosa.errors` draws the tree.
"""

from ._version import __version__

# What type checkers take for true. The module `typing` would be most of what importing this package costs.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._async.client import AsyncMiosa
    from ._async.connection import AsyncConnection
    from ._async.pages import AsyncPages
    from ._async.sandbox import AsyncSandbox
    from ._async.tail import AsyncTail
    from ._async.terminal import AsyncTerminal
    from ._sync.client import Miosa
    from ._sync.connection import Connection
    from ._sync.pages import Pages
    from ._sync.sandbox import Sandbox
    from ._sync.tail import Tail
    from ._sync.terminal import Terminal
    from .errors import (
        APIError,
        AuthenticationError,
        BadRequestError,
        CommandFailedError,
        ConfigurationError,
        ConflictError,
        ConnectionFailedError,
        ConnectionLostError,
        InsufficientScopeError,
        MiosaError,
        NameTakenError,
        NoRulesError,
        NotFoundError,
        NotSupportedError,
        PayloadTooLargeError,
        PermissionDeniedError,
        RateLimitError,
        RequestTimeoutError,
        SandboxFailedError,
        SandboxStateError,
        ServerError,
        TransportError,
        UnavailableError,
        UnexpectedReplyError,
        UnreachableError,
        ValidationError,
        WaitTimeoutError,
    )
    from .models import (
        AdminEntry,
        ApiKey,
        Artifacts,
        Binding,
        ConnectionInfo,
        ConnectionStatus,
        Event,
        ExecResult,
        FileChange,
        FileInfo,
        FileTree,
        Identity,
        KeyPreset,
        Metrics,
        OutputEvent,
        PendingHost,
        Policy,
        Preview,
        Process,
        Provider,
        Readiness,
        ResourceContract,
        Resources,
        Rule,
        SandboxInfo,
        ScopedToken,
        Secret,
        SnapshotInfo,
        Suggestion,
        Template,
        TerminalOutput,
        Ticket,
        Usage,
        Variable,
    )

__all__ = [
    "APIError",
    "AdminEntry",
    "ApiKey",
    "Artifacts",
    "AsyncConnection",
    "AsyncMiosa",
    "AsyncPages",
    "AsyncSandbox",
    "AsyncTail",
    "AsyncTerminal",
    "AuthenticationError",
    "BadRequestError",
    "Binding",
    "CommandFailedError",
    "ConfigurationError",
    "ConflictError",
    "Connection",
    "ConnectionFailedError",
    "ConnectionInfo",
    "ConnectionLostError",
    "ConnectionStatus",
    "Event",
    "ExecResult",
    "FileChange",
    "FileInfo",
    "FileTree",
    "Identity",
    "InsufficientScopeError",
    "KeyPreset",
    "Metrics",
    "Miosa",
    "MiosaError",
    "NameTakenError",
    "NoRulesError",
    "NotFoundError",
    "NotSupportedError",
    "OutputEvent",
    "Pages",
    "PayloadTooLargeError",
    "PendingHost",
    "PermissionDeniedError",
    "Policy",
    "Preview",
    "Process",
    "Provider",
    "RateLimitError",
    "Readiness",
    "RequestTimeoutError",
    "ResourceContract",
    "Resources",
    "Rule",
    "Sandbox",
    "SandboxFailedError",
    "SandboxInfo",
    "SandboxStateError",
    "ScopedToken",
    "Secret",
    "ServerError",
    "SnapshotInfo",
    "Suggestion",
    "Tail",
    "Template",
    "Terminal",
    "TerminalOutput",
    "Ticket",
    "TransportError",
    "UnavailableError",
    "UnexpectedReplyError",
    "UnreachableError",
    "Usage",
    "ValidationError",
    "Variable",
    "WaitTimeoutError",
    "__version__",
]

# Loaded at its first use, so that a command line that only prints help never loads an HTTP library.
_CLIENTS = {
    "AsyncMiosa": "_async.client",
    "AsyncConnection": "_async.connection",
    "AsyncPages": "_async.pages",
    "AsyncSandbox": "_async.sandbox",
    "AsyncTail": "_async.tail",
    "AsyncTerminal": "_async.terminal",
    "Miosa": "_sync.client",
    "Connection": "_sync.connection",
    "Pages": "_sync.pages",
    "Sandbox": "_sync.sandbox",
    "Tail": "_sync.tail",
    "Terminal": "_sync.terminal",
}


def __getattr__(name: str) -> "Any":
    import importlib

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for module in (_CLIENTS[name],) if name in _CLIENTS else ("errors", "models"):
        value = getattr(importlib.import_module(f".{module}", __name__), name, None)
        if value is not None:
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} promises {name!r} and does not have it")


def __dir__() -> list[str]:
    return sorted(__all__)
