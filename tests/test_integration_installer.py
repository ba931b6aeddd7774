"""Installers that are built on the library `installer`: what they get from its parts, replaced."""

from __future__ import annotations

import base64
import csv
import errno
import gc
import hashlib
import importlib
import io
import os
import py_compile
import re
import shutil
import stat
import subprocess
import sys
import threading
import warnings
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile
from installer.utils import Scheme, copyfileobj_with_hashing
from wheels import contents, make_wheel, names, snapshot, zip_wheel

from wheel_linker import (
    AUTO,
    InvalidWheelError,
    LinkError,
    LinkFallbackWarning,
    LinkMode,
    Locks,
    UnpackedWheel,
    WheelFilename,
)
from wheel_linker._fs.folder import Folder
from wheel_linker._link import fallback
from wheel_linker.integrations.installer import LinkingDestination, UnpackedSource
from wheel_linker.integrations.installer import destination as linking_destination
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    from wheel_linker.mode import Modes

INTERPRETER: Final = "/somewhere/bin/python3"
INFO: Final = "demo-1.0.dist-info"
DATA: Final = "demo-1.0.data"
METADATA: Final = {"INSTALLER": b"test\n", "REQUESTED": b""}
FILES: Final[Mapping[str, bytes]] = {
    "demo/__init__.py": b"VALUE = 1\n",
    "demo/sub/deep/leaf.py": b"LEAF = True\n",
    "demo/large.bin": bytes(range(256)) * 1200,
    "demo/empty": b"",
    "demo/tool.sh": b"#!/bin/sh\necho demo\n",
    "demo/RECORD": b"a file of that name\n",
    "demo/caf\u00e9 x.txt": b"a letter\n",
    "single.py": b"SINGLE = 1\n",
    "demo.pth": b"import demo\n",
    f"{DATA}/purelib/pure.py": b"PURE = 1\n",
    f"{DATA}/platlib/plat.py": b"PLAT = 1\n",
    f"{DATA}/headers/demo.h": b"#define DEMO 1\n",
    f"{DATA}/data/share/demo/notes.txt": b"notes\n",
    f"{DATA}/scripts/demo-python": b"#!python -E\nimport demo\n",
    f"{DATA}/scripts/demo-shell": b"#!/bin/sh\necho demo\n",
    f"{INFO}/entry_points.txt": (
        b"[console_scripts]\ndemo = demo:main\n[gui_scripts]\ndemo-gui = demo.sub:run.it\n"
    ),
    f"{INFO}/licenses/LICENSE": b"do what you like\n",
}
EXECUTABLE: Final = (
    "demo/tool.sh",
    f"{DATA}/scripts/demo-python",
    f"{DATA}/scripts/demo-shell",
)
LINKS: Final = ("hardlink", "symlink")
MODES: Final = ("copy", *LINKS, "auto", "clone")

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")


class Environment:
    """Directories for every scheme."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lib = root / "lib" / "site-packages"
        self.scripts = root / "bin"
        self.schemes = {
            "purelib": str(self.lib),
            "platlib": str(root / "lib64" / "site-packages"),
            "headers": str(root / "include" / "demo"),
            "scripts": str(self.scripts),
            "data": str(root),
        }

    def destination(self, mode: Modes = None, **others: Any) -> LinkingDestination:
        return LinkingDestination(self.schemes, INTERPRETER, "posix", mode=mode, **others)

    def plain(self) -> SchemeDictionaryDestination:
        return SchemeDictionaryDestination(self.schemes, INTERPRETER, "posix")

    def install(self, wheel: Path, mode: Modes = None, **others: Any) -> LinkingDestination:
        destination = self.destination(mode, **others)
        install(UnpackedSource(wheel), destination, METADATA)
        return destination


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "environment")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_demo(tmp_path / "cache" / "demo")


def make_demo(root: Path, files: Mapping[str, bytes] = FILES, *, purelib: bool = True) -> Path:
    executables = [path for path in EXECUTABLE if path in files] if os.name == "posix" else []
    make_wheel(root, files, executables=executables)
    if not purelib:
        rewrite(root, f"{INFO}/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\n")
    return root


def rewrite(root: Path, path: str, data: bytes, *, row: str | None = None) -> None:
    """Change a file of a wheel, and its row in RECORD: to what it is now, or to ``row``."""
    (root / path).write_bytes(data)
    record = root / INFO / "RECORD"
    rows = record.read_text(encoding="utf-8").splitlines()
    rows = [line for line in rows if not line.startswith(f"{path},")]
    rows.append(f"{path},{encoded(data)},{len(data)}" if row is None else row)
    record.write_text("\n".join(filter(None, rows)) + "\n", encoding="utf-8")


def encoded(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return "sha256=" + digest.decode().rstrip("=")


def check_record(lib: Path, info: str = INFO) -> dict[str, Path]:
    """Compare every row of RECORD with its file; return the files by the paths they have there."""
    with (lib / info / "RECORD").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    found = {path: Path(os.path.normpath(lib / path)) for path, _, _ in rows}
    assert len(found) == len(rows)
    for path, digest, size in rows:
        if path == f"{info}/RECORD":
            assert (digest, size) == ("", "")
            continue
        data = found[path].read_bytes()
        assert (path, digest, size) == (path, encoded(data), str(len(data)))
    return found


def is_same(one: Path, other: Path) -> bool:
    return os.path.samestat(one.lstat(), other.lstat())


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)


class NoClones:
    clones_directories = False

    def clone_file(self, *_: object, **__: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    def clone_directory(self, *_: object, **__: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


class TestInstall:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("purelib", [True, False])
    def test_gives_what_installer_itself_gives(
        self, mode: str, purelib: bool, tmp_path: Path, environment: Environment
    ) -> None:
        wheel = make_demo(tmp_path / "cache" / "demo", purelib=purelib)
        before = snapshot(tmp_path / "cache")
        plain = Environment(tmp_path / "plain")
        install(UnpackedSource(wheel), plain.plain(), METADATA)
        environment.install(wheel, mode)
        assert contents(environment.root) == contents(plain.root)
        lib = Path(environment.schemes["purelib" if purelib else "platlib"])
        everything = {path for path in environment.root.rglob("*") if path.is_file()}
        assert set(check_record(lib).values()) == everything
        assert snapshot(tmp_path / "cache") == before

    def test_links(self, wheel: Path, environment: Environment) -> None:
        environment.install(wheel, "hardlink")
        for path in ("demo/sub/deep/leaf.py", "single.py", "demo.pth", f"{INFO}/METADATA"):
            assert is_same(environment.lib / path, wheel / path)
        assert is_same(environment.scripts / "demo-shell", wheel / DATA / "scripts" / "demo-shell")
        assert is_same(environment.root / "include/demo/demo.h", wheel / DATA / "headers/demo.h")

    def test_symlinks(self, wheel: Path, environment: Environment) -> None:
        environment.install(wheel, "symlink")
        for path in ("demo/sub/deep/leaf.py", f"{INFO}/METADATA"):
            assert (environment.lib / path).is_symlink()
            assert (environment.lib / path).resolve() == (wheel / path).resolve()

    @pytest.mark.parametrize("mode", LINKS)
    def test_what_is_edited_is_private(
        self, mode: str, wheel: Path, environment: Environment
    ) -> None:
        environment.install(wheel, mode)
        private = [
            *(environment.lib / INFO / name for name in ("RECORD", "INSTALLER", "REQUESTED")),
            *(environment.scripts / name for name in ("demo", "demo-gui", "demo-python")),
            environment.lib / "demo/RECORD",
        ]
        for path in private:
            assert not path.is_symlink()
            assert path.stat().st_nlink == 1

    @pytest.mark.parametrize("mode", LINKS)
    def test_reads_and_hashes_no_linked_file(
        self,
        mode: str,
        tmp_path: Path,
        environment: Environment,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        files = {path: data for path, data in FILES.items() if "scripts" not in path}
        wheel = make_demo(tmp_path / "cache" / "demo", files)
        hashed = []
        copy = copyfileobj_with_hashing

        def note(source: BinaryIO, *others: Any) -> tuple[str, int]:
            hashed.append(type(source))
            return copy(source, *others)

        def refuse(path: str) -> None:
            raise AssertionError(f"{path} was opened")

        monkeypatch.setattr(linking_destination, "copyfileobj_with_hashing", note)
        monkeypatch.setattr(io, "FileIO", refuse)
        environment.install(wheel, mode)
        check_record(environment.lib)
        assert hashed == [BytesIO] * 5  # two launchers, INSTALLER, REQUESTED and RECORD

    @posix_only
    @pytest.mark.parametrize("mode", MODES)
    def test_executables_stay_executable(
        self, mode: str, wheel: Path, environment: Environment
    ) -> None:
        (wheel / "demo/tool.sh").chmod(0o750)
        environment.install(wheel, mode)
        umask = os.umask(0o022)
        os.umask(umask)
        # A file of its own follows the umask of the environment; a link is the wheel's own file.
        expected = 0o777 & ~umask if mode in {"copy", "clone"} else 0o750
        assert stat.S_IMODE((environment.lib / "demo/tool.sh").stat().st_mode) == expected
        assert not (environment.lib / "single.py").stat().st_mode & 0o111
        for name in names(environment.scripts):
            assert os.access(environment.scripts / name, os.X_OK)

    @posix_only
    @pytest.mark.parametrize("mode", LINKS)
    def test_scripts_become_executable_in_the_environment_alone(
        self, mode: str, wheel: Path, environment: Environment
    ) -> None:
        for script in (wheel / DATA / "scripts").iterdir():
            script.chmod(0o644)
        before = snapshot(wheel)
        environment.install(wheel, mode)
        assert names(environment.scripts) == {"demo", "demo-gui", "demo-python", "demo-shell"}
        for name in names(environment.scripts):
            assert os.access(environment.scripts / name, os.X_OK)
        assert snapshot(wheel) == before
        check_record(environment.lib)

    @posix_only
    def test_launchers_honour_the_umask(self, wheel: Path, environment: Environment) -> None:
        umask = os.umask(0o027)
        try:
            environment.install(wheel)
        finally:
            os.umask(umask)
        assert stat.S_IMODE((environment.scripts / "demo").stat().st_mode) == 0o750
        assert stat.S_IMODE((environment.lib / INFO / "INSTALLER").stat().st_mode) == 0o640

    def test_into_one_directory_under_several_names(
        self, wheel: Path, environment: Environment, tmp_path: Path
    ) -> None:
        environment.lib.mkdir(parents=True)
        environment.schemes["platlib"] = str(environment.root / "lib" / "." / "site-packages")
        environment.schemes["headers"] = str(environment.lib)
        if os.name == "posix":
            (tmp_path / "other").symlink_to(environment.lib)
            environment.schemes["headers"] = str(tmp_path / "other")
        environment.install(wheel, "hardlink")
        assert {"plat.py", "pure.py", "demo.h"} <= names(environment.lib)

    def test_compiles_bytecode(self, wheel: Path, environment: Environment) -> None:
        before = snapshot(wheel)
        environment.install(wheel, "hardlink", bytecode_optimization_levels=(0,))
        assert len(names(environment.lib / "demo" / "__pycache__")) == 1
        assert snapshot(wheel) == before

    def test_below_another_root(
        self, wheel: Path, environment: Environment, tmp_path: Path
    ) -> None:
        environment.install(wheel, "hardlink", destdir=str(tmp_path / "image"))
        inside = tmp_path / "image" / environment.lib.relative_to(environment.lib.anchor)
        assert is_same(inside / "single.py", wheel / "single.py")
        assert not environment.root.exists()

    def test_quotes_names(self, wheel: Path, environment: Environment) -> None:
        name = 'demo/a, "b".txt' if os.name == "posix" else "demo/a, b.txt"
        quoted = '"' + name.replace('"', '""') + '"'
        rewrite(wheel, name, b"x", row=f"{quoted},{encoded(b'x')},1")
        environment.install(wheel, "hardlink")
        assert name in check_record(environment.lib)

    def test_leaves_nothing_else(self, wheel: Path, environment: Environment) -> None:
        environment.install(wheel)
        assert not list(environment.root.rglob(".*"))

    def test_reports(self, wheel: Path, environment: Environment) -> None:
        destination = environment.destination("hardlink")
        assert destination.report is None
        install(UnpackedSource(wheel), destination, METADATA)
        report = destination.report
        assert report is not None
        assert report.wheel == WheelFilename.from_dist_info(INFO)
        assert report.mode is LinkMode.HARDLINK
        # demo/RECORD is a forced copy; the wheel's own RECORD and one script are written
        assert report.used == {LinkMode.HARDLINK: len(FILES), LinkMode.COPY: 1}
        assert report.files == len(FILES) + 1
        assert (report.fallbacks, report.replaced) == ((), ())

    def test_in_many_threads(self, tmp_path: Path, environment: Environment) -> None:
        wheels = [
            make_wheel(
                tmp_path / "cache" / f"part{number}",
                {f"shared/part{number}.py": b"", "shared/common.py": b"#\n"},
                name=f"part{number}",
            )
            for number in range(8)
        ]
        before = snapshot(tmp_path / "cache")
        locks = Locks()
        threads = [
            threading.Thread(target=environment.install, args=(wheel,), kwargs={"locks": locks})
            for wheel in wheels
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number in range(8):
            check_record(environment.lib, f"part{number}-1.0.dist-info")
        assert names(environment.lib / "shared") == {"common.py"} | {
            f"part{number}.py" for number in range(8)
        }
        assert snapshot(tmp_path / "cache") == before


class TestUpgrade:
    @pytest.mark.parametrize("first", MODES)
    @pytest.mark.parametrize("second", MODES)
    def test_leaves_both_wheels_untouched(
        self, first: str, second: str, tmp_path: Path, wheel: Path, environment: Environment
    ) -> None:
        newer = {path: b"# newer\n" + data for path, data in FILES.items() if INFO not in path}
        changed = make_demo(tmp_path / "cache" / "newer", newer)
        environment.install(wheel, first)
        before = snapshot(tmp_path / "cache")
        report = environment.install(changed, second).report
        assert report is not None
        assert {"single.py", "demo/tool.sh", f"{INFO}/METADATA"} <= set(report.replaced)
        assert snapshot(tmp_path / "cache") == before
        assert (environment.lib / "single.py").read_bytes() == newer["single.py"]
        check_record(environment.lib)

    def test_again(self, wheel: Path, environment: Environment) -> None:
        before = snapshot(wheel)
        environment.install(wheel, "hardlink")
        first = contents(environment.root)
        environment.install(wheel, "hardlink")
        assert contents(environment.root) == first
        assert snapshot(wheel) == before

    def test_drops_old_bytecode(self, wheel: Path, environment: Environment) -> None:
        environment.install(wheel, "copy")
        stale = py_compile.compile(str(environment.lib / "single.py"))
        environment.install(wheel, "hardlink")
        assert stale is not None
        assert not os.path.exists(stale)

    def test_can_be_refused(self, wheel: Path, environment: Environment) -> None:
        environment.install(wheel, "hardlink")
        before = snapshot(environment.root)
        with pytest.raises(LinkError) as caught:
            environment.install(wheel, "hardlink", overwrite_existing=False)
        assert caught.value.errno == errno.EEXIST
        assert snapshot(environment.root) == before

    def test_generated_metadata_replaces_the_wheels_own(
        self, tmp_path: Path, environment: Environment
    ) -> None:
        wheel = make_demo(tmp_path / "cache" / "demo", {**FILES, f"{INFO}/INSTALLER": b"me\n"})
        before = snapshot(wheel)
        environment.install(wheel, "hardlink")
        assert (environment.lib / INFO / "INSTALLER").read_bytes() == b"test\n"
        assert snapshot(wheel) == before
        check_record(environment.lib)  # which has one row of it, too


class TestFallback:
    @pytest.mark.usefixtures("no_links")
    def test_takes_the_next_mode(self, wheel: Path, environment: Environment) -> None:
        report = environment.install(wheel, ["hardlink", "symlink", "copy"]).report
        assert report is not None
        assert report.mode is LinkMode.SYMLINK
        assert report.fallback_count == len(FILES)
        assert {fallback.tried for fallback in report.fallbacks} == {LinkMode.HARDLINK}
        check_record(environment.lib)

    @pytest.mark.usefixtures("no_links")
    def test_ends_in_a_copy(self, wheel: Path, environment: Environment) -> None:
        before = snapshot(wheel)
        report = environment.install(wheel, AUTO, backend=NoClones()).report
        assert report is not None
        assert report.requested == AUTO
        assert report.used == {LinkMode.COPY: report.files}
        assert snapshot(wheel) == before
        check_record(environment.lib)

    @pytest.mark.usefixtures("no_links")
    def test_strict_is_an_error(
        self, wheel: Path, environment: Environment, tmp_path: Path
    ) -> None:
        before = snapshot(tmp_path)
        with pytest.raises(LinkError) as caught:
            environment.install(wheel, ["hardlink"])
        assert caught.value.mode is LinkMode.HARDLINK
        assert caught.value.errno == errno.EXDEV
        del caught
        gc.collect()
        assert snapshot(tmp_path) == before

    def test_strict_clone_is_an_error(self, wheel: Path, environment: Environment) -> None:
        with pytest.raises(LinkError, match="clone"):
            environment.install(wheel, [LinkMode.CLONE], backend=NoClones())

    @pytest.mark.usefixtures("no_links")
    def test_is_warned_of_before_anything_is_visible(
        self,
        wheel: Path,
        environment: Environment,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(fallback, "_warned", set())
        before = snapshot(tmp_path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", LinkFallbackWarning)
            with pytest.raises(LinkFallbackWarning, match="cannot hardlink"):
                environment.install(wheel, "hardlink")
        gc.collect()
        assert snapshot(tmp_path) == before
        with pytest.warns(LinkFallbackWarning) as caught:
            environment.install(wheel, "hardlink")
        assert len(caught) == 1

    def test_unknown_mode(self, environment: Environment) -> None:
        with pytest.raises(ValueError, match="use one of"):
            environment.destination("teleport")

    def test_default_mode(self, wheel: Path, environment: Environment) -> None:
        report = environment.install(wheel).report
        assert report is not None
        assert report.requested == (LinkMode.default(), LinkMode.COPY)


class TestContainment:
    @pytest.mark.parametrize(
        "path", ["../x", "a/../../x", "/x", "a//x", "./x", "a/.", "", "a/", "x\0", "a\\..\\x"]
    )
    def test_names_stay_inside(self, path: str, environment: Environment, tmp_path: Path) -> None:
        before = snapshot(tmp_path)
        with pytest.raises(InvalidWheelError):
            environment.destination().write_file(Scheme("purelib"), path, BytesIO(b"x"), False)
        assert snapshot(tmp_path) == before

    def test_names_of_entry_points_stay_inside(
        self, tmp_path: Path, environment: Environment
    ) -> None:
        points = b"[console_scripts]\n../../evil = demo:main\n"
        wheel = make_demo(tmp_path / "demo", {**FILES, f"{INFO}/entry_points.txt": points})
        with pytest.raises(InvalidWheelError, match="evil"):
            environment.install(wheel)

    def test_names_of_stages_are_refused(self, environment: Environment) -> None:
        with pytest.raises(InvalidWheelError, match="staging"):
            environment.destination().write_file(
                Scheme("purelib"), ".wheel_linker-1/x", BytesIO(b"x"), False
            )

    def test_nothing_is_written_through_a_symlink(
        self, wheel: Path, environment: Environment, tmp_path: Path
    ) -> None:
        (tmp_path / "outside").mkdir()
        environment.lib.mkdir(parents=True)
        (environment.lib / "demo").symlink_to(tmp_path / "outside", target_is_directory=True)
        with pytest.raises(LinkError, match="outside of"):
            environment.install(wheel)
        assert names(tmp_path / "outside") == set()
        assert names(environment.lib) == {"demo"}

    def test_no_wheel_is_linked_over_itself(self, tmp_path: Path) -> None:
        environment = Environment(tmp_path)
        wheel = make_demo(
            tmp_path / "cache", {f"{DATA}/data/cache/{DATA}/scripts/demo-shell": b"evil"}
        )
        before = snapshot(wheel)
        with pytest.raises(LinkError, match="keep unpacked wheels outside"):
            environment.install(wheel)
        assert snapshot(wheel) == before

    def test_no_wheel_is_linked_into_itself(self, wheel: Path) -> None:
        before = snapshot(wheel)
        with pytest.raises(LinkError, match="itself"):
            Environment(wheel / "environment").install(wheel, "hardlink")
        shutil.rmtree(wheel / "environment", ignore_errors=True)
        assert snapshot(wheel) == before


class TestAllOrNothing:
    def test_nothing_is_visible_before_the_record(
        self, wheel: Path, environment: Environment
    ) -> None:
        destination = environment.destination("hardlink")
        for elements, stream, executable in UnpackedSource(wheel).get_contents():
            if not elements[0].endswith("/RECORD"):
                destination.write_file(Scheme("purelib"), elements[0], stream, executable)
        assert all(name.startswith(".") for name in names(environment.lib))
        destination.close()
        assert not environment.root.exists()

    def test_a_source_that_fails_leaves_nothing(
        self, wheel: Path, environment: Environment, tmp_path: Path
    ) -> None:
        class Failing(UnpackedSource):
            def get_contents(self) -> Iterator[Any]:
                yield from list(super().get_contents())[:5]
                raise KeyboardInterrupt

        environment.install(wheel, "copy")
        before = snapshot(tmp_path)
        with pytest.raises(KeyboardInterrupt):
            install(Failing(wheel), environment.destination("hardlink"), METADATA)
        gc.collect()
        assert snapshot(tmp_path) == before

    def test_what_is_in_the_way_leaves_everything(
        self, wheel: Path, environment: Environment, tmp_path: Path
    ) -> None:
        (environment.root / "include" / "demo" / "demo.h").mkdir(parents=True)
        before = snapshot(tmp_path)
        with pytest.raises(LinkError, match="directory"):
            environment.install(wheel)
        assert snapshot(tmp_path) == before

    def test_dist_info_is_there_only_if_everything_else_is(
        self, wheel: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        moved = []
        move = Folder.move

        def note(self: Folder, name: str, target: Folder, new: str) -> None:
            moved.append(os.path.join(target.path, new))
            move(self, name, target, new)

        monkeypatch.setattr(Folder, "move", note)
        environment.install(wheel)
        assert moved[-1] == str(environment.lib / INFO)
        assert len({os.path.dirname(path) for path in moved}) == len(environment.schemes)

    def test_a_fork_of_the_process_leaves_it_alone(
        self, wheel: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        destination = environment.destination()
        destination.write_file(Scheme("purelib"), "early.py", BytesIO(b""), False)
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: -1)
            destination.close()
        install(UnpackedSource(wheel), destination, METADATA)
        assert "early.py" in names(environment.lib)

    def test_a_file_whose_stream_fails_is_not_there(
        self, wheel: Path, environment: Environment
    ) -> None:
        class Broken(BytesIO):
            def read(self, *_: object) -> bytes:
                raise RuntimeError("broken")

        destination = environment.destination()
        with pytest.raises(RuntimeError):
            destination.write_file(Scheme("purelib"), "pkg/a.py", Broken(), False)
        destination.write_file(Scheme("purelib"), "pkg/b.py", BytesIO(b"b"), False)
        install(UnpackedSource(wheel), destination, METADATA)
        assert names(environment.lib / "pkg") == {"b.py"}

    def test_what_comes_after_the_record_is_there_at_once(
        self, wheel: Path, environment: Environment
    ) -> None:
        destination = environment.install(wheel)
        destination.write_file(Scheme("purelib"), "late.py", BytesIO(b"LATE = 1\n"), False)
        assert (environment.lib / "late.py").read_bytes() == b"LATE = 1\n"
        assert destination.report is not None


class TestOtherSources:
    def test_are_written(self, wheel: Path, environment: Environment, tmp_path: Path) -> None:
        plain = Environment(tmp_path / "plain")
        archive = zip_wheel(wheel, tmp_path)
        for destination in (plain.plain(), environment.destination("hardlink")):
            with WheelFile.open(archive) as source:
                install(source, destination, METADATA)
        assert contents(environment.root) == contents(plain.root)
        check_record(environment.lib)

    def test_are_upgraded_over_links(
        self, wheel: Path, environment: Environment, tmp_path: Path
    ) -> None:
        archive = zip_wheel(wheel, tmp_path)
        before = snapshot(wheel)
        environment.install(wheel, "hardlink")
        with WheelFile.open(archive) as source:
            install(source, environment.destination(), METADATA)
        assert snapshot(wheel) == before
        assert not is_same(environment.lib / "single.py", wheel / "single.py")


class TestSource:
    def test_describes_the_wheel(self, wheel: Path) -> None:
        source = UnpackedSource(wheel)
        assert (source.distribution, source.version) == ("demo", "1.0")
        assert (source.dist_info_dir, source.data_dir) == (INFO, DATA)
        assert sorted(source.dist_info_filenames) == [
            "METADATA",
            "RECORD",
            "WHEEL",
            "entry_points.txt",
            "licenses/LICENSE",
        ]
        assert source.read_dist_info("WHEEL").startswith("Wheel-Version: 1.0")

    @pytest.mark.parametrize("other", ["other-1.0", "demo-2.0"])
    def test_of_another_project(self, wheel: Path, other: str) -> None:
        name = f"{other}-py3-none-any.whl"
        for filename in (name, WheelFilename.parse(name)):
            with pytest.raises(InvalidWheelError, match=f"is called {other}.*demo-1.0.dist-info"):
                UnpackedSource(UnpackedWheel(wheel, filename))

    def test_record_that_is_far_too_large(self, wheel: Path) -> None:
        with open(wheel / INFO / "RECORD", "ab") as record:
            record.write(b"," * 3_000_000)
        source = UnpackedSource(wheel)
        with pytest.raises(InvalidWheelError, match="its RECORD has"):
            source.validate_record()
        with pytest.raises(InvalidWheelError, match="its RECORD has"):
            list(source.get_contents())

    def test_hands_over_every_file_twice(self, wheel: Path) -> None:
        source = UnpackedSource(wheel)
        for _ in range(2):
            found = {path: stream.read() for (path, _, _), stream, _ in source.get_contents()}
            assert found == {
                path: data for path, data in contents(wheel).items() if data is not None
            }

    def test_streams_are_files(self, wheel: Path) -> None:
        contents_of = UnpackedSource(wheel).get_contents()
        stream = next(each for (path, *_), each, _ in contents_of if path == "demo/tool.sh")
        assert stream.name == str((wheel / "demo" / "tool.sh").resolve())
        assert (stream.readable(), stream.seekable(), stream.writable()) == (True, True, False)
        assert stream.readline() == b"#!/bin/sh\n"
        assert stream.seek(2) == stream.tell() == 2
        assert stream.read() == FILES["demo/tool.sh"][2:]
        assert os.fstat(stream.fileno()).st_size == len(FILES["demo/tool.sh"])
        contents_of.close()  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match="closed"):
            stream.read(1)

    def test_spelt_otherwise(self, tmp_path: Path, environment: Environment) -> None:
        files = {"Demo-1.0.data/purelib/pure.py": b"", "other-1.0.data/x.py": b""}
        wheel = make_demo(tmp_path / "cache", files)
        environment.install(wheel)
        assert {"pure.py", "other-1.0.data"} <= names(environment.lib)

    def test_of_a_store(self, wheel: Path, environment: Environment, tmp_path: Path) -> None:
        archive = zip_wheel(wheel, tmp_path)
        with WheelStore(tmp_path / "store") as store:
            stored = store.add(archive)
            with UnpackedSource.open(stored) as source:
                assert source.distribution == "demo"
                with pytest.raises(LinkError) as caught:
                    store.remove(stored)
                assert caught.value.errno == errno.EBUSY
            destination = environment.destination("hardlink")
            install(UnpackedSource(stored), destination, METADATA)
            assert destination.report is not None
            assert str(destination.report.wheel) == archive.name
            assert store.verify(deep=True) == []
        check_record(environment.lib)

    def test_with_its_file_name(self, wheel: Path, environment: Environment) -> None:
        destination = environment.destination()
        given = UnpackedWheel(wheel, "demo-1.0-py3-none-any.whl")
        install(UnpackedSource(given), destination, {})
        assert destination.report is not None
        assert str(destination.report.wheel) == "demo-1.0-py3-none-any.whl"

    def test_ignores_notes_of_a_cache(self, wheel: Path, environment: Environment) -> None:
        (wheel / ".notes").write_text("mine")
        (wheel / "notes").mkdir()
        (wheel / "notes" / "note").write_text("mine")
        destination = environment.destination("hardlink")
        install(UnpackedSource(wheel, ignore={".notes", "notes"}), destination, METADATA)
        assert not {".notes", "notes"} & names(environment.lib)

    @pytest.mark.parametrize(
        ("data", "row"),
        [
            (b"longer than before\n", None),
            (b"SINGLE = 1\n", ""),
            (b"SINGLE = 1\n", "single.py,,"),
            (b"longer than it says\n", "single.py,sha256=AAAA,3"),
        ],
    )
    def test_what_its_record_has_wrong_is_hashed(
        self, data: bytes, row: str | None, wheel: Path, environment: Environment
    ) -> None:
        rewrite(wheel, "single.py", data, row=row)
        environment.install(wheel, "hardlink")
        check_record(environment.lib)

    @pytest.mark.parametrize("contents_too", [True, False])
    def test_validates(self, contents_too: bool, wheel: Path) -> None:
        UnpackedSource(wheel).validate_record(validate_contents=contents_too)

    def test_validates_contents(self, wheel: Path) -> None:
        (wheel / "single.py").write_bytes(b"SINGLE = 2\n")
        source = UnpackedSource(wheel)
        source.validate_record(validate_contents=False)
        with pytest.raises(source.validation_error, match=r"single\.py"):
            source.validate_record()

    @pytest.mark.parametrize("contents_too", [True, False])
    @pytest.mark.parametrize(
        ("path", "row"),
        [
            (f"{INFO}/RECORD", f"{INFO}/RECORD,{encoded(b'')},5"),
            (f"{INFO}/RECORD", f"{INFO}/RECORD,{encoded(b'')},"),
            (f"{INFO}/RECORD", f"{INFO}/RECORD,,5"),
            (f"{INFO}/RECORD", ""),
            (f"{INFO}/RECORD", f"{INFO}/RECORD,,"),
            (f"{INFO}/RECORD.jws", f"{INFO}/RECORD.jws,,"),
            (f"{INFO}/RECORD.jws", f"{INFO}/RECORD.jws,{encoded(b'{}')},2"),
            (f"{INFO}/RECORD.jws", ""),
            (f"{INFO}/RECORD.p7s", f"{INFO}/RECORD.p7s,,"),
            ("single.py", "single.py,,"),
            ("single.py", f"single.py,{encoded(FILES['single.py'])},"),
            ("single.py", "single.py,,11"),
            ("single.py", ""),
            ("single.py", f"single.py,{encoded(b'other')},11"),
            ("single.py", f"single.py,{encoded(FILES['single.py'])},12"),
            ("single.py", f"single.py,{encoded(FILES['single.py'])},11"),
        ],
    )
    def test_validates_as_installer_does(
        self, path: str, row: str, contents_too: bool, wheel: Path, tmp_path: Path
    ) -> None:
        if not (wheel / path).exists():
            (wheel / path).write_text("{}")
        # RECORD as it is: rewrite() writes the file first.
        rewrite(wheel, path, (wheel / path).read_bytes(), row=row)
        with WheelFile.open(zip_wheel(wheel, tmp_path)) as source:
            try:
                source.validate_record(validate_contents=contents_too)
                refused = False
            except source.validation_error:
                refused = True
        ours = UnpackedSource(wheel)
        if not refused:
            ours.validate_record(validate_contents=contents_too)
            return
        with pytest.raises(ours.validation_error, match=re.escape(path)):
            ours.validate_record(validate_contents=contents_too)

    def test_hashes_what_is_newer_than_record(self, wheel: Path, environment: Environment) -> None:
        record = wheel / INFO / "RECORD"
        os.utime(record, (1_000_000_000, 1_000_000_000))
        (wheel / "single.py").write_bytes(b"SINGLE = 2\n")
        environment.install(wheel, "hardlink")
        check_record(environment.lib)

    @pytest.mark.parametrize("remove", [True, False])
    def test_validates_names(self, remove: bool, wheel: Path) -> None:
        if remove:
            (wheel / "single.py").unlink()
        else:
            (wheel / "extra.py").touch()
        with pytest.raises(InvalidWheelError, match=r"single\.py|extra\.py"):
            UnpackedSource(wheel).validate_record(validate_contents=False)

    def test_without_a_wheel(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidWheelError):
            UnpackedSource(tmp_path / "missing")
        with pytest.raises(InvalidWheelError, match="has none"):
            UnpackedSource(tmp_path)

    def test_with_two_dist_infos(self, wheel: Path) -> None:
        (wheel / "other-1.0.dist-info").mkdir()
        with pytest.raises(InvalidWheelError, match="has 2"):
            UnpackedSource(wheel)

    @pytest.mark.parametrize("name", ["RECORD", "WHEEL"])
    def test_without_what_it_needs(self, name: str, wheel: Path, environment: Environment) -> None:
        (wheel / INFO / name).unlink()
        with pytest.raises(InvalidWheelError, match=name):
            environment.install(wheel)

    def test_with_metadata_that_is_no_text(self, wheel: Path) -> None:
        (wheel / INFO / "METADATA").write_bytes(b"\xff")
        with pytest.raises(InvalidWheelError, match="UTF-8"):
            UnpackedSource(wheel).read_dist_info("METADATA")

    def test_that_has_changed(self, wheel: Path, environment: Environment) -> None:
        source = UnpackedSource(wheel)
        (wheel / "single.py").unlink()
        with pytest.raises(InvalidWheelError, match=r"single\.py"):
            install(source, environment.destination(), METADATA)

    def test_that_was_exchanged(
        self, wheel: Path, environment: Environment, tmp_path: Path
    ) -> None:
        source = UnpackedSource(wheel)
        wheel.rename(tmp_path / "moved")
        make_demo(wheel)
        with pytest.raises(LinkError, match="another directory"):
            install(source, environment.destination("hardlink"), METADATA)

    @posix_only
    @pytest.mark.parametrize("mode", MODES)
    def test_symlink_in_the_wheel_becomes_its_file(
        self, mode: str, tmp_path: Path, environment: Environment
    ) -> None:
        wheel = make_wheel(
            tmp_path / "cache", {"demo/a.py": b"A = 1\n"}, links={"demo/b.py": "a.py"}
        )
        environment.install(wheel, mode)
        assert (environment.lib / "demo" / "b.py").read_bytes() == b"A = 1\n"
        check_record(environment.lib)

    @posix_only
    @pytest.mark.parametrize("target", ["sub", "missing", "../.."])
    def test_symlink_to_no_file_is_refused(self, target: str, tmp_path: Path) -> None:
        wheel = make_wheel(tmp_path / "cache", {"demo/sub/a.py": b""}, links={"demo/link": target})
        with pytest.raises(InvalidWheelError, match="link"):
            UnpackedSource(wheel)


class TestImport:
    def test_of_the_library_does_not_load_it(self) -> None:
        code = "import sys, wheel_linker; assert 'installer' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_without_installer_names_the_extra(self) -> None:
        code = (
            "import sys; sys.modules['installer'] = None\n"
            "import wheel_linker.integrations.installer"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], check=False, capture_output=True, text=True
        )
        last = done.stderr.splitlines()[-1]
        assert last.startswith("ImportError: ")
        assert "wheel-linker[install]" in last


@pytest.fixture(scope="module")
def pdm() -> Any:
    """PDM's own code for installing wheels, as released."""
    with warnings.catch_warnings():
        # PDM's own matter.
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module("pdm.installers.installers")
        except ImportError as error:
            pytest.skip(f"PDM is not installed: {error}")


class PdmDestination(LinkingDestination):
    """What PDM calls with parameters of its own."""

    def __init__(
        self, *args: Any, link_method: str = "copy", rename_pth: bool = False, **others: Any
    ) -> None:
        super().__init__(*args, mode=link_method, **others)
        self.rename_pth = rename_pth

    def write_to_fs(self, scheme: Scheme, path: str, *others: Any, **more: Any) -> Any:
        postponed = self.rename_pth and path.endswith(".pth") and "/" not in path
        record = super().write_to_fs(
            scheme, f"{path}.pdmtmp" if postponed else path, *others, **more
        )
        record.path = path
        return record


class TestPdm:
    @pytest.fixture(params=["hardlink", "symlink", "copy"])
    def method(self, request: pytest.FixtureRequest) -> str:
        return cast("str", request.param)

    @pytest.fixture
    def project(self, pdm: Any, method: str, environment: Environment, tmp_path: Path) -> Any:
        """As much of PDM's environment as it takes to install a wheel."""
        caches = importlib.import_module("pdm.models.caches")
        project = SimpleNamespace(
            config={"install.cache_method": method},
            package_cache=caches.PackageCache(tmp_path / "packages"),
        )
        return SimpleNamespace(
            interpreter=SimpleNamespace(executable=INTERPRETER),
            script_kind="posix",
            project=project,
            get_paths=lambda _: environment.schemes,
        )

    @pytest.fixture
    def replaced(self, pdm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Change the two names."""

        def source(package: Any) -> UnpackedSource:
            return UnpackedSource(package.path, ignore=package.cache_files)

        monkeypatch.setattr(pdm, "InstallDestination", PdmDestination)
        monkeypatch.setattr(pdm, "PackageWheelSource", source)

    @pytest.mark.usefixtures("replaced")
    def test_installs(
        self,
        pdm: Any,
        project: Any,
        method: str,
        wheel: Path,
        environment: Environment,
        tmp_path: Path,
    ) -> None:
        archive = zip_wheel(wheel, tmp_path)
        cached = project.project.package_cache.cache_wheel(archive).path
        before = snapshot(cached)
        options = {"direct_url": {"url": "x"}, "install_links": True, "requested": True}
        pdm.install_wheel(archive, project, **options)
        info = pdm.install_wheel(archive, project, **options)  # over its own links
        assert Path(info) == environment.lib / INFO
        check_record(environment.lib)
        assert {"direct_url.json", "REQUESTED", "INSTALLER"} <= names(Path(info))
        module = environment.lib / "demo" / "__init__.py"
        assert is_same(module, cached / "demo" / "__init__.py") == (method == "hardlink")
        assert module.is_symlink() == (method == "symlink")
        (cached / ".referrers").unlink(missing_ok=True)  # PDM's own note
        assert snapshot(cached) == before

    @pytest.mark.usefixtures("replaced")
    def test_installs_without_its_cache(
        self, pdm: Any, project: Any, wheel: Path, environment: Environment, tmp_path: Path
    ) -> None:
        pdm.install_wheel(zip_wheel(wheel, tmp_path), project)
        check_record(environment.lib)

    @pytest.mark.usefixtures("replaced")
    def test_postpones_path_configuration(
        self, pdm: Any, project: Any, wheel: Path, environment: Environment, tmp_path: Path
    ) -> None:
        archive = zip_wheel(wheel, tmp_path)
        pdm.install_wheel(archive, project, install_links=True, rename_pth=True)
        pending = environment.lib / "demo.pth.pdmtmp"
        assert not (environment.lib / "demo.pth").exists()
        pending.rename(environment.lib / "demo.pth")
        check_record(environment.lib)

    def test_its_own_destination_takes_the_source(
        self,
        pdm: Any,
        method: str,
        wheel: Path,
        environment: Environment,
    ) -> None:
        files = {path: data for path, data in FILES.items() if path not in EXECUTABLE}
        shutil.rmtree(wheel)
        make_demo(wheel, files)
        destination = pdm.InstallDestination(
            environment.schemes, INTERPRETER, "posix", link_method=method
        )
        pdm.install(UnpackedSource(wheel), destination)
        module = environment.lib / "demo" / "__init__.py"
        assert is_same(module, wheel / "demo" / "__init__.py") == (method == "hardlink")
        assert module.is_symlink() == (method == "symlink")
