"""A file that logs what a disk is asked to do: a FUSE file system with one file in it, to be mounted as a loop device.

``python -m proof.block_log IMAGE POINT LOG`` serves the file ``POINT/disk``, which has the content of ``IMAGE``, until
``POINT`` is unmounted. Each write goes to ``LOG`` with its place and data, each flush as a mark.

Protocol: include/uapi/linux/fuse.h of Linux, version 7.31.
"""

from __future__ import annotations

import ctypes
import errno
import os
import random
import stat
import struct
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

DISK: Final = "disk"
_ROOT_NODE: Final = 1
_DISK_NODE: Final = 2
_REQUEST: Final = struct.Struct("<IIQQIIII")
_ANSWER: Final = struct.Struct("<IiQ")
_RECORD: Final = struct.Struct("<QI")
_FLUSH: Final = 2**64 - 1
_LARGEST: Final = 1024 * 1024
_BIG_WRITES: Final = 1 << 5
_MAX_PAGES: Final = 1 << 22
_MINOR: Final = 31

_LOOKUP, _FORGET, _GETATTR, _SETATTR = 1, 2, 3, 4
_OPEN, _READ, _WRITE, _RELEASE, _FSYNC = 14, 15, 16, 18, 20
_FLUSH_FILE, _INIT, _INTERRUPT, _DESTROY, _BATCH_FORGET = 25, 26, 36, 38, 42
_UNANSWERED: Final = frozenset({_FORGET, _INTERRUPT, _BATCH_FORGET})


class Write(NamedTuple):
    """One write to the disk; without data it is a flush."""

    offset: int
    data: bytes | None


class Server:
    """Answers the kernel.

    :param channel: the descriptor of ``/dev/fuse``.
    :param image: that of the file which is served.
    :param log: that of the log.
    """

    def __init__(self, channel: int, image: int, log: int) -> None:
        self._channel = channel
        self._image = image
        self._log = log
        self._size = os.fstat(image).st_size
        self._handlers: dict[int, Callable[[int, bytes], bytes]] = {
            _INIT: self._init,
            _LOOKUP: self._look_up,
            _GETATTR: lambda node, _: struct.pack("<QII", 3600, 0, 0) + self._attributes(node),
            _SETATTR: lambda node, _: struct.pack("<QII", 3600, 0, 0) + self._attributes(node),
            _OPEN: lambda _, __: struct.pack("<QIi", 1, 0, 0),
            _READ: self._read,
            _WRITE: self._write,
            _FSYNC: self._flush,
            _FLUSH_FILE: lambda _, __: b"",
            _RELEASE: lambda _, __: b"",
            _DESTROY: lambda _, __: b"",
        }

    def serve(self) -> None:
        """Answer until the file system is unmounted."""
        while True:
            try:
                request = os.read(self._channel, _LARGEST + 4096)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                    continue
                raise
            _, operation, number, node, *_ = _REQUEST.unpack_from(request)
            if operation not in _UNANSWERED:
                self._answer(operation, number, node, request[_REQUEST.size :])

    def _answer(self, operation: int, number: int, node: int, body: bytes) -> None:
        handler = self._handlers.get(operation)
        code, data = -errno.ENOSYS, b""
        if handler is not None:
            try:
                code, data = 0, handler(node, body)
            except OSError as error:
                code = -(error.errno or errno.EIO)
        os.write(self._channel, _ANSWER.pack(_ANSWER.size + len(data), code, number) + data)

    def _init(self, _: int, body: bytes) -> bytes:
        readahead = struct.unpack_from("<III", body)[2]
        flags, pages = _BIG_WRITES | _MAX_PAGES, _LARGEST // 4096
        return struct.pack(
            "<IIIIHHIIHHI28x", 7, _MINOR, readahead, flags, 8, 8, _LARGEST, 1, pages, 0, 0
        )

    def _look_up(self, _: int, body: bytes) -> bytes:
        if body.rstrip(b"\0") != DISK.encode():
            raise FileNotFoundError(errno.ENOENT, DISK)
        return struct.pack("<QQQQII", _DISK_NODE, 0, 3600, 3600, 0, 0) + self._attributes(2)

    def _attributes(self, node: int) -> bytes:
        is_disk = node == _DISK_NODE
        size = self._size if is_disk else 0
        mode = stat.S_IFREG | 0o600 if is_disk else stat.S_IFDIR | 0o700
        times = (0, 0, 0, 0, 0, 0)
        return struct.pack("<6Q3I7I", node, size, size // 512, *times, mode, 1, 0, 0, 0, 4096, 0)

    def _read(self, _: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        data: bytes = os.pread(self._image, size, offset)  # type: ignore[attr-defined,unused-ignore]
        return data

    def _write(self, _: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        data = body[40 : 40 + size]
        os.pwrite(self._image, data, offset)  # type: ignore[attr-defined,unused-ignore]
        os.write(self._log, _RECORD.pack(offset, size) + data)
        return struct.pack("<II", size, 0)

    def _flush(self, _: int, __: bytes) -> bytes:
        os.write(self._log, _RECORD.pack(_FLUSH, 0))
        return b""


def read_log(path: Path) -> list[Write]:
    """Return what the disk was asked to do, in order."""
    data = path.read_bytes()
    found, at = [], 0
    while at < len(data):
        offset, size = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        found.append(Write(0, None) if offset == _FLUSH else Write(offset, data[at : at + size]))
        at += size
    return found


def crash_state(log: Sequence[Write], moment: int, chance: random.Random) -> list[Write]:
    """Return the writes that a cut at a moment leaves: all before the last flush, and some or all of those after."""
    flushed = max((n for n in range(moment) if log[n].data is None), default=0)
    kept = [write for write in log[:flushed] if write.data is not None]
    late = [write for write in log[flushed:moment] if write.data is not None]
    if chance.random() < 0.5:
        return kept + late
    return kept + [write for write in late if chance.random() < 0.5]


def main(image: str, point: str, log: str) -> None:
    """Mount the file system and serve it."""
    channel = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={channel},rootmode=40000,user_id=0,group_id=0"
    mount = ctypes.CDLL(None, use_errno=True).mount
    if mount(b"wheel_linker-tests", os.fsencode(point), b"fuse", 0, options.encode()) != 0:
        sys.exit(f"cannot mount: {os.strerror(ctypes.get_errno())}")
    print("ready", flush=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    Server(channel, os.open(image, os.O_RDWR), os.open(log, flags, 0o600)).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
