"""What a call was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import PurePosixPath

    from wheel_linker._link.locks import Locks
    from wheel_linker._wheel.progress import Progress
    from wheel_linker.backends import Backend

    MustCopy = Callable[[PurePosixPath], bool]


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

    def modes(self) -> tuple[LinkMode, ...]:
        """Return all modes that files may end in."""
        return (*self.chain, *(self.native or ()))

    def clones_whole(self) -> bool:
        """Tell whether whole directories are cloned, with whatever is in them."""
        return self.backend.clones_directories and self.chain[0] is LinkMode.CLONE
