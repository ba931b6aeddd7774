"""What linking does whatever the backend, the way through the tree and the file system: one suite.

A ``test_contract_*.py`` module subclasses :class:`LinkingContract` for its backend.
"""

from __future__ import annotations

import importlib.machinery
import itertools
import os
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from wheels import (
    POSIX_BYTES,
    SAMPLE,
    contents,
    make_wheel,
    names,
    sample_wheel,
    set_times,
    snapshot,
    write_tree,
)

from wheel_linker import AUTO, LinkError, LinkMode, link_wheel_files, link_wheels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker.backends import Backend

MODES = list(LinkMode)
PRIVATE = (LinkMode.CLONE, LinkMode.COPY)
CHAINS: list[tuple[LinkMode, ...]] = [
    (LinkMode.CLONE, LinkMode.COPY),
    (LinkMode.COPY,),
    (LinkMode.HARDLINK, LinkMode.COPY),
    (LinkMode.SYMLINK, LinkMode.COPY),
    AUTO,
    (LinkMode.CLONE, LinkMode.SYMLINK),
]
posix_only = pytest.mark.skipif(os.name != "posix", reason="is about POSIX permissions and names")


def spell(chain: Sequence[LinkMode]) -> str:
    return ">".join(mode.value for mode in chain)


@pytest.mark.usefixtures("way")
class LinkingContract:
    """Subclasses provide ``backend`` and say where it ``clones``."""

    @pytest.fixture
    def backend(self) -> Backend:
        raise NotImplementedError

    @pytest.fixture
    def clones(self, place: Path) -> bool:
        raise NotImplementedError

    @pytest.fixture
    def works(self, place: Path, clones: bool) -> set[LinkMode]:
        """The modes that this file system and this backend are capable of."""
        target = place / "target"
        target.touch()
        working = {LinkMode.COPY, LinkMode.CLONE} if clones else {LinkMode.COPY}
        for mode, call in ((LinkMode.HARDLINK, os.link), (LinkMode.SYMLINK, os.symlink)):
            try:
                call(target, place / mode.value)
            except OSError:
                continue
            working.add(mode)
        return working

    @pytest.fixture
    def cached(self, place: Path) -> Path:
        return sample_wheel(place / "cache" / "demo")

    @pytest.fixture
    def target(self, place: Path) -> Path:
        return place / "venv" / "site-packages"

    @pytest.mark.parametrize("chain", CHAINS, ids=spell)
    def test_everything_arrives_and_the_report_says_how(
        self,
        cached: Path,
        target: Path,
        backend: Backend,
        works: set[LinkMode],
        chain: tuple[LinkMode, ...],
    ) -> None:
        report = link_wheel_files(target, cached, mode=chain, backend=backend)

        expected = next(mode for mode in chain if mode in works)
        assert contents(target) == contents(cached)
        assert (report.requested, report.mode) == (chain, expected)
        assert report.files == sum(report.used.values()) == len(SAMPLE) + 3
        forced = 0 if expected in PRIVATE else 1  # RECORD
        assert report.used[expected] == report.files - forced
        assert report.used.get(LinkMode.COPY, 0) >= forced
        assert report.replaced == ()
        if expected is chain[0]:
            assert (report.fallbacks, report.fallback_count) == ((), 0)
        else:
            assert report.fallback_count >= report.files - 1
            assert {(fall.tried, fall.used) for fall in report.fallbacks} >= {(chain[0], expected)}

    @pytest.mark.parametrize("mode", MODES)
    def test_a_strict_mode_is_used_or_refused(
        self, cached: Path, target: Path, backend: Backend, works: set[LinkMode], mode: LinkMode
    ) -> None:
        if mode in works:
            report = link_wheel_files(target, cached, mode=(mode,), backend=backend)
            assert report.mode is mode
            assert contents(target) == contents(cached)
        else:
            before = snapshot(target.parent.parent)
            with pytest.raises(LinkError) as caught:
                link_wheel_files(target, cached, mode=(mode,), backend=backend)
            assert caught.value.mode is mode
            assert isinstance(caught.value.__cause__, OSError)
            assert snapshot(target.parent.parent) == before

    @pytest.mark.parametrize(
        "modes", list(itertools.product(MODES, repeat=2)), ids=lambda modes: spell(modes)
    )
    def test_linking_twice_leaves_the_source_alone(
        self, cached: Path, target: Path, backend: Backend, modes: tuple[LinkMode, LinkMode]
    ) -> None:
        before = snapshot(cached, directory_times=True)
        reports = [link_wheel_files(target, cached, mode=mode, backend=backend) for mode in modes]

        assert snapshot(cached, directory_times=True) == before
        assert contents(target) == contents(cached)
        assert names(target) == names(cached)
        assert [len(report.replaced) for report in reports] == [0, reports[0].files]

    @pytest.mark.parametrize("mode", MODES)
    def test_files_end_as_what_the_mode_says(
        self, cached: Path, target: Path, backend: Backend, mode: LinkMode
    ) -> None:
        report = link_wheel_files(target, cached, mode=mode, backend=backend)

        placed, original = target / "single.py", cached / "single.py"
        assert placed.is_symlink() == (report.mode is LinkMode.SYMLINK)
        shared = os.path.samestat(placed.stat(), original.stat())
        assert shared == (report.mode not in PRIVATE)
        assert not any(path.is_symlink() for path in target.rglob("*") if path.is_dir())

    @pytest.mark.parametrize("mode", MODES)
    def test_edited_files_are_private(
        self, cached: Path, target: Path, backend: Backend, mode: LinkMode
    ) -> None:
        before = snapshot(cached, directory_times=True)
        asked: list[PurePosixPath] = []

        def must_copy(path: PurePosixPath) -> bool:
            asked.append(path)
            return path == PurePosixPath("demo/sub/__init__.py")

        link_wheel_files(target, cached, mode=mode, backend=backend, must_copy=must_copy)

        for path in ("demo/sub/__init__.py", "demo-1.0.dist-info/RECORD"):
            with (target / path).open("ab") as file:
                file.write(b"# edited\n")
        assert snapshot(cached, directory_times=True) == before
        assert all(type(path) is PurePosixPath for path in asked)

    @posix_only
    @pytest.mark.parametrize("mode", MODES)
    def test_executables_stay_executable(
        self, cached: Path, target: Path, backend: Backend, mode: LinkMode
    ) -> None:
        link_wheel_files(target, cached, mode=mode, backend=backend)

        modes = {
            path: (
                stat.S_IMODE((target / path).stat().st_mode),
                stat.S_IMODE((cached / path).stat().st_mode),
            )
            for path in SAMPLE
        }
        assert {path for path, (placed, original) in modes.items() if placed != original} == set()
        assert os.access(target / "demo/tool.sh", os.X_OK)

    @posix_only
    @pytest.mark.parametrize("mode", PRIVATE)
    def test_set_id_bits_are_dropped(
        self, cached: Path, target: Path, backend: Backend, mode: LinkMode
    ) -> None:
        (cached / "demo/tool.sh").chmod(0o6755)
        link_wheel_files(target, cached, mode=mode, backend=backend)
        assert stat.S_IMODE((target / "demo/tool.sh").stat().st_mode) == 0o755

    @posix_only
    @pytest.mark.parametrize("mode", MODES)
    def test_a_read_only_wheel_gives_writable_directories(
        self, cached: Path, target: Path, backend: Backend, mode: LinkMode
    ) -> None:
        for path in [cached, *cached.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = snapshot(cached, directory_times=True)

        link_wheel_files(target, cached, mode=mode, backend=backend)

        directories = [target, *(path for path in target.rglob("*") if path.is_dir())]
        assert [path for path in directories if path.stat().st_mode & 0o700 != 0o700] == []
        assert contents(target) == contents(cached)
        assert snapshot(cached, directory_times=True) == before

    @pytest.mark.parametrize("mode", MODES)
    def test_symlinks_within_the_wheel_are_recreated(
        self, place: Path, target: Path, backend: Backend, mode: LinkMode, works: set[LinkMode]
    ) -> None:
        if LinkMode.SYMLINK not in works:
            pytest.skip("no symlinks here")
        links = {
            "demo/lib/libdemo.so": "libdemo.so.1",
            "demo/lib/up": "../module.py",
            "demo/alias": "sub",
            "demo/dangling": "nowhere",
        }
        files = {"demo/lib/libdemo.so.1": b"ELF", "demo/module.py": b"", "demo/sub/leaf.py": b""}
        source = make_wheel(place / "linked", files, links=links)

        for _ in range(2):
            report = link_wheel_files(target, source, mode=mode, backend=backend)
            assert report.files == len(files) + len(links) + 3
            assert report.used[LinkMode.SYMLINK] >= len(links)

        assert {path: os.readlink(target / path) for path in links} == links

    @pytest.mark.skipif(not POSIX_BYTES, reason="names are text here")
    @pytest.mark.parametrize("mode", MODES)
    def test_names_that_are_not_utf8_work(
        self, place: Path, target: Path, backend: Backend, mode: LinkMode
    ) -> None:
        path = os.fsdecode(b"demo/caf\xe9/\xff\xfe.py")
        source = make_wheel(place / "bytes", {path: b"NAME = 1\n"})
        link_wheel_files(target, source, mode=mode, backend=backend)
        assert (target / path).read_bytes() == b"NAME = 1\n"

    @pytest.mark.parametrize("mode", MODES)
    def test_existing_files_are_replaced_and_reported(
        self, cached: Path, target: Path, backend: Backend, mode: LinkMode
    ) -> None:
        write_tree(target, {"demo/module.py": b"old", "demo/mine.py": b"mine", "other/x.py": b""})
        report = link_wheel_files(target, cached, mode=mode, backend=backend)
        assert report.replaced == ("demo/module.py",)
        found = contents(target)
        assert found["demo/module.py"] == SAMPLE["demo/module.py"]
        assert found["demo/mine.py"] == b"mine"
        assert {path: found[path] for path in contents(cached)} == contents(cached)

    @pytest.mark.parametrize("mode", MODES)
    def test_what_is_in_the_way_undoes_everything(
        self, cached: Path, target: Path, backend: Backend, mode: LinkMode
    ) -> None:
        write_tree(
            target, {"demo/__init__.py": b"old", "demo/sub/deep/er/still/leaf.py/x": b"in the way"}
        )
        set_times(target, 1e9)
        before = snapshot(target)
        source = snapshot(cached, directory_times=True)
        with pytest.raises(LinkError, match=r"leaf\.py"):
            link_wheel_files(target, cached, mode=mode, backend=backend)
        assert snapshot(target) == before
        assert snapshot(cached, directory_times=True) == source

    @pytest.mark.parametrize("mode", MODES)
    def test_many_wheels_share_a_namespace(
        self, place: Path, target: Path, backend: Backend, mode: LinkMode
    ) -> None:
        sources = [
            make_wheel(
                place / "cache" / f"part{number}",
                {f"space/part{number}/m.py": b"", "space/both.py": b"%d" % number},
                name=f"part{number}",
            )
            for number in range(6)
        ]
        reports = link_wheels(target, sources, mode=mode, jobs=4, backend=backend)
        assert [report.wheel.name for report in reports] == [f"part{n}" for n in range(6)]
        found = contents(target)
        expected: dict[str, bytes | None] = {}
        for source in sources:
            expected.update(contents(source))
        assert found == expected
        assert found["space/both.py"] == b"5"

    @pytest.mark.parametrize("mode", MODES)
    def test_a_listing_that_was_cached_is_read_again(
        self, cached: Path, target: Path, backend: Backend, mode: LinkMode
    ) -> None:
        (target / "demo").mkdir(parents=True)
        finders = {
            name: importlib.machinery.FileFinder(
                str(directory),
                (importlib.machinery.SourceFileLoader, importlib.machinery.SOURCE_SUFFIXES),
            )
            for name, directory in (("single", target), ("demo.module", target / "demo"))
        }
        assert [finder.find_spec(name) for name, finder in finders.items()] == [None, None]
        link_wheel_files(target, cached, mode=mode, backend=backend)
        assert None not in [finder.find_spec(name) for name, finder in finders.items()]

    @pytest.mark.parametrize(("name", "depth"), [("d", 120), ("directory" * 8, 11)])
    @pytest.mark.parametrize("mode", MODES)
    def test_deep_trees_work(
        self,
        place: Path,
        target: Path,
        backend: Backend,
        mode: LinkMode,
        name: str,
        depth: int,
    ) -> None:
        directories = [name] * depth
        leaf = "/".join([*directories, "leaf.py"])
        shallow = "/".join([*directories[:2], "x.py"])
        source = make_wheel(place / "deep", {leaf: b"LEAF = 1\n", shallow: b""})
        write_tree(target, {"/".join([*directories[: depth // 2], "old.py"]): b""})
        link_wheel_files(target, source, mode=mode, backend=backend)
        assert (target / leaf).read_bytes() == b"LEAF = 1\n"
        assert (target / shallow).read_bytes() == b""

    @pytest.mark.parametrize("mode", MODES)
    def test_threads_do_not_matter(
        self, cached: Path, target: Path, backend: Backend, mode: LinkMode
    ) -> None:
        report = link_wheel_files(target, cached, mode=mode, jobs=4, backend=backend)
        assert contents(target) == contents(cached)
        assert sum(report.used.values()) == report.files == len(SAMPLE) + 3
