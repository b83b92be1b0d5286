"""Key-encryption keys that live elsewhere: a transit engine over HTTP, and KMS without its package."""

import base64
import socket
import sys

import pytest
from openmiosa_server.errors import Unavailable
from openmiosa_server.link.uvicorn_server import embedded, protocol_for
from openmiosa_server.vault.envelopes import Damaged, seal, unseal
from openmiosa_server.vault.keys import FileKey, SealedKey, TransitKey, open_key
from openmiosa_server.vault.keys.base import WrongKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class Engine:
    """A transit engine: one key, one token, real encryption."""

    def __init__(self):
        self.key = FileKey(bytes(range(32)))
        self.token = "s.right"

    def app(self):
        return Starlette(routes=[Route("/v1/transit/{verb}/openmiosa", self.answer, methods=["POST"])])

    async def answer(self, request: Request) -> Response:
        if request.headers["x-vault-token"] != self.token:
            return JSONResponse({"errors": ["permission denied"]}, 403)
        body = await request.json()
        context = base64.b64decode(body["associated_data"])
        if request.path_params["verb"] == "encrypt":
            wrapped = await self.key.wrap(base64.b64decode(body["plaintext"]), context)
            return JSONResponse({"data": {"ciphertext": "vault:v1:" + base64.b64encode(wrapped).decode()}})
        try:
            plain = await self.key.unwrap(base64.b64decode(body["ciphertext"].removeprefix("vault:v1:")), context)
        except WrongKey:
            return JSONResponse({"errors": ["cipher: message authentication failed"]}, 400)
        return JSONResponse({"data": {"plaintext": base64.b64encode(plain).decode()}})


@pytest.fixture
async def engine(tmp_path):
    engine = Engine()
    listener = socket.create_server(("127.0.0.1", 0))
    server = embedded(engine.app(), protocol_for(lambda connection: True))
    await server.start(listener)
    engine.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    engine.token_file = tmp_path / "token"
    engine.token_file.write_text("s.right\n")
    yield engine
    await server.stop()


@pytest.fixture
async def key(engine):
    key = TransitKey(address=engine.address, key_name="openmiosa", token_file=engine.token_file)
    yield key
    await key.close()


async def test_a_transit_engine_wraps_and_unwraps(key):
    assert await unseal(key, await seal(key, b"the value", b"context"), b"context") == b"the value"


async def test_what_it_wrapped_opens_in_its_own_place_alone(key):
    envelope = await seal(key, b"the value", b"context")
    with pytest.raises(Damaged):
        await unseal(key, envelope, b"another context")


async def test_a_refused_token_seals_and_a_renewed_one_opens(key, engine):
    engine.token = "s.renewed"
    with pytest.raises(Unavailable, match="refuses our token"):
        await key.wrap(bytes(32), b"context")
    engine.token_file.write_text("s.renewed")
    assert await key.wrap(bytes(32), b"context")


async def test_an_engine_that_is_down_is_said_to_be_and_worth_a_retry(tmp_path, engine):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    key = TransitKey(address=address, key_name="openmiosa", token_file=engine.token_file)
    with pytest.raises(Unavailable) as refused:
        await key.wrap(bytes(32), b"context")
    await key.close()
    assert (refused.value.code, refused.value.retry) == ("VAULT_KEY_UNREACHABLE", True)


async def test_kms_without_its_package_says_which_one(database, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    sealed = await open_key("kms", database, key_id="alias/openmiosa")
    assert isinstance(sealed, SealedKey)
    assert "boto3" in sealed.reason


async def test_a_kind_of_key_that_does_not_exist_seals(database):
    assert isinstance(await open_key("paper", database), SealedKey)
