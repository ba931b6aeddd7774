"""Put unpacked wheels into ``site-packages`` by cloning, hard-linking, symlinking or copying their files."""

from __future__ import annotations

from wheel_linker.errors import (
    InvalidWheelError,
    LinkError,
    LinkFallbackWarning,
    PackageConflictError,
    PackageConflictWarning,
    WheelLinkerError,
)
from wheel_linker.filename import UnpackedWheel, WheelFilename
from wheel_linker.linking import link_wheel_files, link_wheels, supported_modes
from wheel_linker.locks import Locks, Preview
from wheel_linker.mode import AUTO, LinkMode
from wheel_linker.report import Fallback, LinkReport, PackageConflict

__all__ = [
    "AUTO",
    "Fallback",
    "InvalidWheelError",
    "LinkError",
    "LinkFallbackWarning",
    "LinkMode",
    "LinkReport",
    "Locks",
    "PackageConflict",
    "PackageConflictError",
    "PackageConflictWarning",
    "Preview",
    "UnpackedWheel",
    "WheelFilename",
    "WheelLinkerError",
    "link_wheel_files",
    "link_wheels",
    "supported_modes",
]
