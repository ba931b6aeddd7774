"""Adding several wheel files at once: each is unpacked, and what is unpacked is published together."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

from wheel_linker._archive.unpacking import amount
from wheel_linker._archive.wheel_file import WheelFile, check_digest, filename_of
from wheel_linker._archive.zip_directory import read_directory
from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.timestamps import unsettled_for
from wheel_linker._threads import run
from wheel_linker._wheel.record_problems import warn_of_problems
from wheel_linker.errors import InvalidWheelError, refused
from wheel_linker.store._adding.placing import place
from wheel_linker.store._entry.making import have_on_disk, unpack_entry
from wheel_linker.store._entry.stored_wheel import StoredWheel
from wheel_linker.store.index import Known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker._fs.stage import Stage
    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.record_problems import RecordProblem
    from wheel_linker.store._adding.wanted import Wanted
    from wheel_linker.store._entry.making import Made
    from wheel_linker.store._entry.options import UnpackOptions
    from wheel_linker.store.session import Session

# Unpacked bytes after which those wheels that are ready are published: a killed process loses no more.
_ENOUGH: Final = 512 * 1024**2


class _Ready(NamedTuple):
    """A wheel that is unpacked, and not published yet."""

    wanted: Wanted
    made: Made
    filename: WheelFilename
    status: os.stat_result | None
    """What the system knows of its file, if that may go into the index."""


def unpack_all(
    session: Session, options: UnpackOptions, wanted: Sequence[Wanted]
) -> dict[int, StoredWheel]:
    """Add wheel files that are not in the store, and return their wheels by position."""
    # The largest first: should it come last, one thread would be at work on it when the others are done.
    ordered = sorted(wanted, key=lambda one: -_size(one.path))
    if options.progress.wants_total:
        amounts = [_amount(one.path, options) for one in ordered]
        options.progress.expect(
            sum(files for files, _ in amounts), sum(size for _, size in amounts)
        )
    with session.stage() as stage, options.progress.telling_of_failure():
        batch = Batch(session, stage, options)
        try:
            run(ordered, batch.add, options.jobs)
        except Exception:
            # What is ready is not lost when another wheel is refused.
            batch.publish()
            raise
        batch.publish()
    # The warnings are given here: one that is given in another thread could not point to the caller's line.
    for position in sorted(batch.problems):
        warn_of_problems(str(batch.added[position].filename), batch.problems[position])
    return batch.added


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0  # adding the file says what is wrong


def _amount(path: str, options: UnpackOptions) -> tuple[int, int]:
    """Return how many files a wheel has, and how many bytes these unpack to."""
    try:
        with WheelFile(path) as file:
            return amount(read_directory(file, options.limits.entries).members)
    except (InvalidWheelError, OSError):
        return 0, 0  # adding the file says what is wrong


class Batch:
    """What one call adds.

    :ivar added: the wheels that were published, by position.
    :ivar problems: what is not right about the ``RECORD`` of each of them.
    """

    def __init__(self, session: Session, stage: Stage, options: UnpackOptions) -> None:
        self.added: dict[int, StoredWheel] = {}
        self.problems: dict[int, tuple[RecordProblem, ...]] = {}
        self._session = session
        self._stage = stage
        self._options = options
        self._lock = threading.Lock()
        self._ready: list[_Ready] = []
        self._size = 0

    def add(self, wanted: Wanted) -> None:
        """Unpack one of the wheel files; publish it with others now, or leave that to :meth:`publish`.

        :raises InvalidWheelError: if it is no wheel that may be unpacked, or another one than expected.
        :raises LinkError: if the wheel cannot be read, or the store not be written.
        """
        root = self._session.layout.root
        doing = f"unpack the wheel {wanted.path!r} into the store {root!r}"
        with refused(doing, source=wanted.path, destination=root):
            self._unpack(wanted)
        if self._size >= _ENOUGH:
            self.publish()

    def publish(self) -> None:
        """Have everything that is unpacked on the disk, and put it into the store.

        :raises OSError: if the store cannot be written.
        """
        with self._lock:
            ready, self._ready, self._size = self._ready, [], 0
        if not ready:
            return
        for each in ready:
            self._session.settle(self._stage.folder, each.made.name)
        made = [each.made for each in ready]
        standing = self._session.standing
        have_on_disk(self._stage.folder, made, standing, durable=self._options.durable)
        for each in ready:
            self._publish(each)

    def _unpack(self, wanted: Wanted) -> None:
        with self._options.crew.joined(), WheelFile(wanted.path) as file:
            filename = filename_of(wanted.path)
            name = str(wanted.position)
            made = unpack_entry(self._stage.folder, name, file, filename, self._options)
            check_digest(file, made.facts.digest, wanted.sha256)
            settled = file.is_unchanged() and not unsettled_for(file.status)
            ready = _Ready(wanted, made, filename, file.status if settled else None)
        with self._lock:
            self._ready.append(ready)
            self._size += made.facts.size

    def _publish(self, ready: _Ready) -> None:
        session, digest = self._session, ready.made.facts.digest
        with session.adding(self._options.kept):
            name = place(session, self._stage, ready.made, self._options.check or "size")
            if ready.status is not None:
                session.note(ready.wanted.path, ready.status, Known(digest, name))
        self.added[ready.wanted.position] = StoredWheel.of(
            session, name, digest, ready.filename, ready.wanted.path, self._options.check
        )
        self.problems[ready.wanted.position] = ready.made.problems
