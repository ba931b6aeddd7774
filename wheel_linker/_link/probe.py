"""Finding out what works between two directories, by doing it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from wheel_linker._fs.folder import Folder
from wheel_linker._fs.paths import possible
from wheel_linker._fs.stage import Stage
from wheel_linker._link.placing import placing
from wheel_linker.backends import default_backend
from wheel_linker.errors import refused
from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    from collections.abc import Iterator


def probe(
    source: str | os.PathLike[str], destination: str | os.PathLike[str]
) -> dict[LinkMode, OSError | None]:
    """Do what :func:`wheel_linker.supported_modes` says."""
    paths = [
        os.path.realpath(possible(os.fsdecode(path), "try link modes"))
        for path in (source, destination)
    ]
    doing = f"try link modes between {paths[0]!r} and {paths[1]!r}"
    with (
        refused(doing, source=paths[0], destination=paths[1]),
        Folder.open(paths[0], listing=True) as origin,
        Folder.open(paths[1]) as target,
    ):
        return _try_all(origin, target)


def _try_all(origin: Folder, target: Folder) -> dict[LinkMode, OSError | None]:
    stage = Stage(target)
    try:
        stage.make()
        return _try_throw_away_file(origin, stage)
    finally:
        stage.remove()


def _try_throw_away_file(origin: Folder, stage: Stage) -> dict[LinkMode, OSError | None]:
    source = Stage(origin)
    try:
        try:
            source.make()
        except OSError as error:
            return _try_file(_first_file(origin, error), stage)
        fd = os.open(
            source.old.prefix + "file", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=source.old.fd
        )
        try:
            os.write(fd, b"wheel_linker")
        finally:
            os.close(fd)
        return _try_file(os.path.join(source.old.path, "file"), stage)
    finally:
        source.remove()


def _try_file(path: str, stage: Stage) -> dict[LinkMode, OSError | None]:
    directory, name = os.path.split(path)
    with Folder.open(directory) as source:
        return {mode: _try(mode, name, source, stage) for mode in LinkMode}


def _try(mode: LinkMode, name: str, source: Folder, stage: Stage) -> OSError | None:
    try:
        with stage.folder.make(mode.value) as target:
            return placing(mode, default_backend())((name,), source, target)[1]
    except OSError as error:
        return error


def _first_file(folder: Folder, refusal: OSError) -> str:
    for path in _files(folder.path):
        return path
    raise OSError(
        refusal.errno or errno.EACCES,
        f"{refusal.strerror}, and there is no file to try with",
        folder.path,
    )


def _files(path: str) -> Iterator[str]:
    for directory, _, names in os.walk(path):
        for name in names:
            if os.path.isfile(os.path.join(directory, name)):
                yield os.path.join(directory, name)
