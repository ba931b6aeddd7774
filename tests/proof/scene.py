"""Something to be done to a directory, with every system call of it spoilt in turn."""

from __future__ import annotations

import errno
import itertools
import zlib
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING

from install.kit import no_litter

from proof.faults import error, kill
from proof.kit import complete, exact, open_descriptors
from proof.processes import in_child, was_killed
from wheel_linker import LinkError, WheelLinkerError
from wheel_linker._threads import COMPLETE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from proof.faults import Fault, Spoiler
    from proof.plugin import Figures


class Scene(ABC):
    """A directory before something is done to it, and what it should look like before and after.

    :ivar root: the directory.
    """

    def __init__(self, root: Path, source: Path) -> None:
        """Do it once, to see what comes of it.

        :param source: what must not be changed by it.
        """
        self.root = root
        self._source = source
        self._source_before = exact(source)
        self.reset()
        self.act()
        self._after = complete(root)
        self.reset()

    @abstractmethod
    def act(self) -> None:
        """Do it."""

    @abstractmethod
    def restore(self) -> None:
        """Make the directory anew, as it was before."""

    def reset(self) -> None:
        """Bring the directory into its state before again."""
        self.restore()
        self._before = exact(self.root)

    def go_on(self) -> None:
        """Bring the directory into its state before again, after everything has been done."""
        self.reset()

    def is_untouched(self) -> bool:
        """Tell whether the directory is as it was."""
        return exact(self.root) == self._before

    def has_returned(self) -> bool:
        """Tell whether the call that changes something had returned, and what was spoiled came after it."""
        return False

    def is_done(self) -> bool:
        """Tell whether everything is done, but for private directories that could not be removed."""
        return complete(self.root) == self._after

    def check_complete(self) -> None:
        """Everything must be done now, and no litter there."""
        assert no_litter(self.root)
        assert self.is_done()

    def check_complete_but_for_bits(self) -> None:
        """The same, where a system that sets no permission bits has cost bits, and nothing else."""
        assert no_litter(self.root)
        assert _without_bits(complete(self.root)) == _without_bits(self._after)

    def check_source(self) -> None:
        """The wheels must be as they were."""
        assert exact(self._source) == self._source_before


def _without_bits(found: Mapping[str, tuple[int, bytes | None]]) -> dict[str, bytes | None]:
    return {path: content for path, (_, content) in found.items()}


def steps_for(test: str, stride: int) -> Iterator[int]:
    """Return the numbers of the calls that a test spoils, without end: each test begins with another one."""
    return itertools.count(1 + zlib.crc32(test.encode()) % stride, stride)


def attempt(scene: Scene, spoiler: Spoiler, nth: int, fault: Fault) -> BaseException | None:
    """Act while one call is spoilt; return what came of it."""
    try:
        with spoiler.spoiling(nth, fault):
            scene.act()
    except (OSError, WheelLinkerError, KeyboardInterrupt) as failure:
        return failure
    return None


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
            broken.append(f"{nth}, {spoiler.spoilt}: {failure!r}: {str(unmet)[:300]}")
            scene.reset()
    assert not broken, f"of {points} calls, {len(broken)} broke a promise:\n" + "\n".join(broken)
    scene.check_complete()
    return points


def survive_errors(
    scene: Scene, spoiler: Spoiler, number: int, steps: Iterator[int], figures: Figures, name: str
) -> None:
    """An error is raised and everything undone, or it did not matter.

    :param number: that of the error.
    :param name: what is counted.
    """
    descriptors = open_descriptors()

    def check(failure: BaseException | None) -> None:
        nonlocal descriptors
        now, descriptors = descriptors, open_descriptors()
        assert descriptors <= now, "a descriptor was left open"
        if failure is None:
            if number == errno.EACCES and spoiler.spoilt.startswith(("chmod ", "fchmod ")):
                scene.check_complete_but_for_bits()
            else:
                scene.check_complete()
            figures.add(name, without_effect=1)
            scene.go_on()
            return
        assert isinstance(failure, LinkError)
        assert failure.errno == number
        assert no_litter(scene.root)
        assert scene.is_untouched()
        figures.add(name, undone=1)

    figures.add(name, points=spoil_each(scene, spoiler, error(number), steps, check))


def survive_interrupts(
    scene: Scene, spoiler: Spoiler, fault: Fault, steps: Iterator[int], figures: Figures, name: str
) -> None:
    """An interrupt is raised and everything undone; or, at the very end, everything done, and it says so.

    :param name: what is counted.
    """

    def check(failure: BaseException | None) -> None:
        assert isinstance(failure, KeyboardInterrupt)
        assert no_litter(scene.root)
        if scene.is_untouched():
            assert not str(failure) or scene.is_done()
            figures.add(name, undone=1)
            return
        assert str(failure) == COMPLETE or scene.has_returned()
        scene.check_complete()
        figures.add(name, after_the_commit=1)
        scene.go_on()

    points = spoil_each(scene, spoiler, fault, steps, check)
    figures.add(name, points=points)


def survive_kills(
    scene: Scene, spoiler: Spoiler, steps: Iterable[int], check: Callable[[], None]
) -> int:
    """Kill a process at one call after the other until it comes to its end; return how often.

    :param steps: the numbers of the calls.
    :param check: called after each kill.
    """

    def act(number: int) -> None:
        with spoiler.spoiling(number, kill):
            scene.act()

    kills = 0
    for step in steps:
        scene.reset()
        if not was_killed(in_child(partial(act, step))):
            break
        check()
        kills += 1
    assert kills
    scene.check_source()
    return kills
