"""What a call tells its caller."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.record_problems import RecordProblem
    from wheel_linker._wheel.unpacked import UnpackedWheel

_FALLBACKS_PER_CAUSE: Final = 3
_MODES: Final = tuple(LinkMode)  # to go through an Enum takes ten times as long


class Fallback(NamedTuple):
    """One file that could not be placed by a mode that was tried."""

    path: str
    """The file, relative to the wheel, with forward slashes."""
    tried: LinkMode
    """The mode that was refused."""
    used: LinkMode
    """The mode that worked in the end."""
    error: OSError
    """Why :attr:`tried` was refused."""


class LinkReport(NamedTuple):
    """What became of one wheel."""

    wheel: WheelFilename
    """Which wheel it was."""
    requested: tuple[LinkMode, ...]
    """The fallback chain that was asked for."""
    mode: LinkMode
    """The mode most files ended in, forced copies and recreated symlinks left out."""
    files: int
    """How many files there are, the wheel's own symlinks included."""
    used: Mapping[LinkMode, int]
    """How many files ended in each mode; forced copies count as COPY, the wheel's own symlinks as SYMLINK."""
    fallbacks: tuple[Fallback, ...] = ()
    """The first few refusals for each mode and cause."""
    fallback_count: int = 0
    """How many files ended in another mode than the chain's first because that was refused."""
    replaced: tuple[str, ...] = ()
    """Files that were there before this wheel and were overwritten, relative to ``site_packages``, sorted.

    In :func:`~wheel_linker.link_wheels` those of the wheels before it in the same call are among them.
    """
    record_problems: tuple[RecordProblem, ...] = ()
    """What was not right about the wheel's ``RECORD`` when a store unpacked it; linking does not read that."""


def combined(reports: Sequence[LinkReport], mode: LinkMode, replaced: Sequence[str]) -> LinkReport:
    """Return one report for the parts of one wheel, which were linked into several directories.

    :param reports: those of the parts, of the same wheel and chain.
    :param mode: the mode most files ended in.
    :param replaced: the files that were overwritten.
    """
    used: dict[LinkMode, int] = {}
    for report in reports:
        for each, count in report.used.items():
            used[each] = used.get(each, 0) + count
    return reports[0]._replace(
        mode=mode,
        files=sum(report.files for report in reports),
        used=used,
        fallbacks=tuple(fallback for report in reports for fallback in report.fallbacks),
        fallback_count=sum(report.fallback_count for report in reports),
        replaced=tuple(sorted(replaced)),
    )


class Fallbacks:
    """The first few refusals of one wheel for each mode and cause. Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: dict[tuple[LinkMode, int | None, type[OSError]], list[Fallback]] = {}

    def note(self, path: str, refusals: Sequence[tuple[LinkMode, OSError]], used: LinkMode) -> None:
        """Note why a file was refused by some modes.

        :param path: the file, relative to the wheel, with forward slashes.
        :param used: the mode that worked in the end.
        """
        with self._lock:
            for tried, error in refusals:
                few = self._noted.setdefault((tried, error.errno, type(error)), [])
                if len(few) < _FALLBACKS_PER_CAUSE:
                    few.append(Fallback(path, tried, used, error))

    def noted(self) -> tuple[Fallback, ...]:
        """Return what was noted, in the order in which the causes came."""
        return tuple(fallback for few in self._noted.values() for fallback in few)


class Tally:
    """Counts in which modes files of one wheel were placed. Threads share it.

    :param fallbacks: where refusals are noted for the report. None if the files are not reported as fallbacks, because
        their mode was not the caller's to choose: forced copies, and the wheel's own symlinks.
    """

    def __init__(self, fallbacks: Fallbacks | None) -> None:
        self._fallbacks = fallbacks
        # Threads may append to a list without a lock, in every interpreter. The sums are taken at the end.
        self._counts: dict[LinkMode, list[int]] = {mode: [] for mode in _MODES}

    def add(self, mode: LinkMode, files: int) -> None:
        """Count files that were placed in one mode."""
        self._counts[mode].append(files)

    def add_refused(
        self, path: str, refusals: Sequence[tuple[LinkMode, OSError]], used: LinkMode
    ) -> None:
        """Count a file that some modes were refused for; the parameters are those of :meth:`Fallbacks.note`."""
        self.add(used, 1)
        if self._fallbacks is not None:
            self._fallbacks.note(path, refusals, used)

    def sums(self) -> dict[LinkMode, int]:
        """Return how many files were placed in each mode."""
        return {mode: sum(counts) for mode, counts in self._counts.items()}


def note_symlinks(
    wheels: Iterable[UnpackedWheel], reports: Iterable[LinkReport], modes: Collection[LinkMode]
) -> None:
    """Have wheels that lie in a store know that symlinks to them have been made.

    :param modes: all modes that files may have ended in, those of native files as well.
    """
    # This mode is also counted for the wheel's own symlinks, which do not lead to the store.
    if LinkMode.SYMLINK not in modes:
        return
    for wheel, report in zip(wheels, reports):
        if LinkMode.SYMLINK in report.used:
            wheel.note_symlinks()
