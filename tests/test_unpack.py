"""Unpacking a wheel file: what comes out, what is refused, and that nothing is left behind."""

from __future__ import annotations

import os
import stat
import struct
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wheels import contents

from wheel_linker import InvalidWheelError, LinkError, unpack
from wheel_linker.unpack import member_parts, unpack_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FILES: Final[Mapping[str, bytes]] = {
    "demo/__init__.py": b"VALUE = 1\n",
    "demo/data/large.bin": bytes(range(256)) * 9000,
    "demo/empty": b"",
    "demo/caf\u00e9.txt": b"coffee",
    "demo-1.0.dist-info/METADATA": b"Name: demo\nVersion: 1.0\n",
}
UNIX: Final = 3
"""The system that made an entry, APPNOTE.TXT 4.4.2.2."""

posix_only = pytest.mark.skipif(os.name != "posix", reason="Windows has no permission bits")


def entry(name: str, mode: int = 0) -> zipfile.ZipInfo:
    """Return the description of an entry with a Unix mode."""
    info = zipfile.ZipInfo("placeholder")
    # Past the constructor, which mends some of the names that are to be refused.
    info.filename = info.orig_filename = name
    info.create_system = UNIX
    info.external_attr = mode << 16
    return info


def write_archive(path: Path, *entries: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    """Write an archive of these entries, whatever they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, data in entries:
            archive.writestr(info, data)
    return path


def patched(path: Path, *changes: tuple[bytes, bytes]) -> Path:
    """Replace bytes in a file, which must be there."""
    data = path.read_bytes()
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    path.write_bytes(data)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test puts its archive."""
    return tmp_path / "demo-1.0-py3-none-any.whl"


@pytest.fixture
def archive(path: Path) -> Path:
    """A good one."""
    return write_archive(path, *FILES.items())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where to unpack; its parent has nothing else in it."""
    (tmp_path / "parent").mkdir()
    return tmp_path / "parent" / "unpacked"


@pytest.fixture
def refused(target: Path) -> Callable[..., str]:
    """Return a function that checks that an archive is refused, and returns the message."""

    def check(path: Path, **options: int) -> str:
        with pytest.raises(InvalidWheelError) as caught:
            unpack_wheel(path, target, **options)
        assert os.listdir(target.parent) == []
        message = str(caught.value)
        assert repr(str(path)) in message
        return message

    return check


class TestContents:
    def test_come_out_as_they_went_in(self, archive: Path, target: Path, way: str) -> None:
        unpack_wheel(archive, target)
        found = {name: data for name, data in contents(target).items() if data is not None}
        assert found == FILES

    def test_of_stored_entries(self, path: Path, target: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("demo.py", b"x = 1")
        unpack_wheel(path, target)
        assert contents(target) == {"demo.py": b"x = 1"}

    def test_may_have_directories_of_their_own(self, path: Path, target: Path) -> None:
        directory = entry("demo/empty/", stat.S_IFDIR | 0o755)
        write_archive(path, ("demo/one.py", b""), (directory, b""), ("demo/empty/two.py", b""))
        unpack_wheel(path, target)
        assert {name for name, data in contents(target).items() if data is None} == {
            "demo",
            "demo/empty",
        }

    def test_may_be_very_deep(self, path: Path, target: Path, way: str) -> None:
        name = "/".join(["d"] * 300) + "/leaf.py"
        write_archive(path, (name, b"LEAF = 1"))
        unpack_wheel(path, target)
        assert (target / name).read_bytes() == b"LEAF = 1"

    def test_may_follow_something_else(self, archive: Path, target: Path) -> None:
        archive.write_bytes(b"#!/bin/sh\nexit\n" + archive.read_bytes())
        unpack_wheel(archive, target)
        assert (target / "demo/__init__.py").read_bytes() == FILES["demo/__init__.py"]

    def test_take_paths_of_any_kind(
        self, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        unpack_wheel(archive.name, "unpacked")
        unpack_wheel(os.fsencode(archive), os.fsencode(tmp_path / "again"))  # type: ignore[arg-type]
        assert contents(tmp_path / "unpacked") == contents(tmp_path / "again")


@posix_only
class TestPermissions:
    @pytest.fixture(autouse=True)
    def umask(self) -> Iterator[None]:
        before = os.umask(0o022)
        yield
        os.umask(before)

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            (0, 0o644),
            (0o644, 0o644),
            (0o600, 0o644),
            (0o444, 0o644),
            (0o755, 0o755),
            (0o100, 0o755),
            (0o6755, 0o755),
            (0o777, 0o755),
        ],
    )
    def test_tell_executables_only(
        self, path: Path, target: Path, given: int, expected: int
    ) -> None:
        write_archive(path, (entry("demo/tool", stat.S_IFREG | given), b"#!/bin/sh\n"))
        unpack_wheel(path, target)
        assert stat.S_IMODE((target / "demo/tool").stat().st_mode) == expected

    def test_obey_the_umask(self, path: Path, target: Path) -> None:
        os.umask(0o077)
        write_archive(path, (entry("tool", stat.S_IFREG | 0o755), b""), (entry("d/x", 0o644), b""))
        unpack_wheel(path, target)
        modes = {
            name: stat.S_IMODE((target / name).stat().st_mode) for name in ("tool", "d", "d/x")
        }
        assert modes == {"tool": 0o700, "d": 0o700, "d/x": 0o600}

    def test_of_directories_are_not_taken_over(self, path: Path, target: Path) -> None:
        write_archive(path, (entry("demo/", stat.S_IFDIR | 0o2000), b""), ("demo/x.py", b""))
        unpack_wheel(path, target)
        assert stat.S_IMODE((target / "demo").stat().st_mode) & 0o777 == 0o755


GOOD_NAMES: Final = (
    ("demo.py", ("demo.py",)),
    ("demo/__init__.py", ("demo", "__init__.py")),
    ("demo/", ("demo",)),
    ("...demo", ("...demo",)),
    (".hidden/..x", (".hidden", "..x")),
    ("with space/a b.py", ("with space", "a b.py")),
    ("caf\u00e9/\U0001f40d.py", ("caf\u00e9", "\U0001f40d.py")),
    ("console.py", ("console.py",)),
    ("com10.py", ("com10.py",)),
    ("auxiliary/nullable.py", ("auxiliary", "nullable.py")),
)
BAD_NAMES: Final = (
    "",
    "/",
    "/etc/passwd",
    "//server/share/x",
    "a//b",
    "a//",
    ".",
    "./a",
    "a/./b",
    "..",
    "../a",
    "a/../../b",
    "a/..",
    "..\\a",
    "a\\b",
    "C:/a",
    "C:a",
    "a/b:stream",
    "what?",
    "a|b",
    "<a>",
    'quo"te',
    "star*",
    "a\0b",
    "a\nb",
    "a\x1b[31mb",
    "a\x7f",
    "a\x9b",
    "a./b",
    "a ",
    "a/b.",
    "a /b",
    "nul",
    "CON",
    "a/aux.py",
    "Aux.tar.gz",
    "com1",
    "a/LPT9.txt",
    "com\u00b9.txt",
    "CONIN$",
    "prn .txt",
)


class TestNames:
    @pytest.mark.parametrize(("name", "parts"), GOOD_NAMES)
    def test_are_taken_apart(self, name: str, parts: tuple[str, ...]) -> None:
        assert member_parts(name) == parts

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_that_lead_elsewhere_are_refused(self, name: str) -> None:
        with pytest.raises(InvalidWheelError) as caught:
            member_parts(name)
        assert repr(name) in str(caught.value)

    @given(st.text(alphabet=st.sampled_from("ab./\\ :*\0\n\u00e9Aux1")))
    def test_that_are_not_refused_stay_below(self, name: str) -> None:
        try:
            parts = member_parts(name)
        except InvalidWheelError:
            return
        assert "/".join(parts) == name.removesuffix("/")
        assert not {"", ".", ".."} & set(parts)

    @pytest.mark.parametrize(
        "name", ["/etc/passwd", "../a", "a\\b", "C:a", "a\nb", "nul", "a.", "a/../b"]
    )
    def test_of_an_archive_are_checked(
        self, path: Path, refused: Callable[..., str], name: str
    ) -> None:
        write_archive(path, ("good.py", b""), (entry(name), b"bad"))
        message = refused(path)
        assert repr(name) in message
        assert "do not trust" in message

    def test_with_nul_are_checked_whole(self, path: Path, refused: Callable[..., str]) -> None:
        # zipfile itself reads this as good.py
        write_archive(path, ("good.py.evil", b""))
        assert "control character" in refused(patched(path, (b"good.py.evil", b"good.py\0evil")))

    def test_must_be_the_same_throughout(self, path: Path, refused: Callable[..., str]) -> None:
        write_archive(path, ("good.py", b"x"))
        data = path.read_bytes()
        path.write_bytes(data.replace(b"good.py", b"evil.py", 1))
        refused(path)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("a.py", "a.py"),
            ("a.py", "A.py"),
            ("demo/a.py", "Demo/b.py"),
            ("caf\u00e9", "cafe\u0301"),
            ("stra\u00dfe", "STRASSE"),
            ("demo", "demo/a.py"),
            ("demo/a.py", "demo"),
            ("Demo", "demo/a.py"),
            ("demo/a", "demo/a/"),
            ("demo/", "demo/"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
    def test_of_one_path_are_refused(
        self, path: Path, refused: Callable[..., str], one: str, other: str
    ) -> None:
        write_archive(path, (one, b""), (other, b""))
        assert repr(other) in refused(path)


class TestKinds:
    @pytest.mark.parametrize(
        ("kind", "word"),
        [
            (stat.S_IFLNK, "a symlink"),
            (stat.S_IFIFO, "a FIFO"),
            (stat.S_IFSOCK, "a socket"),
            (stat.S_IFCHR, "a device"),
            (stat.S_IFBLK, "a device"),
            (stat.S_IFDIR, "a directory"),
            (0o050000, "of an unknown kind"),
        ],
    )
    def test_other_than_files_are_refused(
        self, path: Path, refused: Callable[..., str], kind: int, word: str
    ) -> None:
        write_archive(path, ("good.py", b""), (entry("other", kind | 0o777), b"/etc/passwd"))
        message = refused(path)
        assert "'other'" in message
        assert word in message

    def test_of_other_systems_are_looked_at_too(
        self, path: Path, refused: Callable[..., str]
    ) -> None:
        info = entry("other", stat.S_IFLNK | 0o777)
        info.create_system = 0
        write_archive(path, (info, b"/etc/passwd"))
        assert "a symlink" in refused(path)

    def test_a_directory_has_no_content(self, path: Path, refused: Callable[..., str]) -> None:
        write_archive(path, ("dirx", b"data"))
        assert "content" in refused(patched(path, (b"dirx", b"dir/")))

    @pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_compressed_otherwise_are_refused(
        self, path: Path, refused: Callable[..., str], compression: int
    ) -> None:
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr("demo.py", b"x")
        assert "compressed" in refused(path)

    def test_encrypted_are_refused(self, path: Path, refused: Callable[..., str]) -> None:
        write_archive(path, ("demo.py", b"x"))
        data = bytearray(path.read_bytes())
        # The flags of the entry in the central directory, APPNOTE.TXT 4.3.12.
        data[data.index(b"PK\1\2") + 8] |= 0x1
        path.write_bytes(data)
        assert "encrypted" in refused(path)


class TestDamage:
    @pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all" * 100, b"PK\3\4" + bytes(50)])
    def test_no_zip_at_all(self, path: Path, refused: Callable[..., str], data: bytes) -> None:
        path.write_bytes(data)
        assert "no zip archive" in refused(path)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
    def test_cut_short(self, archive: Path, refused: Callable[..., str], share: float) -> None:
        data = archive.read_bytes()
        archive.write_bytes(data[: int(len(data) * share)])
        assert "cut short" in refused(archive)

    def test_wrong_checksum(self, path: Path, refused: Callable[..., str]) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("first.py", b"good")
            archive.writestr("demo.py", b"the right content")
        message = refused(patched(path, (b"right content", b"wrong content")))
        assert "'demo.py'" in message
        assert "damaged" in message

    @pytest.mark.parametrize("wrong", [3, 100])
    def test_wrong_size(self, path: Path, refused: Callable[..., str], wrong: int) -> None:
        write_archive(path, ("demo.py", b"0123456789"))
        right = struct.pack("<I", 10)
        data = path.read_bytes()
        central = data.index(b"PK\1\2") + 24  # the uncompressed size, APPNOTE.TXT 4.3.12
        assert data[central : central + 4] == right
        path.write_bytes(data[:central] + struct.pack("<I", wrong) + data[central + 4 :])
        assert "damaged" in refused(path)

    @given(data=st.data())
    @settings(
        max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_anywhere_is_an_error_of_ours_or_harmless(
        self, archive: Path, data: st.DataObject
    ) -> None:
        original = archive.read_bytes()
        # Where the structure is, not in the middle of the content.
        places = st.one_of(st.integers(0, 400), st.integers(-700, -1))
        changes = st.dictionaries(places, st.integers(0, 255), min_size=1, max_size=4)
        damaged = bytearray(original)
        for place, value in data.draw(changes).items():
            damaged[place] = value
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch, "damaged.whl")
            copy.write_bytes(damaged)
            try:
                unpack_wheel(copy, Path(scratch, "unpacked"), limit=10_000_000)
            except InvalidWheelError:
                assert os.listdir(scratch) == ["damaged.whl"]


class TestSize:
    def test_over_the_limit_is_refused(self, archive: Path, refused: Callable[..., str]) -> None:
        size = sum(map(len, FILES.values()))
        message = refused(archive, limit=size - 1)
        assert f"{size:,}" in message
        assert "higher limit" in message

    def test_at_the_limit_is_fine(self, archive: Path, target: Path) -> None:
        unpack_wheel(archive, target, limit=sum(map(len, FILES.values())))
        assert target.is_dir()

    def test_that_is_lied_about_does_not_fill_the_disk(
        self, path: Path, refused: Callable[..., str]
    ) -> None:
        write_archive(path, ("bomb", bytes(50_000_000)))
        refused(patched(path, (struct.pack("<I", 50_000_000), struct.pack("<I", 1000))), limit=2000)


class TestPlaces:
    def test_no_archive(self, target: Path, refused: Callable[..., str]) -> None:
        assert "no wheel at" in refused(target.parent.parent / "missing.whl")

    def test_archive_is_a_directory(self, tmp_path: Path, refused: Callable[..., str]) -> None:
        (tmp_path / "demo.whl").mkdir()
        if sys.platform != "win32":
            assert "no wheel at" in refused(tmp_path / "demo.whl")

    @posix_only
    def test_unreadable_archive(self, archive: Path, nobody: Path) -> None:
        copy = nobody / "demo.whl"
        copy.write_bytes(b"")
        copy.chmod(0)
        with pytest.raises(LinkError, match="read the wheel") as caught:
            unpack_wheel(copy, nobody / "unpacked")
        assert caught.value.source == str(copy)
        assert os.listdir(nobody) == ["demo.whl"]

    @pytest.mark.parametrize("kind", ["file", "directory", "symlink"])
    def test_target_that_is_there_is_left_alone(
        self, archive: Path, target: Path, kind: str
    ) -> None:
        if kind == "file":
            target.write_bytes(b"mine")
        elif kind == "directory":
            target.mkdir()
        else:
            target.symlink_to("elsewhere")
        before = target.lstat()
        with pytest.raises(LinkError, match="already") as caught:
            unpack_wheel(archive, target)
        assert caught.value.destination == str(target)
        assert target.lstat() == before

    def test_target_without_parent(self, archive: Path, tmp_path: Path) -> None:
        with pytest.raises(LinkError, match="unpack"):
            unpack_wheel(archive, tmp_path / "missing" / "unpacked")
        assert not (tmp_path / "missing").exists()

    def test_full_disk_leaves_nothing(
        self, path: Path, make_small_tmpfs: Callable[[str], Path]
    ) -> None:
        disk = make_small_tmpfs("size=1m")
        write_archive(path, ("one.py", b"1"), ("large", os.urandom(3_000_000)))
        with pytest.raises(LinkError, match="free some space"):
            unpack_wheel(path, disk / "unpacked")
        assert os.listdir(disk) == []

    @pytest.mark.parametrize("call", range(4))
    def test_interrupt_leaves_nothing(
        self, archive: Path, target: Path, monkeypatch: pytest.MonkeyPatch, call: int
    ) -> None:
        calls = iter([*[None] * call, KeyboardInterrupt()])
        real = unpack._unpack

        def interrupted(*arguments: object) -> None:
            error = next(calls)
            if error is not None:
                raise error
            real(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(unpack, "_unpack", interrupted)
        with pytest.raises(KeyboardInterrupt):
            unpack_wheel(archive, target)
        assert os.listdir(target.parent) == []
