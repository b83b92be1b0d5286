"""Runs inside a sandbox, with nothing but Python's own library: attempts, and what came of them, as JSON.

python3 probe.py '{"do": "tls", "host": "ok.test", "sni": "ok.test", "send": "GET / HTTP/1.1\\r\\n…"}'
"""

import errno
import json
import os
import socket
import ssl
import struct
import sys
import time

TIMEOUT = 8


def connect(host, port, **_):
    """A TCP connection, and nothing on it."""
    with socket.create_connection((host, port), TIMEOUT) as stream:
        return {"peer": stream.getpeername()[0]}


def plain(host, port=80, send="", half_close=False, **_):
    """Bytes over TCP, and what comes back until the end."""
    with socket.create_connection((host, port), TIMEOUT) as stream:
        stream.sendall(send.encode("latin-1"))
        if half_close:
            stream.shutdown(socket.SHUT_WR)
        return {"received": everything(stream)}


def tls(host, port=443, sni=None, send="", verify=True, **_):
    """Bytes inside TLS with a server name of our choice; null sends none."""
    context = ssl.create_default_context()
    context.check_hostname = False
    if not verify or sni is None:
        context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((host, port), TIMEOUT) as raw, context.wrap_socket(raw, server_hostname=sni) as stream:
        stream.sendall(send.encode("latin-1"))
        names = [name for kind, name in (stream.getpeercert() or {}).get("subjectAltName", ())]
        return {"received": everything(stream), "names": names}


def vanish(host, port, sni=None, send="", stage="request", when=None, **_):
    """Reset the connection at a stage: `accepted`, `hello` (after the ClientHello) or `request` (after its bytes).

    With `when` it waits for that file before the reset.
    """
    raw = socket.create_connection((host, port), TIMEOUT)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if stage == "hello":
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        half = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=sni)
        try:
            half.do_handshake()
        except ssl.SSLWantReadError:
            raw.sendall(outgoing.read())
        raw.recv(1)  # the answer has begun, so the hello was read
    elif stage in ("request", "half-close"):
        stream = ssl.create_default_context().wrap_socket(raw, server_hostname=sni) if sni else raw
        stream.sendall(send.encode("latin-1"))
        if stage == "half-close":
            raw.shutdown(socket.SHUT_WR)
        raw = stream
    while when and not os.path.exists(when):
        time.sleep(0.01)
    raw.close()
    return {"stage": stage}


def udp(host, port, send="x", **_):
    """One datagram, and whether it was refused at once or answered."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as datagram:
        datagram.settimeout(2)
        datagram.connect((host, port))
        datagram.send(send.encode("latin-1"))
        return {"answer": datagram.recv(2000).hex()}


def query(name, kind, server="9.9.9.9", **_):
    """A DNS query of any kind, straight to a server of our choice."""
    question = b"".join(bytes([len(label)]) + label.encode("latin-1") for label in name.split(".")) + b"\0"
    packet = struct.pack("!HHHHHH", 4711, 0x0100, 1, 0, 0, 0) + question + struct.pack("!HH", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        datagram.settimeout(3)
        datagram.sendto(packet, (server, 53))
        answer = datagram.recv(4000)
    answers = struct.unpack_from("!H", answer, 6)[0]
    address = socket.inet_ntoa(answer[-4:]) if answers and kind == 1 else None
    return {"code": answer[3] & 15, "answers": answers, "address": address, "length": len(answer), "asked": len(packet)}


def resolve(name, **_):
    """What the ordinary resolver says."""
    return {"addresses": sorted({found[4][0] for found in socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)})}


def sockets(**_):
    """Which kinds of sockets can be made at all."""
    kinds = {
        "raw": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "raw6": (socket.AF_INET6, socket.SOCK_RAW, 58),
        "packet": (17, socket.SOCK_RAW, 3),
        "ping": (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP),
        "vsock": (40, socket.SOCK_STREAM, 0),
        "udplite": (socket.AF_INET, socket.SOCK_DGRAM, 136),
        "sctp": (socket.AF_INET, socket.SOCK_STREAM, 132),
    }
    return {name: outcome(lambda kind=kind: socket.socket(*kind).close() or {}) for name, kind in kinds.items()}


def netlink(**_):
    """Try to change the network as `ip` and `nft` would: an address, a route, a rule set."""
    route = struct.pack("BBBBBBBBI", 2, 0, 0, 0, 254, 4, 0, 1, 0) + struct.pack("HHI", 8, 4, 1)
    table = struct.pack("BBH", 2, 0, 0) + struct.pack("HH8s", 12, 1, b"stolen\0\0")
    return {
        "route": outcome(lambda: ask(0, 24, 0x501, route)),
        "link down": outcome(lambda: ask(0, 16, 0x5, struct.pack("BBHiII", 0, 0, 772, 1, 0, 1))),
        "nft": outcome(lambda: ask(12, (10 << 8) | 0, 0x405, table)),
        "flush": outcome(lambda: ask(12, (10 << 8) | 2, 0x5, struct.pack("BBH", 0, 0, 0))),
    }


def ask(protocol, kind, flags, body):
    """One netlink request; raises what the kernel answers."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as kernel:
        kernel.settimeout(2)
        kernel.send(struct.pack("IHHII", 16 + len(body), kind, flags, 1, 0) + body)
        number = -struct.unpack_from("i", kernel.recv(4096), 16)[0]
        if number:
            raise OSError(number, errno.errorcode.get(number, "?"))
        return {}


def everything(stream):
    """All bytes until the other side ends, a reset included, as text."""
    got = b""
    while True:
        try:
            piece = stream.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            return got.decode("latin-1") + "<reset>"
        except TimeoutError:
            return got.decode("latin-1") + "<silence>"
        if not piece:
            return got.decode("latin-1")
        got += piece


def outcome(attempt):
    """What an attempt gave, or which error it met, and how long it took."""
    began = time.monotonic()
    try:
        result = attempt()
    except OSError as error:
        code = errno.errorcode.get(error.errno, type(error).__name__) if error.errno else type(error).__name__
        result = {"error": code}
    return {**result, "seconds": round(time.monotonic() - began, 3)}


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps(outcome(lambda: globals()[asked.pop("do")](**asked))))
