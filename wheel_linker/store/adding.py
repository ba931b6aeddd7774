"""Adding wheel files: they are looked for in the store, and what it lacks is unpacked."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheel_linker._threads import run
from wheel_linker._wheel.record_problems import described
from wheel_linker.errors import InvalidWheelError
from wheel_linker.store._entry.errors import named_errors
from wheel_linker.store._entry.options import Kept
from wheel_linker.store.finding import (
    MAY_BE_THERE,
    find_below,
    find_by_content,
    find_known,
    find_wheel,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheel_linker.store._adding.wanted import Wanted
    from wheel_linker.store._entry.options import UnpackOptions
    from wheel_linker.store._entry.stored_wheel import StoredWheel
    from wheel_linker.store.session import Session


def add_all(
    session: Session,
    options: UnpackOptions,
    wanted: Sequence[Wanted],
    bases: Sequence[Session] = (),
) -> list[StoredWheel]:
    """Return the wheels of wheel files; add those that are not in the store, or not as they should be.

    :param bases: stores that are only read, where they are looked for first.
    :raises InvalidWheelError: if one is no wheel that may be unpacked, or another one than expected.
    :raises OSError: if a file cannot be read, or the store not be written.
    """
    if options.kept is None:
        # What is found first stays while the rest is unpacked.
        with Kept() as kept:
            return add_all(session, options._replace(kept=kept), wanted, bases)
    added = (
        _find_below(session, options, wanted, bases) if bases else _find(session, options, wanted)
    )
    rest = [one for one in wanted if one.position not in added]
    if rest:
        # Unpacking takes modules that are not needed for what is in the store.
        from wheel_linker.store._adding.batch import unpack_all

        added.update(unpack_all(session, options, rest))
    wheels = [added[position] for position in range(len(wanted))]
    if options.strict:
        for one, wheel in zip(wanted, wheels):
            _refuse_problems(one.path, wheel)
    return wheels


def _find(
    session: Session, options: UnpackOptions, wanted: Sequence[Wanted]
) -> dict[int, StoredWheel]:
    """Return the wheels that are in the store, by position."""
    added: dict[int, StoredWheel] = {}
    unread = []
    # Threads would not help: there is nothing to wait for but each other.
    for one in wanted:
        with _finding(session, options, one):
            known = find_known(session, options, one.path, one.sha256)
        if known is MAY_BE_THERE:
            unread.append(one)
        elif known is not None:
            added[one.position] = known

    def read(one: Wanted) -> None:
        with _finding(session, options, one):
            found = find_by_content(session, options, one.path, one.sha256)
        if found is not None:
            added[one.position] = found

    run(unread, read, options.jobs)
    return added


def _find_below(
    session: Session, options: UnpackOptions, wanted: Sequence[Wanted], bases: Sequence[Session]
) -> dict[int, StoredWheel]:
    """Return the wheels that are in a base, or in the store, by position."""
    added: dict[int, StoredWheel] = {}

    def find(one: Wanted) -> None:
        with _finding(session, options, one):
            found = find_below(bases, session, options, one.path, one.sha256)
            found = found or find_wheel(session, options, one.path, one.sha256)
        if found is not None:
            added[one.position] = found

    run(wanted, find, options.jobs)
    return added


@contextmanager
def _finding(session: Session, options: UnpackOptions, one: Wanted) -> Iterator[None]:
    doing = f"add the wheel {one.path!r} to the store {session.layout.root!r}"
    with named_errors(doing, one.path), session.adding(options.kept):
        yield


def _refuse_problems(path: str, wheel: StoredWheel) -> None:
    """Refuse a wheel that was accepted before, when nobody was strict.

    :raises InvalidWheelError: if its ``RECORD`` is not right, or nobody knows any more.
    """
    problems = [problem for problem in wheel.known_problems() if not problem.is_harmless]
    if problems:
        raise InvalidWheelError(
            f"cannot use {path!r}: its RECORD is not right: {described(problems)}; "
            "get the wheel from elsewhere, or build it again"
        )
