"""Every system call of a call is spoilt in turn: all is undone then, or all is done."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING, Final

import pytest

from proof.faults import Spoiler, interrupt_after, interrupt_before
from proof.kit import MODES, exact, overlapping, package
from proof.scene import Scene, steps_for, survive_errors, survive_interrupts
from wheel_linker import LinkMode, link_wheel_files
from wheel_linker._fs import folder
from wheel_linker.backends.macos import MacOSBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from standins import FakeClonefile

    from proof.faults import Fault
    from proof.plugin import Figures
    from wheel_linker.backends import Backend

pytestmark = pytest.mark.skipif(os.name != "posix", reason="spoils POSIX calls")

NUMBERS: Final = (errno.EIO, errno.ENOSPC, errno.EACCES)
INTERRUPTS: Final = (interrupt_before, interrupt_after)
STRIDE: Final = 5
DESTINATIONS: Final = ("empty", "overlapping", "identical")

DIRECTORIES: Final = "clone of directories"
PORTABLE: Final = "hardlink by path"
WAYS: Final = (*MODES, DIRECTORIES, PORTABLE)
"""Each mode, and what other platforms have: macOS's whole directories, Windows's paths."""


class Linking(Scene):
    """A wheel to be linked, and a destination in some state."""

    def __init__(self, place: Path, mode: LinkMode, state: str, backend: Backend | None) -> None:
        site = place / "site-packages"
        wheel = package(place / "cache" / "demo", 1)
        # Both are asked for by symlinks, which have to be read as well.
        self._site_link = link_to(site) if os.name == "posix" else site
        self._wheel_link = link_to(wheel) if os.name == "posix" else wheel
        self._mode = mode
        self._backend = backend
        self._state = state
        self._model = overlapping(place / "model") if state == "overlapping" else None
        super().__init__(site, wheel)

    def act(self) -> None:
        """Link the wheel into the destination."""
        link_wheel_files(self._site_link, self._wheel_link, mode=self._mode, backend=self._backend)

    def restore(self) -> None:
        """Make the destination anew."""
        shutil.rmtree(self.root, ignore_errors=True)
        if self._model is None:
            self.root.mkdir()
        else:
            shutil.copytree(self._model, self.root, copy_function=os.link)
        if self._state == "identical":
            self.act()

    def go_on(self) -> None:
        """Bring the destination into its state again after the wheel has been linked completely."""
        if self._state == "identical":
            self._before = exact(self.root)
        else:
            self.reset()


def link_to(path: Path) -> Path:
    """Return a symlink to a path."""
    link = path.with_name(f"{path.name}-link")
    link.symlink_to(path)
    return link


@pytest.fixture(params=DESTINATIONS)
def state(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=WAYS)
def scene(
    request: pytest.FixtureRequest,
    place_for: Callable[[LinkMode], Path],
    state: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Linking:
    """Each way, into each state of the destination."""
    if request.param == DIRECTORIES:
        fake: FakeClonefile = request.getfixturevalue("fake_clonefile")
        return Linking(place_for(LinkMode.COPY), LinkMode.CLONE, state, MacOSBackend(fake.library))
    if request.param == PORTABLE:
        monkeypatch.setattr(folder, "BY_DESCRIPTOR", False)
        return Linking(place_for(LinkMode.HARDLINK), LinkMode.HARDLINK, state, None)
    return Linking(place_for(request.param), request.param, state, None)


@pytest.fixture
def steps(request: pytest.FixtureRequest, is_thorough: bool) -> Iterator[int]:
    """The numbers of the calls that are spoilt: every fifth one, in each test others, or all."""
    return steps_for(request.node.name, 1 if is_thorough else STRIDE)


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_errors(
    scene: Linking, spoiler: Spoiler, number: int, steps: Iterator[int], figures: Figures
) -> None:
    """An error is raised and everything undone, or it did not matter."""
    survive_errors(scene, spoiler, number, steps, figures, "fault injection")


@pytest.mark.parametrize("fault", INTERRUPTS)
def test_interrupts(
    scene: Linking, spoiler: Spoiler, fault: Fault, steps: Iterator[int], figures: Figures
) -> None:
    """An interrupt is raised and everything undone; or, at the very end, everything done."""
    survive_interrupts(scene, spoiler, fault, steps, figures, "interrupts")
