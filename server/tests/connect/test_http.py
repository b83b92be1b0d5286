"""The guard between here and a provider: O-05."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openmiosa_server.connect import http
from openmiosa_server.connect.http import Transport, is_public
from openmiosa_server.connect.providers import check_url
from openmiosa_server.errors import Invalid

from .conftest import HOST, IdentityProvider, World

pytestmark = pytest.mark.anyio


def client(idp: IdentityProvider | None = None, **static: str) -> httpx2.AsyncClient:
    """A client over the guarded transport."""
    hosts = {**({f"{HOST}:443": f"127.0.0.1:{idp.port}"} if idp else {}), **static}
    return httpx2.AsyncClient(transport=Transport(static_hosts=hosts, extra_ca_files=[idp.ca] if idp else []), trust_env=False)


async def test_a_static_host_is_dialled_where_the_operator_said_under_its_real_name(idp: IdentityProvider) -> None:
    async with client(idp) as asked:
        assert (await asked.get(f"https://{HOST}/user")).json() == {"login": "octocat"}


async def test_a_static_host_does_not_cover_another_port(idp: IdentityProvider) -> None:
    async with client(idp) as asked:
        with pytest.raises(httpx2.ConnectError):
            await asked.get(f"https://{HOST}:8443/user")


async def test_a_certificate_of_an_unknown_authority_is_refused(idp: IdentityProvider) -> None:
    transport = Transport(static_hosts={f"{HOST}:443": f"127.0.0.1:{idp.port}"}, extra_ca_files=[])
    async with httpx2.AsyncClient(transport=transport) as asked:
        with pytest.raises(httpx2.ConnectError):
            await asked.get(f"https://{HOST}/user")


@pytest.mark.parametrize("url", ["http://idp.example.test/token", "gopher://idp.example.test/", "file:///etc/passwd"])
async def test_only_https_is_spoken(idp: IdentityProvider, url: str) -> None:
    async with client(idp) as asked:
        with pytest.raises(httpx2.UnsupportedProtocol):
            await asked.get(url)
    assert idp.asked == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1", "[::ffff:127.0.0.1]", "localhost", "0.0.0.0", "2130706433"]
)
async def test_a_private_address_is_not_dialled(idp: IdentityProvider, host: str) -> None:
    async with client() as asked:
        with pytest.raises(httpx2.ConnectError):
            await asked.get(f"https://{host}:{idp.port}/token")
    assert idp.asked == []


async def test_a_name_that_leads_to_a_private_address_is_not_dialled(idp: IdentityProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolved(host: str, port: int, **options: Any) -> Any:
        return [(2, 1, 6, "", ("93.184.216.34", port)), (2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved, raising=False)
    async with client() as asked:
        with pytest.raises(httpx2.ConnectError, match="does not lead to a public address") as refused:
            await asked.get(f"https://rebinding.example:{idp.port}/")
    assert "127.0.0.1" not in str(refused.value)  # a tenant may have chosen the name
    assert idp.asked == []


async def test_a_redirect_is_not_followed(idp: IdentityProvider) -> None:
    idp.faults.append(lambda form: (302, "text/html", b""))
    async with client(idp) as asked:
        assert (await asked.get(f"https://{HOST}/token")).status_code == 302
    assert len(idp.asked) == 1


async def test_an_answer_over_a_mebibyte_is_cut_off(idp: IdentityProvider) -> None:
    idp.faults.append(lambda form: (200, "application/json", b"a" * (2**20 + 1)))
    async with client(idp) as asked:
        with pytest.raises(httpx2.RemoteProtocolError):
            await asked.get(f"https://{HOST}/token")


async def test_a_provider_that_does_not_answer_is_left_after_a_while(idp: IdentityProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TIMEOUT", 0.3)
    never = asyncio.Event()

    async def silent(form: dict[str, str]) -> tuple[int, str, bytes]:
        await never.wait()
        return 200, "text/plain", b""

    idp.faults.append(silent)
    async with client(idp) as asked:
        with pytest.raises(httpx2.TimeoutException):
            await asked.get(f"https://{HOST}/token")
    never.set()


async def test_o_05_a_machine_cannot_be_pointed_at_an_address_inside(world: World) -> None:
    from openmiosa_server.connect import MachineConnection
    from openmiosa_server.errors import OpenMiosaError
    from openmiosa_server.vault import SecretValue

    url = f"https://127.0.0.1:{world.idp.port}/token"
    asked = MachineConnection(name="m", token_url=url, client_id="c", client_secret=SecretValue("secret-1234567890"))
    with pytest.raises(OpenMiosaError, match="nothing was stored"):
        await world.connect.machine(world.principal, asked)
    assert world.idp.asked == []


@pytest.mark.parametrize(
    "url", ["http://a.example/", "https://user@a.example/", "https://", "https://a.example/#x", "ftp://a.example/", "https://a\x00b/"]
)
def test_o_05_an_address_that_is_no_plain_https_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        check_url(url, "token_url")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("192.168.1.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
        ("ff02::1", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_the_operators_authorities_are_trusted_beside_the_systems(idp: IdentityProvider, tmp_path: Path) -> None:
    context = http.trust([idp.ca])
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert any(dict(part[0] for part in found["subject"]).get("commonName") == "test CA" for found in context.get_ca_certs())
