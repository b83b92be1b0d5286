"""How requests are spelled: paths, queries, bodies, headers, and how failures of the connection are called here."""

import contextlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx2

from . import errors
from ._version import __version__

USER_AGENT = f"openmiosa-python/{__version__}"
CONNECT_SECONDS = 10.0
# Methods that change nothing. The others get an Idempotency-Key, DELETE too: what it names may be another thing by its second arrival.
SAFE = frozenset({"GET", "HEAD"})
NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol, httpx2.ProxyError)


def path(*segments: str) -> str:
    """A path of the API, each segment percent-encoded."""
    for segment in segments:
        if segment in ("", ".", ".."):
            raise ValueError(f"{segment!r} is no id and no name")
    return "/".join(quote(segment, safe="") for segment in segments)


def given(**values: Any) -> dict[str, Any]:
    """The arguments that the caller gave, as JSON can carry them."""
    return {name: _plain(value) for name, value in values.items() if value is not None}


def several(name: str, values: Iterable[str] | None) -> list[str] | None:
    """An argument that is a list; a string is iterable as well, letter by letter, which nobody means."""
    if isinstance(values, str):
        raise TypeError(f"{name} is a list, not one string")
    return None if values is None else list(values)


def query(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """A query string's parameters: only what was given, lists comma-joined, or one by one under a name that ends in `[]`."""
    return {
        name: [str(one) for one in value] if name.endswith("[]") else _text(value)
        for name, value in (values or {}).items()
        if value is not None
    }


def headers(api_key: str, method: str, *, accept: str = "application/json", keyed: bool = True) -> dict[str, str]:
    """The headers of one request; made once, so that every retry carries the same idempotency key.

    What is streamed is not `keyed`: the server would have to hold all of it to know a repeat, and the same bytes at the same
    path are the same.
    """
    common = {"Authorization": f"Bearer {api_key}", "User-Agent": USER_AGENT, "Accept": accept}
    return common if method in SAFE or not keyed else {**common, "Idempotency-Key": uuid.uuid4().hex}


def body_headers(size: int | None) -> dict[str, str]:
    """The headers of a streamed body; a size lets the server refuse it before it is sent."""
    return {"Content-Type": "application/octet-stream", **({} if size is None else {"Content-Length": str(size)})}


def timeouts(seconds: float | None) -> httpx2.Timeout:
    """Limits of one request; None waits for the answer as long as it takes."""
    return httpx2.Timeout(seconds, connect=CONNECT_SECONDS if seconds is None else min(seconds, CONNECT_SECONDS))


@contextlib.contextmanager
def own_errors(base_url: str) -> Iterator[None]:
    """Turns what the HTTP library raises into this package's errors."""
    try:
        yield
    except NEVER_SENT as error:
        raise errors.UnreachableError(
            f"no server answers at {base_url} ({_said(error)}). Is it running (`openmiosa up`), and is MIOSA_BASE_URL right?"
        ) from error
    except httpx2.TimeoutException as error:
        raise errors.RequestTimeoutError(f"{base_url} did not answer in time ({type(error).__name__})") from error
    except (httpx2.SSEError, httpx2.DecodingError) as error:
        raise errors.UnexpectedReplyError(f"{base_url} sent what is not this API's form: {error}") from error
    except (httpx2.TransportError, httpx2.StreamError) as error:
        raise errors.ConnectionLostError(f"the connection to {base_url} ended before the answer did ({_said(error)})") from error


def decoded(response: httpx2.Response) -> Any:
    """The JSON of an answer, None when it has no body; raises the API's errors."""
    if not response.is_success:
        raise failure(response)
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        raise errors.UnexpectedReplyError(_not_ours(response)) from None


def failure(response: httpx2.Response) -> errors.MiosaError:
    """The exception for an answer that is no success; a body that cannot be read any more is none."""
    if response.status_code < 400:
        return errors.UnexpectedReplyError(_not_ours(response))
    try:
        body: object = response.json()
    except (ValueError, httpx2.StreamError):
        body = None
    return errors.api_error(response.status_code, body, response.headers)


def object_of(text: str) -> dict[str, Any]:
    """The JSON object of a frame; empty for whatever else a stream may carry."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def said_in_stream(text: str) -> errors.MiosaError:
    """The exception for an error that a stream ended with, or an answer held after its status was sent."""
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    return errors.api_error(500, said, {})


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _not_ours(response: httpx2.Response) -> str:
    kind = response.headers.get("content-type", "no content type")
    url = response.request.url.copy_with(query=None)
    return f"{url} answered {response.status_code} with {kind}, which is not this API: is the base URL right?"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return list(value) if isinstance(value, tuple | set | frozenset) else value


def _text(value: Any) -> str:
    plain = _plain(value)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    return ",".join(map(str, plain)) if isinstance(plain, list) else str(plain)
