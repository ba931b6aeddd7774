"""Looking at an environment while nobody changes it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from wheel_linker._fs.folder import Folder
from wheel_linker._log import log
from wheel_linker.errors import refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheel_linker._link.locks import Locks
    from wheel_linker.install.layout import Layout


@contextmanager
def undisturbed(layout: Layout, locks: Locks) -> Iterator[None]:
    """Have the turn of an environment's libraries, and touch nothing there.

    Without it a look in the middle of another's change finds half of a distribution: a ``*.dist-info`` without a
    ``RECORD``, say.

    :raises LockTimeoutError: if others change them for too long.
    :raises LinkError: if one cannot be locked.
    """
    with ExitStack() as opened:
        folders = []
        for path in layout.libraries():
            try:
                folders.append(opened.enter_context(Folder.open(path)))
            except OSError as error:  # mostly it is missing; reading it says what is wrong
                log("cannot open %s to look at it: %s", path, error)
        where = ", ".join(repr(folder.path) for folder in folders)
        with refused(f"look at {where}"):
            opened.enter_context(locks.turns(folders))
        yield
