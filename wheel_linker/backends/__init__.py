"""How each operating system clones files, and where it is chosen."""

from __future__ import annotations

import sys
from typing import Protocol


class Backend(Protocol):
    """What cloning takes. One module per operating system has one; callers may pass their own.

    Paths are relative to a directory descriptor where one is given. Several threads may call at once.
    """

    name: str
    """A word for messages."""

    clones_directories: bool
    """Whether :meth:`clone_directory` is worth calling."""

    def clone_file(
        self,
        source: str,
        destination: str,
        *,
        source_dir: int | None = None,
        destination_dir: int | None = None,
    ) -> None:
        """Make ``destination`` a copy-on-write copy of the regular file ``source``, never through a symlink.

        Its owner may do with it what the source's owner may; group and others as the umask leaves it. No set-id bits.

        :raises OSError: with the system's number; FileExistsError if ``destination`` is there already.
            Nothing new is left there then.
        """

    def clone_directory(
        self,
        source: str,
        destination: str,
        *,
        source_dir: int | None = None,
        destination_dir: int | None = None,
    ) -> None:
        """Make ``destination`` a copy-on-write copy of a whole directory, in one call.

        :raises OSError: as :meth:`clone_file`; ENOTSUP where only files can be cloned.
        """


def default_backend() -> Backend:
    """Return the running platform's backend; one that refuses every call where there is no clone call."""
    if sys.platform == "linux":
        from wheel_linker.backends.linux import LinuxBackend

        return LinuxBackend()
    if sys.platform in ("darwin", "ios"):
        from wheel_linker.backends.macos import MacOSBackend

        return MacOSBackend()
    if sys.platform == "win32":
        from wheel_linker.backends.windows import WindowsBackend

        return WindowsBackend()
    from wheel_linker.backends.unsupported import UnsupportedBackend

    return UnsupportedBackend()
