"""Reads another process's memory: through /proc/PID/mem, or by process_vm_readv where a process has closed its files in /proc.

A process that made itself undumpable belongs to root in /proc. Whoever made its user namespace may still read its
memory; the kernel only wants to be asked by the system call.
"""

import ctypes
import os
from types import TracebackType
from typing import Self


class _Piece(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Memory:
    """The memory of one process, to be read at addresses of its own."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._file: int | None = None
        try:
            self._file = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        except PermissionError:
            self._call = ctypes.CDLL(None, use_errno=True).process_vm_readv

    def read(self, start: int, length: int) -> bytes:
        """Bytes from `start` on; fewer than asked for where the mapping ends."""
        if self._file is not None:
            return os.pread(self._file, length, start)
        buffer = ctypes.create_string_buffer(length)
        here, there = _Piece(ctypes.addressof(buffer), length), _Piece(start, length)
        count = self._call(self.pid, ctypes.byref(here), ctypes.c_ulong(1), ctypes.byref(there), ctypes.c_ulong(1), ctypes.c_ulong(0))
        if count < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return buffer.raw[:count]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            os.close(self._file)
