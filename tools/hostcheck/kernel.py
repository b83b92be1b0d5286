"""Tries in a child what a sandbox needs of the kernel, in the order in which a sandbox needs it.

Some kernels let the first step succeed and refuse the next, so that only trying tells. Plain Python 3.8.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

STEPS = ("user namespace", "mount", "network", "tproxy")
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
NETLINK_NETFILTER = 12


def probe() -> dict[str, str]:
    """{step: ""} when it worked, {step: error} where it stopped."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        status = 1
        try:
            status = _steps(writer)
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        lines = [line.rstrip("\n").partition("\t") for line in pipe]
    os.waitpid(child, 0)
    return {name: error for name, _, error in lines}


def setting(name: str) -> str:
    """A value below /proc/sys, or an empty string."""
    try:
        with open("/proc/sys/" + name) as file:
            return file.read().strip()
    except OSError:
        return ""


def in_container() -> bool:
    """Whether this is a container, as far as it can be told."""
    return os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv")


def _steps(writer: int) -> int:
    for name, step in zip(STEPS, (_user_namespace, _mount, _network, _tproxy)):  # noqa: B905 - Python 3.8 knows no strict
        try:
            step()
            error = ""
        except OSError as problem:
            error = problem.strerror or str(problem)
        os.write(writer, "{}\t{}\n".format(name, error).encode())
        if error:
            return 1
    return 0


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, "{}: {}".format(name, os.strerror(number)))


def _user_namespace() -> None:
    uid, gid = os.getuid(), os.getgid()
    _call("unshare", CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", "0 {} 1".format(uid)), ("gid_map", "0 {} 1".format(gid))):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)


def _mount() -> None:
    _call("unshare", CLONE_NEWNS)
    _call("mount", b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
    _call("mount", b"tmpfs", b"/tmp", b"tmpfs", ctypes.c_ulong(0), None)
    for name in ("upper", "work", "lower", "all"):
        os.mkdir("/tmp/" + name)
    options = b"lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work,userxattr"
    _call("mount", b"overlay", b"/tmp/all", b"overlay", ctypes.c_ulong(0), options)


def _network() -> None:
    _call("unshare", CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def _tproxy() -> None:
    """One table, one chain and one rule that ends in tproxy, as a netlink batch."""
    port = _attribute(1, struct.pack(">H", 15001))
    immediate = _expression(b"immediate\0", _number(1, 1) + _nested(2, port))
    tproxy = _expression(b"tproxy\0", _number(1, 0) + _number(3, 1))
    table, chain = b"openmiosa_probe\0", b"prerouting\0"
    hook = _nested(4, _number(1, 0) + struct.pack("=HH", 8, 2) + struct.pack(">i", -150))
    batch = _message(0x10, 0, b"", family=0, resource=10)
    batch += _message(0x0A00, 1, _attribute(1, table))
    batch += _message(0x0A03, 2, _attribute(1, table) + _attribute(3, chain) + hook + _attribute(7, b"filter\0"))
    batch += _message(0x0A06, 3, _attribute(1, table) + _attribute(2, chain) + _nested(4, immediate + tproxy))
    batch += _message(0x11, 4, b"", family=0, resource=10)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as netlink:
        netlink.settimeout(10)
        netlink.bind((0, 0))
        netlink.send(batch)
        for _ in range(3):
            _raise_refusal(netlink.recv(65536))


def _raise_refusal(reply: bytes) -> None:
    error = struct.unpack_from("=i", reply, 16)[0]
    if error:
        raise OSError(-error, "nft: " + os.strerror(-error))


def _message(kind: int, sequence: int, body: bytes, family: int = 1, resource: int = 0) -> bytes:
    request, acknowledge, create = 1, 4, 0x400
    flags = request | (acknowledge | create if family else 0)
    payload = struct.pack(">BBH", family, 0, resource) + body
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 0) + payload


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _nested(kind: int, value: bytes) -> bytes:
    return _attribute(kind | 0x8000, value)


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack(">I", value))


def _expression(name: bytes, data: bytes) -> bytes:
    return _nested(1, _attribute(1, name) + _nested(2, data))
