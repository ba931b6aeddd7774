"""Upgrading from a store: with its bytecode, with a damaged file in it, and with another wheel still to be planned."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from install.kit import files_in, layout_in, no_litter, pure, root_of, rows
from store.conftest import settle
from wheels import make_wheel, zip_wheel

from proof.faults import error, interrupt_after, interrupt_before
from proof.kit import complete
from proof.scene import Scene, spoil_each, survive_interrupts, survive_kills
from proof.test_install import wheel_of
from wheel_linker import InvalidWheelError, LinkError, LinkMode
from wheel_linker.install import install_wheels
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proof.faults import Fault, Spoiler
    from proof.plugin import Figures

pytestmark = pytest.mark.skipif(os.name != "posix", reason="spoils POSIX calls")

NUMBERS: Final = (errno.EIO, errno.ENOSPC)
INTERRUPTS: Final = (interrupt_before, interrupt_after)
STRIDE: Final = 37
"""By default every so manyth call is spoilt, from another one on for each test; in full, all are."""
NAME: Final = "from a store, fault injection"
DAMAGED: Final = "demo/turns/module.py"


class Stored(Scene):
    """An environment whose distribution is upgraded from a store that has the new wheel already.

    :param kind: ``"bytecode"`` where that of both versions is in the store; ``"damaged"`` where a file of the new wheel
        is found to be damaged when it is linked; ``"ahead"`` where a second wheel comes with either version, so that
        files of one are staged while the other is still to be planned.
    """

    def __init__(self, place: Path, kind: str) -> None:
        self._kind = kind
        self._store = place / "store"
        files = place / "dist"
        files.mkdir()
        self._files = {
            version: settle(zip_wheel(wheel_of(place / "cache", version), files))
            for version in (1, 2)
        }
        second = make_wheel(place / "cache" / "second", {"second.py": b""}, name="second")
        self._others = [settle(zip_wheel(second, files))] if kind == "ahead" else []
        self.layout = layout_in(place / "env")
        root = root_of(self.layout)
        self._model = place / "model"
        for version in (2, 1):
            shutil.rmtree(root, ignore_errors=True)
            self._install(version)
        root.rename(self._model)
        with WheelStore(self._store, durable=False) as store:
            self._entry = Path(store.add(self._files[2]).path)
            self._entries = len(store.entries())
        super().__init__(root, files)

    def restore(self) -> None:
        """Make the environment anew, and damage the file again, which is mended each time."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self._model, self.root, symlinks=True)
        if self._kind == "damaged":
            path = self._entry / DAMAGED
            path.unlink(missing_ok=True)  # others may have links to it
            path.write_bytes(b"#")

    def act(self) -> None:
        """Upgrade."""
        self._install(2)

    def has_returned(self) -> bool:
        """Tell whether only the closing of the store was left."""
        return self._returned

    def _install(self, version: int) -> None:
        self._returned = False
        with WheelStore(self._store, durable=False, jobs=1) as store:
            install_wheels(
                [self._files[version], *self._others],
                self.layout,
                store=store,
                mode=LinkMode.HARDLINK,
                jobs=2 if self._others else 1,
                compile_bytecode=self._kind != "damaged",
            )
            self._returned = True

    def is_done(self) -> bool:
        """Tell whether the new version is there, and nothing else."""
        self.check_files()
        return _directories(complete(self.root)) == _directories(self._after)

    def check_files(self) -> None:
        """The new version must be there, with all that its ``RECORD`` names, and nothing else.

        Where the store could not give bytecode, the environment's interpreter has made it, or there is none; it has no
        hash, so that an interpreter may write it anew.
        """
        assert _sources(complete(self.root)) == _sources(self._after)
        recorded = {*rows(self.layout, "demo-2.0.dist-info")}
        if self._others:
            recorded.update(rows(self.layout, "second-1.0.dist-info"))
        files = {Path(os.path.normpath(pure(self.layout) / path)) for path in recorded}
        assert {self.root / path for path in files_in(self.root)} == files

    def check_store(self) -> None:
        """All that the store has must be as it was unpacked."""
        with WheelStore(self._store) as store:
            assert len(store.entries()) == self._entries
            assert store.verify(deep=True) == []


def _sources(tree: Mapping[str, tuple[int, bytes | None]]) -> dict[str, tuple[int, bytes]]:
    return {
        path: (bits, data)
        for path, (bits, data) in tree.items()
        if data is not None and "__pycache__" not in path and not path.endswith("RECORD")
    }


def _directories(tree: Mapping[str, tuple[int, bytes | None]]) -> set[str]:
    return {path for path, (_, data) in tree.items() if data is None and "__pycache__" not in path}


@pytest.fixture(params=["bytecode", "damaged", "ahead"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Stored:
    return Stored(tmp_path, request.param)


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_errors(
    scene: Stored, spoiler: Spoiler, steps: Iterator[int], number: int, figures: Figures
) -> None:
    """An error is raised and everything undone, or it did not matter.

    What of a store cannot be read is damaged, and a store that cannot be written is only read: the errors say so.
    """

    def check(failure: BaseException | None) -> None:
        assert no_litter(scene.root)
        if failure is None:
            scene.check_complete()
            figures.add(NAME, without_effect=1)
            scene.go_on()
            return
        assert isinstance(failure, (LinkError, InvalidWheelError))
        assert scene.is_untouched()
        figures.add(NAME, undone=1)

    figures.add(NAME, points=spoil_each(scene, spoiler, error(number), steps, check))


@pytest.mark.parametrize("fault", INTERRUPTS)
def test_interrupts(
    scene: Stored, spoiler: Spoiler, steps: Iterator[int], fault: Fault, figures: Figures
) -> None:
    """An interrupt is raised and everything undone; or, at the very end, everything done."""
    survive_interrupts(scene, spoiler, fault, steps, figures, "from a store, interrupts")


def test_kills(scene: Stored, spoiler: Spoiler, steps: Iterator[int], figures: Figures) -> None:
    """The next call makes everything good, the store included, wherever a process was killed."""

    def check() -> None:
        scene.act()
        assert no_litter(scene.root)
        # A directory that was to go may stay, empty.
        scene.check_files()

    kills = survive_kills(scene, spoiler, steps, check)
    scene.check_store()
    figures.add("from a store, kills", kills=kills)
