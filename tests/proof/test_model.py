"""Random wheels, linked in random ways into one environment, against a dictionary."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from wheels import POSIX_BYTES, make_wheel

from proof.kit import exact, litter
from wheel_linker import LinkError, LinkMode, link_wheel_files, link_wheels
from wheel_linker._fs import folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from proof.plugin import Figures

EXAMPLES: Final = 60
LONG_EXAMPLES: Final = 2000
STEPS: Final = 20

# Few names, so that wheels meet; and among them what file systems have opinions on.
NAMES: Final = st.sampled_from(
    [
        "a",
        "b",
        "c.py",
        "d.so",
        "pkg",
        "caf\u00e9",
        "\u65e5\u672c.py",
        "new\nline",
        "n" * 200,
        "-x",
        "__pycache__",
        "RECORD",
    ]
    + (["\udcff.py"] if POSIX_BYTES else [])
)
PATHS: Final = st.lists(NAMES, min_size=1, max_size=4).map("/".join) | st.lists(
    st.just("deep"), min_size=30, max_size=60
).map("/".join)
CONTENTS: Final = st.binary(max_size=20) | st.integers(0, 255).map(
    lambda byte: bytes([byte]) * 5000
)
MODES: Final = st.sampled_from(LinkMode)
CHAINS: Final = (
    MODES
    | st.just("auto")
    | st.permutations(list(LinkMode)).map(
        # A copy works everywhere, so that the outcome is known.
        lambda modes: tuple(modes[: modes.index(LinkMode.COPY) + 1])
    )
)


class Kind(NamedTuple):
    """What is known of one path of the environment."""

    data: bytes | None
    """None for a directory."""
    executable: bool = False


class Wheel(NamedTuple):
    """An unpacked wheel, and what it holds."""

    root: Path
    tree: dict[str, Kind]
    before: dict[str, tuple[int, int, int, bytes]]


def parents(path: str) -> Iterable[str]:
    """Yield the directories above a path, the uppermost first."""
    parts = path.split("/")
    for depth in range(1, len(parts)):
        yield "/".join(parts[:depth])


def without_clashes(files: dict[str, Kind], directories: Iterable[str]) -> dict[str, Kind]:
    """Return a tree in which no file is a directory as well."""
    tree: dict[str, Kind] = {}
    for path, kind in [*files.items(), *((path, Kind(None)) for path in directories)]:
        above = list(parents(path))
        if any(tree.get(parent, Kind(None)).data is not None for parent in above) or path in tree:
            continue
        tree.update({parent: Kind(None) for parent in above})
        tree[path] = kind
    return tree


FILES: Final = st.dictionaries(PATHS, st.builds(Kind, CONTENTS, st.booleans()), max_size=8)
TREES: Final = st.builds(without_clashes, FILES, st.lists(PATHS, max_size=2))


class Environment(RuleBasedStateMachine):
    """An environment, and what should be in it."""

    steps = 0
    place: Path
    """Where the environments are made."""

    def __init__(self) -> None:
        super().__init__()
        self._root = Path(tempfile.mkdtemp(dir=self.place))
        self._site = self._root / "site"
        self._wheels: list[Wheel] = []
        self._model: dict[str, Kind] = {}

    @initialize()
    def make(self) -> None:
        self._site.mkdir()

    @rule(tree=TREES, read_only=st.booleans())
    def unpack(self, tree: dict[str, Kind], read_only: bool) -> None:
        """A wheel comes into the cache."""
        name = f"w{len(self._wheels)}"
        root = self._root / "cache" / name
        files = {path: kind.data for path, kind in tree.items() if kind.data is not None}
        executables = [
            path for path, kind in tree.items() if kind.executable and kind.data is not None
        ]
        make_wheel(root, files, name=name, executables=executables)
        for path, kind in tree.items():
            if kind.data is None:
                (root / path).mkdir(parents=True, exist_ok=True)
        picture = picture_of(root)
        if read_only:
            make_read_only(root)
        self._wheels.append(Wheel(root, picture, exact(root)))

    @precondition(lambda self: self._wheels)
    @rule(data=st.data(), chain=CHAINS, portable=st.booleans())
    def link(
        self, data: st.DataObject, chain: LinkMode | tuple[LinkMode, ...] | str, portable: bool
    ) -> None:
        """One wheel is linked."""
        wheel = data.draw(st.sampled_from(self._wheels), "wheel")
        self._link([wheel], portable, lambda: link_wheel_files(self._site, wheel.root, mode=chain))

    @precondition(lambda self: self._wheels)
    @rule(data=st.data(), chain=CHAINS, jobs=st.integers(1, 3))
    def link_many(
        self, data: st.DataObject, chain: LinkMode | tuple[LinkMode, ...] | str, jobs: int
    ) -> None:
        """Several wheels are linked, of which later ones win."""
        some = data.draw(
            st.lists(st.sampled_from(self._wheels), min_size=1, max_size=4, unique_by=id), "wheels"
        )
        roots = [wheel.root for wheel in some]
        self._link(some, False, lambda: link_wheels(self._site, roots, mode=chain, jobs=jobs))

    @rule(data=st.data(), content=CONTENTS)
    def edit(self, data: st.DataObject, content: bytes) -> None:
        """Somebody edits a file that is a clone or a copy; what a link leads to is not theirs to edit."""
        own = [
            path
            for path, kind in self._model.items()
            if kind.data is not None and self._is_private(path)
        ]
        if own:
            path = data.draw(st.sampled_from(sorted(own)), "path")
            (self._site / path).write_bytes(content)
            self._model[path] = self._model[path]._replace(data=content)

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """Somebody removes a file or directory."""
        if self._model:
            path = data.draw(st.sampled_from(sorted(self._model)), "path")
            if self._model[path].data is None:
                shutil.rmtree(self._site / path)
            else:
                (self._site / path).unlink()
            self._model = {
                other: kind
                for other, kind in self._model.items()
                if other != path and not other.startswith(f"{path}/")
            }

    @invariant()
    def is_as_the_model_says(self) -> None:
        type(self).steps += 1
        if self._site.exists():
            assert picture_of(self._site) == self._model
            assert litter(self._site) == []

    @invariant()
    def no_wheel_has_changed(self) -> None:
        for wheel in self._wheels:
            assert exact(wheel.root) == wheel.before

    def teardown(self) -> None:
        for directory, _, _ in os.walk(self._root):
            # Only root can take something out of a read-only one.
            os.chmod(directory, 0o700)
        shutil.rmtree(self._root)

    def _link(self, wheels: list[Wheel], portable: bool, call: Callable[[], object]) -> None:
        expected = self._after(wheels)
        by_descriptor = folder.BY_DESCRIPTOR
        folder.BY_DESCRIPTOR = by_descriptor and not portable
        try:
            if expected is None:
                with pytest.raises(LinkError):
                    call()
            else:
                call()
                self._model = expected
        finally:
            folder.BY_DESCRIPTOR = by_descriptor

    def _after(self, wheels: list[Wheel]) -> dict[str, Kind] | None:
        """Return what should be there after linking; None if a file and a directory meet."""
        after = dict(self._model)
        for wheel in wheels:
            for path, kind in wheel.tree.items():
                there = after.get(path)
                if there is not None and (there.data is None) != (kind.data is None):
                    return None
                after[path] = kind
        return after

    def _is_private(self, path: str) -> bool:
        status = (self._site / path).lstat()
        return (
            stat.S_ISREG(status.st_mode)
            and status.st_nlink == 1
            and bool(status.st_mode & stat.S_IWUSR)
        )


def picture_of(tree: Path) -> dict[str, Kind]:
    """Return what is in a tree, as the model has it."""
    found = {}
    for path, (mode, _, _, _) in exact(tree).items():
        relative = os.path.relpath(path, tree).replace(os.sep, "/")
        if stat.S_ISDIR(mode):
            found[relative] = Kind(None)
        else:
            status = os.stat(path)
            found[relative] = Kind(Path(path).read_bytes(), bool(status.st_mode & stat.S_IXUSR))
    return found


def make_read_only(root: Path) -> None:
    """Take the right to write away from everything in a tree."""
    for path in [root, *(Path(path) for path in exact(root))]:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)


@pytest.mark.skipif(os.name != "posix", reason="the names are POSIX ones")
@pytest.mark.parametrize("where", [LinkMode.CLONE, LinkMode.HARDLINK])
def test_environment(
    where: LinkMode, place_for: Callable[[LinkMode], Path], is_long: bool, figures: Figures
) -> None:
    """Where clones work, and where they do not."""
    Environment.place, Environment.steps = place_for(where), 0
    run_state_machine_as_test(
        Environment,
        settings=settings(
            max_examples=LONG_EXAMPLES if is_long else EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            # To explain failures every line is traced, which is slow before Python 3.12.
            phases=set(Phase) - {Phase.explain},
            derandomize=not is_long,
            suppress_health_check=list(HealthCheck),
        ),
    )
    figures.add("model", steps=Environment.steps)
