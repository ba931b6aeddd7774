"""A private directory, removed whatever happens."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheel_linker._fs.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheel_linker._fs.folder import Folder


@contextmanager
def staged(folder: Folder) -> Iterator[Stage]:
    """Have a private directory in ``folder``, on its file system; it is removed at the end with what is left in it.

    :raises OSError: if ``folder`` is not writable.
    """
    stage = Stage(folder)
    # Twice, because Ctrl-C may come in the instant before the first one starts.
    try:
        try:
            stage.make()
            yield stage
        finally:
            stage.remove()
    finally:
        stage.remove()
