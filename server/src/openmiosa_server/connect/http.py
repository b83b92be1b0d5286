"""The one way from here to a provider: https only, no redirects, 1 MiB and 10 s at most, no private address.

The name is resolved, every address is checked, and the checked address is the one that is dialled. The operator's
static hosts are the only way around the check, by exact name and port; the TLS name stays the real one.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpcore2
import httpx2
import structlog

LIMIT = 2**20
TIMEOUT = 10.0
_CONNECT_TIMEOUT = 5.0

# RFC 6052 and the operator-chosen prefixes are NAT64: the IPv4 address inside is where the packet really goes.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_6TO4 = ipaddress.ip_network("2002::/16")


log = structlog.get_logger(__name__)


class Guarded(httpcore2.ConnectError):
    """An address that is not dialled."""


class Backend(httpcore2.AsyncNetworkBackend):
    """Opens TCP connections to checked addresses and to nothing else."""

    def __init__(self, static_hosts: Mapping[str, str]) -> None:
        self._static = {name.lower(): address for name, address in static_hosts.items()}
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own argument
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Dial."""
        static = self._static.get(f"{host.lower()}:{port}")
        if static is not None:
            address, _, static_port = static.rpartition(":")
            return await self._inner.connect_tcp(address.strip("[]"), int(static_port), timeout, local_address, socket_options)
        error: Exception = Guarded(f"{host} has no address")
        for address in await _addresses(host, port):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                error = failed
        raise error

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Never."""
        raise Guarded("no provider is behind a Unix socket")

    async def sleep(self, seconds: float) -> None:
        """Between tries of the pool."""
        await asyncio.sleep(seconds)


class Transport(httpx2.AsyncBaseTransport):
    """A transport that gives whole, bounded answers."""

    def __init__(self, *, static_hosts: Mapping[str, str], extra_ca_files: Iterable[Path]) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=trust(extra_ca_files),
            max_connections=32,
            max_keepalive_connections=8,
            keepalive_expiry=15.0,
            network_backend=Backend(static_hosts),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send, and read the answer up to the limit within the time."""
        if request.url.scheme != "https":
            raise httpx2.UnsupportedProtocol("only https:// is spoken to providers", request=request)
        request.headers["accept-encoding"] = "identity"
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._exchange(request)
        except TimeoutError:
            raise httpx2.ReadTimeout(f"no whole answer within {TIMEOUT:.0f} s", request=request) from None
        except httpcore2.TimeoutException as error:
            raise httpx2.ConnectTimeout(str(error), request=request) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol, ssl.SSLError) as error:
            raise httpx2.ConnectError(str(error), request=request) from error

    async def aclose(self) -> None:
        """Close the pool."""
        await self._pool.aclose()

    async def _exchange(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        asked = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions={"timeout": {"connect": _CONNECT_TIMEOUT, "read": TIMEOUT, "write": TIMEOUT, "pool": TIMEOUT}},
        )
        answer = await self._pool.handle_async_request(asked)
        try:
            content = bytearray()
            async for chunk in answer.stream:  # type: ignore[union-attr]
                content += chunk
                if len(content) > LIMIT:
                    raise httpx2.RemoteProtocolError(f"the answer has more than {LIMIT} bytes", request=request)
        finally:
            await answer.aclose()
        headers = [(name, value) for name, value in answer.headers if name.lower() not in (b"content-encoding", b"transfer-encoding")]
        return httpx2.Response(answer.status, headers=headers, content=bytes(content), request=request)


class Shared(httpx2.AsyncBaseTransport):
    """The one transport under many short-lived clients: closing a client leaves it open."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Pass on."""
        return await self._inner.handle_async_request(request)


def trust(extra_ca_files: Iterable[Path]) -> ssl.SSLContext:
    """The system's roots and the operator's own."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for file in extra_ca_files:
        context.load_verify_locations(cafile=file)
    return context


def is_public(address: str) -> bool:
    """Whether an address may be dialled: global, and so is every IPv4 address that hides in it."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        hidden = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            hidden = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if hidden is not None:
            return is_public(str(hidden)) and ip not in _6TO4
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


async def _addresses(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(f"{host} does not resolve") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    # One private address among public ones is refused too: which of them is dialled must not be a matter of luck.
    for address in addresses:
        if not is_public(address):
            # The address is for the operator: a tenant that may name hosts must not learn what they are inside this network.
            log.warning("private_address_refused", host=host, address=address)
            raise Guarded(f"{host} does not lead to a public address; upstream.static_hosts is the operator's way to allow it")
    return addresses
