"""A Landlock sandbox that lets nothing be renamed or linked from one directory to another: the kernel says EXDEV."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from proof.processes import in_child
from wheels import snapshot, zip_wheel

from install.kit import check_recorded, no_litter, root_of
from wheel_linker import LinkError, LinkMode, pack_wheel, unpack_wheel, write_record
from wheel_linker._fs.moving import move
from wheel_linker._link import transaction
from wheel_linker.install import Layout, install_wheel, install_wheels, uninstall
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker._fs.folder import Folder
    from wheel_linker.store import StoredWheel

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


def destroy_bytecode(stored: StoredWheel) -> None:
    for path in Path(stored.path).parent.glob("bytecode/*/w/**/*.pyc"):
        path.write_bytes(b"")


def test_a_store(layout: Layout, older: Path, tmp_path: Path) -> None:
    """Entries are copied into place, and read once after another start: they are not on the disk yet."""
    file = zip_wheel(older, tmp_path)

    def act() -> None:
        with WheelStore(tmp_path / "store") as store:
            stored = store.add(file)
            root = Path(stored.path)
            assert (root.parent / "boot").exists()
            (root / "added").mkdir()
            (root / "added" / "more.py").write_bytes(b"")
            module = next(root.glob("*/*.py"))
            module.write_bytes(b"damaged\n")
            store.repair(stored, file)
            assert store.verify(deep=True) == []
            install_wheels([file], layout, store=store)
            check_recorded(layout, "demo-1.0.dist-info")
            install_wheels([file], layout, store=store, compile_bytecode=True)
            destroy_bytecode(stored)
            store.compile([stored], layout)
            assert store.verify(deep=True) == []
            destroy_bytecode(stored)
            store.repair(stored, file)
            assert store.verify(deep=True) == []
        with WheelStore(tmp_path / "store") as store:
            assert [one.name for one in store.prune(unused_for=0)] == [stored.entry]
        assert os.listdir(tmp_path / "store" / ".store" / "staging") == []

    in_sandbox(act)
    assert not list(tmp_path.rglob(".wheel_linker*"))


def test_unpacking_and_packing(older: Path, tmp_path: Path) -> None:
    file = zip_wheel(older, tmp_path)

    def act() -> None:
        unpack_wheel(file, tmp_path / "again")
        write_record(tmp_path / "again")
        pack_wheel(tmp_path / "again", tmp_path / "packed")

    in_sandbox(act)
    assert (tmp_path / "packed" / file.name).exists()
    assert not list(tmp_path.rglob(".wheel_linker*"))
