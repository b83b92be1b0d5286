"""The client of egressd.sock: one method a message, and three ways to fail that callers tell apart."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx2
import structlog

from ..errors import Unavailable

_ANSWER_WITHIN = 10.0  # seconds; cutting exchanges takes one, so a process that needs ten is stuck
_RETRY_PAUSE = 0.02  # seconds between looking whether a process that dropped us is gone

log = structlog.get_logger(__name__)


class Gone(Exception):
    """No process listens: it holds nothing in memory, lets nothing through, and will say hello when it is back."""


class Refused(Exception):
    """egressd answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code


class EgressClient:
    """Puts epochs, snapshots and leases. Every call returns when egressd has enforced it."""

    def __init__(self, socket: Path, *, answer_within: float = _ANSWER_WITHIN) -> None:
        self._answer_within = answer_within
        self.epoch = 0
        self._http = httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(uds=str(socket), limits=httpx2.Limits(max_connections=32, max_keepalive_connections=8)),
            base_url="http://egressd",
            timeout=answer_within,
            trust_env=False,
        )

    async def status(self) -> dict[str, Any]:
        """Who it is and what it holds."""
        return await self._call("GET", "/v1/status")

    async def put_epoch(self, epoch: int) -> None:
        """Fence out everything said under a lower epoch."""
        await self._call("PUT", "/v1/epoch", {"v": 1, "epoch": epoch})
        self.epoch = epoch

    async def put_snapshot(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        """Enforce a snapshot."""
        return await self._call("PUT", f"/v1/snapshots/{snapshot['sandbox']}", snapshot)

    async def delete_snapshot(self, sandbox_id: str) -> None:
        """Close everything of a sandbox."""
        await self._delete(f"/v1/snapshots/{sandbox_id}")

    async def put_lease(self, lease: dict[str, Any]) -> dict[str, Any]:
        """Lend a sealed value."""
        return await self._call("PUT", f"/v1/leases/{lease['lease']}", lease)

    async def delete_lease(self, lease: str) -> None:
        """Take a value back."""
        await self._delete(f"/v1/leases/{lease}")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _delete(self, path: str) -> None:
        try:
            await self._call("DELETE", path)
        except Refused as error:
            if error.status != 404:
                raise

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One exchange; every message may be said twice, so a dropped connection is tried again until nobody listens."""
        deadline = time.monotonic() + self._answer_within
        while True:
            try:
                reply = await self._http.request(method, path, json=body, headers={"OpenMIOSA-Epoch": str(self.epoch)})
                break
            except httpx2.ConnectError:
                raise Gone from None
            except httpx2.TimeoutException:
                raise _unconfirmed(f"did not answer within {self._answer_within:.0f} s") from None
            except httpx2.TransportError as error:
                log.info("egressd_dropped_connection", error=type(error).__name__, path=path.rpartition("/")[0])
                if time.monotonic() > deadline:
                    raise _unconfirmed("keeps dropping the connection") from None
                await asyncio.sleep(_RETRY_PAUSE)
        if reply.status_code >= 400:
            raise _refused(reply)
        answer: dict[str, Any] = reply.json() if reply.content else {}
        return answer


def _refused(reply: httpx2.Response) -> Refused:
    try:
        error = reply.json()["error"]
        return Refused(reply.status_code, str(error["code"]), str(error.get("message", "")))
    except (ValueError, KeyError, TypeError):
        return Refused(reply.status_code, "unreadable", reply.text[:200])


def _unconfirmed(what: str) -> Unavailable:
    return Unavailable(
        f"the change is stored, but the egress gateway {what}, so it is not confirmed as enforced; ask again to confirm it",
        code="NOT_CONFIRMED",
        retry=True,
    )
