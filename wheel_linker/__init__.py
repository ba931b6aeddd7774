"""Put unpacked wheels into ``site-packages`` by cloning, hard-linking, symlinking or copying their files."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import takes longer than that of this module
if TYPE_CHECKING:
    from wheel_linker._api import (
        link_wheel_files,
        link_wheels,
        pack_wheel,
        supported_modes,
        unpack_wheel,
        write_record,
    )
    from wheel_linker._link.locks import Locks, Preview
    from wheel_linker._link.options import MustCopy
    from wheel_linker._link.report import Fallback, LinkReport
    from wheel_linker._wheel.conflicts import OnConflict, PackageConflict, PackageConflictError
    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.progress import ProgressBar
    from wheel_linker._wheel.record_problems import RecordMode, RecordProblem
    from wheel_linker._wheel.unpacked import UnpackedWheel, WheelLike
    from wheel_linker.errors import (
        InvalidWheelError,
        LinkError,
        LinkFallbackWarning,
        LockTimeoutError,
        PackageConflictWarning,
        RecordWarning,
        WheelLinkerError,
    )
    from wheel_linker.mode import AUTO, LinkMode, Modes

__all__ = [
    "AUTO",
    "Fallback",
    "InvalidWheelError",
    "LinkError",
    "LinkFallbackWarning",
    "LinkMode",
    "LinkReport",
    "LockTimeoutError",
    "Locks",
    "Modes",
    "MustCopy",
    "OnConflict",
    "PackageConflict",
    "PackageConflictError",
    "PackageConflictWarning",
    "Preview",
    "ProgressBar",
    "RecordMode",
    "RecordProblem",
    "RecordWarning",
    "UnpackedWheel",
    "WheelFilename",
    "WheelLike",
    "WheelLinkerError",
    "link_wheel_files",
    "link_wheels",
    "pack_wheel",
    "supported_modes",
    "unpack_wheel",
    "write_record",
]

# An embedder pays for what it uses: a name's module is imported when the name is first asked for.
_MODULE_OF = {
    "AUTO": "mode",
    "Fallback": "_link.report",
    "InvalidWheelError": "errors",
    "LinkError": "errors",
    "LinkFallbackWarning": "errors",
    "LinkMode": "mode",
    "LinkReport": "_link.report",
    "LockTimeoutError": "errors",
    "Locks": "_link.locks",
    "Modes": "mode",
    "MustCopy": "_link.options",
    "OnConflict": "_wheel.conflicts",
    "PackageConflict": "_wheel.conflicts",
    "PackageConflictError": "_wheel.conflicts",
    "PackageConflictWarning": "errors",
    "Preview": "_link.locks",
    "ProgressBar": "_wheel.progress",
    "RecordMode": "_wheel.record_problems",
    "RecordProblem": "_wheel.record_problems",
    "RecordWarning": "errors",
    "UnpackedWheel": "_wheel.unpacked",
    "WheelFilename": "_wheel.filename",
    "WheelLike": "_wheel.unpacked",
    "WheelLinkerError": "errors",
    "link_wheel_files": "_api",
    "link_wheels": "_api",
    "pack_wheel": "_api",
    "supported_modes": "_api",
    "unpack_wheel": "_api",
    "write_record": "_api",
}


def _found(name: str, modules: dict[str, str], package: dict[str, object]) -> object:
    """Return a public name of a package, from the module that it is in; it is kept in the package.

    :param modules: the module of each public name, seen from the library.
    :param package: what is in the package.
    :raises AttributeError: if there is no such name.
    """
    module = modules.get(name)
    if module is None:
        raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
    found = getattr(__import__(f"{__name__}.{module}", fromlist=[name]), name)
    package[name] = found
    return found


if not TYPE_CHECKING:  # checkers would take every name for one that there is

    def __getattr__(name: str) -> object:
        return _found(name, _MODULE_OF, globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
