"""Making an entry: unpack in private, then one rename."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker._archive.checks import examine, strictly
from wheel_linker._archive.unpacking import unpack
from wheel_linker._fs.folder import Folder
from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.store import manifest, records
from wheel_linker.store.entries import read_entry
from wheel_linker.store.layout import MANIFEST, TREE, names_for
from wheel_linker.store.manifest import Manifest
from wheel_linker.store.removal import remove_entry

if TYPE_CHECKING:
    from wheel_linker._archive.checks import Contents
    from wheel_linker._archive.limits import Limits
    from wheel_linker._archive.wheel_file import WheelFile
    from wheel_linker._threads import Crew
    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.record_problems import RecordProblem
    from wheel_linker.store.layout import Layout
    from wheel_linker.store.session import Session

NEW: Final = "new"
"""What an entry is called in a private directory, before it is moved into place."""
# NTFS keeps time stamps in steps of 100 ns.
_STAMP_STEP: Final = 100


class How(NamedTuple):
    """What a store was asked for."""

    limits: Limits
    protect: bool
    crew: Crew
    strict: bool = False
    """Whether a ``RECORD`` that is not right is refused."""


def check_digest(file: WheelFile, digest: str, expected: str | None) -> None:
    """Refuse a wheel that is not the expected one.

    :raises InvalidWheelError: if its digest is another.
    """
    if expected is not None and digest != expected:
        raise InvalidWheelError(
            f"the wheel {file.path!r} has the SHA-256 {digest} and should have {expected}: "
            "download it again, or get it from elsewhere"
        )


def make_entry(
    session: Session, file: WheelFile, filename: WheelFilename, expected: str | None, how: How
) -> tuple[Manifest, tuple[RecordProblem, ...]]:
    """Unpack a wheel into a new entry, unless another process has done so meanwhile; the session holds it then.

    :param expected: the wheel's SHA-256 in hexadecimal digits, if it is known.
    :returns: what is in the entry, and what is not right about the wheel's ``RECORD``.
    :raises InvalidWheelError: if it is no wheel that may be unpacked, or another one than expected. Nothing is kept.
    :raises LinkError: if the wheel cannot be read, or the store not be written. Nothing is kept.
    """
    try:
        with session.stage() as stage:
            facts, problems = unpack_entry(stage.folder, file, filename, how)
            check_digest(file, facts.digest, expected)
            session.settle(stage.folder, NEW)
            while not _place(session, stage.folder, facts):
                pass
    except OSError as error:
        if isinstance(error, LinkError):
            raise
        doing = f"unpack the wheel {file.path!r} into the store {session.layout.root!r}"
        raise LinkError.from_os_error(
            error, doing, source=file.path, destination=session.layout.root
        ) from error
    return facts, problems


def unpack_entry(
    stage: Folder, file: WheelFile, filename: WheelFilename, how: How, *, stamp: int | None = None
) -> tuple[Manifest, tuple[RecordProblem, ...]]:
    """Unpack a wheel into the entry ``new`` of a private directory.

    :param stamp: the modification time for its files in nanoseconds since the epoch; that of now by default.
    :returns: what is in the entry, and what is not right about the wheel's ``RECORD``.
    :raises InvalidWheelError: if it is no wheel that may be unpacked.
    :raises OSError: if the wheel cannot be read, or the directory not be written.
    """
    try:
        contents = examine(file, filename, how.limits)
        _refuse_links(contents)
        if how.strict:
            contents = strictly(contents)
        with stage.make(NEW) as entry, entry.make(TREE) as tree:
            wanted = time.time_ns() // _STAMP_STEP * _STAMP_STEP if stamp is None else stamp
            result = unpack(file, contents, tree, how.crew, stamp=wanted, read_only=how.protect)
            # What the file system made of it: some keep whole seconds only.
            kept = os.stat(tree.prefix + result.files[0].path, dir_fd=tree.fd).st_mtime_ns
            facts = Manifest(
                digest=result.digest,
                filename=str(filename),
                archive=file.size,
                files=len(result.files),
                size=sum(item.size for item in result.files),
                stamp=kept,
            )
            records.write(entry, contents, result)
            manifest.write(os.path.join(entry.path, MANIFEST), facts, result.files)
    except InvalidWheelError as error:
        raise InvalidWheelError(f"cannot use {file.path!r}: {error}") from error
    return facts, result.problems


def _refuse_links(contents: Contents) -> None:
    if contents.links:
        raise InvalidWheelError(
            f"its entry {min(contents.links)!r} is a symlink, which a store does not keep yet"
        )


def entry_name(layout: Layout, digest: str) -> tuple[str, bool]:
    """Return the name that a wheel's entry has or may have, and whether it is there.

    :raises OSError: if the store cannot be read.
    """
    for name in names_for(digest):
        entry = read_entry(layout, name)
        if entry is None or entry.digest == digest:
            return name, entry is not None
    raise FileExistsError(f"the store {layout.root!r} has entries of every name for {digest}")


def _place(session: Session, stage: Folder, facts: Manifest) -> bool:
    """Move the new entry into place; False if others came between, and it is to be tried again."""
    name, there = entry_name(session.layout, facts.digest)
    if there:
        session.refuse_others(name)
        return session.hold(name)
    with Folder.open(session.layout.root) as root:
        try:
            with session.coming(name):
                _move(stage, root, name)
        except FileExistsError:
            _move_away(session, root, stage, name)
            return False
    return session.hold(name)


def _move(stage: Folder, root: Folder, name: str) -> None:
    taken = FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), root.path)
    # POSIX would replace an empty directory.
    if root.lstat(name) is not None:
        raise taken
    try:
        stage.move(NEW, root, name)
    except OSError:
        # Every system has its own word for it; another process may have been faster.
        if root.lstat(name) is None:
            raise
        raise taken from None


def _move_away(session: Session, root: Folder, stage: Folder, name: str) -> None:
    """Make room where something lies that has no manifest: somebody removed that, or copied the store in part."""
    with session.going() as used:
        if (
            used is not None
            and read_entry(session.layout, name) is None
            and root.lstat(name) is not None
        ):
            remove_entry(root, name, stage)
