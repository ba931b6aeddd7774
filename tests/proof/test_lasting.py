"""What is missing from some call on, and stays away: room, descriptors, memory, the disk. No way back needs it."""

from __future__ import annotations

import errno
import itertools
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import pytest

from proof import test_faults, test_install
from proof.faults import NO_DISK, NO_MEMORY, NO_ROOM, Spoiler
from proof.kit import PRIVATE, exact, open_descriptors
from wheel_linker import LinkError, LinkMode, WheelLinkerError
from wheel_linker._fs import folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from proof.plugin import Figures
    from proof.scene import Scene

    Exact = dict[str, tuple[int, int, int, bytes]]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="spoils POSIX calls")

STRIDE: Final = 11
"""By default every eleventh call is the first one, from another one on for each test; in full, all are."""
LINKS: Final = ("link empty", "link overlapping", "link by path")
INSTALLS: Final = test_install.CALLS
MISSING: Final = ("room", "descriptors", "memory", "disk")
_LASTING: Final = {"room": NO_ROOM, "memory": NO_MEMORY, "disk": NO_DISK}


class Linking(test_faults.Linking):
    """Linking one wheel; private directories may be left over."""

    def is_untouched(self) -> bool:
        return is_all_there(self._before, exact(self.root))


class Installing(test_install.Installing):
    """Installing, upgrading or uninstalling one wheel; private directories may be left over."""

    def is_untouched(self) -> bool:
        return is_all_there(self._before, exact(self.root))


def is_all_there(before: Exact, now: Exact) -> bool:
    """Compare two pictures, but for stages that the next call sweeps, and directories that were made for these."""
    stages = [path for path in now if f"/{PRIVATE}" in path]
    rest = {
        path: what
        for path, what in now.items()
        if path in before or not any(stage.startswith(f"{path}/") for stage in stages)
    }
    return {path: what for path, what in rest.items() if path not in stages} == before


@pytest.fixture(params=(*LINKS, *INSTALLS))
def scene(
    request: pytest.FixtureRequest,
    place_for: Callable[[LinkMode], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    place = place_for(LinkMode.HARDLINK)
    if request.param in INSTALLS:
        return Installing(place, request.param, LinkMode.HARDLINK)
    if request.param == "link by path":
        monkeypatch.setattr(folder, "BY_DESCRIPTOR", False)
    state = "empty" if request.param == "link empty" else "overlapping"
    return Linking(place, LinkMode.HARDLINK, state, None)


@pytest.mark.parametrize("missing", MISSING)
def test_all_is_undone_or_all_is_done(
    scene: Scene,
    spoiler: Spoiler,
    missing: str,
    request: pytest.FixtureRequest,
    is_long: bool,
    figures: Figures,
) -> None:
    first = 1 if is_long else sum(map(ord, request.node.name)) % STRIDE + 1
    broken = []
    descriptors = open_descriptors()
    for nth in itertools.count(first, 1 if is_long else STRIDE):
        failure = attempt(scene, lack_of(missing, spoiler, nth))
        if spoiler.calls < nth:
            assert failure is None
            break
        try:
            check(scene, missing, failure)
            scene.check_source()
            assert open_descriptors() <= descriptors
        except AssertionError as unmet:
            broken.append(f"{nth}, {spoiler.spoilt}: {failure!r}: {str(unmet)[:300]}")
        figures.add("lasting faults", points=1, undone=int(failure is not None))
        scene.reset()
    assert not broken, "\n".join(broken)
    scene.check_complete()


def lack_of(missing: str, spoiler: Spoiler, nth: int) -> AbstractContextManager[None]:
    if missing == "descriptors":
        return spoiler.out_of_descriptors(nth)
    return spoiler.lacking(nth, _LASTING[missing])


def attempt(scene: Scene, lack: AbstractContextManager[None]) -> BaseException | None:
    with ExitStack() as kept:
        kept.enter_context(lack)
        try:
            scene.act()
        except (OSError, WheelLinkerError) as failure:
            return failure
    return None


def check(scene: Scene, missing: str, failure: BaseException | None) -> None:
    if failure is None:
        assert scene.is_done()
        if missing == "room":
            scene.check_complete()
        return
    if isinstance(failure, OSError):
        assert isinstance(failure, LinkError)
        assert failure.errno in {errno.ENOSPC, errno.EMFILE, errno.ENOMEM, errno.EIO}
    assert "put back" not in str(failure)
    assert scene.is_untouched()
