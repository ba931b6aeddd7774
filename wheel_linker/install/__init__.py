"""Installing wheels into environments: what an installer does beyond linking files, all or nothing.

Needs the library ``installer``, which the extra ``wheel-linker[install]`` brings.
"""

from __future__ import annotations

from importlib.util import find_spec as _find_spec

# It is imported where launchers are made: it takes a third of what a small wheel takes.
# Where this library is vendored, as `other._vendor.wheel_linker`, `installer` may lie beside it.
if not any(
    _find_spec(f"{where}installer") for where in {"", __name__.rpartition("wheel_linker.")[0]}
):
    raise ModuleNotFoundError(
        "wheel_linker.install needs the library installer: install wheel-linker[install]",
        name="installer",
    )
from wheel_linker.install._present.distributions import (
    IncompleteInstallationError,
    NoRecordError,
    NotInstalledError,
)
from wheel_linker.install._present.installed import InstalledDistribution, installed
from wheel_linker.install.calls import install_wheel, install_wheels, uninstall
from wheel_linker.install.checks import EnvironmentReport, check_environment
from wheel_linker.install.environment import plan_install, plan_sync, plan_uninstall, sync_wheels
from wheel_linker.install.layout import Layout
from wheel_linker.install.metadata import WheelVersionWarning
from wheel_linker.install.report import (
    ChangePlan,
    FileProblem,
    InstallReport,
    MissingRequirement,
    RepairReport,
    Replacement,
    SyncReport,
    UninstallReport,
)

__all__ = [
    "ChangePlan",
    "EnvironmentReport",
    "FileProblem",
    "IncompleteInstallationError",
    "InstallReport",
    "InstalledDistribution",
    "Layout",
    "MissingRequirement",
    "NoRecordError",
    "NotInstalledError",
    "RepairReport",
    "Replacement",
    "SyncReport",
    "UninstallReport",
    "WheelVersionWarning",
    "check_environment",
    "install_wheel",
    "install_wheels",
    "installed",
    "plan_install",
    "plan_sync",
    "plan_uninstall",
    "sync_wheels",
    "uninstall",
]
del _find_spec
