"""Put unpacked wheels into ``site-packages`` by cloning, hard-linking, symlinking or copying their files."""

from __future__ import annotations

from wheel_linker._api import (
    link_wheel_files,
    link_wheels,
    pack_wheel,
    supported_modes,
    unpack_wheel,
    write_record,
)
from wheel_linker._link.locks import Locks, Preview
from wheel_linker._link.report import Fallback, LinkReport
from wheel_linker._wheel.conflicts import PackageConflict, PackageConflictError
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker._wheel.progress import ProgressBar
from wheel_linker._wheel.record_problems import RecordProblem
from wheel_linker._wheel.unpacked import UnpackedWheel
from wheel_linker.errors import (
    InvalidWheelError,
    LinkError,
    LinkFallbackWarning,
    LockTimeoutError,
    PackageConflictWarning,
    RecordWarning,
    WheelLinkerError,
)
from wheel_linker.mode import AUTO, LinkMode

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
    "PackageConflict",
    "PackageConflictError",
    "PackageConflictWarning",
    "Preview",
    "ProgressBar",
    "RecordProblem",
    "RecordWarning",
    "UnpackedWheel",
    "WheelFilename",
    "WheelLinkerError",
    "link_wheel_files",
    "link_wheels",
    "pack_wheel",
    "supported_modes",
    "unpack_wheel",
    "write_record",
]
