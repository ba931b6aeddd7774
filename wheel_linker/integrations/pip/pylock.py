"""Reading ``pylock.toml`` (PEP 751)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._wheel.filename import normalised
from wheel_linker.errors import WheelLinkerError
from wheel_linker.integrations.pip.wanted import SHA256, NotLockedError, Wanted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from packaging.pylock import PackageSdist, PackageWheel, Pylock
    from packaging.tags import Tag

    from wheel_linker.install.interpreter import Interpreter


def read_pylock(
    path: str,
    interpreter: Interpreter,
    extras: Collection[str],
    groups: Collection[str] | None,
) -> Iterator[Wanted]:
    """Yield what a ``pylock.toml`` names for an interpreter. The errors are those of :func:`obtain_locked`."""
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
    for package, artifact in chosen:
        if not isinstance(artifact, (PackageWheel, PackageSdist)):
            raise NotLockedError(
                f"{package.name!r} in {path!r} is no wheel or sdist:"
                f" install it by: wheel-linker pip install -r {path}"
            )
        digest = artifact.hashes.get(SHA256)
        if digest is None:
            raise NotLockedError(f"{package.name!r} in {path!r} has no {SHA256}: lock it anew")
        # A source archive is not what is in the store: the wheel that pip builds of it is.
        digests = (digest,) if isinstance(artifact, PackageWheel) else ()
        line = f"{package.name} @ {_address(artifact, path)}#{SHA256}={digest}"
        version = None if package.version is None else str(package.version)
        yield Wanted(normalised(package.name), digests, line, version)


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


def _address(artifact: PackageWheel | PackageSdist, lock: str) -> str:
    if artifact.url is not None:
        return artifact.url
    assert artifact.path is not None  # one of the two is there: PEP 751
    path = os.path.join(os.path.dirname(os.path.abspath(lock)), artifact.path)
    from urllib.request import pathname2url  # with it come ssl and http

    return "file:" + pathname2url(path)
