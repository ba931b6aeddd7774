"""The store that a user's tools share: the one of the command line."""

from __future__ import annotations

import atexit
import os
import sys
from threading import Lock
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.paths import upwards
from wheel_linker._fs.temporary import temporary_directory
from wheel_linker._log import log_warning
from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    from wheel_linker.store import WheelStore

_NAME: Final = "wheel-linker"
_lock: Final = Lock()
_opened: Final[dict[str, WheelStore]] = {}


def default_directory() -> str | None:
    """Return where this user's store is; None if the package that knows, platformdirs, is not installed."""
    try:
        import platformdirs
    except ImportError:
        return None
    return os.path.join(platformdirs.user_cache_dir(_NAME, appauthor=False), "store")


def open_store(directory: str | os.PathLike[str] | None = None) -> WheelStore:
    """Return a store for a tool.

    :param directory: where it is; by default in this user's cache directory.
    :returns: where the default one is another user's, one that goes when the process ends.
    :raises WheelLinkerError: if it is not known where the default one would be.
    """
    from wheel_linker.store import WheelStore

    if directory is not None and os.fspath(directory):
        return WheelStore(directory)
    default = default_directory()
    if default is None:
        raise WheelLinkerError(
            "which store? Name a directory for it, or install platformdirs, which knows this user's cache directory"
        )
    if (owner := another_owner(default)) is not None:
        log_warning(
            "the store %r belongs to another user (%s): a temporary one is used; name a directory for one of your own",
            default,
            owner,
        )
        return WheelStore(_temporary_place(), durable=False)
    return WheelStore(default)


def _temporary_place() -> str:
    """Return where a store may be until the process ends."""
    place = temporary_directory()
    atexit.register(place.__exit__, None, None, None)
    return os.path.join(place.__enter__(), "store")


def shared_store(directory: str | os.PathLike[str] | None = None) -> WheelStore:
    """Return the same store whenever it is asked for; it is closed when the process ends.

    :param directory: as for :func:`open_store`.
    :raises WheelLinkerError: as :func:`open_store`.
    """
    key = "" if directory is None else os.fspath(directory)
    with _lock:
        if key not in _opened:
            _opened[key] = open_store(directory)
            atexit.register(_opened[key].close)
        return _opened[key]


def another_owner(root: str) -> str | None:
    """Say which user, other than this one, it is whose store the default one is; None without.

    A program that runs as root with a user's HOME, as ``sudo`` leaves it, would use that user's store.
    """
    if sys.platform == "win32":
        return None
    owner, user = os.stat(existing_part(root)).st_uid, os.geteuid()
    # One that is still to be made may be made where root lets everybody.
    if owner == user or (not os.path.exists(root) and owner == 0):
        return None
    return f"number {owner}, not {user}"


def existing_part(path: str) -> str:
    """Return the directory that is there on the way to a path: itself, or one above; the root if none is there."""
    for above in upwards(os.path.abspath(path)):
        if os.path.exists(above):
            break
    return above
