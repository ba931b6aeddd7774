"""What installing and uninstalling tell their callers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wheel_linker._link.report import LinkReport
    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.record_problems import RecordProblem


class InstallReport(NamedTuple):
    """What became of one wheel."""

    wheel: WheelFilename
    """Which wheel it was."""
    dist_info: str
    """The absolute path of its ``*.dist-info`` directory, where the environment's tools find it."""
    link: LinkReport
    """How its files were linked; those that were written, such as launchers, are not among them."""
    scripts: tuple[str, ...]
    """The absolute paths of its scripts and launchers, sorted."""
    upgraded: tuple[str, ...]
    """The versions of the same distribution that it took the place of; usually one or none."""
    removed: tuple[str, ...]
    """The absolute paths of files of these versions that the new one lacks, sorted."""
    record_problems: tuple[RecordProblem, ...] = ()
    """What is not right about the wheel's ``RECORD``; that of what is installed is right all the same."""


class UninstallReport(NamedTuple):
    """What became of one installed distribution."""

    name: str
    """Its normalised name."""
    versions: tuple[str, ...]
    """The versions that were installed; usually one."""
    removed: tuple[str, ...]
    """The absolute paths of files that were removed, sorted; bytecode is removed and not listed."""
    kept: tuple[str, ...]
    """The absolute paths of files that stayed, sorted: another distribution has them too, or they lie outside of the
    environment."""
    incomplete: bool = False
    """Whether the installation was incomplete, its ``RECORD`` being empty: what was removed is what its notes and names
    lead to, and some of it may be left."""
