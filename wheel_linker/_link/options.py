"""What a call was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import PurePosixPath

    from wheel_linker._link.locks import Locks
    from wheel_linker._wheel.progress import Progress
    from wheel_linker.backends import Backend

    Exclude = Callable[[PurePosixPath], bool] | Iterable[str] | None

MustCopy = Callable[["PurePosixPath"], bool]
"""A function that tells by a file's path in the wheel whether it needs a copy."""


class AskedError(Exception):
    """A function of the caller's raised an error of the system, which is not one of the files that are linked."""

    def __init__(self, raised: OSError) -> None:
        super().__init__(raised)
        self.raised = raised


def ask(question: Callable[[PurePosixPath], bool], path: PurePosixPath) -> bool:
    """Call a function of the caller's.

    :raises AskedError: for an :exc:`OSError`, which would be taken for one of the files that are linked.
    """
    try:
        return question(path)
    except OSError as error:
        raise AskedError(error) from error


def excluding(exclude: Exclude) -> Callable[[str], bool] | None:
    """Return what tells of a path relative to the wheel whether it is left out; None if nothing is."""
    if exclude is None:
        return None
    from pathlib import PurePosixPath

    if callable(exclude):
        asked = exclude
        return lambda path: ask(asked, PurePosixPath(path))
    return _matching([exclude] if isinstance(exclude, str) else exclude)


def _matching(patterns: Iterable[str]) -> Callable[[str], bool]:
    import re
    from fnmatch import translate

    compiled = [re.compile(translate(pattern)) for pattern in patterns]

    def excludes(path: str) -> bool:
        name = path.rpartition("/")[2]
        return any(each.match(path) or each.match(name) for each in compiled)

    return excludes


class LinkOptions(NamedTuple):
    """What a call was asked for."""

    chain: tuple[LinkMode, ...]
    locks: Locks
    must_copy: MustCopy | None
    jobs: int
    progress: Progress
    backend: Backend
    native: tuple[LinkMode, ...] | None = None
    """The chain for native libraries and executables, if that is another."""

    exclude: Callable[[str], bool] | None = None
    """Tells of a path relative to the wheel whether it is left out."""

    exact: bool = False
    """Whether files that none of the wheels has are removed from the directory."""

    def modes(self) -> tuple[LinkMode, ...]:
        """Return all modes that files may end in."""
        return (*self.chain, *(self.native or ()))

    def clones_whole(self) -> bool:
        """Tell whether whole directories are cloned, with whatever is in them."""
        return self.backend.clones_directories and self.chain[0] is LinkMode.CLONE
