"""``pip install`` of locks: where the store has every wheel that is named, no pip is started.

What comes of it is what pip would make of the same arguments: what is installed in the version that is named stays, and
whatever cannot be decided here is left to pip, its errors included.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._log import log
from wheel_linker.install._present.distributions import find_distributions, is_remnant
from wheel_linker.integrations.pip.arguments import ISOLATED, is_on
from wheel_linker.integrations.pip.locked import (
    Finder,
    described,
    filename_of,
    fulfils,
    read_lock,
)
from wheel_linker.integrations.pip.wanted import NotLockedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wheel_linker.install import Layout
    from wheel_linker.install._present.distributions import Distribution
    from wheel_linker.install.interpreter import Interpreter
    from wheel_linker.integrations.pip.arguments import Arguments
    from wheel_linker.integrations.pip.closure import Known
    from wheel_linker.integrations.pip.wanted import Wanted
    from wheel_linker.store import StoredWheel, WheelStore

_REQUIREMENT: Final = "--requirement"
_NO_DEPS: Final = "--no-deps"
_CONSTRAINT: Final = "--constraint"
# They change nothing about what is installed of a lock whose wheels are all at hand.
_HARMLESS: Final = frozenset(
    {
        ISOLATED,
        "--break-system-packages",
        "--dry-run",
        "--cache-dir",
        "--cert",
        "--check-build-dependencies",
        "--client-cert",
        "--compile",
        "--default-timeout",
        "--disable-pip-version-check",
        "--exists-action",
        "--extra-index-url",
        "--find-links",
        "--index-url",
        "--keyring-provider",
        "--no-cache-dir",
        "--no-clean",
        "--no-color",
        "--no-compile",
        "--no-index",
        "--no-input",
        "--no-python-version-warning",
        "--no-warn-conflicts",
        "--no-warn-script-location",
        "--only-binary",
        "--pre",
        "--prefer-binary",
        "--progress-bar",
        "--proxy",
        "--pypi-url",
        "--quiet",
        "--require-hashes",
        "--require-virtualenv",
        "--resume-retries",
        "--retries",
        "--root-user-action",
        "--timeout",
        "--trusted-host",
        "--upgrade",
        "--verbose",
    }
)
_TOLD: Final = re.compile(r"-[qv]+")
_LOCK: Final = re.compile(r"(?P<path>.*pylock(?:\.[^./\\]+)?\.toml)(?:\[(?P<extras>[^\]]*)\])?")
_SYSTEM_TOO: Final = re.compile(r"(?im)^\s*include-system-site-packages\s*=\s*true\s*$")
_INSTALLED: Final = (".dist-info", ".egg-info", ".egg-link", ".egg")


class Locked(NamedTuple):
    """What a lock names, and the environment lacks."""

    wanted: Wanted
    wheel: StoredWheel

    @property
    def name(self) -> str:
        """Its normalised name."""
        return self.wanted.name

    @property
    def version(self) -> str:
        """Its version."""
        return filename_of(self.wheel).version_text


def lacking(
    given: Arguments, settings: Mapping[str, str], layout: Layout, store: WheelStore
) -> list[Locked] | None:
    """Return what ``pip install`` of locks would install, if that can be told without it, and the store has it.

    :param given: the arguments of ``pip install``.
    :param settings: what pip is told apart from them, by variables and configuration files.
    :returns: wheels, in the order of the locks; None if pip has to be asked.
    :raises WheelLinkerError: if a lock is missing, or is not for this interpreter.
    """
    locks = _locks(given, settings)
    if not locks or not _is_alone(layout):
        return None
    interpreter = described(layout.python, store)
    wanted = _wanted(locks, interpreter)
    if wanted is None:
        return None
    present: dict[str, list[Distribution]] = {}
    for one in find_distributions(layout):
        if not is_remnant(one):
            present.setdefault(one.name, []).append(one)
    if not _are_constrained(settings, wanted, present):
        return None
    found = _found(wanted, present, Finder(store, interpreter))
    if found is None or (
        not given.is_flagged(_NO_DEPS, settings)
        and not _is_whole(wanted, found, present, interpreter)
    ):
        return None
    return found


def _locks(given: Arguments, settings: Mapping[str, str]) -> list[str]:
    """Return the files that are named, if nothing else is asked for."""
    files = []
    for name, value in given.options:
        if name == _REQUIREMENT and value is not None:
            files.append(value)
        elif name is None or not (name in _HARMLESS or name == _NO_DEPS or _TOLD.fullmatch(name)):
            log("asking pip: %s", value if name is None else name)
            return []
    others = [
        name
        for name, value in settings.items()
        if is_on(value) and not (name in _HARMLESS or name in {_NO_DEPS, _CONSTRAINT})
    ]
    if others:
        log("asking pip, by variables or its configuration: %s", ", ".join(others))
    return [] if others else files


def _is_alone(layout: Layout) -> bool:
    """Tell whether what the environment's interpreter finds lies in the environment, and nowhere else."""
    configuration = os.path.join(os.path.dirname(os.path.dirname(layout.python)), "pyvenv.cfg")
    try:
        with open(configuration, encoding="utf-8") as file:
            if _SYSTEM_TOO.search(file.read()):
                return False
        further = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        return not any(_has_distributions(path) for path in further)
    except (OSError, ValueError):
        return False


def _has_distributions(path: str) -> bool:
    return os.path.exists(path) and any(name.endswith(_INSTALLED) for name in os.listdir(path))


def _wanted(locks: Sequence[str], interpreter: Interpreter) -> dict[str, Wanted] | None:
    """Return what locks name, by name; None if pip has to say what that is."""
    found: dict[str, Wanted] = {}
    for lock in locks:
        parted = _LOCK.fullmatch(lock)
        path = parted["path"] if parted else lock
        extras = [one.strip() for one in (parted["extras"] or "").split(",")] if parted else []
        try:
            read = read_lock(path, interpreter, list(filter(None, extras)))
        except NotLockedError as error:
            log("asking pip: %s", error)
            return None
        if read.projects or not all(map(_is_harmless, read.options)):
            return None
        for one in read.wanted:
            if one.name in found or one.version is None:
                return None
            found[one.name] = one
    return found


def _are_constrained(
    settings: Mapping[str, str],
    wanted: Mapping[str, Wanted],
    present: Mapping[str, Sequence[Distribution]],
) -> bool:
    """Tell whether all that is named, or there, keeps to the constraints that are set."""
    files = settings.get(_CONSTRAINT, "").split()
    if not files:
        return True
    from wheel_linker.integrations.pip.constraints import keep_to

    versions = {name: [one.version for one in there] for name, there in present.items()}
    for name, one in wanted.items():
        versions.setdefault(name, []).append(one.version or "")
    if keep_to(files, versions):
        return True
    log("asking pip: not all keeps to the constraints %s", ", ".join(files))
    return False


def _is_harmless(line: str) -> bool:
    """Tell whether an option in a file of requirements is."""
    from wheel_linker.integrations.pip.arguments import parse

    return all(name in _HARMLESS for name, _ in parse(line.split(maxsplit=1)).options)


def _found(
    wanted: Mapping[str, Wanted], present: Mapping[str, Sequence[Distribution]], finder: Finder
) -> list[Locked] | None:
    """Return the wheels of what the environment lacks; None if pip has to be asked for one."""
    found = []
    for name, one in wanted.items():
        there = present.get(name, ())
        if len(there) > 1 or any(not each.version for each in there):
            return None
        if one.version is not None and there and fulfils(there[0].version, one.version):
            continue
        wheel = finder.find(one)
        if wheel is None:
            log("asking pip: the store has no wheel of %s", name)
            return None
        found.append(Locked(one, wheel))
    return found


def _is_whole(
    wanted: Mapping[str, Wanted],
    found: Sequence[Locked],
    present: Mapping[str, Sequence[Distribution]],
    interpreter: Interpreter,
) -> bool:
    """Tell whether all that is required is named, or there already: pip refuses to fetch what has no hash."""
    from wheel_linker.integrations.pip.closure import is_closed

    asked = {name: one.extras for name, one in wanted.items()}
    return is_closed(asked, _knowing(found, present), interpreter.environment)


def _knowing(
    found: Sequence[Locked], present: Mapping[str, Sequence[Distribution]]
) -> Callable[[str], Known | None]:
    from wheel_linker.integrations.pip.closure import Known

    new = {one.name: one for one in found}

    def known(name: str) -> Known | None:
        if name in new:
            return Known(new[name].version, _metadata(new[name].wheel), is_new=True)
        there = present.get(name, ())
        if len(there) != 1:
            return None
        return Known(there[0].version, os.path.join(there[0].path, "METADATA"), is_new=False)

    return known


def _metadata(wheel: StoredWheel) -> str:
    """Return the path of a wheel's ``METADATA``; its directory is mostly spelt as the wheel's file name is."""
    name, version, _ = str(wheel.filename).split("-", 2)
    path = os.path.join(wheel.path, f"{name}-{version}.dist-info")
    if not os.path.isdir(path):
        (path,) = (
            os.path.join(wheel.path, one)
            for one in os.listdir(wheel.path)
            if one.endswith(".dist-info")
        )
    return os.path.join(path, "METADATA")
