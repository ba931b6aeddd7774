"""Errors about wheels that were given as ``.whl`` files: they name these, wherever the files are unpacked."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheel_linker.errors import LinkError, WheelLinkerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from wheel_linker._wheel.unpacked import UnpackedWheel


def archives_of(wheels: Iterable[UnpackedWheel]) -> dict[str, str]:
    """Return the ``.whl`` files of wheels that have one, by where they are unpacked."""
    found = {}
    for wheel in wheels:
        file = wheel.file()
        if file is not None:
            path = os.fsdecode(wheel.path)
            found[path] = found[os.path.realpath(path)] = file
    return found


@contextmanager
def naming_archives(place: str, library: str) -> Iterator[dict[str, str]]:
    """Let errors of the body name what the caller gave, in the place of what has been removed when they are read.

    :param place: the private directory that wheels are unpacked into, which is removed.
    :param library: the directory that it is in.
    :returns: to be filled: the ``.whl`` file, by the directory that it is unpacked into.
    """
    files: dict[str, str] = {}
    try:
        yield files
    except WheelLinkerError as error:
        _rename(error, {**files, place: library})
        raise


@contextmanager
def adding_archives() -> Iterator[list[UnpackedWheel]]:
    """Let errors of the body that name a file of a store name the ``.whl`` file, too.

    :returns: to be filled with the wheels.
    """
    wheels: list[UnpackedWheel] = []
    try:
        yield wheels
    except WheelLinkerError as error:
        message = str(error)
        for place, file in archives_of(wheels).items():
            if _written(place) in message and _written(file) not in message:
                _say(error, f"{message} (the wheel is {file!r})")
                break
        raise


def _rename(error: WheelLinkerError, names: Mapping[str, str]) -> None:
    message = str(error)
    # The longest first: a place that lies in another one is replaced before that.
    for place in sorted(names, key=len, reverse=True):
        message = message.replace(_written(place), _written(names[place]))
        if isinstance(error, LinkError):
            error.source = _renamed(error.source, place, names[place])
            error.filename = _renamed(error.filename, place, names[place])
    if message != str(error):
        _say(error, message)


def _renamed(path: str | None, place: str, name: str) -> str | None:
    return path if path is None else path.replace(place, name)


def _written(path: str) -> str:
    """Return a path as messages have it, between quotation marks."""
    return repr(path)[1:-1]


def _say(error: WheelLinkerError, message: str) -> None:
    error.args = (message, *error.args[1:])
    if isinstance(error, LinkError):
        error.message = message
