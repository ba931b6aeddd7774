"""How each operating system clones files, and where it is chosen."""

from __future__ import annotations

import sys

from wheel_linker.backends.protocol import Backend

__all__ = ["Backend", "default_backend"]


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
