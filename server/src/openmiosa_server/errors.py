"""What can go wrong in a request, said once: code, status, whose fault, what to do, whether a retry helps."""

from collections.abc import Mapping
from typing import Any


class OpenMiosaError(Exception):
    """The base of every error that the API answers; `code` is stable, `message` tells a person what to do."""

    default_status = 500
    default_code = "INTERNAL"
    default_retry = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        retry: bool | None = None,
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.status = status or self.default_status
        self.retry = self.default_retry if retry is None else retry
        self.details: dict[str, Any] = dict(details or {})
        self.retry_after = retry_after

    def __repr__(self) -> str:
        return f"{type(self).__name__}(code={self.code!r}, status={self.status}, message={self.message!r})"


class BadRequest(OpenMiosaError):
    """The request cannot be read: its syntax, a path, a parameter."""

    default_status = 400
    default_code = "BAD_REQUEST"


class Unauthenticated(OpenMiosaError):
    """No key, or one that is unknown, revoked or expired."""

    default_status = 401
    default_code = "UNAUTHENTICATED"


class Forbidden(OpenMiosaError):
    """The caller is known and may not do this."""

    default_status = 403
    default_code = "FORBIDDEN"


class InsufficientScope(Forbidden):
    """The key lacks the scope that the call needs; `details.required` names it."""

    default_code = "INSUFFICIENT_SCOPE"


class NotFound(OpenMiosaError):
    """No such thing for this tenant."""

    default_status = 404
    default_code = "NOT_FOUND"


class Conflict(OpenMiosaError):
    """The thing is in a state, or has a name, that does not allow this."""

    default_status = 409
    default_code = "CONFLICT"


class TooLarge(OpenMiosaError):
    """The body or a field exceeds its limit."""

    default_status = 413
    default_code = "TOO_LARGE"


class Invalid(OpenMiosaError):
    """The request can be read and a value in it is not allowed; `details.field` names it."""

    default_status = 422
    default_code = "INVALID"


class RateLimited(OpenMiosaError):
    """Too many at once; the same request may succeed later."""

    default_status = 429
    default_code = "RATE_LIMITED"
    default_retry = True


class NotSupported(OpenMiosaError):
    """This installation cannot do this, whatever the caller sends."""

    default_status = 501
    default_code = "NOT_SUPPORTED"


class Unavailable(OpenMiosaError):
    """A part of the system does not answer; the same request may succeed later."""

    default_status = 503
    default_code = "UNAVAILABLE"
    default_retry = True
