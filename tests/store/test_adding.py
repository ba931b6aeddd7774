"""Adding wheels: what comes out, what is known again, and what is not."""

from __future__ import annotations

import os
import pickle
import stat
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pytest

from store.archives import (
    DIST_INFO,
    EXECUTABLES,
    FILES,
    NAME,
    RECORD,
    claim,
    files_below,
    info,
    record_of,
    sha256_of,
    with_record,
    write_archive,
    write_wheel,
)
from store.conftest import entry_names, litter, settle
from wheel_linker import InvalidWheelError, LinkError, UnpackedWheel, WheelFilename, link_wheels
from wheel_linker._archive import checks, member_data, unpacking
from wheel_linker.store import Limits, StoredWheel, WheelStore, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.mark.usefixtures("inflating")
class TestContents:
    def test_come_out_as_they_went_in(self, store: WheelStore, wheel_file: Path) -> None:
        stored = store.add(wheel_file)
        assert files_below(stored.path) == with_record(FILES)

    def test_of_stored_members(self, store: WheelStore, tmp_path: Path) -> None:
        wheel = write_wheel(tmp_path / NAME, compression=zipfile.ZIP_STORED)
        assert files_below(store.add(wheel).path) == with_record(FILES)

    def test_through_paths(
        self, store: WheelStore, wheel_file: Path, way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert files_below(store.add(wheel_file).path) == with_record(FILES)

    def test_of_members_of_unknown_size(self, store: WheelStore, tmp_path: Path) -> None:
        # As written to a pipe: sizes follow the data, APPNOTE.TXT 4.3.9.
        path = tmp_path / NAME
        with (
            path.open("wb") as raw,
            zipfile.ZipFile(cast("BinaryIO", _NoSeek(raw)), "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for name, data in with_record(FILES).items():
                archive.writestr(info(name), data)
        assert files_below(store.add(path).path) == with_record(FILES)

    def test_in_zip64(self, store: WheelStore, tmp_path: Path) -> None:
        path = tmp_path / NAME
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in with_record(FILES).items():
                with archive.open(info(name), "w", force_zip64=True) as member:
                    member.write(data)
        assert files_below(store.add(path).path) == with_record(FILES)

    @pytest.mark.parametrize("kind", [stat.S_IFDIR, 0, stat.S_IFREG])
    def test_with_a_comment_and_directories(
        self, store: WheelStore, tmp_path: Path, kind: int
    ) -> None:
        """Some tools give all entries one mode; it is the name that makes a directory."""
        path = write_wheel(tmp_path / NAME)
        with zipfile.ZipFile(path, "a") as archive:
            archive.comment = b"built by hand"
            archive.writestr(info("demo/nothing/", kind | 0o755), b"")
        assert files_below(store.add(path).path) == with_record(FILES)

    def test_with_signatures(self, store: WheelStore, tmp_path: Path) -> None:
        signed = {**with_record(FILES), f"{RECORD}.jws": b"{}", f"{RECORD}.p7s": b"x"}
        path = write_archive(tmp_path / NAME, signed)
        assert files_below(store.add(path).path) == signed

    @pytest.mark.parametrize("algorithm", ["sha384", "sha512", "blake2b"])
    def test_with_other_hashes(self, store: WheelStore, tmp_path: Path, algorithm: str) -> None:
        rows = [f'"{name}",{claim(data, algorithm)},' for name, data in FILES.items()]
        record = "\r\n".join([*rows, f"{RECORD},,", ""]).encode()
        path = write_archive(tmp_path / NAME, {**FILES, RECORD: record})
        stored = store.add(path)
        assert store.verify(stored, deep=True) == []

    @pytest.mark.parametrize("limit", ["_LARGE", "_HUGE"])
    @pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_of_large_members(
        self,
        store: WheelStore,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        limit: str,
        compression: int,
    ) -> None:
        monkeypatch.setattr(unpacking, limit, 1000)
        monkeypatch.setattr(member_data, "PIECE", 70_000)
        large = {f"demo/{number}.bin": os.urandom(200_000) * 2 for number in range(5)}
        path = write_wheel(tmp_path / NAME, large, compression=compression)
        stored = store.add(path, sha256=sha256_of(path))
        assert files_below(stored.path) == with_record({**FILES, **large})

    def test_keep_executables(self, store: WheelStore, wheel_file: Path) -> None:
        stored = Path(store.add(wheel_file).path)
        modes = {name: (stored / name).stat().st_mode & 0o111 for name in FILES}
        if sys.platform != "win32":
            assert {name for name, bits in modes.items() if bits} == EXECUTABLES

    def test_do_not_follow_the_archives_times(self, store: WheelStore, wheel_file: Path) -> None:
        stored = Path(store.add(wheel_file).path)
        times = {(stored / name).stat().st_mtime_ns for name in FILES}
        assert len(times) == 1
        assert abs(times.pop() / 1e9 - time.time()) < 60

    def test_from_many_threads(self, root: Path, tmp_path: Path) -> None:
        many = {f"demo/{number}.py": os.urandom(3000) for number in range(3000)}
        path = write_wheel(tmp_path / NAME, many)
        with WheelStore(root, jobs=8) as store:
            assert files_below(store.add(path).path) == with_record({**FILES, **many})

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows may have no such long paths")
    def test_may_be_very_deep(self, store: WheelStore, tmp_path: Path, way: str) -> None:
        name = "/".join(["d"] * 300) + "/leaf.py"
        stored = store.add(write_wheel(tmp_path / NAME, {name: b"LEAF = 1"}))
        assert Path(stored.path, name).read_bytes() == b"LEAF = 1"


def test_of_more_files_than_zip_can_count(store: WheelStore, tmp_path: Path) -> None:
    many = {f"demo/{number % 300}/{number}.py": b"" for number in range(70_000)}
    stored = store.add(write_wheel(tmp_path / NAME, many))
    (entry,) = store.entries()
    assert entry.files == len(FILES) + len(many) + 1
    assert Path(stored.path, "demo/299/69899.py").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
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
            (0o444, 0o644),
            (0o600, 0o644),
            (0o100, 0o755),
            (0o777, 0o755),
            (0o6755, 0o755),
        ],
    )
    def test_tell_executables_only(
        self, store: WheelStore, tmp_path: Path, given: int, expected: int
    ) -> None:
        def change(entry: zipfile.ZipInfo) -> None:
            if entry.filename == "single.py":
                entry.external_attr = given << 16

        stored = store.add(write_archive(tmp_path / NAME, with_record(FILES), change=change))
        assert stat.S_IMODE(Path(stored.path, "single.py").stat().st_mode) == expected

    def test_obey_the_umask(self, store: WheelStore, wheel_file: Path) -> None:
        os.umask(0o077)
        stored = Path(store.add(wheel_file).path)
        modes = [
            stat.S_IMODE((stored / name).stat().st_mode)
            for name in ("demo", "single.py", "demo/tool.sh")
        ]
        assert modes == [0o700, 0o600, 0o700]


class _NoSeek:
    """A file that is written from front to back only."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


class TestResult:
    def test_is_an_unpacked_wheel(self, stored: StoredWheel, wheel_file: Path, root: Path) -> None:
        assert isinstance(stored, UnpackedWheel)
        assert stored.filename == WheelFilename.parse(wheel_file.name)
        assert stored.digest == sha256_of(wheel_file)
        assert Path(stored.path).is_relative_to(root)

    def test_has_a_short_path(self, stored: StoredWheel, root: Path) -> None:
        # ext4 keeps a symlink's target of up to 59 bytes in the inode.
        assert len(os.path.relpath(stored.path, root)) <= 12

    def test_can_be_linked(self, stored: StoredWheel, site: Path) -> None:
        (report,) = link_wheels(site, [stored], mode="copy")
        assert report.files == len(FILES) + 1

    def test_pickles_as_a_plain_one(self, stored: StoredWheel) -> None:
        again = pickle.loads(pickle.dumps(stored))
        assert type(again) is UnpackedWheel
        assert again == stored

    def test_takes_paths_of_any_kind(
        self, store: WheelStore, wheel_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(wheel_file.parent)
        first = store.add(wheel_file.name)
        assert store.add(str(wheel_file)) == first
        assert store.add(os.fsencode(wheel_file)) == first  # type: ignore[arg-type]


COUNTED = ("stat", "open", "lstat", "utime", "listdir", "scandir", "pread", "mkdir")


def counted(calls: list[str], name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that notes its name before it does what another does."""

    def call(*arguments: Any, **options: Any) -> Any:
        calls.append(name)
        return real(*arguments, **options)

    return call


class TestKnownFile:
    def test_costs_a_stat_of_each_file(
        self, store: WheelStore, wheel_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = store.add(wheel_file)
        calls: list[str] = []
        for name in COUNTED:
            monkeypatch.setattr(os, name, counted(calls, name, getattr(os, name)))
        again = store.add(wheel_file)
        monkeypatch.undo()
        assert again == first
        # Opened are the entry, its tree and the manifest. What may be noted of the boot and of problems of
        # its RECORD is not there.
        assert Counter(calls) == {"stat": 1, "lstat": len(with_record(FILES)) + 1, "open": 5}

    def test_is_known_to_other_store_objects(
        self, stored: StoredWheel, root: Path, wheel_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("wheel_linker.store.finding.WheelFile", None)
        with WheelStore(root) as other:
            assert other.add(wheel_file) == stored

    def test_of_180_wheels_costs_no_more_for_each(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """How long that takes the benchmark tells; here it counts that nothing is read again for each of them."""
        paths = []
        for number in range(180):
            name = f"demo{number}"
            files = {f"{name}-1.0.dist-info/METADATA": b""}
            record = record_of(files, f"{name}-1.0.dist-info/RECORD")
            path = tmp_path / f"{name}-1.0-py3-none-any.whl"
            paths.append(write_archive(path, {**files, f"{name}-1.0.dist-info/RECORD": record}))
        settle(paths[-1])
        with WheelStore(root) as store:
            store.add_all(paths)
        calls: list[str] = []
        with WheelStore(root) as store:
            store.add(paths[0])  # reads the index
            for name in COUNTED:
                monkeypatch.setattr(os, name, counted(calls, name, getattr(os, name)))
            store.add(paths[1])
            of_one = Counter(calls)
            calls.clear()
            store.add_all(paths[2:])
            monkeypatch.undo()
        assert of_one
        assert Counter(calls) == Counter({name: 178 * number for name, number in of_one.items()})

    def test_at_another_path_is_the_same_entry(
        self, store: WheelStore, stored: StoredWheel, wheel_file: Path, tmp_path: Path
    ) -> None:
        copy = tmp_path / "copy" / NAME
        copy.parent.mkdir()
        copy.write_bytes(wheel_file.read_bytes())
        assert store.add(copy) == stored
        assert len(store.entries()) == 1

    def test_with_another_build_tag_is_the_same_entry(
        self, store: WheelStore, stored: StoredWheel, wheel_file: Path
    ) -> None:
        renamed = wheel_file.with_name("demo-1.0-7-py3-none-any.whl")
        renamed.write_bytes(wheel_file.read_bytes())
        again = store.add(renamed)
        assert (again.path, str(again.filename)) == (stored.path, renamed.name)

    def test_under_another_project_is_refused(
        self, store: WheelStore, stored: StoredWheel, wheel_file: Path
    ) -> None:
        renamed = wheel_file.with_name("other-1.0-py3-none-any.whl")
        renamed.write_bytes(wheel_file.read_bytes())
        with pytest.raises(InvalidWheelError, match="rename it"):
            store.add(renamed)

    def test_touched_is_known_by_its_content(
        self,
        store: WheelStore,
        stored: StoredWheel,
        wheel_file: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        os.utime(wheel_file)
        monkeypatch.setattr("wheel_linker.store._adding.batch.unpack_entry", None)
        assert store.add(wheel_file) == stored

    def test_just_written_is_not_trusted(self, store: WheelStore, tmp_path: Path) -> None:
        # Twice within one tick of the file system's clock, in place, with the time set back.
        path = write_wheel(tmp_path / NAME)
        first = store.add(path)
        status = path.stat()
        changed = write_wheel(tmp_path / "other" / NAME, {"demo/__init__.py": b"VALUE = 2\n"})
        path.write_bytes(changed.read_bytes())
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        second = store.add(path)
        assert second.path != first.path
        assert Path(second.path, "demo/__init__.py").read_bytes() == b"VALUE = 2\n"

    @pytest.mark.parametrize("how", ["in place", "replaced"])
    def test_rebuilt_is_a_new_entry(self, store: WheelStore, tmp_path: Path, how: str) -> None:
        wheel_file = settle(write_wheel(tmp_path / NAME, compression=zipfile.ZIP_STORED))
        store.add(wheel_file)
        before = wheel_file.stat()
        changes = {"demo/__init__.py": b"VALUE = 2\n"}
        new = write_wheel(tmp_path / "new" / NAME, changes, compression=zipfile.ZIP_STORED)
        assert new.stat().st_size == before.st_size
        if how == "in place":
            wheel_file.write_bytes(new.read_bytes())
        else:
            new.replace(wheel_file)
        os.utime(wheel_file, ns=(before.st_atime_ns, before.st_mtime_ns))
        again = store.add(wheel_file)
        assert Path(again.path, "demo/__init__.py").read_bytes() == b"VALUE = 2\n"
        assert len(store.entries()) == 2


class TestDigest:
    def test_that_is_right(self, store: WheelStore, wheel_file: Path) -> None:
        digest = sha256_of(wheel_file)
        for given in (digest, digest.upper(), digest):
            assert store.add(wheel_file, sha256=given).digest == digest

    @pytest.mark.parametrize("known", [False, True])
    def test_that_is_wrong(
        self, store: WheelStore, root: Path, wheel_file: Path, known: bool
    ) -> None:
        if known:
            store.add(wheel_file)
        before = entry_names(root)
        with pytest.raises(InvalidWheelError, match="should have 0000"):
            store.add(wheel_file, sha256="0" * 64)
        assert entry_names(root) == before
        assert litter(root) == []

    def test_that_is_none(self, store: WheelStore, wheel_file: Path) -> None:
        with pytest.raises(ValueError, match="hexadecimal"):
            store.add(wheel_file, sha256="sha256:abc")

    def test_is_of_the_bytes_that_were_unpacked(
        self, store: WheelStore, wheel_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = write_wheel(tmp_path / "new" / NAME, {"demo/__init__.py": b"VALUE = 2\n"})
        real = checks.examine

        def rebuild_meanwhile(*arguments: object) -> checks.Contents:
            found = real(*arguments)  # type: ignore[arg-type]
            with wheel_file.open("r+b") as file:
                file.write(other.read_bytes())
            return found

        monkeypatch.setattr("wheel_linker.store._entry.making.examine", rebuild_meanwhile)
        with pytest.raises(InvalidWheelError):
            store.add(wheel_file)
        monkeypatch.undo()
        assert store.add(wheel_file).digest == sha256_of(other)

    def test_that_begins_like_another(
        self,
        store: WheelStore,
        stored: StoredWheel,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        real = names.names_for
        monkeypatch.setattr(
            "wheel_linker.store._adding.placing.names_for",
            lambda d: (stored.entry, *list(real(d))[1:]),
        )
        monkeypatch.setattr(
            "wheel_linker.store.entries.names_for", lambda d: (stored.entry, *list(real(d))[1:])
        )
        path = write_wheel(tmp_path / NAME, {"demo/__init__.py": b"VALUE = 2\n"})
        other = store.add(path)
        assert len(other.entry) == 16
        assert {entry.digest for entry in store.entries()} == {stored.digest, sha256_of(path)}
        assert store.add(settle(path)) == other


class TestSeveral:
    def test_come_back_in_order(self, store: WheelStore, tmp_path: Path) -> None:
        paths = [
            write_wheel(tmp_path / str(number) / NAME, {"n.py": b"#" * 1000 * number})
            for number in range(10)
        ]
        added = store.add_all(paths)
        assert [wheel.digest for wheel in added] == [sha256_of(path) for path in paths]

    def test_one_bad_is_an_error(self, store: WheelStore, wheel_file: Path, tmp_path: Path) -> None:
        bad = tmp_path / "bad-1.0-py3-none-any.whl"
        bad.write_bytes(b"nothing")
        with pytest.raises(InvalidWheelError, match="bad-1"):
            store.add_all([wheel_file, bad])

    def test_none(self, store: WheelStore) -> None:
        assert store.add_all([]) == []


class TestUnusableFile:
    def test_missing(self, store: WheelStore, tmp_path: Path, root: Path) -> None:
        missing = tmp_path / "missing-1.0-py3-none-any.whl"
        for path in (missing, missing / "below-1.0-py3-none-any.whl", f"{missing}\0"):
            with pytest.raises(InvalidWheelError, match=r"no wheel at .*missing-1"):
                store.add(path)
        assert litter(root) == []

    def test_directory(self, store: WheelStore, tmp_path: Path) -> None:
        (tmp_path / NAME).mkdir()
        with pytest.raises((InvalidWheelError, LinkError)):
            store.add(tmp_path / NAME)

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs")
    def test_fifo_is_not_waited_for(self, store: WheelStore, tmp_path: Path) -> None:
        if sys.platform == "win32":
            pytest.skip("POSIX only")
        os.mkfifo(tmp_path / NAME)
        with pytest.raises(InvalidWheelError, match="not a file"):
            store.add(tmp_path / NAME)

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows permissions are another matter")
    def test_unreadable(self, nobody: Path) -> None:
        path = write_wheel(nobody / NAME)
        path.chmod(0)
        with WheelStore(nobody / "store") as store:
            with pytest.raises(LinkError, match="read the wheel") as caught:
                store.add(path)
            assert caught.value.source == str(path)
            assert litter(nobody / "store") == []

    def test_name_that_is_none(self, store: WheelStore, wheel_file: Path, root: Path) -> None:
        other = wheel_file.rename(wheel_file.with_name("demo.whl"))
        with pytest.raises(InvalidWheelError, match=r"demo\.whl"):
            store.add(other)
        assert entry_names(root) == set()

    def test_limits_can_be_set(self, root: Path, wheel_file: Path) -> None:
        size = sum(map(len, with_record(FILES).values()))
        with (
            WheelStore(root, limits=Limits(total_size=size - 1)) as store,
            pytest.raises(InvalidWheelError, match="raise the limits"),
        ):
            store.add(wheel_file)
        with WheelStore(root, limits=Limits(total_size=size)) as store:
            store.add(wheel_file)

    def test_jobs_must_be_some(self, root: Path) -> None:
        with pytest.raises(ValueError, match="jobs"):
            WheelStore(root, jobs=0)

    def test_dist_info_is_there(self) -> None:
        assert f"{DIST_INFO}/METADATA" in FILES


class TestBrokenOff:
    """What is begun and cannot be ended leaves nothing behind."""

    def test_by_a_full_disk(self, tmp_path: Path, make_small_tmpfs: Callable[[str], Path]) -> None:
        root = make_small_tmpfs("size=1m") / "store"
        path = write_wheel(tmp_path / NAME, {"large": os.urandom(3_000_000)})
        with WheelStore(root) as store, pytest.raises(LinkError, match="free some space"):
            store.add(path)
        assert entry_names(root) == set()
        assert litter(root) == []

    def test_by_a_name_that_is_too_long(self, root: Path, tmp_path: Path, way: str) -> None:
        path = write_wheel(tmp_path / NAME, {f"demo/{'n' * 300}": b""})
        with WheelStore(root) as store, pytest.raises(LinkError):
            store.add(path)
        assert entry_names(root) == set()
        assert litter(root) == []

    @pytest.mark.parametrize("jobs", [1, 3])
    @pytest.mark.parametrize("call", range(3))
    def test_by_an_interrupt(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, jobs: int
    ) -> None:
        monkeypatch.setattr(unpacking, "_UNIT_MEMBERS", 2)
        calls = iter([*[None] * call, KeyboardInterrupt()])
        real = unpacking._Unpacking.unpack

        def interrupted(*arguments: object) -> None:
            error = next(calls, None)
            if error is not None:
                raise error
            real(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(unpacking._Unpacking, "unpack", interrupted)
        path = write_wheel(tmp_path / NAME)
        with WheelStore(root, jobs=jobs) as store, pytest.raises(KeyboardInterrupt):
            store.add(path)
        assert entry_names(root) == set()
        assert litter(root) == []
