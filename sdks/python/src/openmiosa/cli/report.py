"""What is printed when something goes wrong: what, whose fault, what to do, and the request id."""

import json
import sys
import textwrap
from collections.abc import Sequence

from .._text import plain
from ..errors import (
    APIError,
    AuthenticationError,
    CommandFailedError,
    ConfigurationError,
    InsufficientScopeError,
    MiosaError,
    NoRulesError,
    NotFoundError,
    RateLimitError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
)

WIDTH = 80


def failure(error: MiosaError, tokens: Sequence[str]) -> int:
    """Print an error; gives the exit code that goes with it."""
    if "--json" in tokens:
        print(json.dumps({"error": _record(error)}), file=sys.stderr)
    else:
        _say("Error", error.message if isinstance(error, APIError) else str(error))
        for label, text in _advice(error, tokens):
            _say(label, text)
    return _code(error)


def usage(message: str, command: Sequence[str]) -> None:
    """Print what is wrong with a command line, and where the help of its command is."""
    _say("Usage", message)
    _say("Help", " ".join(["openmiosa", *command, "--help"]))


def _code(error: MiosaError) -> int:
    if isinstance(error, ConfigurationError):
        return 2
    return 3 if isinstance(error, TransportError) else 1


def _advice(error: MiosaError, tokens: Sequence[str]) -> list[tuple[str, str]]:
    lines = [("Fault", _fault(error))]
    if (todo := _todo(error, tokens)) is not None:
        lines.append(("Do", todo))
    if isinstance(error, NoRulesError) and error.observed:
        lines.insert(1, ("Seen", ", ".join(f"{one.host} ({one.count})" for one in error.observed)))
    if isinstance(error, APIError):
        known = ", ".join(part for part in (f"HTTP {error.status}", error.code, error.request_id) if part)
        lines.append(("Request", known))
    return lines


def _fault(error: MiosaError) -> str:
    if isinstance(error, ServerError):
        return "the server's; its log has the request id"
    if isinstance(error, UnexpectedReplyError):
        return "whatever answers at the base URL is not this API"
    if isinstance(error, TransportError):
        return "the server is not there, or the way to it is closed"
    if isinstance(error, ConfigurationError):
        return "this machine's settings"
    return "the sandbox's command" if isinstance(error, CommandFailedError) else "the request's"


def _todo(error: MiosaError, tokens: Sequence[str]) -> str | None:
    if isinstance(error, NoRulesError):
        hosts = " ".join(one.host for one in error.observed)
        known = f"openmiosa {' '.join(token for token in tokens if not token.startswith('--json'))} {hosts}"
        return known if hosts else "run the agent first, or name the hosts; --close-all closes everything"
    if isinstance(error, RateLimitError) and error.retry_after is not None:
        return f"try again in {error.retry_after:g} s"
    if isinstance(error, InsufficientScopeError):
        return f"use a key with the scope {error.required or 'that the call needs'} (`openmiosa keys create`)"
    if isinstance(error, NotFoundError) and tokens[:1] in (["secrets"], ["network"]) and not _names_a_sandbox(tokens):
        return "check the name; what a sandbox has of its own is found with --sandbox NAME"
    for kind, advice in _ADVICE.items():
        if isinstance(error, kind):
            return advice
    return "try again; it may pass" if isinstance(error, APIError) and error.retry else None


def _names_a_sandbox(tokens: Sequence[str]) -> bool:
    return any(token.startswith(("--sandbox", "-s")) for token in tokens)


_ADVICE: dict[type[MiosaError], str] = {
    AuthenticationError: "check MIOSA_API_KEY, or `openmiosa context list`",
    NotFoundError: "check the name; what belongs to another tenant is not found either",
    TransportError: "`openmiosa doctor` looks at each part",
}


def _record(error: MiosaError) -> dict[str, object]:
    if not isinstance(error, APIError):
        return {"type": type(error).__name__, "message": str(error)}
    known = {"code": error.code, "status": error.status, "request_id": error.request_id, "retry": error.retry, "details": error.details}
    return {"type": type(error).__name__, "message": error.message, **known}


def _say(label: str, text: str) -> None:
    head = f"{label + ':':<9}"
    for paragraph in text.splitlines() or [""]:
        wrapped = textwrap.wrap(plain(paragraph), WIDTH, initial_indent=head, subsequent_indent=" " * 9, break_on_hyphens=False)
        print("\n".join(wrapped) or head, file=sys.stderr)
        head = " " * 9
