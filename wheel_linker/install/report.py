"""What installing and uninstalling tell their callers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from wheel_linker._compat.named_tuple import NamedTuple

if TYPE_CHECKING:
    from wheel_linker._link.report import LinkReport
    from wheel_linker._wheel.conflicts import PackageConflict
    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.record_problems import RecordProblem
    from wheel_linker.install._present.installed import InstalledDistribution
    from wheel_linker.mode import LinkMode


FileProblemKind = Literal["changed", "missing", "unreadable", "bad-row", "unknown"]
"""What may be wrong about a file."""


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


class SyncReport(NamedTuple):
    """What became of an environment that was to hold exactly some wheels."""

    installed: tuple[InstallReport, ...]
    """What was missing, or there in another version or with other files, in the order of the wheels."""
    removed: tuple[UninstallReport, ...]
    """What was removed because nobody wanted it, by name."""
    kept: tuple[InstalledDistribution, ...]
    """Distributions that were left alone, by name: they were there as their wheels have them, or may stay."""


class Replacement(NamedTuple):
    """A wheel that takes the place of what is installed."""

    wheel: WheelFilename
    """Which wheel it is."""
    versions: tuple[str, ...]
    """The versions that are there of the same distribution; usually one."""


class ChangePlan(NamedTuple):
    """What a call would do, if it were made now."""

    added: tuple[WheelFilename, ...]
    """Wheels whose distribution is not there in any version."""
    replaced: tuple[Replacement, ...]
    """Wheels that take the place of what is installed."""
    removed: tuple[InstalledDistribution, ...]
    """Distributions that are removed and replaced by nothing."""
    kept: tuple[InstalledDistribution, ...]
    """Distributions that stay as they are."""
    conflicts: tuple[PackageConflict, ...]
    """Paths that several wheels supply with different contents, or a wheel and what stays."""
    modes: tuple[LinkMode, ...]
    """The modes that would be tried, in this order."""
    files: int
    """How many files would be installed, those that are written for the environment included."""
    bytes: int
    """How many bytes these have."""
    removed_files: tuple[str, ...]
    """The absolute paths of files that would be removed and not replaced; bytecode is not listed."""

    def is_empty(self) -> bool:
        """Tell whether nothing would be done."""
        return not (self.added or self.replaced or self.removed)


class FileProblem(NamedTuple):
    """One file that is not as a ``RECORD`` says."""

    path: str
    """Its absolute path."""
    kind: FileProblemKind
    """``"changed"``: another size or hash; ``"missing"``; ``"unreadable"``; ``"bad-row"``: nothing else is wrong, but
    what its row says cannot be compared, a size that is no number, or a hash by an unknown algorithm;
    ``"unknown"``: in a package's directory, and in no ``RECORD``."""
    distribution: str | None
    """The normalised name of the distribution that it belongs to; None if to nobody."""


class MissingRequirement(NamedTuple):
    """A requirement of what is installed that is not fulfilled."""

    distribution: str
    """The normalised name of the distribution that has it."""
    requirement: str
    """The requirement, as its ``METADATA`` has it."""
    found: str | None
    """The version that is there, which will not do; None if there is none."""


class RepairReport(NamedTuple):
    """What became of an environment that was to be mended."""

    installed: tuple[InstallReport, ...]
    """What was installed again."""
    not_in_store: tuple[InstalledDistribution, ...]
    """Distributions that are still wrong, because the store has no wheel of that version."""
