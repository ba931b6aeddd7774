"""What an installed distribution says of itself, in the head of its ``METADATA`` or ``PKG-INFO``."""

from __future__ import annotations

import os
from typing import Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.copying import close_quietly
from wheel_linker._fs.reading import FOLLOW, regular_size

_WHERE: Final = {
    ".dist-info": "METADATA",
    ".egg-info": "PKG-INFO",
    ".egg": os.path.join("EGG-INFO", "PKG-INFO"),
}
# The three fields that come first take a hundred bytes.
_MUCH: Final = 4096


class Said(NamedTuple):
    """A distribution's name and version as it writes them; empty if it does not say."""

    name: str
    version: str


def read_said(path: str, suffix: str) -> Said:
    """Read what a distribution says of itself.

    :param path: of its ``*.dist-info`` or what older tools leave.
    :param suffix: with which that ends.
    """
    head = _head(os.path.join(path, _WHERE.get(suffix, "")))
    if head is None and suffix == ".egg-info":  # the file itself, as distutils wrote it
        head = _head(path)
    return _parsed(head or b"")


def _head(path: str) -> bytes | None:
    try:
        # Linked in symlink mode it is a symlink, which is followed here.
        fd = os.open(path, FOLLOW)
    except OSError:
        return None
    try:
        regular_size(fd, path)
        return os.read(fd, _MUCH)
    except OSError:
        return None
    finally:
        close_quietly(fd)


def _parsed(head: bytes) -> Said:
    name = version = ""
    for line in head.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition(":")
        field = key.lower()
        if field == "name":
            name = name or value.strip()
        elif field == "version":
            version = version or value.strip()
        if not line or (name and version):
            break
    return Said(name, version)
