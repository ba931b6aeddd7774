"""Placing the files of one wheel: in which mode each ends, what is said of it, and which errors are raised."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from wheels import make_wheel, set_times

from small.link.test_placing import Copying, make_foreign, make_set_id
from wheel_linker import InvalidWheelError, LinkError, LinkMode
from wheel_linker._compat.override import override
from wheel_linker._fs import sharing
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.sharing import NotSharedError
from wheel_linker._link import placer as module
from wheel_linker._link import placing
from wheel_linker._link.fallback import Cause
from wheel_linker._link.options import AskedError
from wheel_linker._link.placer import Placer
from wheel_linker._link.report import Fallback, LinkReport
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker._wheel.scan import scan, scan_root
from wheel_linker._wheel.tree import Directory, NotAsUnpackedError, Tree, Unpacked

if TYPE_CHECKING:
    from collections.abc import Mapping

CLONE, COPY, HARDLINK, SYMLINK = (
    LinkMode.CLONE,
    LinkMode.COPY,
    LinkMode.HARDLINK,
    LinkMode.SYMLINK,
)
WHEEL = WheelFilename.parse("demo-1.0-py3-none-any.whl")
INFO = "demo-1.0.dist-info"
RECORD = f"{INFO}/RECORD"
FILES = {"a/one.py": b"1", "a/two.py": b"22", "a/three.py": b"333", "top.py": b"top"}
ALL = [*FILES, f"{INFO}/METADATA", f"{INFO}/WHEEL", RECORD]
STAMP = 10**18
SITE = os.path.join(os.sep, "env", "site")


class Unwilling(Copying):
    """Clones nothing."""

    def __init__(self, number: int = errno.EOPNOTSUPP) -> None:
        self._number = number

    @override
    def clone_file(self, source: str, destination: str, **where: Any) -> None:
        raise OSError(self._number, "refused here")


class Whole(Copying):
    """Clones whole directories, too, as macOS does."""

    clones_directories = True

    def __init__(self, refusal: int = 0) -> None:
        self._refusal = refusal

    @override
    def clone_directory(self, source: str, destination: str) -> None:
        if self._refusal:
            raise OSError(self._refusal, "refused here")
        shutil.copytree(source, destination, symlinks=True)


def scanned(source: Path) -> Tree:
    """Return the names in a wheel, those of files in order: a file system has them in any."""
    tree = scan(source)
    for directory in tree.directories:
        directory.files.sort()
    return tree


def placer_of(source: Path | Tree, *chain: LinkMode, **more: Any) -> Placer:
    tree = source if isinstance(source, Tree) else scanned(source)
    backend, must_copy = more.pop("backend", Copying()), more.pop("must_copy", None)
    return Placer(tree, chain, backend, must_copy, SITE, **more)


def place(placer: Placer, target: Path, *wanted: str) -> None:
    """Have the files of some directories placed, or of all."""
    for directory in placer.tree.directories:
        if wanted and "/".join(directory.parts) not in wanted:
            continue
        there = target.joinpath(*directory.parts)
        there.mkdir(parents=True, exist_ok=True)
        with ExitStack() as kept:
            here = kept.enter_context(Folder.open(os.path.join(placer.tree.path, *directory.parts)))
            placer.place(directory, here, kept.enter_context(Folder.open(os.fspath(there))))


def ends(source: Path, target: Path) -> dict[str, LinkMode]:
    """Return how each file was placed; a clone is a copy."""
    found = {}
    for path in target.rglob("*"):
        if not path.is_dir():
            name = path.relative_to(target).as_posix()
            if path.is_symlink():
                found[name] = SYMLINK
            else:
                found[name] = HARDLINK if path.samefile(source / name) else COPY
    return found


def report(placer: Placer) -> LinkReport:
    return placer.report(WHEEL, [])


def told(placer: Placer) -> list[tuple[str, LinkMode, LinkMode, int | None]]:
    """Return what is said of refusals."""
    return [(one.path, one.tried, one.used, one.error.errno) for one in placer.fallbacks()]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = make_wheel(tmp_path / "wheel", FILES)
    return Path(os.path.realpath(path))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return Path(os.path.realpath(tmp_path / "target"))


def refuse(
    monkeypatch: pytest.MonkeyPatch, call: str, refused: Mapping[str, int], also: Any = None
) -> None:
    """Let links to some files, given by their names, or to all by "*", be refused with an error number."""
    make = getattr(os, call)

    def link(source: Any, destination: Any, *more: Any, **where: Any) -> None:
        number = refused.get(os.path.basename(source), refused.get("*", 0))
        if number:
            if also is not None:
                also()
            raise OSError(number, "refused here", source)
        make(source, destination, *more, **where)

    monkeypatch.setattr(os, call, link)


@pytest.fixture
def flagged(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The inodes of files that have flags, on a system where files have such."""
    inodes: set[int] = set()
    monkeypatch.setattr(sharing, "HAS_FLAGS", True)
    monkeypatch.setattr(
        sharing, "harmful", lambda status: stat.UF_HIDDEN if status.st_ino in inodes else 0
    )
    return inodes


class TestPlace:
    @pytest.mark.parametrize("mode", [HARDLINK, SYMLINK])
    def test_record_is_never_shared(self, source: Path, target: Path, mode: LinkMode) -> None:
        placer = placer_of(source, mode)
        place(placer, target)
        assert ends(source, target) == {**dict.fromkeys(ALL, mode), RECORD: COPY}
        assert report(placer) == LinkReport(WHEEL, (mode,), mode, 7, {mode: 6, COPY: 1})

    @pytest.mark.parametrize("mode", [CLONE, COPY])
    def test_where_nothing_is_shared(self, source: Path, target: Path, mode: LinkMode) -> None:
        placer = placer_of(source, mode)
        place(placer, target)
        assert ends(source, target) == dict.fromkeys(ALL, COPY)
        assert report(placer) == LinkReport(WHEEL, (mode,), mode, 7, {mode: 7})

    def test_record_is_cloned_where_that_works(self, source: Path, target: Path) -> None:
        placer = placer_of(source, SYMLINK, CLONE, HARDLINK)
        place(placer, target, INFO)
        assert report(placer).used == {SYMLINK: 2, COPY: 1}
        placer = placer_of(source, CLONE, HARDLINK, backend=Unwilling())
        place(placer, target / "again", INFO)
        assert report(placer).used == {HARDLINK: 2, COPY: 1}
        assert told(placer) == [("demo-1.0.dist-info/METADATA", CLONE, HARDLINK, errno.EOPNOTSUPP)]

    def test_what_the_caller_will_edit(self, source: Path, target: Path) -> None:
        asked: list[PurePosixPath] = []

        def must_copy(path: PurePosixPath) -> bool:
            asked.append(path)
            return path.name in ("two.py", "top.py")

        placer = placer_of(source, HARDLINK, must_copy=must_copy)
        place(placer, target)
        assert sorted(map(str, asked)) == sorted({*ALL} - {RECORD})
        copied = {RECORD, "a/two.py", "top.py"}
        assert ends(source, target) == {name: COPY if name in copied else HARDLINK for name in ALL}
        assert report(placer).used == {HARDLINK: 4, COPY: 3}
        assert report(placer).fallback_count == 0

    def test_an_error_of_the_caller(self, source: Path, target: Path) -> None:
        def must_copy(path: PurePosixPath) -> bool:
            raise OSError("of the caller")

        with pytest.raises(AskedError):
            place(placer_of(source, HARDLINK, must_copy=must_copy), target)

    def test_path_configuration_where_files_have_flags(
        self, tmp_path: Path, target: Path, flagged: set[int]
    ) -> None:
        """A hidden one is not read: the flag of one environment must not be that of all."""
        names = ["demo.pth", "top.py", "pkg/other.pth"]
        source = make_wheel(tmp_path / "paths", dict.fromkeys(names, b""))
        placer = placer_of(source, HARDLINK, must_copy=lambda _: False)
        place(placer, target, "", "pkg")
        assert ends(source, target) == {
            "demo.pth": COPY,
            "top.py": HARDLINK,
            "pkg/other.pth": HARDLINK,
        }
        (target / "demo.pth").unlink()

    def test_path_configuration_elsewhere(self, tmp_path: Path, target: Path) -> None:
        if sharing.HAS_FLAGS:
            pytest.skip("files have flags here")
        source = make_wheel(tmp_path / "paths", {"demo.pth": b""})
        place(placer_of(source, HARDLINK, must_copy=lambda _: False), target, "")
        assert ends(source, target) == {"demo.pth": HARDLINK}

    @pytest.mark.parametrize("trusted", [True, False])
    def test_trusts_as_told(self, source: Path, target: Path, trusted: bool) -> None:
        make_set_id(source / "a/two.py")
        placer = placer_of(scanned(source)._replace(trusted=trusted), HARDLINK, COPY)
        place(placer, target, "a")
        assert ends(source, target)["a/two.py"] == (HARDLINK if trusted else COPY)

    @pytest.mark.parametrize("keeps_times", [True, False])
    def test_keeps_times_as_told(self, source: Path, target: Path, keeps_times: bool) -> None:
        set_times(source, STAMP // 10**9)
        placer = placer_of(source, COPY, **({"keeps_times": True} if keeps_times else {}))
        place(placer, target, "a")
        assert placer.keeps_times is keeps_times
        assert ((target / "a/one.py").stat().st_mtime_ns == STAMP) == keeps_times


class TestLinksOfTheWheel:
    def test_are_made_again(self, source: Path, target: Path) -> None:
        link(source / "a/link", "one.py")
        placer = placer_of(source, COPY)
        place(placer, target)
        assert os.readlink(target / "a/link") == "one.py"
        assert report(placer) == LinkReport(WHEEL, (COPY,), COPY, 8, {COPY: 7, SYMLINK: 1})

    def test_a_name_that_is_taken(self, source: Path, target: Path) -> None:
        link(source / "a/link", "one.py")
        (target / "a").mkdir()
        (target / "a/link").touch()
        with pytest.raises(LinkError) as caught:
            place(placer_of(source, COPY), target)
        here, there = os.fspath(source / "a/link"), os.fspath(target / "a/link")
        assert str(caught.value).startswith(f"cannot symlink {here!r} to {there!r}: ")
        assert (caught.value.source, caught.value.destination) == (here, there)
        assert (caught.value.mode, caught.value.errno) == (SYMLINK, errno.EEXIST)
        assert isinstance(caught.value.__cause__, FileExistsError)

    def test_on_windows(self, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The system has to be told which of them lead to directories."""
        made: list[tuple[str, bool]] = []

        class Windows:
            name = "nt"

            def __getattr__(self, name: str) -> Any:
                return getattr(os, name)

            def symlink(self, to: str, name: str, is_directory: bool, **_: Any) -> None:
                made.append((to, is_directory))

        monkeypatch.setattr(module, "os", Windows())
        (source / "a/sub").mkdir()
        link(source / "a/one", "one.py")
        link(source / "a/two", "sub")
        place(placer_of(source, COPY), target, "a")
        assert sorted(made) == [("one.py", False), ("sub", True)]


def link(path: Path, to: str) -> None:
    try:
        path.symlink_to(to)
    except OSError:
        pytest.skip("no symlinks here")


class TestNative:
    @pytest.fixture
    def native(self, tmp_path: Path) -> Path:
        names = ["pkg/lib.so", "pkg/other.so", "pkg/a.py", "pkg/data"]
        made = make_wheel(tmp_path / "native", {name: name.encode() for name in names})
        return Path(os.path.realpath(made))

    def test_files_have_their_own_mode(self, native: Path, target: Path) -> None:
        placer = placer_of(native, HARDLINK, native=(COPY,))
        place(placer, target)
        found = ends(native, target)
        assert [found[f"pkg/{name}"] for name in ("lib.so", "other.so")] == [COPY, COPY]
        assert [found[f"pkg/{name}"] for name in ("a.py", "data")] == [HARDLINK, HARDLINK]
        assert report(placer) == LinkReport(WHEEL, (HARDLINK,), HARDLINK, 7, {HARDLINK: 4, COPY: 3})

    def test_their_refusals_are_told(self, native: Path, target: Path) -> None:
        placer = placer_of(native, HARDLINK, native=(CLONE, COPY), backend=Unwilling())
        place(placer, target)
        assert told(placer) == [
            ("pkg/lib.so", CLONE, COPY, errno.EOPNOTSUPP),
        ]
        assert report(placer).used == {HARDLINK: 4, COPY: 3}
        assert report(placer).fallback_count == 2
        assert placer.mode is HARDLINK

    @pytest.mark.parametrize("chain", [None, (HARDLINK, COPY)])
    def test_the_same_mode(
        self, native: Path, chain: Any, monkeypatch: pytest.MonkeyPatch, target: Path
    ) -> None:
        """Nobody looks which of the files they are."""
        placer = placer_of(native, HARDLINK, COPY, native=chain)
        simple = [one.parts for one in placer.tree.directories if placer.is_simple(one)]
        assert simple == [(), ("pkg",)]
        place(placer, target, "pkg")
        assert {*ends(native, target).values()} == {HARDLINK}

    def test_is_not_simple(self, native: Path, source: Path) -> None:
        """A helper process knows one mode only."""
        placer = placer_of(native, HARDLINK, native=(COPY,))
        assert not any(map(placer.is_simple, placer.tree.directories))
        link(source / "a/link", "one.py")
        placer = placer_of(source, HARDLINK)
        simple = [one.parts for one in placer.tree.directories if placer.is_simple(one)]
        assert simple == [()]
        placer = placer_of(source, HARDLINK, must_copy=lambda _: False)
        assert not any(map(placer.is_simple, placer.tree.directories))


class TestRefusals:
    def test_the_first_file_speaks_for_the_rest(
        self, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refuse(monkeypatch, "link", {"*": errno.EXDEV})
        placer = placer_of(source, HARDLINK, COPY)
        place(placer, target)
        assert ends(source, target) == dict.fromkeys(ALL, COPY)
        assert told(placer) == [("top.py", HARDLINK, COPY, errno.EXDEV)]
        made = report(placer)
        assert (made.mode, made.used, made.fallback_count) == (COPY, {COPY: 7}, 6)
        assert made.fallbacks == placer.fallbacks()
        assert isinstance(made.fallbacks[0], Fallback)
        assert placer.mode is COPY

    def test_later_ones_speak_for_themselves(
        self, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refuse(monkeypatch, "link", {"two.py": errno.EXDEV, "three.py": errno.EMLINK})
        placer = placer_of(source, HARDLINK, COPY)
        place(placer, target)
        copied = {"a/two.py", "a/three.py", RECORD}
        assert ends(source, target) == {name: COPY if name in copied else HARDLINK for name in ALL}
        assert told(placer) == [
            ("a/three.py", HARDLINK, COPY, errno.EMLINK),
            ("a/two.py", HARDLINK, COPY, errno.EXDEV),
        ]
        made = report(placer)
        assert (made.mode, made.used, made.fallback_count) == (HARDLINK, {HARDLINK: 4, COPY: 3}, 2)
        assert placer.mode is HARDLINK

    def test_a_file_that_the_fallback_placed_first(
        self, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The mode that took over is known to work: a later refusal is about one file."""
        refuse(monkeypatch, "symlink", {"two.py": errno.EPERM})
        placer = placer_of(source, CLONE, SYMLINK, COPY, backend=Unwilling())
        place(placer, target, "", "a")
        assert placer.mode is SYMLINK
        assert told(placer) == [
            ("top.py", CLONE, SYMLINK, errno.EOPNOTSUPP),
            ("a/two.py", SYMLINK, COPY, errno.EPERM),
        ]

    def test_all_that_were_tried_are_told(
        self, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refuse(monkeypatch, "link", {"*": errno.EMLINK})
        placer = placer_of(source, CLONE, HARDLINK, COPY, backend=Unwilling())
        place(placer, target, "")
        assert told(placer) == [
            ("top.py", CLONE, COPY, errno.EOPNOTSUPP),
            ("top.py", HARDLINK, COPY, errno.EMLINK),
        ]
        assert placer.mode is HARDLINK

    def test_the_last_one_is_raised(
        self, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refuse(monkeypatch, "link", {"two.py": errno.EMLINK})
        (target / "a").mkdir()
        (target / "a/two.py").touch()
        here, there = os.fspath(source / "a/two.py"), os.path.join(SITE, "a", "two.py")
        with pytest.raises(LinkError) as caught:
            place(placer_of(source, HARDLINK, COPY), target)
        assert str(caught.value).startswith(f"cannot copy {here!r} to {there!r}: ")
        assert (caught.value.source, caught.value.destination) == (here, there)
        assert (caught.value.mode, caught.value.errno) == (COPY, errno.EEXIST)
        assert isinstance(caught.value.__cause__, FileExistsError)

    def test_a_fault(self, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """No other mode is tried."""
        refuse(monkeypatch, "link", {"two.py": errno.ENOSPC})
        placer = placer_of(source, HARDLINK, COPY)
        with pytest.raises(LinkError, match=r"cannot hardlink .* free some space") as caught:
            place(placer, target)
        assert caught.value.mode is HARDLINK
        assert not (target / "a/two.py").exists()

    def test_what_vanished(self, source: Path, target: Path) -> None:
        placer = placer_of(source, COPY)
        (source / "a/two.py").unlink()
        with pytest.raises(LinkError, match=r"it vanished .* unpack the wheel again"):
            place(placer, target)

    def test_what_must_not_be_shared(self, source: Path, target: Path) -> None:
        """That is about the file, also if it is the first."""
        make_set_id(source / "a/one.py")
        placer = placer_of(source, HARDLINK, COPY)
        place(placer, target, "a")
        assert placer.mode is HARDLINK
        assert [path for path, *_ in told(placer)] == ["a/one.py"]
        assert report(placer).used == {HARDLINK: 2, COPY: 1}

    def test_what_must_not_be_shared_by_one_mode_alone(self, source: Path, target: Path) -> None:
        make_set_id(source / "a/one.py")
        with pytest.raises(LinkError, match="set-id bits; allow the mode 'copy' after it"):
            place(placer_of(source, HARDLINK), target, "a")


class TestWhatARefusalIsAbout:
    @pytest.mark.parametrize("foreign", [True, False])
    def test_the_kernel_lets_nobody_link_what_is_anothers(
        self, source: Path, target: Path, foreign: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of one's own file the same number says that the file system has no hard links."""
        if foreign:
            make_foreign(source / "a/one.py")
        refuse(monkeypatch, "link", {"one.py": errno.EPERM})
        placer = placer_of(scanned(source)._replace(trusted=True), HARDLINK, COPY)
        place(placer, target, "a")
        assert placer.mode is (HARDLINK if foreign else COPY)

    def test_a_path_may_be_too_long_for_a_symlink(
        self, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refuse(monkeypatch, "symlink", {"one.py": errno.ENAMETOOLONG})
        placer = placer_of(source, SYMLINK, COPY)
        place(placer, target, "a")
        assert placer.mode is SYMLINK
        assert ends(source, target)["a/one.py"] is COPY

    @pytest.mark.parametrize(
        ("mode", "number", "cause"),
        [
            (HARDLINK, errno.EPERM, Cause.NOT_SUPPORTED),
            (HARDLINK, errno.EACCES, Cause.NOT_SUPPORTED),
            (HARDLINK, errno.EMLINK, Cause.NOT_THIS_FILE),
            (HARDLINK, errno.ENAMETOOLONG, Cause.FATAL),
            (HARDLINK, errno.ENOSPC, Cause.FATAL),
            (SYMLINK, errno.ENAMETOOLONG, Cause.NOT_THIS_FILE),
            (SYMLINK, errno.EPERM, Cause.NOT_SUPPORTED),
            (SYMLINK, errno.ENOSPC, Cause.FATAL),
        ],
    )
    def test_of_ones_own(self, source: Path, mode: LinkMode, number: int, cause: Cause) -> None:
        placer = placer_of(source, mode)
        with Folder.open(os.fspath(source / "a")) as folder:
            assert placer._cause(mode, OSError(number, ""), folder, "one.py") is cause
            assert placer._cause(mode, OSError(number, ""), folder, "gone") is cause

    @pytest.mark.parametrize(
        ("mode", "number", "cause"),
        [
            (HARDLINK, errno.EPERM, Cause.NOT_THIS_FILE),
            (HARDLINK, errno.EACCES, Cause.NOT_SUPPORTED),
            (HARDLINK, errno.ENOSPC, Cause.FATAL),
            (SYMLINK, errno.EPERM, Cause.NOT_SUPPORTED),
        ],
    )
    @pytest.mark.parametrize("bundled", [True, False])
    def test_of_anothers_or_in_a_bundle(
        self, tmp_path: Path, mode: LinkMode, number: int, cause: Cause, bundled: bool
    ) -> None:
        """The kernel lets nobody link what is another's; macOS, what is in a bundle."""
        source = make_wheel(tmp_path / "other", {"demo.app/x/one.py": b"", "x/one.py": b""})
        if not bundled:
            make_foreign(source / "x/one.py")
        with Folder.open(os.fspath(source / ("demo.app/x" if bundled else "x"))) as folder:
            found = placer_of(source, mode)._cause(mode, OSError(number, ""), folder, "one.py")
        assert found is cause

    def test_that_must_not_be_shared(self, source: Path) -> None:
        error = NotSharedError(errno.ENOSPC, "")
        with Folder.open(os.fspath(source)) as folder:
            found = placer_of(source, COPY)._cause(HARDLINK, error, folder, "top.py")
        assert found is Cause.NOT_THIS_FILE


def unpacked(
    source: Path, *, executables: int = 0, exclusive: bool = False, stamp: int = STAMP
) -> Tree:
    """Return a tree whose files are looked at."""
    set_times(source, STAMP // 10**9)
    tree = scanned(source)._replace(unpacked=Unpacked(stamp, executables, exclusive))
    for directory in tree.directories:
        at = source.joinpath(*directory.parts)
        directory.sizes = [(at / name).stat().st_size for name in directory.files]
    return tree


class TestLookingAtFiles:
    def test_as_they_should_be(self, source: Path, target: Path) -> None:
        if os.name == "nt":
            pytest.skip("no file is executable here")
        for name in ("one.py", "two.py"):
            (source / "a" / name).chmod(0o755)
        placer = placer_of(unpacked(source, executables=2), HARDLINK)
        place(placer, target)
        placer.note_placed_all()
        assert {*ends(source, target)} == {*ALL}

    @pytest.mark.parametrize("given", [True, False])
    def test_a_changed_one(self, source: Path, target: Path, given: bool) -> None:
        tree = unpacked(source)
        if given:
            tree = tree._replace(file="demo.whl")
        (source / "a/two.py").write_bytes(b"xx")
        placer = placer_of(tree, HARDLINK)
        called = "demo.whl" if given else os.fspath(source)
        with pytest.raises(NotAsUnpackedError) as caught:
            place(placer, target)
        assert str(caught.value) == f"files of {called!r} are not as they were unpacked"
        assert ends(source, target) == {"top.py": HARDLINK}

    def test_a_changed_size(self, source: Path, target: Path) -> None:
        tree = unpacked(source)
        (source / "a/two.py").write_bytes(b"longer")
        set_times(source, STAMP // 10**9)
        with pytest.raises(NotAsUnpackedError):
            place(placer_of(tree, HARDLINK), target)

    def test_metadata_is_read_anyway(self, source: Path, target: Path) -> None:
        tree = unpacked(source)
        (source / RECORD).write_bytes(b"changed")
        placer = placer_of(tree, HARDLINK)
        place(placer, target)
        sizes = [placer.sizes_of(one) for one in tree.directories]
        assert sizes == [[3], [1, 3, 2], None]

    def test_nobody_knows(self, source: Path, target: Path) -> None:
        """The sizes alone are no reason to look."""
        tree = unpacked(source)._replace(unpacked=None)
        (source / "a/two.py").write_bytes(b"changed")
        placer = placer_of(tree, HARDLINK)
        place(placer, target)
        placer.note_placed_all()
        assert placer.sizes_of(tree.directories[0]) is None

    def test_an_executable_is_missing(self, source: Path, target: Path) -> None:
        placer = placer_of(unpacked(source, executables=1), HARDLINK)
        place(placer, target)
        with pytest.raises(NotAsUnpackedError):
            placer.note_placed_all()
        placer.note_looked_at(1)
        placer.note_placed_all()
        placer.note_looked_at(1)
        placer.note_placed_all()

    @pytest.mark.skipif(os.name == "nt", reason="no directory says who may write to it")
    @pytest.mark.parametrize("exclusive", [True, False])
    def test_once_is_enough(
        self, source: Path, target: Path, exclusive: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where nobody else writes, files have the owners and bits that were seen."""
        asked: list[str] = []

        def is_wary(folder: Folder) -> bool:
            asked.append(os.path.basename(folder.path))
            return False

        monkeypatch.setattr(placing, "is_wary", is_wary)
        placer = placer_of(unpacked(source, exclusive=exclusive), HARDLINK, COPY)
        place(placer, target, "a", INFO)
        assert asked == ([INFO] if exclusive else ["a", INFO])

    def test_what_must_not_be_shared(self, source: Path, target: Path) -> None:
        make_set_id(source / "a/two.py")
        placer = placer_of(unpacked(source, exclusive=True), HARDLINK, COPY)
        place(placer, target, "a")
        assert ends(source, target)["a/two.py"] is COPY

    @pytest.mark.parametrize("keeps_times", [True, False])
    def test_times_are_kept_as_told(self, source: Path, target: Path, keeps_times: bool) -> None:
        placer = placer_of(unpacked(source, exclusive=True), COPY, keeps_times=keeps_times)
        place(placer, target, "a")
        assert ((target / "a/one.py").stat().st_mtime_ns == STAMP) == keeps_times

    def test_clones_as_told(self, source: Path, target: Path) -> None:
        backend = Unwilling(errno.ENOSPC)
        placer = placer_of(unpacked(source, exclusive=True), CLONE, backend=backend)
        assert placer.backend is backend
        with pytest.raises(LinkError, match=r"cannot clone .* refused here"):
            place(placer, target, "a")


class TestReading:
    """Some wheels are read while their files are placed."""

    def found(self, source: Path) -> list[Directory]:
        return [*reversed(scan(source).directories)]

    def test_has_all_names_at_the_end(self, source: Path) -> None:
        placer = placer_of(scan_root(source), COPY)
        first, *others = self.found(source)
        placer.note_found([first])
        placer.note_found(others)
        placer.note_placed_all()
        assert placer.tree.is_read
        assert placer.tree.files == 7
        assert [one.parts for one in placer.tree.directories] == [(), ("a",), (INFO,)]

    def test_what_leads_out_of_it(self, source: Path) -> None:
        placer = placer_of(scan_root(source), COPY)
        placer.note_found([*self.found(source), Directory(("b",), [], [("link", "../../x")])])
        with pytest.raises(InvalidWheelError):
            placer.note_placed_all()


class TestPlacedElsewhere:
    def test_counts(self, source: Path) -> None:
        placer = placer_of(source, HARDLINK, COPY)
        placer.note_placed(HARDLINK, 3)
        placer.note_placed(HARDLINK, 2)
        placer.note_placed(COPY, 1)
        assert report(placer).used == {HARDLINK: 5, COPY: 1}
        assert report(placer).fallback_count == 1

    @pytest.mark.parametrize(("files", "mode"), [(0, COPY), (1, HARDLINK)])
    def test_says_whether_a_mode_works(
        self,
        source: Path,
        target: Path,
        files: int,
        mode: LinkMode,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """None says nothing: the next refusal is about all that follow."""
        refuse(monkeypatch, "link", {"*": errno.EXDEV})
        placer = placer_of(source, HARDLINK, COPY)
        placer.note_placed(HARDLINK, files)
        place(placer, target, "a")
        assert placer.mode is mode


class TestReport:
    def test_of_no_files(self, source: Path) -> None:
        assert report(placer_of(source, HARDLINK, COPY)) == LinkReport(
            WHEEL, (HARDLINK, COPY), HARDLINK, 7, {}
        )

    def test_of_as_many_in_two_modes(self, source: Path) -> None:
        """It is the one that further files would be tried with."""
        placer = placer_of(source, CLONE, HARDLINK, COPY)
        placer._ladder.refused(CLONE, Cause.NOT_SUPPORTED)
        placer.note_placed(CLONE, 1)
        placer.note_placed(HARDLINK, 1)
        assert report(placer).mode is HARDLINK

    def test_what_was_replaced_is_sorted(self, source: Path) -> None:
        assert placer_of(source, COPY).report(WHEEL, ["b", "a"]).replaced == ("a", "b")

    def test_what_it_is_called(self, source: Path) -> None:
        assert placer_of(source, COPY).name == ""
        placer = placer_of(source, COPY, HARDLINK, name="demo 1.0")
        assert placer.name == "demo 1.0"
        assert placer.chain == (COPY, HARDLINK)


class TestWholeWheels:
    def clone(self, placer: Placer, target: Path) -> bool:
        """Have a whole wheel cloned; tell whether it was."""
        with Folder.open(os.fspath(target)) as folder:
            done = placer.try_whole(placer.tree.path, folder, "0")
        assert os.listdir(target) == (["0"] if done else [])
        return done

    def test_are_cloned(self, source: Path, target: Path) -> None:
        link(source / "a/link", "one.py")
        link(source / "link", "top.py")
        placer = placer_of(source, CLONE, COPY, backend=Whole())
        assert self.clone(placer, target)
        assert {*ends(source, target / "0")} == {*ALL, "a/link", "link"}
        assert report(placer) == LinkReport(WHEEL, (CLONE, COPY), CLONE, 9, {CLONE: 7, SYMLINK: 2})

    def test_not_in_another_mode(self, source: Path, target: Path) -> None:
        assert not self.clone(placer_of(source, COPY, CLONE, backend=Whole()), target)

    def test_not_where_files_alone_can_be_cloned(self, source: Path, target: Path) -> None:
        assert not self.clone(placer_of(source, CLONE), target)

    def test_not_if_files_are_looked_at(self, source: Path, target: Path) -> None:
        assert not self.clone(placer_of(unpacked(source), CLONE, backend=Whole()), target)

    def test_not_if_nothing_is_wanted(self, source: Path, target: Path) -> None:
        tree = scanned(source).emptied()
        assert not self.clone(placer_of(tree, CLONE, backend=Whole()), target)

    @pytest.mark.parametrize("name", ["", "a", "top.py", "a/two.py", RECORD])
    def test_not_with_flags(self, source: Path, target: Path, name: str, flagged: set[int]) -> None:
        flagged.add((source / name).stat().st_ino)
        placer = placer_of(source, CLONE, backend=Whole())
        assert not self.clone(placer, target)
        assert report(placer).used == {}

    def test_without_flags(self, source: Path, target: Path, flagged: set[int]) -> None:
        assert self.clone(placer_of(source, CLONE, backend=Whole()), target)

    @pytest.mark.parametrize("name", ["lib.so", "a/lib.so", "a/tool"])
    def test_not_with_native_files(self, source: Path, target: Path, name: str) -> None:
        (source / name).touch()
        (source / name).chmod(0o755)
        if os.name == "nt" and name == "a/tool":
            pytest.skip("no file is executable here")
        placer = placer_of(source, CLONE, native=(COPY,), backend=Whole())
        assert not self.clone(placer, target)
        placer = placer_of(source, CLONE, backend=Whole())
        assert self.clone(placer, target)

    def test_without_native_files(self, source: Path, target: Path) -> None:
        placer = placer_of(source, CLONE, native=(COPY,), backend=Whole())
        assert self.clone(placer, target)

    def test_a_refusal(self, source: Path, target: Path) -> None:
        """The files are tried one by one."""
        placer = placer_of(source, CLONE, backend=Whole(errno.EXDEV))
        assert not self.clone(placer, target)
        assert report(placer).used == {}

    def test_a_fault(self, source: Path, target: Path) -> None:
        placer = placer_of(source, CLONE, COPY, backend=Whole(errno.ENOSPC))
        with pytest.raises(LinkError) as caught:
            self.clone(placer, target)
        path = os.fspath(source)
        assert str(caught.value).startswith(f"cannot clone {path!r} to {SITE!r}: refused here")
        assert (caught.value.source, caught.value.destination) == (path, SITE)
        assert (caught.value.mode, caught.value.errno) == (CLONE, errno.ENOSPC)
        assert caught.value.__cause__ is not None
