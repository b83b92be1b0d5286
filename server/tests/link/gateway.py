"""A gateway for tests of the link's own protocol: holds what it is told, opens what is sealed to it, fails on request."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand


class Gateway:
    """What `contracts/link` asks of egressd.sock, in one process with the test."""

    def __init__(self, socket: Path, *, boot: str = "boot1") -> None:
        self.socket = socket
        self.boot = boot
        self.key = X25519PrivateKey.generate()
        self.epoch = 0
        self.snapshots: dict[str, dict[str, Any]] = {}
        self.leases: dict[str, tuple[int, bytes]] = {}
        self.lifetimes: dict[str, int | None] = {}
        self.said: list[str] = []
        self.free = asyncio.Event()  # cleared, the gateway reads and does not answer
        self.free.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    async def start(self) -> "Gateway":
        self.socket.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self.socket))
        return self

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            self.socket.unlink(missing_ok=True)
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                method, path, _ = line.decode().split(" ")
                headers: dict[str, str] = {}
                while (field := (await reader.readline()).decode().strip()) != "":
                    name, _, value = field.partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                await self.free.wait()
                status, answer = self._answer(method, path, int(headers.get("openmiosa-epoch", 0)), json.loads(body) if body else {})
                text = json.dumps(answer).encode()
                writer.write(
                    f"HTTP/1.1 {status} x\r\ncontent-length: {len(text)}\r\ncontent-type: application/json\r\n\r\n".encode() + text
                )
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, method: str, path: str, epoch: int, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        _, _, noun, *rest = path.split("/")
        if method == "GET":
            return 200, self.status()
        self.said.append(f"{method} {noun} {rest[0] if rest else body['epoch']}")
        if noun == "epoch":
            self.epoch = body["epoch"]
            return 200, {"epoch": self.epoch}
        if epoch < self.epoch:
            return _refusal("stale_epoch")
        return (self._snapshot if noun == "snapshots" else self._lease)(method, rest[0], body)

    def _snapshot(self, method: str, sandbox: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if method == "DELETE":
            self.snapshots.pop(sandbox, None)
            return 200, {"cut": 0}
        if sandbox in self.snapshots and self.snapshots[sandbox]["revision"] > body["revision"]:
            return _refusal("stale_revision")
        self.snapshots[sandbox] = body
        return 200, {"sandbox": sandbox, "revision": body["revision"], "cut": 0}

    def _lease(self, method: str, lease: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if method == "DELETE":
            self.leases.pop(lease, None)
            return 200, {}
        if lease in self.leases and self.leases[lease][0] > body["version"]:
            return _refusal("stale_version")
        info = f"openmiosa lease v1\n{self.boot}\n{lease}\n{body['tenant']}\n{body['purpose']}\n{body['version']}".encode()
        sealed = {name: base64.b64decode(body["sealed"][name]) for name in ("enc", "ciphertext")}
        self.leases[lease] = (body["version"], open_sealed(self.key, sealed["enc"], sealed["ciphertext"], info))
        self.lifetimes[lease] = body["expires_in_ms"]
        return 200, {"lease": lease, "version": body["version"]}

    def status(self) -> dict[str, Any]:
        return {
            "v": 1,
            "gateway": "gw_test",
            "boot": self.boot,
            "epoch": self.epoch,
            "public_key": base64.b64encode(self.public_key).decode(),
            "version": "0",
            "sandboxes": [{"sandbox": each, "revision": held["revision"]} for each, held in self.snapshots.items()],
            "leases": [{"lease": each, "version": held[0]} for each, held in self.leases.items()],
            "journal": {"next": 0, "acknowledged": 0},
        }


def open_sealed(key: X25519PrivateKey, enc: bytes, ciphertext: bytes, info: bytes) -> bytes:
    """HPKE's base mode from RFC 9180's own key schedule, section 5.1, written apart from what seals."""
    own = key.public_key().public_bytes_raw()
    kem = b"KEM" + (0x20).to_bytes(2)
    shared = key.exchange(X25519PublicKey.from_public_bytes(enc))
    secret = _expand(kem, _extract(kem, b"", b"eae_prk", shared), b"shared_secret", enc + own, 32)
    suite = b"HPKE" + (0x20).to_bytes(2) + (1).to_bytes(2) + (2).to_bytes(2)
    context = b"\0" + _extract(suite, b"", b"psk_id_hash", b"") + _extract(suite, b"", b"info_hash", info)
    prk = _extract(suite, secret, b"secret", b"")
    return AESGCM(_expand(suite, prk, b"key", context, 32)).decrypt(_expand(suite, prk, b"base_nonce", context, 12), ciphertext, b"")


def _extract(suite: bytes, salt: bytes, label: bytes, key: bytes) -> bytes:
    mac = hmac.HMAC(salt or bytes(32), SHA256())
    mac.update(b"HPKE-v1" + suite + label + key)
    return mac.finalize()


def _expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return HKDFExpand(SHA256(), length, length.to_bytes(2) + b"HPKE-v1" + suite + label + info).derive(prk)


def _refusal(code: str) -> tuple[int, dict[str, Any]]:
    return 409, {"error": {"code": code, "message": code, "retry": False}}
