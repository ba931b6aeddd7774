"""Every system call of a call is spoilt in turn: all is undone then, or all is done."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import zlib
from typing import TYPE_CHECKING, Final

import pytest

from proof.faults import Spoiler, error, interrupt_after, interrupt_before
from proof.kit import MODES, complete, exact, litter, open_descriptors, overlapping, package
from wheel_linker import LinkError, LinkMode, WheelLinkerError, link_wheel_files
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
STRIDE: Final = 3
DESTINATIONS: Final = ("empty", "overlapping", "identical")

DIRECTORIES: Final = "clone of directories"
PORTABLE: Final = "hardlink by path"
WAYS: Final = (*MODES, DIRECTORIES, PORTABLE)
"""Each mode, and what other platforms have: macOS's whole directories, Windows's paths."""


class Scene:
    """A wheel, a destination in some state, and what both should look like before and after."""

    def __init__(self, place: Path, mode: LinkMode, state: str, backend: Backend | None) -> None:
        self.site = place / "site-packages"
        self._wheel = package(place / "cache" / "demo", 1)
        # Both are asked for by symlinks, which have to be read as well.
        self._site_link = link_to(self.site) if os.name == "posix" else self.site
        self._wheel_link = link_to(self._wheel) if os.name == "posix" else self._wheel
        self._mode = mode
        self._backend = backend
        self._state = state
        self._model = overlapping(place / "model") if state == "overlapping" else None
        self._source = exact(self._wheel)
        self.reset()
        self.link()
        self._after = complete(self.site)
        self.reset()

    def reset(self) -> None:
        """Bring the destination into its state again."""
        shutil.rmtree(self.site, ignore_errors=True)
        if self._model is None:
            self.site.mkdir()
        else:
            shutil.copytree(self._model, self.site, copy_function=os.link)
        if self._state == "identical":
            self.link()
        self._before = exact(self.site)

    def go_on(self) -> None:
        """Bring the destination into its state again after the wheel has been linked completely."""
        if self._state == "identical":
            self._before = exact(self.site)
        else:
            self.reset()

    def link(self) -> None:
        """Link the wheel into the destination."""
        link_wheel_files(self._site_link, self._wheel_link, mode=self._mode, backend=self._backend)

    def is_untouched(self) -> bool:
        """Tell whether the destination is as it was."""
        return exact(self.site) == self._before

    def check_complete(self) -> None:
        """The destination must hold everything now, and no litter."""
        assert litter(self.site) == []
        assert complete(self.site) == self._after

    def check_source(self) -> None:
        """The wheel must be as it was."""
        assert exact(self._wheel) == self._source


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
) -> Scene:
    """Each way, into each state of the destination."""
    if request.param == DIRECTORIES:
        fake: FakeClonefile = request.getfixturevalue("fake_clonefile")
        return Scene(place_for(LinkMode.COPY), LinkMode.CLONE, state, MacOSBackend(fake.library))
    if request.param == PORTABLE:
        monkeypatch.setattr(folder, "BY_DESCRIPTOR", False)
        return Scene(place_for(LinkMode.HARDLINK), LinkMode.HARDLINK, state, None)
    return Scene(place_for(request.param), request.param, state, None)


@pytest.fixture
def spoiler(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Spoiler:
    """What spoils calls; in place after the scene has been set."""
    return Spoiler(monkeypatch)


def attempt(scene: Scene, spoiler: Spoiler, nth: int, fault: Fault) -> BaseException | None:
    """Link while one call is spoilt; return what came of it."""
    try:
        with spoiler.spoiling(nth, fault):
            scene.link()
    except (OSError, WheelLinkerError, KeyboardInterrupt) as failure:
        return failure
    return None


@pytest.fixture
def steps(request: pytest.FixtureRequest, is_thorough: bool) -> Iterator[int]:
    """The numbers of the calls that are spoilt: every third one, in each test others, or all."""
    first = 1 + zlib.crc32(request.node.name.encode()) % STRIDE
    return itertools.count(1) if is_thorough else itertools.count(first, STRIDE)


def spoil_each(
    scene: Scene,
    spoiler: Spoiler,
    fault: Fault,
    steps: Iterator[int],
    check: Callable[[BaseException | None], None],
) -> int:
    """Spoil one call after the other until there are no more; return how many were spoilt."""
    broken, points = [], 0
    for nth in steps:
        failure = attempt(scene, spoiler, nth, fault)
        if not spoiler.spoilt:
            assert failure is None
            break
        points += 1
        try:
            check(failure)
            scene.check_source()
        except AssertionError as unmet:
            broken.append(f"{nth}, {spoiler.spoilt}: {failure!r}: {unmet}")
            scene.reset()
    assert not broken, f"of {points} calls, {len(broken)} broke a promise:\n" + "\n".join(broken)
    scene.check_complete()
    return points


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_errors(
    scene: Scene, spoiler: Spoiler, number: int, steps: Iterator[int], figures: Figures
) -> None:
    """An error is raised and everything undone, or it did not matter."""
    descriptors = open_descriptors()

    def check(failure: BaseException | None) -> None:
        nonlocal descriptors
        now, descriptors = descriptors, open_descriptors()
        assert descriptors <= now, "a descriptor was left open"
        if failure is None:
            scene.check_complete()
            figures.add("fault injection", without_effect=1)
            scene.go_on()
            return
        assert isinstance(failure, LinkError)
        assert failure.errno == number
        assert litter(scene.site) == []
        assert scene.is_untouched()
        figures.add("fault injection", undone=1)

    figures.add("fault injection", points=spoil_each(scene, spoiler, error(number), steps, check))


@pytest.mark.parametrize("fault", INTERRUPTS)
def test_interrupts(
    scene: Scene, spoiler: Spoiler, fault: Fault, steps: Iterator[int], figures: Figures
) -> None:
    """An interrupt is raised and everything undone; or, at the very end, everything done."""

    def check(failure: BaseException | None) -> None:
        assert isinstance(failure, KeyboardInterrupt)
        assert litter(scene.site) == []
        if scene.is_untouched():
            figures.add("interrupts", undone=1)
            return
        scene.check_complete()
        figures.add("interrupts", after_the_commit=1)
        scene.go_on()

    figures.add("interrupts", points=spoil_each(scene, spoiler, fault, steps, check))
