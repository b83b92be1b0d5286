# Generated from _async/client.py by tools/async_to_sync.py. Edit that file, then run that program.
"""The client: where everything starts."""

from types import TracebackType
from typing import Any, Self

import httpx2

from .. import _envelope
from ..models import Identity, Template, Ticket
from .admin import AdminLog
from .audit import Audit
from .keys import ApiKeys, Tokens
from .network import Network
from .sandboxes import Sandboxes
from .secrets import Secrets
from .transport import Transport


class Miosa:
    """A client of one server, with one key.

    `api_key` and `base_url` default to `MIOSA_API_KEY` and `MIOSA_BASE_URL`. `timeout` is in seconds, for each
    request; None waits for ever. Failures that may pass are retried `max_retries` times, never so that something is done twice.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeout: float | None = 60.0,
        max_retries: int = 3,
        http_client: httpx2.Client | None = None,
    ) -> None:
        self._transport = Transport(api_key, base_url, timeout, max_retries, http_client)
        self.sandboxes = Sandboxes(self._transport)
        self.secrets = Secrets(self._transport)
        self.network = Network(self._transport)
        self.audit = Audit(self._transport)
        self.api_keys = ApiKeys(self._transport)
        self.tokens = Tokens(self._transport)
        self.admin_log = AdminLog(self._transport)

    @property
    def base_url(self) -> str:
        """The API's base, as it is used."""
        return self._transport.base_url

    def whoami(self) -> Identity:
        """Whom the server takes this client for, and what the key may do."""
        return Identity.from_json(_envelope.one(self._transport.request("GET", "whoami")))

    def templates(self) -> list[Template]:
        """The templates that sandboxes can be made from."""
        return [Template.from_json(item) for item in _envelope.many(self._transport.request("GET", "templates"))]

    def sse_ticket(self) -> Ticket:
        """Opens one event stream within a minute: for a browser's EventSource (`?ticket=…`), which can send no key."""
        return Ticket.from_json(_envelope.one(self._transport.request("POST", "sse/ticket")))

    def request(self, method: str, path: str, *, params: dict[str, Any] | None = None, json: Any = None) -> Any:
        """Any call of the API that has no method here, with the same key, retries and errors."""
        return self._transport.request(method, path.lstrip("/"), params=params, json=json)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"
