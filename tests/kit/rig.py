"""A network namespace that stands for the Internet: every address is local to it, and its resolver is ours.

`enter()` moves this process (and so everything that it starts) there, once. Nothing can reach a real network from
inside: the namespace has `lo` and nothing else. Works as root, and as an ordinary user through a user namespace.
"""

import ctypes
import fcntl
import functools
import os
import socket
import struct
import tempfile
from pathlib import Path

# Where the rig's name server listens; egressd reads it from /etc/resolv.conf like on any machine.
RESOLVER = "127.0.0.53"

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_libc = ctypes.CDLL(None, use_errno=True)


@functools.cache
def enter() -> None:
    """Move into a fresh network namespace; the second call does nothing."""
    _unshare()
    _raise_loopback()
    for family in (socket.AF_INET, socket.AF_INET6):
        _make_every_address_local(family)
    _use_our_resolver()


def _unshare() -> None:
    uid, gid = os.geteuid(), os.getegid()
    flags = _CLONE_NEWNET | _CLONE_NEWNS | (0 if uid == 0 else _CLONE_NEWUSER)
    _check(_libc.unshare(flags), "unshare: the tests need user namespaces (see `make hostcheck`) and a process with one thread")
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "make mounts private")


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0x1 | 0x40)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(control, 0x8914, request)  # SIOCSIFFLAGS
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")


def _make_every_address_local(family: int) -> None:
    """`ip route add local default dev lo`, said to the kernel directly so that no program is needed."""
    # rtmsg: family, dst_len 0, src_len, tos, table 255 (local), protocol 4 (static), scope 254 (host), type 2 (local), flags
    message = struct.pack("BBBBBBBBI", family, 0, 0, 0, 255, 4, 254 if family == socket.AF_INET else 0, 2, 0)
    message += struct.pack("HHI", 8, 4, socket.if_nametoindex("lo"))  # RTA_OIF
    if family == socket.AF_INET:
        # Without a preferred source the source address would equal the destination.
        message += struct.pack("HH4s", 8, 7, socket.inet_aton("127.0.0.1"))  # RTA_PREFSRC
    header = struct.pack("IHHII", 16 + len(message), 24, 0x1 | 0x4 | 0x400 | 0x200, 1, 0)  # RTM_NEWROUTE, REQUEST|ACK|CREATE|EXCL
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.send(header + message)
        answer = kernel.recv(4096)
    error = -struct.unpack_from("i", answer, 16)[0]
    if error:
        raise OSError(error, f"route: {os.strerror(error)}")


def _use_our_resolver() -> None:
    with tempfile.NamedTemporaryFile("w", prefix="openmiosa-resolv-", delete=False) as text:
        text.write(f"nameserver {RESOLVER}\noptions timeout:1 attempts:2\n")
    os.chmod(text.name, 0o644)
    target = os.path.realpath("/etc/resolv.conf")
    _check(_libc.mount(text.name.encode(), target.encode(), None, _MS_BIND, None), "bind /etc/resolv.conf")
    os.unlink(text.name)


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
