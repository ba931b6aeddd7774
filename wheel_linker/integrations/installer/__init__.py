"""Linking in an installer that is built on ``installer.install()``: its source and its destination.

Works with releases 0.7 and 1.x of `installer <https://installer.readthedocs.io>`__, which the extra
``wheel-linker[install]`` brings.
"""

from __future__ import annotations

try:
    from wheel_linker.integrations.installer.destination import LinkingDestination
    from wheel_linker.integrations.installer.source import UnpackedSource
except ModuleNotFoundError as _error:
    if (_error.name or "").partition(".")[0] != "installer":
        raise
    raise ImportError(
        "wheel_linker.integrations.installer needs the package 'installer': "
        "install the extra, wheel-linker[install]",
        name=_error.name,
    ) from _error
__all__ = ["LinkingDestination", "UnpackedSource"]
