"""What a caller is told when the system refuses something, or an entry's description is broken."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheel_linker.errors import InvalidWheelError, refused

if TYPE_CHECKING:
    from collections.abc import Iterator


class BrokenManifestError(Exception):
    """A file is no manifest, or not one of this format."""


@contextmanager
def named_errors(doing: str, path: str) -> Iterator[None]:
    """Turn the errors of a block into the library's.

    :param doing: what could not be done then.
    :param path: what was to be read, or written.
    :raises InvalidWheelError: for an entry's description that is not what was written.
    :raises LinkError: for any error of the system.
    """
    try:
        with refused(lambda error: doing_at(error, doing), source=path):
            yield
    except BrokenManifestError as error:
        raise InvalidWheelError(
            f"cannot {doing}: {str(error)!r} is not what was written; prune, and add the wheel again"
        ) from error


def doing_at(error: OSError, doing: str) -> str:
    """Return what could not be done, with the path that the system refused, unless it is in there already."""
    path = error.filename
    if isinstance(path, str) and os.path.isabs(path) and repr(path) not in doing:
        return f"{doing} at {path!r}"
    return doing
