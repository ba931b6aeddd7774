"""A Landlock sandbox that lets nothing be renamed or linked from one directory to another: the kernel says EXDEV."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from typing import TYPE_CHECKING, Final

import pytest
from proof.processes import in_child
from wheels import snapshot

from install.kit import check_recorded, no_litter, root_of
from wheel_linker import LinkError, LinkMode
from wheel_linker._fs.moving import move
from wheel_linker._link import transaction
from wheel_linker.install import Layout, install_wheel, uninstall

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wheel_linker._fs.folder import Folder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Landlock is of Linux")
# <linux/landlock.h>; these numbers of system calls are the same on every machine but Alpha.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_EVERYTHING: Final = (1 << 13) - 1
"""The rights of its first version, which has none to move entries between directories."""
_NO_NEW_PRIVILEGES: Final = 38
_NO_LANDLOCK: Final = 77
# <fcntl.h>: PyPy lacks the name.
_PATH: Final[int] = getattr(os, "O_PATH", 0o10000000)


def restrict() -> None:
    """Allow this process everything but to move or link entries from one directory to another."""
    libc = ctypes.CDLL(None, use_errno=True)
    attribute = ctypes.create_string_buffer(struct.pack("=Q", _EVERYTHING), 8)
    rules = libc.syscall(_CREATE, attribute, ctypes.c_size_t(8), 0)
    if rules < 0:
        os._exit(_NO_LANDLOCK)
    root = os.open("/", _PATH)
    rule = ctypes.create_string_buffer(struct.pack("=Qi", _EVERYTHING, root), 12)
    assert libc.syscall(_ADD, rules, 1, rule, 0) == 0
    assert libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    assert libc.syscall(_RESTRICT, rules, 0) == 0


def in_sandbox(action: Callable[[], object]) -> None:
    def restricted() -> None:
        restrict()
        action()

    status = in_child(restricted)
    if status == _NO_LANDLOCK:
        pytest.skip("no Landlock")
    assert status == 0


def test_installing_upgrading_and_uninstalling(
    layout: Layout, older: Path, newer: Path, mode: LinkMode
) -> None:
    def act() -> None:
        install_wheel(older, layout, mode=mode)
        check_recorded(layout, "demo-1.0.dist-info")
        install_wheel(newer, layout, mode=mode)
        check_recorded(layout, "demo-2.0.dist-info")
        assert no_litter(root_of(layout))
        uninstall("demo", layout)
        assert not list(root_of(layout).rglob("*demo*"))

    in_sandbox(act)
    assert not list(root_of(layout).rglob(".wheel_linker*"))


def test_what_fails_is_undone(
    layout: Layout, older: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_wheel(older, layout, mode="copy")
    before = snapshot(root_of(layout))

    def fail(source: Folder, name: str, target: Folder, new: str) -> None:
        move(source, name, target, new)
        if name == "demo-2.0.dist-info":
            raise OSError(5, "as a disk that is broken")

    def act() -> None:
        monkeypatch.setattr(transaction, "move", fail)
        with pytest.raises(LinkError, match="broken"):
            install_wheel(newer, layout, mode="copy")

    in_sandbox(act)
    assert snapshot(root_of(layout)) == before
