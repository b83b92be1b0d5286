"""Answers: JSON in ASCII, envelopes of the wire, and the one shape of an error."""

import json
from typing import Any

from starlette.responses import Response

from ..errors import OpenMiosaError


class JSON(Response):
    """JSON with everything beyond ASCII escaped, so that no line separator in a text splits a client's frame."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Compact JSON."""
        return dump(content).encode()


def dump(content: Any) -> str:
    """Compact ASCII JSON."""
    return json.dumps(content, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def data(content: Any, *, status: int = 200, **beside: Any) -> JSON:
    """`{"data": …}`; at most one key beside it, or the Python client does not unwrap it."""
    return JSON({"data": content, **beside}, status_code=status)


def nothing() -> Response:
    """204."""
    return Response(status_code=204)


def failure(error: OpenMiosaError, request_id: str | None) -> JSON:
    """An error as all three published clients read it: nested, and again at the top."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = f"{error.retry_after:g}"
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="openmiosa"'
    if error.status == 413:
        headers["Connection"] = "close"
    inner: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "details": error.details,
        "retry": error.retry,
        "retryable": error.retry,
        "request_id": request_id,
    }
    if error.retry_after is not None:
        inner["retry_after"] = error.retry_after
    content = {"error": inner, "message": error.message, "code": error.code, "request_id": request_id}
    return JSON(content, status_code=error.status, headers=headers)
