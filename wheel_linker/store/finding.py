"""Finding the entry of a wheel: by what the index knows of a wheel file, by a file's content, or by a digest.

Entries of the bases, stores that are only read, come before those of the store that is written to.
"""

from __future__ import annotations

import os
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from wheel_linker._archive.wheel_file import WheelFile, check_digest, filename_of, wanted_at
from wheel_linker._fs.timestamps import unsettled_for
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker.errors import InvalidWheelError
from wheel_linker.store._entry.stored_wheel import StoredWheel, whole_entry
from wheel_linker.store.index import Known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker.store._entry.entry import Entry
    from wheel_linker.store._entry.options import UnpackOptions
    from wheel_linker.store.session import Session


class Unread(Enum):
    """What is returned in the place of a wheel whose file has not been read."""

    MAY_BE_THERE = auto()


MAY_BE_THERE: Final = Unread.MAY_BE_THERE


def find_digest(session: Session, options: UnpackOptions, digest: str) -> StoredWheel | None:
    """Return the wheel of a digest, if its entry is as it should be; the session holds it.

    :raises OSError: if the store cannot be read.
    """
    from wheel_linker.store.entries import find_entry

    entry = find_entry(session.layout, digest)
    if entry is None:
        return None
    return _held(session, options, Known(digest, entry.name), entry.filename, None)


def find_wheel(
    session: Session, options: UnpackOptions, path: str, expected: str | None
) -> StoredWheel | None:
    """Return the entry of a wheel file that is in the store already, and as it should be; the session holds it.

    :param path: the absolute path of the wheel file.
    :param expected: the digest that the file must have.
    :raises InvalidWheelError: if the file is missing, has another one, or is called like another wheel.
    :raises OSError: if the file, or the store, cannot be read.
    """
    found = find_known(session, options, path, expected)
    if found is not MAY_BE_THERE:
        return found
    return find_by_content(session, options, path, expected)


def find_known(
    session: Session, options: UnpackOptions, path: str, expected: str | None
) -> StoredWheel | Unread | None:
    """Do what :func:`find_wheel` does, with the same parameters and errors, but without reading the file.

    :returns: :data:`MAY_BE_THERE` if the file has to be read to tell.
    """
    with wanted_at(path):
        status = os.stat(path)
    others_write = not session.standing.exclusive
    known = session.index.find(path, status)
    # Where others can write, an entry is not taken for the expected wheel by the index alone: the file is read.
    if expected is not None and others_write:
        known = None
    if known is not None and expected in (None, known.digest):
        filename = WheelFilename.known(os.path.basename(path))
        # The content of the file would lead to the same entry, or, if that is missing, to none.
        return _held(session, options, known, filename, path)
    # It is worth reading the file twice if it may be an old one under a new name, or was just touched.
    if session.index.may_know(status.st_size) or not session.writable or others_write:
        return MAY_BE_THERE
    return None


def find_by_content(
    session: Session, options: UnpackOptions, path: str, expected: str | None
) -> StoredWheel | None:
    """Do what :func:`find_wheel` does, with the same parameters and errors, by reading the file."""
    with options.crew.joined(), WheelFile(path) as file:
        return _find_by_content(session, options, file, expected)


def find_below(
    bases: Sequence[Session], own: Session, options: UnpackOptions, path: str, expected: str | None
) -> StoredWheel | None:
    """Return the entry of a wheel file that is in a base, and as it should be; that base holds it.

    :param bases: the stores that are only read, the first to be asked first.
    :param own: the store that is written to, whose index knows the file from then on.
    :param path: the absolute path of the wheel file.
    :param expected: the digest that the file must have.
    :raises InvalidWheelError: if the file is missing, has another one, or is called like another wheel.
    :raises LinkError: if the entry is another user's, and the bases are not trusted.
    :raises OSError: if the file, or a store, cannot be read.
    """
    if not bases:
        return None
    with wanted_at(path):
        status = os.stat(path)
    known = own.index.find(path, status)
    with WheelFile(path) as file:
        # Where others write the index, what is expected is not taken from it.
        if known is None or (expected is not None and not own.standing.exclusive):
            with options.crew.joined():
                digest = file.digest()
        else:
            digest = known.digest
        check_digest(file, digest, expected)
        for base in bases:
            found = _find_content(base, own, options, file, digest, expected)
            if found is not None:
                if known is None and file.is_unchanged() and not unsettled_for(file.status):
                    own.note(path, file.status, Known(digest, found.entry))
                return found
    return None


def find_digest_below(
    bases: Sequence[Session], options: UnpackOptions, digest: str
) -> StoredWheel | None:
    """Return the wheel of a digest that is in a base, and as it should be; that base holds it.

    :raises OSError: if a store cannot be read.
    """
    found = (find_digest(base, options, digest) for base in bases)
    return next((wheel for wheel in found if wheel is not None), None)


def _held(
    session: Session,
    options: UnpackOptions,
    known: Known,
    filename: WheelFilename,
    path: str | None,
) -> StoredWheel | None:
    if not session.hold(known.entry):
        return None
    check = options.check
    if options.looks_late and check is None:
        return StoredWheel.of(
            session, known.entry, known.digest, filename, path, check, looks_late=True
        )
    has = whole_entry(session, known.entry, known.digest, check or "size")
    if has is None:
        return None
    return StoredWheel.of(
        session, known.entry, known.digest, filename, path, check, has.directories
    )


def _find_by_content(
    session: Session, options: UnpackOptions, file: WheelFile, expected: str | None
) -> StoredWheel | None:
    digest = file.digest()
    check_digest(file, digest, expected)
    found = _find_content(session, session, options, file, digest, expected)
    if found is not None and file.is_unchanged() and not unsettled_for(file.status):
        session.note(file.path, file.status, Known(digest, found.entry))
    return found


def _find_content(
    session: Session,
    own: Session,
    options: UnpackOptions,
    file: WheelFile,
    digest: str,
    expected: str | None,
) -> StoredWheel | None:
    """Return the entry of a wheel file's content, if it is as it should be; the session holds it.

    :param own: the store that may be written to, if something has to be compared.
    :param digest: the file's.
    :param expected: the digest that the file must have, if that was said.
    :raises InvalidWheelError: if the file is called like another wheel, or the entry was forged.
    :raises LinkError: if the entry is another user's, and not trusted.
    """
    from wheel_linker.store.entries import find_entry

    filename = filename_of(file.path)
    entry = find_entry(session.layout, digest)
    if entry is None:
        return None
    session.refuse_others(entry.name)
    if not entry.filename.is_release_of(filename):
        raise InvalidWheelError(
            f"cannot use {file.path!r}: it is {entry.filename} by its content; rename it to what it is"
        )
    if expected is not None and not session.standing.exclusive:
        _refuse_forged(own, options, file, filename, entry)
    return _held(session, options, Known(digest, entry.name), filename, file.path)


def _refuse_forged(
    own: Session, options: UnpackOptions, file: WheelFile, filename: WheelFilename, entry: Entry
) -> None:
    """Compare an entry that others could write to with what the wheel file holds.

    :raises InvalidWheelError: if it is something else.
    """
    from wheel_linker.store._entry.making import unpack_entry
    from wheel_linker.store._entry.mending import find_damage

    with own.stage() as stage:
        fresh = unpack_entry(stage.folder, "new", file, filename, options)
        check_digest(file, fresh.facts.digest, entry.digest)
        damage = find_damage(entry, fresh.facts, fresh.files, deep=True, keeps_bits=own.keeps_bits)
    if damage:
        raise InvalidWheelError(
            f"the entry {os.path.dirname(entry.path)!r} does not hold what {file.path!r} does: "
            f"{damage[0].path} is {damage[0].kind}; remove the entry, or use a store of your own"
        )
