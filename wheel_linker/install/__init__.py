"""Installing wheels into environments: what an installer does beyond linking files, all or nothing.

Needs the library ``installer``, which the extra ``wheel-linker[install]`` brings.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as in typing
if TYPE_CHECKING:
    from wheel_linker.install._present.distributions import NotInstalledError
    from wheel_linker.install._present.installed import InstalledDistribution, installed
    from wheel_linker.install._present.recorded import IncompleteInstallationError, NoRecordError
    from wheel_linker.install.calls import install_wheel, install_wheels, uninstall
    from wheel_linker.install.checks import EnvironmentReport, check_environment
    from wheel_linker.install.environment import (
        plan_install,
        plan_sync,
        plan_uninstall,
        sync_wheels,
    )
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


def _has_installer() -> bool:
    """Tell whether the library ``installer`` is there, without importing it: that takes as long as a large wheel.

    Where this library is vendored, as ``other._vendor.wheel_linker``, it may lie beside it.
    """
    beside = __name__.rpartition("wheel_linker.")[0]
    return any(map(_is_there, {"installer", f"{beside}installer"}))


def _is_there(name: str) -> bool:
    if name in sys.modules:
        return sys.modules[name] is not None
    package = name.rpartition(".")[0]
    path = sys.modules[package].__path__ if package else None
    # This is what importlib.util.find_spec() does; its module would have to be imported.
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
    return any(finder.find_spec(name, path) is not None for finder in finders)


if not _has_installer():
    raise ModuleNotFoundError(
        "wheel_linker.install needs the library installer: install wheel-linker[install]",
        name="installer",
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

# A name's module is imported when the name is first asked for.
_MODULE_OF = {
    "ChangePlan": "install.report",
    "EnvironmentReport": "install.checks",
    "FileProblem": "install.report",
    "IncompleteInstallationError": "install._present.recorded",
    "InstallReport": "install.report",
    "InstalledDistribution": "install._present.installed",
    "Layout": "install.layout",
    "MissingRequirement": "install.report",
    "NoRecordError": "install._present.recorded",
    "NotInstalledError": "install._present.distributions",
    "RepairReport": "install.report",
    "Replacement": "install.report",
    "SyncReport": "install.report",
    "UninstallReport": "install.report",
    "WheelVersionWarning": "install.metadata",
    "check_environment": "install.checks",
    "install_wheel": "install.calls",
    "install_wheels": "install.calls",
    "installed": "install._present.installed",
    "plan_install": "install.environment",
    "plan_sync": "install.environment",
    "plan_uninstall": "install.environment",
    "sync_wheels": "install.environment",
    "uninstall": "install.calls",
}


if not TYPE_CHECKING:  # checkers would take every name for one that there is
    from wheel_linker import _found

    def __getattr__(name: str) -> object:
        return _found(name, _MODULE_OF, globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
