"""Locked input: wheels that are named with their hashes are looked up in the store, and no resolver is needed."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from wheel_linker.install.asking import kept_in
from wheel_linker.install.interpreter import describe
from wheel_linker.integrations.pip.pylock import read_pylock
from wheel_linker.integrations.pip.requirements_file import read_requirements
from wheel_linker.integrations.pip.resolved import fetch_wheels

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from wheel_linker.install.interpreter import Interpreter
    from wheel_linker.integrations.pip.running import RunPip
    from wheel_linker.integrations.pip.wanted import Wanted
    from wheel_linker.store import StoredWheel, WheelStore


def obtain_locked(
    lock: str | os.PathLike[str],
    *,
    python: str | os.PathLike[str],
    store: WheelStore,
    extras: Collection[str] = (),
    groups: Collection[str] | None = None,
    pip_args: Sequence[str] = (),
    run: RunPip | None = None,
) -> list[StoredWheel]:
    """Return unpacked wheels of what a lock file names for an interpreter.

    With everything in the store, no pip is started: each wheel is found by its SHA-256.

    :param lock: a ``pylock.toml`` (PEP 751), or a requirements file in which each requirement is pinned by ``==`` and
        has hashes.
    :param python: the interpreter that the wheels are for.
    :param store: where wheels are looked for, and kept.
    :param extras: the extras that are wanted; of a ``pylock.toml`` only.
    :param groups: the dependency groups that are wanted, by default the lock's own default; of a ``pylock.toml`` only.
    :param pip_args: further arguments for pip, which fetches what is missing.
    :param run: as for :func:`resolve`.
    :returns: unpacked wheels, in the lock's order.
    :raises NotLockedError: if a requirement is not pinned, or has no hash.
    :raises WheelLinkerError: if the file is missing, is none of the two, or is not for this interpreter.
    :raises PipError: if pip cannot fetch what is missing.
    """
    path = os.fspath(lock)
    interpreter = describe(python, kept_in=kept_in(store))
    if path.endswith(".toml"):
        wanted, options = list(read_pylock(path, interpreter, extras, groups)), list[str]()
    else:
        wanted, options = read_requirements(path, interpreter)
    found = {one.name: _from_store(one, store, interpreter) for one in wanted}
    missing = [one for one in wanted if found[one.name] is None]
    if missing:
        with TemporaryDirectory(prefix="wheel_linker-pip-") as directory:
            lines = [*options, *(one.line for one in missing)]
            paths = fetch_wheels(lines, python=python, into=directory, index=pip_args, run=run)
            names = [one.name for one in missing]
            found.update(zip(names, store.add_all([paths[name] for name in names])))
    return [wheel for wheel in (found[one.name] for one in wanted) if wheel is not None]


def _from_store(wanted: Wanted, store: WheelStore, interpreter: Interpreter) -> StoredWheel | None:
    """Return the best of the wheels that would do and that the store has."""
    from packaging.utils import parse_wheel_filename

    rank = {tag: position for position, tag in enumerate(interpreter.tags)}
    best: tuple[int, StoredWheel] | None = None
    for digest in wanted.digests:
        wheel = store.find(digest)
        if wheel is None:
            continue
        *_, tags = parse_wheel_filename(str(wheel.filename))
        place = min((rank.get(str(tag), len(rank)) for tag in tags), default=len(rank))
        if place < len(rank) and (best is None or place < best[0]):
            best = (place, wheel)
    return None if best is None else best[1]
