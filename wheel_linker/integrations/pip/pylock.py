"""Reading ``pylock.toml`` (PEP 751)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._wheel.filename import normalised
from wheel_linker.errors import WheelLinkerError
from wheel_linker.integrations.pip.requirements_file import in_place
from wheel_linker.integrations.pip.wanted import SHA256, Lock, NotLockedError, Wanted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from packaging.pylock import (
        PackageArchive,
        PackageDirectory,
        PackageSdist,
        PackageVcs,
        PackageWheel,
        Pylock,
    )
    from packaging.tags import Tag

    from wheel_linker.install.interpreter import Interpreter


def read_pylock(
    path: str,
    interpreter: Interpreter,
    extras: Collection[str],
    groups: Collection[str] | None,
) -> Lock:
    """Return what a ``pylock.toml`` names for an interpreter. The errors are those of :func:`obtain_locked`."""
    from packaging.pylock import PackageSdist, PackageWheel, PylockSelectError

    lock = _read_lock(path)
    try:
        chosen = list(
            lock.select(
                environment=_environment(interpreter),  # type: ignore[arg-type]
                tags=_tags(interpreter),
                extras=extras,
                dependency_groups=groups,
            )
        )
    except PylockSelectError as error:
        raise WheelLinkerError(f"cannot install {path!r} for this interpreter: {error}") from error
    found = Lock([], [], [])
    for package, artifact in chosen:
        if not isinstance(artifact, (PackageWheel, PackageSdist)):
            found.projects.append(_project(package.name, artifact, path))
            continue
        digest = _digest(package.name, artifact, path)
        # A source archive is not what is in the store: the wheel that pip builds of it is.
        digests = (digest,) if isinstance(artifact, PackageWheel) else ()
        line = f"{package.name} @ {_address(artifact, path)}#{SHA256}={digest}"
        version = None if package.version is None else str(package.version)
        found.wanted.append(Wanted(normalised(package.name), digests, line, version))
    return found


def directories_of(path: str) -> list[str]:
    """Return the directories of projects that a ``pylock.toml`` names, whatever they are for.

    :raises WheelLinkerError: as :func:`read_pylock`.
    """
    named = [one.directory for one in _read_lock(path).packages]
    return [_beside(path, one.path) for one in named if one is not None]


def _digest(name: str, artifact: PackageWheel | PackageSdist | PackageArchive, path: str) -> str:
    digest = artifact.hashes.get(SHA256)
    if digest is None:
        raise NotLockedError(f"{name!r} in {path!r} has no {SHA256}: lock it anew")
    return digest


def _project(name: str, artifact: PackageVcs | PackageDirectory | PackageArchive, lock: str) -> str:
    """Return the line of a requirements file that stands for what is neither a wheel nor an sdist of an index."""
    from packaging.pylock import PackageArchive, PackageDirectory

    below = f"subdirectory={artifact.subdirectory}" if artifact.subdirectory else ""
    if isinstance(artifact, PackageDirectory):
        directory = _beside(lock, os.path.join(artifact.path, artifact.subdirectory or ""))
        if artifact.editable:
            return in_place(directory)
        return f"{name} @ {_as_address(directory)}"
    if isinstance(artifact, PackageArchive):
        fragment = "&".join(filter(None, [f"{SHA256}={_digest(name, artifact, lock)}", below]))
        return f"{name} @ {_address(artifact, lock)}#{fragment}"
    address = f"{artifact.type}+{_address(artifact, lock)}@{artifact.commit_id}"
    return f"{name} @ {'#'.join(filter(None, [address, below]))}"


def _read_lock(path: str) -> Pylock:
    try:
        from packaging.pylock import Pylock, PylockValidationError
    except ImportError as error:
        raise WheelLinkerError(
            f"reading {path!r} takes the package packaging 26.1 or newer: install wheel-linker[pip]"
        ) from error
    try:
        return Pylock.from_dict(_read_toml(path))
    except (OSError, ValueError, PylockValidationError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WheelLinkerError(f"{path!r} cannot be read as a pylock.toml: {reason}") from error


def _read_toml(path: str) -> Mapping[str, object]:
    import sys

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError as error:
            raise WheelLinkerError(
                f"reading {path!r} takes the package tomli: install wheel-linker[pip]"
            ) from error
    with open(path, "rb") as file:
        found: dict[str, object] = tomllib.load(file)
        return found


def _environment(interpreter: Interpreter) -> dict[str, str]:
    return dict(interpreter.environment)


def _tags(interpreter: Interpreter) -> list[Tag]:
    from packaging.tags import Tag

    return [Tag(*text.split("-")) for text in interpreter.tags]


def _address(artifact: PackageWheel | PackageSdist | PackageArchive | PackageVcs, lock: str) -> str:
    if artifact.url is not None:
        return artifact.url
    assert artifact.path is not None  # one of the two is there: PEP 751
    return _as_address(_beside(lock, artifact.path))


def _beside(lock: str, path: str) -> str:
    """Return an absolute path; a lock's are relative to its directory."""
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(lock)), path))


def _as_address(path: str) -> str:
    from pathlib import Path

    return Path(path).as_uri()
