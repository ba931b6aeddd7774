"""Making entries: unpack in private, have it on the disk, then one rename for each."""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker._archive.checks import examine, strictly
from wheel_linker._archive.unpacking import unpack
from wheel_linker._fs.copying import create_with
from wheel_linker._fs.durable import on_disk
from wheel_linker._fs.folder import Folder
from wheel_linker.errors import InvalidWheelError
from wheel_linker.store._entry import manifest, records
from wheel_linker.store._entry.checking import boot_note, whole
from wheel_linker.store._entry.damage import Bits, description_damage, find_damage, mend
from wheel_linker.store._entry.manifest import Manifest
from wheel_linker.store.entries import read_entry, unreadable
from wheel_linker.store.layout import BOOT, MANIFEST, PROBLEMS, ROWS, TREE, names_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheel_linker._archive.limits import Limits
    from wheel_linker._archive.unpacking import StoredFile
    from wheel_linker._archive.wheel_file import WheelFile
    from wheel_linker._fs.stage import Stage
    from wheel_linker._threads import Crew
    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.record_problems import RecordProblem
    from wheel_linker.store._entry.checking import Check
    from wheel_linker.store._entry.damage import Damage
    from wheel_linker.store.layout import Layout
    from wheel_linker.store.session import Session

# NTFS keeps time stamps in steps of 100 ns.
_STAMP_STEP: Final = 100


class How(NamedTuple):
    """What a store was asked for."""

    limits: Limits
    protect: bool
    crew: Crew
    durable: bool
    check: Check | None
    strict: bool = False
    """Whether a ``RECORD`` that is not right is refused."""


class Made(NamedTuple):
    """An entry in a private directory, not seen by anybody yet."""

    name: str
    """What it is called there."""
    facts: Manifest
    files: Sequence[StoredFile]
    problems: tuple[RecordProblem, ...]
    """What is not right about the wheel's ``RECORD``."""


def check_digest(file: WheelFile, digest: str, expected: str | None) -> None:
    """Refuse a wheel that is not the expected one.

    :raises InvalidWheelError: if its digest is another.
    """
    if expected is not None and digest != expected:
        raise InvalidWheelError(
            f"the wheel {file.path!r} has the SHA-256 {digest} and should have {expected}: "
            "download it again, or get it from elsewhere"
        )


def unpack_entry(
    stage: Folder,
    name: str,
    file: WheelFile,
    filename: WheelFilename,
    how: How,
    *,
    stamp: int | None = None,
) -> Made:
    """Unpack a wheel into a new entry of a private directory.

    :param name: what the entry is called there.
    :param stamp: the modification time for its files in nanoseconds since the epoch; that of now by default.
    :raises InvalidWheelError: if it is no wheel that may be unpacked.
    :raises OSError: if the wheel cannot be read, or the directory not be written.
    """
    try:
        contents = examine(file, filename, how.limits)
        if how.strict:
            contents = strictly(contents)
        with stage.make(name) as entry, entry.make(TREE) as tree:
            wanted = time.time_ns() // _STAMP_STEP * _STAMP_STEP if stamp is None else stamp
            result = unpack(file, contents, tree, how.crew, stamp=wanted, read_only=how.protect)
            # What the file system made of it: some keep whole seconds only.
            record = tree.prefix + contents.record_path
            kept = os.stat(record, dir_fd=tree.fd).st_mtime_ns
            facts = Manifest(
                digest=result.digest,
                filename=str(filename),
                archive=file.size,
                files=len(result.files),
                size=sum(item.size for item in result.files),
                stamp=kept,
                rows=records.write(entry, contents, result),
            )
            manifest.write(entry, MANIFEST, facts, result.files)
    except InvalidWheelError as error:
        raise InvalidWheelError(f"cannot use {file.path!r}: {error}") from error
    return Made(name, facts, result.files, result.problems)


def have_on_disk(stage: Folder, made: Sequence[Made], *, durable: bool) -> None:
    """Have new entries on the disk before others see them; where that is not wanted or cannot be had, note the boot.

    :raises OSError: if the disk is full, or broken.
    """
    if not durable or not on_disk(stage, _paths(made)):
        note = boot_note()
        for each in made:
            with stage.enter(each.name) as entry:
                create_with(note, entry.prefix + BOOT, entry.fd)


def _paths(made: Sequence[Made]) -> Iterator[str]:
    for each in made:
        yield f"{each.name}/{MANIFEST}"
        if each.facts.rows >= 0:
            yield f"{each.name}/{ROWS}"
        if each.problems:
            yield f"{each.name}/{PROBLEMS}"
        for file in each.files:
            path = f"{each.name}/{TREE}/{file.path}"
            # A symlink is on the disk when its directory is.
            yield path if file.target is None else path[: path.rindex("/") + 1]


def entry_name(layout: Layout, digest: str) -> str:
    """Return the name that a wheel's entry has or may have: of no other wheel whose entry can be read.

    :raises OSError: if the store cannot be read.
    """
    for name in names_for(digest):
        entry = read_entry(layout, name)
        if entry is None or entry.digest == digest:
            return name
    raise FileExistsError(f"the store {layout.root!r} has entries of every name for {digest}")


def place(session: Session, stage: Stage, made: Made, check: Check) -> str:
    """Move a new entry into place, or mend with it one that is there and damaged; the session holds it then.

    :param check: how to tell that one is damaged.
    :returns: the entry's name.
    :raises OSError: if the store cannot be written.
    """
    while True:
        name = entry_name(session.layout, made.facts.digest)
        if _place(session, stage, made, name, check):
            return name


def _place(session: Session, stage: Stage, made: Made, name: str, check: Check) -> bool:
    """Do that; False if others came between, and it is to be tried again."""
    with Folder.open(session.layout.root) as root:
        status = root.lstat(name)
        if status is None:
            try:
                with session.coming(name):
                    _move(stage.folder, made.name, root, name)
            except FileExistsError:
                return False
            return session.hold(name)
        if not stat.S_ISDIR(status.st_mode):
            _move_away(session, root, stage, name)
            return False
    session.refuse_others(name)
    with session.keeping(name, damaged=True):
        if not os.path.isdir(session.layout.entry(name)):
            return False  # removed before it was kept
        if whole(session.layout, name, made.facts.digest, check) is None:
            mend_entry(session, stage, made, name)
        return session.hold(name)


def mend_entry(session: Session, stage: Stage, made: Made, name: str) -> list[Damage]:
    """Make an entry that is damaged what it was; what links to it may be in use meanwhile.

    :param made: the same wheel, unpacked anew; nothing of use is left of it.
    :returns: what was mended.
    :raises OSError: if the store cannot be written.
    """
    layout = session.layout
    entry = read_entry(layout, name)
    missing = None if entry is not None else description_damage(unreadable(layout, name))
    with session.going(), Folder.open(layout.entry(name)) as old:
        damage = find_damage(
            entry or unreadable(layout, name),
            made.facts,
            made.files,
            deep=True,
            keeps_bits=Bits(session.stage).kept,
        )
        if missing is not None:
            damage.append(missing)
        with stage.folder.enter(made.name) as fresh, stage.old.make(made.name) as waste:
            if old.lstat(BOOT) is not None and fresh.lstat(BOOT) is None:
                create_with(boot_note(), fresh.prefix + BOOT, fresh.fd)
            mend(damage, old, fresh, waste)
    return damage


def _move(stage: Folder, made: str, root: Folder, name: str) -> None:
    taken = FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), root.path)
    # POSIX would replace an empty directory.
    if root.lstat(name) is not None:
        raise taken
    try:
        stage.move(made, root, name)
    except OSError:
        # Every system has its own word for it; another process may have been faster.
        if root.lstat(name) is None:
            raise
        raise taken from None


def _move_away(session: Session, root: Folder, stage: Stage, name: str) -> None:
    """Make room where something lies that is no directory."""
    with session.going():
        status = root.lstat(name)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            root.move(name, stage.old, name)
