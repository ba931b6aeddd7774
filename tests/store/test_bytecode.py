"""What a store knows of the bytecode that it keeps, and what becomes of it when something is damaged."""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from store.archives import write_wheel
from wheel_linker import InvalidWheelError, LinkError
from wheel_linker.install import Layout, install_wheels
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from wheel_linker.store import StoredWheel


class Interpreter(NamedTuple):
    """One that compiles."""

    python: str = sys.executable
    tag: str | None = "some-tag"

    def bytecode_tag(self) -> str | None:
        return self.tag


def kept(stored: StoredWheel) -> Path:
    """Return where an entry's bytecode of level 0 is."""
    return Path(stored.path).with_name("bytecode") / "some-tag-0"


def one_file(stored: StoredWheel) -> Path:
    (found,) = (kept(stored) / "w" / "__pycache__").glob("single.*")
    return found


def test_what_there_is(store: WheelStore, stored: StoredWheel) -> None:
    (plain,) = store.entries()
    (made,) = store.compile([stored], Interpreter())
    files = [path for path in (kept(stored) / "w").rglob("*") if path.is_file()]
    assert (made.entry, made.files, made.not_compiled) == (stored.entry, len(files), ())
    assert made.size == sum(path.stat().st_size for path in files)
    (entry,) = store.entries()
    assert entry == plain._replace(bytecode=made.size, used=entry.used)
    assert entry.whole_size == entry.size + made.size
    assert store.verify(deep=True) == []
    assert store.compile([stored.digest, entry], Interpreter()) == [made, made]


def test_each_kind_and_level(store: WheelStore, stored: StoredWheel) -> None:
    for tag in ("some-tag", "other-tag"):
        for level in (0, 1, 2):
            store.compile([stored], Interpreter(tag=tag), optimize=level)
    names = sorted(path.name for path in kept(stored).parent.iterdir())
    assert names == [f"{tag}-{level}" for tag in ("other-tag", "some-tag") for level in (0, 1, 2)]
    assert store.compile([stored], Interpreter(tag=None)) == []


@pytest.mark.parametrize("deed", ["remove", "shorten", "description"])
def test_damage_is_found_and_made_anew(
    store: WheelStore, stored: StoredWheel, wheel_file: Path, deed: str
) -> None:
    (made,) = store.compile([stored], Interpreter())
    path = one_file(stored)
    if deed == "remove":
        path.unlink()
    elif deed == "shorten":
        path.write_bytes(b"")
    else:
        path = kept(stored) / "entry"
        path.write_bytes(b"")
    (damage,) = store.verify()
    assert damage.path == f"../bytecode/some-tag-0/{path.relative_to(kept(stored)).as_posix()}"
    assert damage.kind == ("missing" if deed == "remove" else "changed")
    if deed == "shorten":
        assert store.repair(stored, wheel_file) == [damage._replace(entry=damage.entry)]
        assert list(kept(stored).parent.iterdir()) == []
    assert store.compile([stored], Interpreter()) == [made]
    assert store.verify(deep=True) == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
@pytest.mark.parametrize("name", ["", "some-tag-0"])
@pytest.mark.parametrize("what", ["file", "itself", "elsewhere"])
def test_what_lies_in_its_place_goes(
    store: WheelStore, stored: StoredWheel, wheel_file: Path, name: str, what: str
) -> None:
    (made,) = store.compile([stored], Interpreter())
    path = kept(stored).parent / name
    path.rename(store.root + "-before")
    if what == "file":
        path.touch()
    else:
        path.symlink_to(path.name if what == "itself" else store.root + "-before")
    assert [entry.name for entry in store.entries()] == [stored.entry]
    store.verify(deep=True)
    assert store.add(wheel_file) == stored
    assert store.compile([stored], Interpreter()) == [made]
    # What somebody has moved to another disk is of use there, too.
    assert path.is_symlink() == (what == "elsewhere")
    assert store.verify(deep=True) == []
    store.remove(stored)


@pytest.mark.skipif(sys.platform == "win32", reason="no FIFOs")
@pytest.mark.parametrize("what", ["fifo", "device", "nothing"])
def test_what_is_no_source_is_not_waited_for(
    store: WheelStore, stored: StoredWheel, wheel_file: Path, tmp_path: Path, what: str
) -> None:
    source = Path(stored.path, "single.py")
    source.unlink()
    if what == "fifo":
        os.mkfifo(source)  # type: ignore[attr-defined,unused-ignore]
    elif what == "device":
        source.symlink_to("/dev/zero")
    layout = Layout.for_target(tmp_path / "site")

    def too_late(*_: object) -> None:
        raise RuntimeError

    before = signal.signal(signal.SIGALRM, too_late)  # type: ignore[attr-defined,unused-ignore]
    signal.alarm(20)  # type: ignore[attr-defined,unused-ignore]
    try:
        install_wheels([wheel_file], layout, store=store, compile_bytecode=True)
    finally:
        signal.alarm(0)  # type: ignore[attr-defined,unused-ignore]
        signal.signal(signal.SIGALRM, before)  # type: ignore[attr-defined,unused-ignore]
    assert list((tmp_path / "site" / "__pycache__").glob("single.*"))
    assert store.verify(deep=True) == []


def test_flipped_bytes_are_found(store: WheelStore, stored: StoredWheel) -> None:
    store.compile([stored], Interpreter())
    path = one_file(stored)
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert store.verify() == []
    assert [damage.kind for damage in store.verify(deep=True)] == ["changed"]


def test_a_mended_source_loses_it(store: WheelStore, stored: StoredWheel, wheel_file: Path) -> None:
    """What was compiled of the destroyed source would be taken for that of the right one."""
    source = Path(stored.path, "single.py")
    status = source.stat()
    source.write_bytes(b"SINGLE = 7\n")
    os.utime(source, ns=(status.st_mtime_ns, status.st_mtime_ns))
    store.compile([stored], Interpreter())
    assert [damage.path for damage in store.repair(stored, wheel_file)] == ["single.py"]
    assert not kept(stored).exists()


def test_a_copied_store_compiles_anew(store: WheelStore, stored: StoredWheel) -> None:
    store.compile([stored], Interpreter())
    before = one_file(stored).read_bytes()
    for source in Path(stored.path).rglob("*.py"):
        os.utime(source, ns=(10**18, 10**18))
    store.compile([stored], Interpreter())
    assert one_file(stored).read_bytes()[8:12] != before[8:12]


def test_it_goes_with_its_entry(store: WheelStore, stored: StoredWheel, root: Path) -> None:
    store.compile([stored], Interpreter())
    os.link(one_file(stored), root.parent / "linked")
    (entry,) = store.entries()
    store.close()
    (removed,) = store.prune(max_bytes=entry.size)
    assert removed.frees is not None
    assert entry.whole_size - removed.frees == (root.parent / "linked").stat().st_size
    assert not (root / entry.name).exists()


def test_sizes_count(store: WheelStore, stored: StoredWheel) -> None:
    store.compile([stored], Interpreter())
    (entry,) = store.entries()
    store.close()
    assert store.prune(max_bytes=entry.whole_size) == []


def test_protected(root: Path, wheel_file: Path) -> None:
    with WheelStore(root, protect=True) as store:
        stored = store.add(wheel_file)
        store.compile([stored], Interpreter())
        assert not one_file(stored).stat().st_mode & stat.S_IWUSR
        assert store.verify(deep=True) == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
@pytest.mark.parametrize("number", [errno.EPERM, 524])
def test_where_times_and_permissions_cannot_be_set(
    root: Path, wheel_file: Path, tmp_path: Path, number: int
) -> None:
    python = tmp_path / "python"
    python.write_text(
        f"#!{sys.executable}\nimport os, sys\ndef refuse(*_, **__): raise OSError({number}, 'no')\n"
        "os.utime = os.chmod = refuse\nprogram = sys.argv[4]\ndel sys.argv[1:5]\nexec(program)\n"
    )
    python.chmod(0o755)
    with WheelStore(root, protect=True) as store:
        stored = store.add(wheel_file)
        (made,) = store.compile([stored], Interpreter(os.fspath(python)))
        assert made.files > 0
        assert store.verify(deep=True) == []


def test_not_durable(root: Path, wheel_file: Path) -> None:
    with WheelStore(root, durable=False) as store:
        stored = store.add(wheel_file)
        (made,) = store.compile([stored], Interpreter())
        (kept(stored) / "boot").write_bytes(b"another boot")
        one_file(stored).write_bytes(bytes(one_file(stored).stat().st_size))
        # What a power cut may leave is made anew.
        assert store.compile([stored], Interpreter()) == [made]
        assert store.verify(deep=True) == []


def test_verifying_reads_what_may_have_been_lost(root: Path, wheel_file: Path) -> None:
    with WheelStore(root, durable=False) as store:
        stored = store.add(wheel_file)
        store.compile([stored], Interpreter())
        lost = one_file(stored)
        times = lost.stat()
        lost.write_bytes(bytes(times.st_size))
        os.utime(lost, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert store.verify() == []
        (kept(stored) / "boot").write_bytes(b"another boot")
        assert [damage.path.rpartition("/")[2] for damage in store.verify()] == [lost.name]


def test_errors(store: WheelStore, stored: StoredWheel, tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="missing"):
        store.compile([stored], Interpreter(os.fspath(tmp_path / "missing")))
    with pytest.raises(LinkError, match="its tag"):
        store.compile([stored], Interpreter(tag="../up"))
    with pytest.raises(ValueError, match="optimize"):
        store.compile([stored], Interpreter(), optimize=3)
    with pytest.raises(InvalidWheelError, match="add the wheel"):
        store.compile(["a" * 52], Interpreter())
    assert not kept(stored).exists()
    assert list(Path(store.root, ".store", "staging").iterdir()) == []


def test_odd_names(store: WheelStore, tmp_path: Path) -> None:
    wheel = write_wheel(
        tmp_path / "odd" / "demo-1.0-py3-none-any.whl",
        {"a b.py": b"", "caf\u00e9.py": b"", "two.dots.py": b"", "bad.py": b"print 1\n"},
    )
    (made,) = store.compile([store.add(wheel)], Interpreter())
    assert made.not_compiled == ("bad.py",)
    assert made.files == 6
