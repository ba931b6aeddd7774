"""Linking wheels from their scan to the report: what is asked first, what is refused, and who is told of what."""

from __future__ import annotations

import errno
import os
import warnings
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from wheels import contents, make_wheel

from small.link.test_placer import Unwilling, Whole
from wheel_linker import (
    InvalidWheelError,
    LinkError,
    LinkFallbackWarning,
    LinkMode,
    Locks,
    LockTimeoutError,
    PackageConflictError,
    PackageConflictWarning,
    UnpackedWheel,
)
from wheel_linker._compat.override import override
from wheel_linker._fs.destination import leading_to
from wheel_linker._fs.folder import Folder, Identity
from wheel_linker._fs.stage import PREFIX
from wheel_linker._link import fallback
from wheel_linker._link import pipeline as module
from wheel_linker._link.options import LinkOptions, excluding
from wheel_linker._link.pipeline import (
    can_go_ahead,
    check_conflicts,
    link,
    refuse_or_warn,
    scan_wheel,
    supplier_of,
)
from wheel_linker._wheel.conflicts import PackageConflict, Supplier
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker._wheel.progress import Progress
from wheel_linker._wheel.record_problems import RecordProblem
from wheel_linker._wheel.scan import scan
from wheel_linker.backends import default_backend

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheel_linker._wheel.tree import Tree

CLONE, COPY, HARDLINK, SYMLINK = (
    LinkMode.CLONE,
    LinkMode.COPY,
    LinkMode.HARDLINK,
    LinkMode.SYMLINK,
)
INFO = "demo-1.0.dist-info"
FILES = {"pkg/a.py": b"1", "pkg/sub/b.py": b"22", "top.py": b"333"}
NAME = "demo-1.0-py3-none-any"
PROBLEM = RecordProblem("extra", "a.py", "has no row")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = make_wheel(tmp_path / "wheel", FILES)
    return Path(os.path.realpath(path))


@pytest.fixture
def at(site: Path) -> str:
    """The destination, its path with symlinks resolved."""
    return os.path.realpath(site)


def options(*chain: LinkMode, **more: Any) -> LinkOptions:
    exclude = excluding(more.pop("exclude", None))
    progress = Progress(more.pop("told", None))
    backend = more.pop("backend", None) or default_backend()
    jobs, must_copy = more.pop("jobs", 1), more.pop("must_copy", None)
    locks = more.pop("locks", None) or Locks()
    return LinkOptions(
        chain or (COPY,), locks, must_copy, jobs, progress, backend, exclude=exclude, **more
    )


class Stored(UnpackedWheel):
    """A wheel of which something is known, as of those of a store."""

    tree: Tree | None = None
    is_verified = True
    is_trusted = False
    looks = False
    told: list[str] | None = None

    @override
    def known_tree(self) -> Tree | None:
        return self.tree

    @property
    @override
    def verified(self) -> bool:
        return self.is_verified

    @property
    @override
    def trusted(self) -> bool:
        return self.is_trusted

    @property
    @override
    def looks_late(self) -> bool:
        return self.looks

    @override
    def file(self) -> str | None:
        return "demo.whl"

    @override
    def record_problems(self) -> tuple[RecordProblem, ...]:
        return (PROBLEM,)

    @override
    def note_symlinks(self) -> None:
        assert self.told is not None
        self.told.append("symlinks")

    @contextmanager
    def _held(self) -> Iterator[None]:
        assert self.told is not None
        self.told.append("held")
        yield
        self.told.append("let go")

    @override
    def hold(self) -> Any:
        return self._held()


def scanned(
    source: Path | UnpackedWheel, at: str, how: LinkOptions | None = None, **more: Any
) -> Any:
    wheel = source if isinstance(source, UnpackedWheel) else UnpackedWheel(source)
    return scan_wheel(wheel, at, leading_to(at), how or options(), **more)


class TestScan:
    @pytest.mark.parametrize(
        ("given", "name"),
        [
            (None, NAME),
            ("other-2.0-py3-none-any.whl", "other-2.0-py3-none-any"),
            (WheelFilename.parse("other-2.0-py3-none-any.whl"), "other-2.0-py3-none-any"),
        ],
    )
    def test_has_a_name(self, source: Path, at: str, given: Any, name: str) -> None:
        wheel = scanned(UnpackedWheel(source, given), at)
        assert isinstance(wheel.name, WheelFilename)
        assert str(wheel.name).removesuffix(".whl") == name
        assert wheel.tree.files == 6
        assert wheel.tree.is_read
        assert wheel.tree.file is None
        assert wheel.tree.trusted is False

    def test_without_one(self, tmp_path: Path, at: str) -> None:
        (tmp_path / "bare/pkg").mkdir(parents=True)
        with pytest.raises(InvalidWheelError, match="has none; give the wheel's file name"):
            scanned(tmp_path / "bare", at)
        with pytest.raises(InvalidWheelError, match="has none; do that"):
            scanned(
                UnpackedWheel(tmp_path / "bare", "demo-1.0-py3-none-any.whl"), at, remedy="do that"
            )
        wheel = scanned(UnpackedWheel(tmp_path / "bare", "demo-1.0-py3-none-any.whl"), at)
        assert wheel.tree.files == 0

    def test_with_one_that_is_left_out(self, source: Path, at: str) -> None:
        """It names the wheel all the same; files and directories of such a name elsewhere do not."""
        (source / "pkg/x-1.dist-info").mkdir()
        (source / "y-1.dist-info").touch()
        wheel = scanned(source, at, options(exclude=["*.dist-info"]))
        assert str(wheel.name).removesuffix(".whl") == NAME
        assert [one.parts for one in wheel.tree.directories] == [(), ("pkg",), ("pkg", "sub")]

    def test_parts_are_left_out(self, source: Path, at: str) -> None:
        how = options(exclude=["pkg/sub"])
        assert scanned(source, at, how).tree.files == 5
        known = Stored(source)
        known.tree = scan(source)
        assert scanned(known, at, how).tree.files == 5

    def test_is_not_read_if_it_is_known(self, source: Path, at: str) -> None:
        known = Stored(source)
        known.tree = scan(source).without(1)
        known.is_trusted = True
        tree = scanned(known, at).tree
        assert tree.files == known.tree.files
        assert (tree.file, tree.trusted) == ("demo.whl", True)

    @pytest.mark.parametrize(
        ("chain", "backend", "looks", "files"),
        [
            ((CLONE,), Whole(), False, 6),
            ((CLONE,), Whole(), True, 4),
            ((COPY,), Whole(), False, 4),
            ((CLONE,), Unwilling(), False, 4),
        ],
    )
    def test_is_read_if_it_is_cloned_as_it_is(
        self, source: Path, at: str, chain: Any, backend: Any, looks: bool, files: int
    ) -> None:
        known = Stored(source)
        known.tree, known.looks = scan(source).without(1), looks
        assert scanned(known, at, options(*chain, backend=backend)).tree.files == files

    def test_may_be_left_to_be_read(self, source: Path, at: str) -> None:
        tree = scanned(source, at, read_late=True).tree
        assert not tree.is_read
        (source / INFO).rename(source / "other")
        with pytest.raises(InvalidWheelError, match="give the wheel's file name"):
            scanned(source, at, read_late=True)

    def test_a_name_that_is_the_librarys(self, source: Path, at: str) -> None:
        (source / f"{PREFIX}x").mkdir()
        (source / f"{PREFIX}x/a").touch()
        with pytest.raises(InvalidWheelError) as caught:
            scanned(source, at)
        assert str(caught.value) == (
            f"the unpacked wheel {os.fspath(source)!r} has a directory '{PREFIX}x': such names belong to this "
            "library's own staging, and would be swept away"
        )
        (source / f"{PREFIX}x").rename(source / "pkg" / f"{PREFIX}x")
        assert scanned(source, at).tree.files == 7


class TestIntoItself:
    @pytest.mark.parametrize("below", ["", "site", "pkg/site"])
    def test_is_refused(self, source: Path, below: str) -> None:
        at = os.path.normpath(source / below)
        with pytest.raises(LinkError) as caught:
            scanned(source, at)
        assert str(caught.value) == (
            f"cannot link into {at!r}: it lies in the unpacked wheel {os.fspath(source)!r} itself, "
            "which is never written to; choose another directory, or leave its place out with exclude"
        )
        assert (caught.value.source, caught.value.destination) == (os.fspath(source), at)

    def test_by_another_path(self, source: Path) -> None:
        """As where a directory is mounted twice."""
        status = source.stat()
        above = {Identity(status.st_dev, status.st_ino): os.path.join(os.sep, "mnt")}
        at = os.path.join(os.sep, "mnt", "pkg", "site")
        wheel = UnpackedWheel(source)
        with pytest.raises(LinkError, match="it lies in the unpacked wheel"):
            scan_wheel(wheel, at, above, options())
        scan_wheel(wheel, at, above, options(exclude=["pkg"]))
        scan_wheel(wheel, at, {Identity(1, 2): "/mnt"}, options())

    @pytest.mark.parametrize(
        ("pattern", "allowed"),
        [("build", True), ("build/site", True), ("build/site/*", False), ("b", False)],
    )
    def test_in_a_part_that_is_left_out(self, source: Path, pattern: str, allowed: bool) -> None:
        at = os.fspath(source / "build" / "site")
        os.makedirs(at)
        how = options(exclude=[pattern])
        if allowed:
            assert scanned(source, at, how).tree.files == 6
        else:
            with pytest.raises(LinkError, match="it lies in the unpacked wheel"):
                scanned(source, at, how)
        with pytest.raises(LinkError, match="it lies in the unpacked wheel"):
            scanned(source, os.fspath(source), options(exclude=["*"]))

    def test_in_a_part_that_is_cloned_and_left_out_then(self, source: Path) -> None:
        """The stage would be cloned into itself."""
        at = os.fspath(source / "build")
        how = options(CLONE, backend=Whole(), exclude=["build"])
        with pytest.raises(LinkError, match="it lies in the unpacked wheel"):
            scanned(source, at, how)


class TestConflicts:
    def test_what_a_wheel_supplies(self, source: Path, at: str) -> None:
        wheel = scanned(source, at, options(exclude=["pkg/sub"]))
        assert supplier_of(wheel) == Supplier(
            wheel.name,
            os.fspath(source),
            ("top.py",),
            ("pkg", INFO),
            frozenset({"pkg/sub"}),
        )

    @pytest.fixture
    def suppliers(self, source: Path, tmp_path: Path, at: str) -> list[Supplier]:
        other = make_wheel(tmp_path / "other", {"pkg/a.py": b"another"}, name="other")
        return [supplier_of(scanned(each, at)) for each in (source, other)]

    def test_are_ignored(self, at: str, tmp_path: Path) -> None:
        """Then nobody reads the wheels."""
        name = WheelFilename.parse("a-1-py3-none-any.whl")
        gone = Supplier(name, os.fspath(tmp_path / "gone"), (), ("pkg",))
        check_conflicts(at, [gone, gone._replace(path="/gone")], "ignore")

    def test_are_warned_of(self, at: str, suppliers: list[Supplier]) -> None:
        with pytest.warns(PackageConflictWarning, match="pkg/a.py") as caught:
            check_conflicts(at, suppliers, "warn")
        assert len(caught) == 1

    def test_are_refused(self, at: str, suppliers: list[Supplier]) -> None:
        with pytest.raises(PackageConflictError) as caught:
            check_conflicts(at, suppliers, "error")
        assert [one.path for one in caught.value.conflicts] == ["pkg/a.py"]

    def test_there_are_none(self, at: str, suppliers: list[Supplier]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_conflicts(at, suppliers[:1], "error")
            refuse_or_warn((), "warn")

    def test_each_has_its_warning(self) -> None:
        name = WheelFilename.parse("a-1-py3-none-any.whl")
        found = tuple(PackageConflict(path, (name, name)) for path in ("x", "y"))
        with pytest.warns(PackageConflictWarning) as caught:
            refuse_or_warn(found, "warn")
        assert [str(each.message) for each in caught] == [*map(str, found)]


class Told:
    """Is told of progress."""

    def __init__(self) -> None:
        self.totals: list[tuple[int, int]] = []
        self.files = 0
        self.failures = 0

    def __call__(self, files: int) -> None:
        self.files += files

    def total(self, files: int, size: int) -> None:
        self.totals.append((files, size))

    def putting_back(self) -> None:
        self.failures += 1


class TestGoingAhead:
    def wheels(self, source: Path, number: int = 2) -> Sequence[Stored]:
        return [Stored(source) for _ in range(number)]

    def test_with_threads_and_checked_wheels(self, source: Path) -> None:
        assert can_go_ahead(self.wheels(source), {}, options(jobs=2)) is True

    def test_not_otherwise(self, source: Path, tmp_path: Path) -> None:
        wheels = self.wheels(source)
        how = options(jobs=2)
        assert not can_go_ahead(wheels, {}, options(jobs=1))
        assert not can_go_ahead(wheels[:1], {}, how)
        assert not can_go_ahead(wheels, {}, options(jobs=2, told=Told()))
        wheels[1].is_verified = False
        assert not can_go_ahead(wheels, {}, how)
        gone = Stored(tmp_path / "gone")
        assert not can_go_ahead([wheels[0], gone], {}, how)

    def test_not_into_a_wheel(self, source: Path) -> None:
        above = leading_to(os.fspath(source / "site"))
        assert not can_go_ahead(self.wheels(source), above, options(jobs=2))

    def test_not_where_there_are_no_numbers(
        self, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Then nobody knows whether the destination lies in a wheel."""
        status = os.stat_result((0o40755, 0, 5, 1, 0, 0, 0, 0, 0, 0))
        monkeypatch.setattr(os, "stat", lambda *_, **__: status)
        found = module._leads_to(Stored(source), {})
        monkeypatch.undo()
        assert found is True

    def test_reading_late(self, at: str) -> None:
        assert module._can_be_read_late(at, options())
        assert not module._can_be_read_late(os.path.join(at, "missing"), options())
        for how in (
            options(told=Told()),
            options(CLONE, backend=Whole()),
            options(exact=True),
            options(must_copy=lambda _: False),
            options(native=(COPY,)),
            options(exclude=["x"]),
        ):
            assert not module._can_be_read_late(at, how)


class TestLink:
    @pytest.mark.parametrize("jobs", [1, 2])
    @pytest.mark.parametrize("missing", [True, False])
    def test_puts_wheels_there(
        self, source: Path, tmp_path: Path, at: str, jobs: int, missing: bool
    ) -> None:
        other = make_wheel(tmp_path / "other", {"pkg/a.py": b"2", "z": b""}, name="other")
        site = Path(at, "new") if missing else Path(at)
        given = [UnpackedWheel(source), UnpackedWheel(other)]
        reports = link(site, given, options(jobs=jobs))
        assert contents(site) == {**contents(source), **contents(other)}
        assert [str(each.wheel).removesuffix(".whl") for each in reports] == [
            NAME,
            "other-1.0-py3-none-any",
        ]
        assert [each.files for each in reports] == [6, 5]
        assert [each.used for each in reports] == [{COPY: 6}, {COPY: 5}]
        assert [each.replaced for each in reports] == [(), ("pkg/a.py",)]
        assert [each.record_problems for each in reports] == [(), ()]

    @pytest.mark.parametrize("jobs", [1, 2])
    def test_of_a_store(self, source: Path, at: str, jobs: int) -> None:
        told: list[str] = []
        wheels = []
        for _ in range(2):
            wheel = Stored(source)
            wheel.tree, wheel.told = scan(source), told
            wheels.append(wheel)
        reports = link(at, wheels, options(SYMLINK, COPY, jobs=jobs))
        assert [each.record_problems for each in reports] == [(PROBLEM,), (PROBLEM,)]
        assert told == ["held", "held", "symlinks", "symlinks", "let go", "let go"]
        assert os.readlink(Path(at, "top.py")) == os.fspath(source / "top.py")

    def test_progress(self, source: Path, at: str) -> None:
        told = Told()
        link(at, [UnpackedWheel(source)] * 2, options(told=told))
        assert (told.totals, told.files, told.failures) == ([(12, 0)], 12, 0)

    def test_conflicts_come_first(self, source: Path, tmp_path: Path, at: str) -> None:
        other = make_wheel(tmp_path / "other", {"pkg/a.py": b"another"}, name="other")
        with pytest.raises(PackageConflictError):
            link(at, [UnpackedWheel(source), UnpackedWheel(other)], options(), "error")
        assert os.listdir(at) == []
        with pytest.warns(PackageConflictWarning):
            link(at, [UnpackedWheel(source), UnpackedWheel(other)], options(), "warn")
        assert Path(at, "pkg/a.py").read_bytes() == b"another"

    def test_who_supplied_what_is_noted(self, source: Path, tmp_path: Path, at: str) -> None:
        other = make_wheel(tmp_path / "other", {"pkg/a.py": b"another"}, name="other")
        locks = Locks()
        for wheel in (source, other):
            link(at, [UnpackedWheel(wheel)], options(locks=locks))
        assert [one.path for one in locks.find_package_conflicts()] == ["pkg/a.py"]

    def test_is_alone(self, source: Path, at: str) -> None:
        told = Told()
        with Folder.open(at) as folder, Locks().turns([folder]), pytest.raises(LockTimeoutError):
            link(at, [UnpackedWheel(source)], options(locks=Locks(timeout=0), told=told))
        assert os.listdir(at) == []
        assert told.failures == 1

    def test_a_failure_is_told(self, source: Path, at: str) -> None:
        Path(at, "top.py").mkdir()
        told = Told()
        with pytest.raises(LinkError, match="cannot put the file"):
            link(at, [UnpackedWheel(source)], options(told=told))
        assert told.failures == 1
        assert os.listdir(at) == ["top.py"]

    def test_an_error_of_the_caller(self, source: Path, at: str) -> None:
        """It is what is raised, and not taken for one of a file."""
        error = OSError("of the caller")

        def must_copy(_: PurePosixPath) -> bool:
            raise error

        with pytest.raises(OSError, match="of the caller") as caught:
            link(at, [UnpackedWheel(source)], options(must_copy=must_copy))
        assert caught.value is error
        assert os.listdir(at) == []

    def test_exact(self, source: Path, at: str) -> None:
        for name in ("mine", "kept"):
            Path(at, name).touch()
        link(at, [UnpackedWheel(source)], options(exact=True, exclude=["kept"]))
        assert contents(Path(at)) == {**contents(source), "kept": b""}

    def test_native_files_have_their_mode(self, tmp_path: Path, at: str) -> None:
        source = make_wheel(tmp_path / "native", {"lib.so": b"", "a.py": b""})
        (report,) = link(at, [UnpackedWheel(source)], options(HARDLINK, native=(COPY,)))
        assert report.used == {HARDLINK: 3, COPY: 2}

    def test_a_wheel_that_lies_there(self, source: Path, tmp_path: Path, at: str) -> None:
        """Nothing is written to it."""
        inner = make_wheel(Path(at, "wheels"), {"a.py": b"1"}, name="inner")
        other = make_wheel(tmp_path / "other", {"wheels/a.py": b"2"}, name="other")
        with pytest.raises(LinkError, match="is part of the unpacked wheel"):
            link(at, [UnpackedWheel(inner), UnpackedWheel(other)], options())
        assert (inner / "a.py").read_bytes() == b"1"

    @pytest.mark.parametrize("strict", [True, False])
    def test_a_fallback_is_warned_of_before_anything_is_changed(
        self, source: Path, at: str, strict: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fallback, "_warned", set())
        how = options(CLONE, COPY, backend=Unwilling())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("error" if strict else "always", LinkFallbackWarning)
            if strict:
                with pytest.raises(LinkFallbackWarning):
                    link(at, [UnpackedWheel(source)], how)
                assert os.listdir(at) == []
                return
            (report,) = link(at, [UnpackedWheel(source)], how)
        assert report.fallback_count == 5
        (warning,) = caught
        assert os.fspath(source) in str(warning.message)

    def test_an_error_of_the_system(
        self, source: Path, at: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(*_: object) -> None:
            raise OSError(errno.EIO, "refused here")

        monkeypatch.setattr(module, "stage_all", refused)
        with pytest.raises(LinkError) as caught:
            link(at, [UnpackedWheel(source)], options())
        assert str(caught.value).startswith(f"cannot link into {at!r}: refused here")
        assert caught.value.destination == at

    def test_a_name_that_is_the_librarys_in_what_was_read_late(self, source: Path, at: str) -> None:
        """Nobody had read it before the files were placed."""
        wheel = scanned(source, at, read_late=True)
        tree = scan(source)
        assert module._read_meanwhile(wheel, tree).tree is tree
        read = scanned(source, at)
        assert module._read_meanwhile(read, tree) is read
        (source / f"{PREFIX}x").mkdir()
        with pytest.raises(InvalidWheelError, match="such names belong to this"):
            module._read_meanwhile(wheel, scan(source))
