"""Everything that the client raises, drawn as one tree and catchable at two levels.

    MiosaError
    ├─ ConfigurationError             yours: no key, or a base URL that is none
    ├─ TransportError                 no answer that could be read
    │  ├─ UnreachableError            nothing listens there; the request was never sent
    │  ├─ RequestTimeoutError         the answer did not come in time
    │  ├─ ConnectionLostError         the connection ended before the answer did
    │  └─ UnexpectedReplyError        an answer came, and not one of this API
    ├─ SandboxFailedError             the sandbox failed before it was ready
    ├─ WaitTimeoutError               what was waited for has not happened yet
    ├─ ConnectionFailedError          a consent at a provider was refused, or failed
    ├─ CommandFailedError             `.check()` of a command that did not exit with 0
    └─ APIError                       the server answered with an error
       ├─ ValidationError             422; the request can be read and a value in it is not allowed
       │  └─ BadRequestError          400; the request cannot be read
       ├─ AuthenticationError         401; no key, or one that is unknown, revoked or expired
       ├─ PermissionDeniedError       403
       │  └─ InsufficientScopeError   the key lacks a scope; `required` names it
       ├─ NotFoundError               404; also for what belongs to someone else
       ├─ ConflictError               409
       │  ├─ NoRulesError             a bare lockdown without rules; `observed` lists the hosts seen
       │  ├─ NameTakenError           the name is in use
       │  └─ SandboxStateError        the sandbox is not in a state that allows this
       ├─ PayloadTooLargeError        413
       ├─ RateLimitError              429; wait `retry_after` seconds
       └─ ServerError                 5xx; not your fault
          ├─ NotSupportedError        501; this installation cannot do that
          └─ UnavailableError         503; a part of the system does not answer just now
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class MiosaError(Exception):
    """The base of everything that this package raises."""


class ConfigurationError(MiosaError):
    """The client cannot be made from what it was given; the message says what is missing."""


class TransportError(MiosaError):
    """No answer that could be read; `sent` says whether the request may have reached the server."""

    sent = True


class UnreachableError(TransportError):
    """Nothing answers at the base URL; the request was never sent."""

    sent = False


class RequestTimeoutError(TransportError):
    """The answer did not come within the timeout; the server may still act on the request."""


class ConnectionLostError(TransportError):
    """The connection ended before the answer did; the server may have acted on the request."""


class UnexpectedReplyError(TransportError):
    """Something answered that does not speak this API: a proxy, another service, a wrong base URL."""


class SandboxFailedError(MiosaError):
    """The sandbox ended, or failed, before it was ready."""


class WaitTimeoutError(MiosaError):
    """What was waited for has not happened yet; it may still happen."""


class ConnectionFailedError(MiosaError):
    """An account was not connected; `reason` is what the provider or the server said."""

    def __init__(self, message: str, *, provider: str | None = None, reason: str | None = None) -> None:
        super().__init__(message)
        self.provider = provider
        self.reason = reason


class CommandFailedError(MiosaError):
    """A command inside the sandbox did not exit with 0; `result` holds its output."""

    def __init__(self, result: Any) -> None:
        said = (result.stderr or result.stdout).strip()
        super().__init__(f"the command exited with {result.exit_code}" + (f": {said[-2000:]}" if said else ""))
        self.result = result


class APIError(MiosaError):
    """The server answered with an error: stable `code`, `message` for a person, and whether the same request may succeed later."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int = 0,
        request_id: str | None = None,
        retry: bool = False,
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.request_id = request_id
        self.retry = retry
        self.retry_after = retry_after
        self.details: dict[str, Any] = dict(details or {})

    def __str__(self) -> str:
        known = ", ".join(part for part in (f"HTTP {self.status}", self.code, self.request_id and f"request {self.request_id}") if part)
        return f"{self.message} ({known})"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(code={self.code!r}, status={self.status}, request_id={self.request_id!r}, message={self.message!r})"


class ValidationError(APIError):
    """422: the request can be read and a value in it is not allowed; `field` names it when the server does."""

    @property
    def field(self) -> str | None:
        """The field that is wrong, when the server says."""
        return self.details.get("field")


class BadRequestError(ValidationError):
    """400: the request cannot be read: its syntax, a path, a parameter."""


class AuthenticationError(APIError):
    """401: no key, or one that is unknown, revoked or expired."""


class PermissionDeniedError(APIError):
    """403: the caller is known and may not do this."""


class InsufficientScopeError(PermissionDeniedError):
    """403: the key lacks a scope."""

    @property
    def required(self) -> str | None:
        """The scope that the call needs."""
        return self.details.get("required")


class NotFoundError(APIError):
    """404: no such thing for this key, whoever else may have one."""


class ConflictError(APIError):
    """409: the thing is in a state, or has a name, that does not allow this."""


@dataclass(frozen=True, slots=True)
class ObservedHost:
    """A host that the sandbox has called, and how often."""

    host: str
    count: int


class NoRulesError(ConflictError):
    """409: a lockdown without hosts, where no rule says which may stay open."""

    @property
    def observed(self) -> list[ObservedHost]:
        """The hosts that were called so far, as the server counted them."""
        rows: Sequence[Any] = self.details.get("observed") or ()
        read = [row if isinstance(row, Mapping) else {"host": row} for row in rows]
        return [ObservedHost(str(row["host"]), int(row.get("count") or 0)) for row in read]

    def __str__(self) -> str:
        seen = self.observed
        if not seen:
            return f"{super().__str__()}\nNo host was observed yet. `lockdown(hosts=[])` closes everything."
        listed = "\n".join(f"  {one.host}  {one.count} {'call' if one.count == 1 else 'calls'}" for one in seen)
        call = ", ".join(repr(one.host) for one in seen)
        return f"{super().__str__()}\nHosts observed:\n{listed}\nTo keep exactly these: lockdown(hosts=[{call}])"


class NameTakenError(ConflictError):
    """409: the name is in use."""


class SandboxStateError(ConflictError):
    """409: the sandbox is not in a state that allows this."""


class PayloadTooLargeError(APIError):
    """413: the body, or a field of it, exceeds its limit."""


class RateLimitError(APIError):
    """429: too many at once; wait `retry_after` seconds."""


class ServerError(APIError):
    """5xx: the fault is the server's; its log has the request id."""


class NotSupportedError(ServerError):
    """501: this installation cannot do that, whatever is sent."""


class UnavailableError(ServerError):
    """503: a part of the system does not answer; the same request may succeed later."""


_BY_CODE: dict[str, type[APIError]] = {
    "INSUFFICIENT_SCOPE": InsufficientScopeError,
    "NO_RULES": NoRulesError,
    "NAME_TAKEN": NameTakenError,
    "RESOURCE_STATE": SandboxStateError,
    "SANDBOX_STATE": SandboxStateError,
    "SANDBOX_STARTING": SandboxStateError,
    "SANDBOX_NOT_COMMAND_READY": SandboxStateError,
}
_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: PayloadTooLargeError,
    422: ValidationError,
    429: RateLimitError,
    501: NotSupportedError,
    503: UnavailableError,
}
# Worth another try when the server does not say; 500 stands here because every request of this client can be repeated safely.
RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})


def api_error(status: int, body: object, headers: Mapping[str, str]) -> APIError:
    """The exception for an error answer, whichever of the known body forms it has."""
    outer: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    nested = outer.get("error")
    inner: Mapping[str, Any] = nested if isinstance(nested, Mapping) else outer

    def said(name: str) -> Any:
        return inner.get(name) if inner.get(name) is not None else outer.get(name)

    code = str(said("code") or (nested if isinstance(nested, str) and nested.isupper() else ""))
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status) or (ServerError if status >= 500 else APIError)
    retry = said("retry") if said("retry") is not None else said("retryable")
    return kind(
        _message(status, inner, outer),
        code=code,
        status=status,
        request_id=said("request_id") or headers.get("x-request-id"),
        retry=status in RETRIED_STATUSES if retry is None else bool(retry),
        retry_after=_retry_after(said, headers),
        details=said("details") if isinstance(said("details"), Mapping) else None,
    )


def _message(status: int, *bodies: Mapping[str, Any]) -> str:
    for body in bodies:
        for name in ("message", "detail", "reason", "error", "errors"):
            text = body.get(name)
            text = text[0] if isinstance(text, list) and text else text
            if isinstance(text, str) and text:
                return text
    return f"the server answered {status} and did not say why"


def _retry_after(said: Any, headers: Mapping[str, str]) -> float | None:
    for value, unit in ((said("retry_after"), 1.0), (said("retry_after_ms"), 0.001), (headers.get("retry-after"), 1.0)):
        with contextlib.suppress(TypeError, ValueError):
            return max(0.0, float(value) * unit)  # type: ignore[arg-type]
    return None
