"""What installing and uninstalling tell their callers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker.filename import WheelFilename
    from wheel_linker.report import LinkReport


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


def combined(reports: Sequence[LinkReport]) -> LinkReport:
    """Return one report for several pieces of one wheel, the last of which is its root."""
    main = reports[-1]
    if len(reports) == 1:
        return main
    used = {
        mode: sum(report.used.get(mode, 0) for report in reports)
        for report in reports
        for mode in report.used
    }
    most = max(reports, key=lambda report: (report.files, report is main))
    return main._replace(
        mode=most.mode,
        files=sum(report.files for report in reports),
        used=used,
        fallbacks=tuple(one for report in reports for one in report.fallbacks),
        fallback_count=sum(report.fallback_count for report in reports),
        replaced=tuple(sorted(path for report in reports for path in report.replaced)),
    )
