"""Making the bytecode that entries lack, and putting it into them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.moving import move, move_away
from wheel_linker._fs.windows import is_directory
from wheel_linker._log import log
from wheel_linker._wheel.bytecode import CACHE, bytecode_of
from wheel_linker.store._bytecode.compiled import Compiled
from wheel_linker.store._bytecode.program import Source, compile_all
from wheel_linker.store._bytecode.sets import (
    find_set,
    find_set_late,
    set_name,
    sources_in,
    tree_of,
)
from wheel_linker.store._entry import manifest
from wheel_linker.store._entry.making import Made, have_on_disk
from wheel_linker.store.control import make_directory
from wheel_linker.store.layout import BYTECODE, MANIFEST, TREE
from wheel_linker.store.trust import settle_one

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from wheel_linker._archive.stored_file import StoredFile
    from wheel_linker._fs.stage import Stage
    from wheel_linker._wheel.tree import Tree, Unpacked
    from wheel_linker.store._bytecode.sets import Interpreter
    from wheel_linker.store._entry.manifest import Description, Manifest
    from wheel_linker.store._entry.options import UnpackOptions
    from wheel_linker.store.session import Session

# FAT keeps times in steps of two seconds.
_STAMP_STEP: Final = 2 * 10**9


class _Wanted(NamedTuple):
    """An entry that lacks bytecode."""

    name: str
    facts: Manifest
    sources: Sequence[tuple[str, int]]


def bytecode_trees(
    session: Session,
    options: UnpackOptions,
    entries: Sequence[str],
    interpreter: Interpreter,
    optimize: int,
    late: Collection[str] = (),
) -> dict[str, Tree]:
    """Return the bytecode of entries, made if it is missing, by their names; they must be held.

    :param late: entries whose bytecode is looked at when it is linked, and not before.
    :raises LinkError: if the interpreter cannot be run, or fails.
    :raises OSError: if the store cannot be read, or not be written.
    """
    name = set_name(interpreter, optimize)
    if name is None:
        return {}
    trees: dict[str, Tree] = {}
    known = {entry: find_set_late(session, entry, name) for entry in late}
    rest = [entry for entry in entries if known.get(entry) is None]
    sets: dict[str, tuple[Description, Unpacked | None]] = {
        entry: found for entry, found in known.items() if found is not None
    }
    for entry, made in have_sets(session, options, rest, interpreter, optimize).items():
        sets[entry] = made, None
    for entry, (description, unpacked) in sets.items():
        tree = tree_of(session.layout, entry, name, description)
        if tree is not None:
            looks = unpacked and unpacked._replace(exclusive=session.standing.exclusive)
            trees[entry] = tree._replace(trusted=session.standing.trusted, unpacked=looks)
    return trees


def have_sets(
    session: Session,
    options: UnpackOptions,
    entries: Sequence[str],
    interpreter: Interpreter,
    optimize: int,
) -> dict[str, Description]:
    """Return what bytecode entries have, made if it is missing.

    The parameters and errors are those of :func:`bytecode_trees`.
    """
    name = set_name(interpreter, optimize)
    if name is None:
        return {}
    layout = session.layout
    found: dict[str, Description] = {}
    missing = []
    for entry in dict.fromkeys(entries):
        known = session.descriptions.read(layout.manifest(entry))
        there = find_set(session, entry, known.facts.digest, name, options.check)
        if there is not None:
            found[entry] = there
        else:
            missing.append(_Wanted(entry, known.facts, list(sources_in(known))))
    if missing:
        with session.stage() as stage:
            _make(session, options, stage, missing, interpreter.python, name, optimize)
    for one in missing:
        there = find_set(session, one.name, one.facts.digest, name, None)
        if there is not None:
            found[one.name] = there
    return found


def _make(
    session: Session,
    options: UnpackOptions,
    stage: Stage,
    wanted: Sequence[_Wanted],
    python: str,
    name: str,
    optimize: int,
) -> None:
    """Make sets in private, and put each into its entry."""
    sources = []
    for number, one in enumerate(wanted):
        with stage.folder.make(str(number)) as folder, folder.make(TREE) as tree:
            root = session.layout.tree(one.name)
            sources += [Source(number, root, tree.path, path, size) for path, size in one.sources]
    stamp = time.time_ns() // _STAMP_STEP * _STAMP_STEP
    compiled = compile_all(
        python, sources, options.jobs, optimize=optimize, stamp=stamp, read_only=options.protect
    )
    sets = [
        _described(stage.folder, str(number), one.facts, compiled.get(number, ()), stamp)
        for number, one in enumerate(wanted)
    ]
    for made in sets:
        session.settle(stage.folder, made.name)
    have_on_disk(stage.folder, sets, session.standing, durable=options.durable)
    for one, made in zip(wanted, sets):
        _publish(session, options, stage, one, made.name, name)


def _described(
    stage: Folder, number: str, facts: Manifest, files: Sequence[StoredFile], stamp: int
) -> Made:
    """Describe a set as an entry is described."""
    facts = facts._replace(
        files=len(files), size=sum(file.size for file in files), stamp=stamp, rows=-1
    )
    with stage.enter(number) as made:
        manifest.write(made, MANIFEST, facts, files)
    return Made(number, facts, files, ())


def _publish(
    session: Session, options: UnpackOptions, stage: Stage, one: _Wanted, made: str, name: str
) -> None:
    """Put a set into its entry, in the place of one that is of no use; where others were faster, theirs stays."""
    entry = one.name
    with session.coming(entry), Folder.open(session.layout.root) as root, root.enter(entry) as held:
        status = held.lstat(BYTECODE)
        if status is not None and not is_directory(status):
            move_away(held, BYTECODE, stage.old, f"{made}-{BYTECODE}")
        if make_directory(held, BYTECODE):
            settle_one(held, BYTECODE, session.standing)
        with held.enter(BYTECODE) as sets:
            if sets.lstat(name) is not None:
                # It may have been made meanwhile, and be linked from already.
                if find_set(session, entry, one.facts.digest, name, options.check):
                    return
                move_away(sets, name, stage.old, f"{made}-{name}")
            try:
                move(stage.folder, made, sets, name)
            except OSError as error:
                # Each system has an error of its own for a name that is taken.
                if sets.lstat(name) is None:
                    raise
                log("another process has compiled %s meanwhile: %s", entry, error)


def not_compiled(sources: Iterable[str], description: Description) -> tuple[str, ...]:
    """Return the sources that a set has no bytecode of."""
    left: dict[str, list[str]] = {}
    for source in sources:
        above, _, name = source.rpartition("/")
        left.setdefault(f"{above}/{CACHE}" if above else CACHE, []).append(name)
    for directory in description.directories:
        names = left.get("/".join(directory.parts))
        if names is not None:
            left["/".join(directory.parts)] = [
                name for name in names if not bytecode_of([name], directory.files)
            ]
    return tuple(
        sorted(f"{cache[: -len(CACHE)]}{name}" for cache, names in left.items() for name in names)
    )


def compile_entries(
    session: Session,
    options: UnpackOptions,
    entries: Sequence[str],
    interpreter: Interpreter,
    optimize: int,
) -> list[Compiled]:
    """Have the bytecode of entries, which are held meanwhile, and say what there is.

    The errors are those of :func:`bytecode_trees`, and one more.

    :raises InvalidWheelError: if one of them is not there.
    """
    with ExitStack() as held:
        for entry in entries:
            held.enter_context(session.linking(entry))
        sets = have_sets(session, options, entries, interpreter, optimize)
        return [_summed_up(session, entry, sets[entry]) for entry in entries if entry in sets]


def _summed_up(session: Session, entry: str, description: Description) -> Compiled:
    known = manifest.read_description(session.layout.manifest(entry))
    sources = (path for path, _ in sources_in(known))
    facts = description.facts
    return Compiled(entry, facts.files, facts.size, not_compiled(sources, description))
