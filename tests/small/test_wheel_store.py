"""What a program calls, method by method; tests/store has what becomes of it in the store."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
from store.archives import FILES, NAME, RECORD, record_of, sha256_of, write_archive, write_wheel

from wheel_linker import InvalidWheelError, LinkError
from wheel_linker._archive.limits import Limits
from wheel_linker._fs.patience import TIMEOUT
from wheel_linker.store import WheelStore
from wheel_linker.store.wheel_store import TemporaryStore, for_one_call, looking_late

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TAG: Final = "cpython-311-a70d0d0a"
UNKNOWN: Final = "abcdefghij"
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> Iterator[WheelStore]:
    with WheelStore(root, durable=False, jobs=1) as made:
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_wheel(tmp_path / NAME)


def options(store: WheelStore) -> Any:
    return store._options


class TestParameters:
    def test_by_default(self, root: Path) -> None:
        store = WheelStore(root)
        found = options(store)
        assert (found.limits, found.protect, found.durable, found.check) == (
            Limits(),
            False,
            True,
            None,
        )
        assert found.jobs >= 1
        assert (store.root, store.bases) == (os.fspath(root), ())
        assert (store._timeout, store._trusted) == (TIMEOUT, False)
        assert store._compiling == found
        # Nothing is touched before it is needed.
        assert not root.exists()

    def test_that_were_given(self, root: Path, tmp_path: Path) -> None:
        limits = Limits(entries=7)
        bases = [tmp_path / "a", os.fspath(tmp_path / "b")]
        store = WheelStore(
            root,
            protect=True,
            limits=limits,
            jobs=1,
            durable=False,
            check="hash",
            trusted=True,
            bases=bases,  # type: ignore[arg-type]
            timeout=None,
        )
        found = options(store)
        assert (found.limits, found.protect, found.jobs) == (limits, True, 1)
        assert (found.durable, found.check) == (False, "hash")
        assert store.bases == tuple(map(str, bases))
        session, below = store._made()
        for each in (session, *below):
            assert (each._trusted, each._timeout) == (True, None)
        assert [each.read_only for each in (session, *below)] == [False, True, True]
        assert [each.layout.root for each in below] == list(store.bases)
        assert session.compiling == found
        assert store._made() == (session, below)

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ({"check": "time"}, "check is 'time': give 'size', 'hash' or None"),
            ({"jobs": 0}, "jobs"),
            ({"timeout": -1}, "timeout"),
        ],
    )
    def test_that_make_no_sense(self, root: Path, more: Any, said: str) -> None:
        with pytest.raises(ValueError, match="^" + said) as caught:
            WheelStore(root, **more)
        assert said in str(caught.value)

    @pytest.mark.parametrize("check", [None, "size", "hash"])
    def test_each_check(self, root: Path, check: Any) -> None:
        assert options(WheelStore(root, check=check)).check == check

    def test_roots(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert WheelStore("here").root == os.path.join(os.getcwd(), "here")
        with pytest.raises(LinkError, match="cannot use a store"):
            WheelStore("a\0b")
        assert repr(WheelStore("here")) == f"WheelStore({WheelStore('here').root!r})"
        assert repr(TemporaryStore("here")).startswith("TemporaryStore(")

    def test_of_a_temporary_one(self, root: Path) -> None:
        store = TemporaryStore(root, jobs=1)
        assert (store._trusted, store._compiling, options(store).jobs) == (True, None, 1)
        assert store._made()[0].compiling is None

    @on_posix
    def test_trust(self, root: Path, store: WheelStore) -> None:
        assert store.trusted
        root.chmod(0o777)
        store.close()
        assert not store.trusted
        assert WheelStore(root, trusted=True).trusted


class TestAdd:
    def test_one(self, store: WheelStore, path: Path) -> None:
        digest = sha256_of(path)
        wheel = store.add(path, sha256=digest.upper())
        assert (wheel.digest, wheel.file()) == (digest, os.fspath(path))
        assert store.add(os.fsencode(path)) == wheel  # type: ignore[arg-type]

    def test_relative(self, store: WheelStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(path.parent)
        assert store.add(NAME).file() == os.path.join(os.getcwd(), NAME)
        assert [wheel.file() for wheel in store.add_all([NAME])] == [os.path.abspath(NAME)]

    @pytest.mark.parametrize("digest", ["", "5e", "g" * 64])
    def test_what_is_no_digest(self, store: WheelStore, path: Path, digest: str) -> None:
        calls: list[Callable[[], object]] = [
            lambda: store.add(path, sha256=digest),
            lambda: store.find(digest),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="sha256") as caught:
                call()
            assert str(caught.value) == f"sha256 is {digest!r}: give 64 hexadecimal digits"

    def test_several(self, store: WheelStore, tmp_path: Path) -> None:
        paths = [write_wheel(tmp_path / str(n) / NAME, {f"demo/{n}": b""}) for n in range(3)]
        wheels = store.add_all(paths)
        assert [wheel.file() for wheel in wheels] == list(map(os.fspath, paths))
        assert len(store.entries()) == 3

    def test_progress(self, store: WheelStore, path: Path, tmp_path: Path) -> None:
        told: list[int] = []
        store.add(path, progress=told.append)
        assert sum(told) == len(FILES) + 1
        other = write_wheel(tmp_path / "other" / NAME, {"demo/more": b""})
        store.add_all([other], progress=told.append)
        assert sum(told) == 2 * len(FILES) + 3

    @pytest.mark.filterwarnings("ignore::wheel_linker.RecordWarning")
    def test_records(self, store: WheelStore, tmp_path: Path) -> None:
        files = {**FILES, RECORD: record_of(FILES), "demo/more": b"more"}
        path = write_archive(tmp_path / NAME, files)
        calls: list[Any] = [store.add, lambda one, **more: store.add_all([one], **more)]
        for call in calls:
            with pytest.raises(InvalidWheelError, match="RECORD"):
                call(path, record="strict")
            with pytest.raises(ValueError, match="record"):
                call(path, record="other")
        wheel = store.add(path)
        assert [problem.path for problem in store.record_problems(wheel)] == ["demo/more"]
        Path(store.root, wheel.entry, "problems").write_bytes(b"")
        assert store.record_problems(wheel) == ()
        assert store.record_problems(UNKNOWN) == ()

    def test_what_the_system_refuses(self, root: Path, tmp_path: Path, path: Path) -> None:
        root.touch()
        store = WheelStore(root)
        for call in (lambda: store.add(path), lambda: store.add_all([path])):
            with pytest.raises(LinkError, match="cannot open the store"):
                call()

    def test_what_is_below(self, root: Path, tmp_path: Path, path: Path) -> None:
        with WheelStore(tmp_path / "base", durable=False) as base:
            wheel = base.add(path)
        with WheelStore(root, bases=[tmp_path / "base"]) as store:
            assert store.add(path) == wheel
            assert store.add_all([path]) == [wheel]
            assert store.find(wheel.digest) == wheel
            assert store.entries() == []
        with pytest.raises(LinkError):
            WheelStore(root, bases=[tmp_path / "none"]).add(path)


class TestEntries:
    def test_are_found(self, store: WheelStore, path: Path) -> None:
        assert store.find(sha256_of(path)) is None
        wheel = store.add(path)
        assert store.find(wheel.digest.upper()) == wheel
        (entry,) = store.entries()
        assert (entry.name, entry.digest) == (wheel.entry, wheel.digest)

    def test_are_removed(self, store: WheelStore, path: Path) -> None:
        wheel = store.add(path)
        store.remove(UNKNOWN, wheel)
        assert store.entries() == []
        store.remove(wheel.entry)
        store.remove()

    def test_are_removed_together(
        self, store: WheelStore, path: Path, tmp_path: Path, root: Path
    ) -> None:
        wheels = [store.add(path), store.add(write_wheel(tmp_path / "o" / NAME, {"x.py": b""}))]
        with WheelStore(root) as other:
            other.find(wheels[1].digest)
            with pytest.raises(LinkError) as caught:
                store.remove(*wheels)
        assert caught.value.errno == errno.EBUSY
        assert len(store.entries()) == 2

    def test_are_pruned(self, store: WheelStore, path: Path) -> None:
        wheel = store.add(path)
        assert store.prune() == []
        assert store.prune(unused_for=timedelta(days=1)) == []
        assert store.prune(max_bytes=10**9) == []
        os.link(Path(wheel.path, "single.py"), path.parent / "linked")
        assert store.prune(max_bytes=0, keep_linked=True) == []
        assert [entry.name for entry in store.prune(max_bytes=0)] == [wheel.entry]
        store.add(path)
        assert [entry.name for entry in store.prune(unused_for=0)] == [wheel.entry]
        for more in ({"unused_for": float("nan")}, {"max_bytes": -1}):
            with pytest.raises(ValueError, match=r"unused_for|max_bytes"):
                store.prune(**more)

    def test_are_verified_and_repaired(self, store: WheelStore, path: Path) -> None:
        wheel = store.add(path)
        file = Path(wheel.path, "single.py")
        when = file.stat().st_mtime_ns
        file.write_bytes(b"SINGLE = 2\n")
        os.utime(file, ns=(when, when))
        assert store.verify() == store.verify(wheel) == store.verify(UNKNOWN, deep=True) == []
        assert [damage.path for damage in store.verify(deep=True)] == ["single.py"]
        assert [damage.path for damage in store.verify(wheel.entry, deep=True)] == ["single.py"]
        assert [damage.path for damage in store.repair(wheel, os.fsencode(path))] == [  # type: ignore[arg-type]
            "single.py"
        ]
        assert file.read_bytes() == FILES["single.py"]

    def test_that_are_none(self, store: WheelStore, path: Path) -> None:
        store.add(path)
        calls: list[Callable[[], object]] = [
            lambda: store.remove("../else"),
            lambda: store.verify("../else"),
            lambda: store.record_problems("../else"),
            lambda: store.repair("../else", path),
            lambda: store.compile(["../else"], python()),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="neither"):
                call()

    @on_posix
    def test_that_cannot_be_read(
        self, store: WheelStore, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> Any:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        store.add(path)
        monkeypatch.setattr("wheel_linker.store.entries.manifest.read", refuse)
        monkeypatch.setattr("wheel_linker.store.entries.read_entry", refuse)
        calls: dict[str, Callable[[], object]] = {
            "read": store.entries,
            "prune": lambda: store.prune(unused_for=0),
            "verify": store.verify,
        }
        for doing, call in calls.items():
            with pytest.raises(LinkError) as caught:
                call()
            assert str(caught.value).startswith(f"cannot {doing} the store {store.root!r}: ")
            assert (caught.value.errno, caught.value.source) == (errno.EIO, store.root)


def python(tag: str | None = TAG) -> Any:
    """Return an environment of which nothing but its interpreter is known."""
    return SimpleNamespace(python=sys.executable, bytecode_tag=lambda: tag)


class TestCompile:
    def test_what_is_there(self, store: WheelStore, path: Path) -> None:
        wheel = store.add(path)
        (one,) = store.compile([wheel], python())
        assert (one.entry, one.files, one.not_compiled) == (wheel.entry, 3, ())
        assert store.compile([wheel.digest], python()) == [one]
        assert os.listdir(os.path.join(store.root, wheel.entry, "bytecode")) == [f"{TAG}-0"]
        store.compile([wheel], python(), optimize=2)
        assert f"{TAG}-2" in os.listdir(os.path.join(store.root, wheel.entry, "bytecode"))
        assert store.compile([wheel], python(None)) == []

    def test_what_is_not(self, store: WheelStore) -> None:
        with pytest.raises(InvalidWheelError) as caught:
            store.compile([UNKNOWN], python())
        said = f"the store {store.root!r} has no such entry: {UNKNOWN}; add the wheel"
        assert str(caught.value) == said


class TestCopies:
    def test_that_look_late(self, store: WheelStore, path: Path) -> None:
        digest = store.add(path).digest
        late = looking_late(store)
        for each, looks_late in ((late, True), (store, False)):
            found = each.find(digest)
            assert found is not None
            assert found.looks_late is looks_late
        assert late.root == store.root
        assert late._made() == store._made()

    def test_for_one_call(self, store: WheelStore, path: Path) -> None:
        session, _ = store._made()
        with for_one_call(store) as one:
            wheel = one.add(path)
            assert session._used() == {wheel.entry}
            assert store._options.kept is None
        assert session._used() == set()

    def test_closing(self, store: WheelStore, path: Path, root: Path, tmp_path: Path) -> None:
        wheel = store.add(path)
        with WheelStore(root) as other:
            with pytest.raises(LinkError):
                other.remove(wheel)
            store.close()
            other.remove(wheel)
        with WheelStore(tmp_path / "own", bases=[root]) as layered:
            layered.find(wheel.digest)
            base = layered._made()[1][0]
            assert base._opened is not None
        assert base._opened is None
        shutil.rmtree(root)
