"""The client: where everything starts."""

from types import TracebackType
from typing import Any, Self

import httpx2

from .. import _envelope
from ..models import Identity, Template, Ticket
from .admin import AsyncAdminLog
from .audit import AsyncAudit
from .keys import AsyncApiKeys, AsyncTokens
from .network import AsyncNetwork
from .sandboxes import AsyncSandboxes
from .secrets import AsyncSecrets
from .transport import AsyncTransport


class AsyncMiosa:
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
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        self._transport = AsyncTransport(api_key, base_url, timeout, max_retries, http_client)
        self.sandboxes = AsyncSandboxes(self._transport)
        self.secrets = AsyncSecrets(self._transport)
        self.network = AsyncNetwork(self._transport)
        self.audit = AsyncAudit(self._transport)
        self.api_keys = AsyncApiKeys(self._transport)
        self.tokens = AsyncTokens(self._transport)
        self.admin_log = AsyncAdminLog(self._transport)

    @property
    def base_url(self) -> str:
        """The API's base, as it is used."""
        return self._transport.base_url

    async def whoami(self) -> Identity:
        """Whom the server takes this client for, and what the key may do."""
        return Identity.from_json(_envelope.one(await self._transport.request("GET", "whoami")))

    async def templates(self) -> list[Template]:
        """The templates that sandboxes can be made from."""
        return [Template.from_json(item) for item in _envelope.many(await self._transport.request("GET", "templates"))]

    async def sse_ticket(self) -> Ticket:
        """Opens one event stream within a minute: for a browser's EventSource (`?ticket=…`), which can send no key."""
        return Ticket.from_json(_envelope.one(await self._transport.request("POST", "sse/ticket")))

    async def request(self, method: str, path: str, *, params: dict[str, Any] | None = None, json: Any = None) -> Any:
        """Any call of the API that has no method here, with the same key, retries and errors."""
        return await self._transport.request(method, path.lstrip("/"), params=params, json=json)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"
