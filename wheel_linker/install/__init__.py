"""Installing wheels into environments: what an installer does beyond linking files, all or nothing.

Needs the library ``installer``, which the extra ``wheel-linker[install]`` brings.
"""

from __future__ import annotations

try:
    import installer as _installer
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        "wheel_linker.install needs the library installer: install wheel-linker[install]",
        name=_error.name,
    ) from _error
from wheel_linker.install._present.distributions import (
    IncompleteInstallationError,
    NoRecordError,
    NotInstalledError,
)
from wheel_linker.install.calls import install_wheel, install_wheels, uninstall
from wheel_linker.install.layout import Layout
from wheel_linker.install.metadata import WheelVersionWarning
from wheel_linker.install.report import InstallReport, UninstallReport

__all__ = [
    "IncompleteInstallationError",
    "InstallReport",
    "Layout",
    "NoRecordError",
    "NotInstalledError",
    "UninstallReport",
    "WheelVersionWarning",
    "install_wheel",
    "install_wheels",
    "uninstall",
]
del _installer
