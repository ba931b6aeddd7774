"""What commands say about what they have done, in lines for people and as JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._cli.output import counted, put, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wheel_linker._link.report import LinkReport
    from wheel_linker.install import ChangePlan, InstallReport, UninstallReport


def summary(report: LinkReport) -> str:
    """Say in one line what became of a wheel."""
    parts = [
        f"{report.wheel.name} {report.wheel.version_text}: {report.files:,} files, {report.mode}"
    ]
    if report.fallback_count:
        reasons = ", ".join(
            dict.fromkeys(
                f"{one.tried}: {one.error.strerror or one.error}" for one in report.fallbacks
            )
        )
        parts.append(f"{report.fallback_count:,} fell back ({reasons})")
    if report.replaced:
        parts.append(f"{len(report.replaced):,} replaced")
    return "; ".join(parts)


def installed_line(report: InstallReport) -> str:
    """Say in one line what became of a wheel."""
    parts = [summary(report.link)]
    if report.scripts:
        parts.append(counted(len(report.scripts), "script"))
    if report.upgraded:
        parts.append(f"in place of {', '.join(report.upgraded)}")
    if report.removed:
        parts.append(f"{counted(len(report.removed), 'file')} of that removed")
    return "; ".join(parts)


def uninstalled_line(report: UninstallReport) -> str:
    """Say in one line what became of an installed distribution."""
    parts = [
        f"{report.name} {', '.join(report.versions)}: {counted(len(report.removed), 'file')} removed"
    ]
    if report.incomplete:
        parts.append("it was incomplete, with an empty RECORD, so that some of it may be left")
    if report.kept:
        parts.append(f"{len(report.kept):,} kept, which others have or lie outside")
    return "; ".join(parts)


def print_json(reports: Mapping[str, object] | Sequence[Mapping[str, object]]) -> None:
    """Print reports for programs."""
    import json

    put(json.dumps(reports, indent=2))


def as_json(report: LinkReport) -> dict[str, object]:
    """Return a report as ``link --json`` prints it; keys may be added, but none is renamed or removed.

    ``wheel`` is the file name, ``requested`` the fallback chain, ``mode`` how most files were linked, ``files`` their
    number, ``used`` how many there are by mode, ``fallbacks`` the first few refusals for each cause, with ``path``,
    ``tried``, ``used``, ``errno`` and ``error``, ``fallback_count`` how many files were refused a mode, ``replaced``
    the paths of files that were there before, ``record_problems`` in what its ``RECORD`` was found not to be right when
    a store unpacked it, each with ``kind``, ``path`` and ``detail``.
    """
    return {
        "wheel": str(report.wheel),
        "requested": [mode.value for mode in report.requested],
        "mode": report.mode.value,
        "files": report.files,
        "used": {mode.value: count for mode, count in report.used.items()},
        "fallbacks": [
            {
                "path": fallback.path,
                "tried": fallback.tried.value,
                "used": fallback.used.value,
                "errno": fallback.error.errno,
                "error": fallback.error.strerror or str(fallback.error),
            }
            for fallback in report.fallbacks
        ],
        "fallback_count": report.fallback_count,
        "replaced": list(report.replaced),
        "record_problems": [problem._asdict() for problem in report.record_problems],
    }


def installed_as_json(report: InstallReport) -> dict[str, object]:
    """Return a report as ``install --json`` prints it; keys may be added, none is renamed or removed.

    Besides those of :func:`as_json`, ``dist_info`` is the absolute path of the ``*.dist-info``, ``scripts`` are those
    of its scripts and launchers, ``upgraded`` the versions that the wheel took the place of, and ``removed`` the
    absolute paths of their files that the wheel has not, ``record_problems`` those of all pieces.
    """
    return {
        **as_json(report.link),
        "dist_info": report.dist_info,
        "scripts": list(report.scripts),
        "upgraded": list(report.upgraded),
        "removed": list(report.removed),
        "record_problems": [problem._asdict() for problem in report.record_problems],
    }


def uninstalled_as_json(report: UninstallReport) -> dict[str, object]:
    """Return a report as ``uninstall --json`` prints it; keys may be added, but none is renamed or removed.

    ``name`` is the normalised name, ``versions`` are those that were installed, usually one, ``removed`` the absolute
    paths of files that were removed, ``kept`` those of files that stayed: another distribution has them too, or they
    lie outside of the environment, ``incomplete`` whether its ``RECORD`` was empty, so that some of it may be left.
    """
    return {
        "name": report.name,
        "versions": list(report.versions),
        "removed": list(report.removed),
        "kept": list(report.kept),
        "incomplete": report.incomplete,
    }


def tell_plan(plan: ChangePlan, *, as_json: bool) -> None:
    """Print what would be done."""
    if as_json:
        print_json(plan_as_json(plan))
        return
    for line in plan_lines(plan):
        say(line)


def plan_lines(plan: ChangePlan) -> list[str]:
    """Say what would be done, a line for each distribution and one for all."""
    lines = [f"{one.name} {one.version}: would be installed" for one in plan.added]
    lines += [
        f"{one.wheel.name} {one.wheel.version}: would take the place of {', '.join(one.versions)}"
        for one in plan.replaced
    ]
    lines += [f"{one.name} {one.version}: would be removed" for one in plan.removed]
    lines += [str(conflict) for conflict in plan.conflicts]
    removed = f"{counted(len(plan.removed_files), 'file')} to be removed"
    if plan.removed_files and not plan.files:
        return [*lines, removed]
    what = f"{counted(plan.files, 'file')}, {plan.bytes / 1024**2:,.1f} MiB, to be installed"
    return [*lines, f"{what}; {removed}"]


def plan_as_json(plan: ChangePlan) -> dict[str, object]:
    """Return a plan as ``--dry-run --json`` prints it; keys may be added, but none is renamed or removed."""
    return {
        "added": [str(one) for one in plan.added],
        "replaced": [
            {"wheel": str(one.wheel), "versions": list(one.versions)} for one in plan.replaced
        ],
        "removed": [f"{one.name}=={one.version}" for one in plan.removed],
        "kept": [f"{one.name}=={one.version}" for one in plan.kept],
        "conflicts": [str(one) for one in plan.conflicts],
        "modes": [mode.value for mode in plan.modes],
        "files": plan.files,
        "bytes": plan.bytes,
        "removed_files": list(plan.removed_files),
    }
