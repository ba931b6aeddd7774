"""The demonstration: real wheels, linked in every mode into fresh environments and imported at once; then installed."""

from __future__ import annotations

import os
import stat
import time
import warnings
from typing import TYPE_CHECKING, Final

from wheel_linker._api import link_wheels
from wheel_linker._cli.archives import unpacked_archives
from wheel_linker._cli.demo.fresh_import import Environment, has_native_code, importable_names
from wheel_linker._cli.demo.installing import Given, demonstrate_install
from wheel_linker._cli.output import Column, print_table
from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.temporary import temporary_directory
from wheel_linker._threads import usable_cpus
from wheel_linker._wheel.scan import scan
from wheel_linker._wheel.unpacked import unpacked
from wheel_linker.errors import LinkFallbackWarning, WheelLinkerError
from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from wheel_linker._link.report import LinkReport
    from wheel_linker._wheel.tree import Tree
    from wheel_linker._wheel.unpacked import WheelLike

MODES: Final = ("clone", "hardlink", "symlink", "copy", "auto")
_COLUMNS: Final = (
    Column("mode asked"),
    Column("mode used"),
    Column("files", right=True),
    Column("ms", right=True),
    Column("extra disk, KiB", right=True),
    Column("imported at once"),
    Column("why it fell back"),
)
_NOTES: Final = """\
Imported at once: by this process, which had read the listing of the directory
while it was empty, and has not called importlib.invalidate_caches() since.
Extra disk: blocks that the environment's files and directories have for
themselves, as stat() counts them. A hard link has none; "shared" are the blocks
that a clone has in common with the unpacked wheel until one of them is changed.
RECORD, which installers rewrite, is copied in hard-link and symlink mode.\
"""
_BUNDLED: Final = "_bundled"
_DEBIAN_AND_FEDORA: Final = "/usr/share/python-wheels"
_BLOCK: Final = 512  # stat(2): the unit of st_blocks, whatever the file system's
_KIB: Final = 1024


class _Run(NamedTuple):
    """What became of one mode."""

    asked: str
    reports: Sequence[LinkReport]
    seconds: float
    disk: str
    imported: Sequence[str]


def demonstrate(given: Sequence[str]) -> None:
    """Link wheels in every mode, import from each environment, install them, and print what it took.

    :param given: unpacked wheels or ``.whl`` files; if there are none, the pip that comes with Python.
    :raises WheelLinkerError: if there is no wheel, it is not a good one, or what was linked or installed is
        not found.
    """
    wheels = list(given) or [bundled_pip()]
    with temporary_directory() as place, warnings.catch_warnings():
        # The table tells.
        warnings.simplefilter("ignore", LinkFallbackWarning)
        cache = os.path.join(place, "unpacked")
        os.mkdir(cache)
        started = time.perf_counter()
        with unpacked_archives(wheels, cache, usable_cpus()) as ready:
            unpacking = time.perf_counter() - started
            _settle()
            trees = [scan(unpacked(wheel).path) for wheel in ready]
            print(f"Linking {_size(trees)}, into fresh environments in {place}:")
            print("\n".join(f"  {wheel}" for wheel in wheels))
            print()
            runs = [_run(mode, ready, trees, os.path.join(place, mode)) for mode in MODES]
            _print(runs)
        demonstrate_install(Given(wheels, trees, cache, unpacking), place, bundled_pip)


def _print(runs: Sequence[_Run]) -> None:
    print_table(_COLUMNS, [_cells(run) for run in runs])
    print(f"\n{_NOTES}")
    if any(len(run.imported) > 1 for run in runs):
        print("Modules:")
        print(
            "\n".join(
                f"  {text}" for text in dict.fromkeys(text for run in runs for text in run.imported)
            )
        )


def bundled_pip() -> str:
    """Return the path of the pip wheel that comes with Python, or with the system's Python packages.

    :raises WheelLinkerError: if there is none.
    """
    from wheel_linker._wheel.filename import WheelFilename

    directories = list(dict.fromkeys(_wheel_directories()))
    for directory in directories:
        found = [(WheelFilename.parse(name).version, name) for name in _pip_wheels(directory)]
        if found:
            return os.path.join(directory, max(found)[1])
    raise WheelLinkerError(
        f"this Python comes without a wheel of pip (looked in {', '.join(directories)}); "
        "give one: wheel-linker demo WHEEL"
    )


def _wheel_directories() -> Iterator[str]:
    import sysconfig
    from importlib.util import find_spec

    # Where distributions have ensurepip take its wheels from: PEP 453, configure --with-wheel-pkg-dir.
    configured = sysconfig.get_config_var("WHEEL_PKG_DIR")
    if configured:
        yield os.path.normpath(configured)
    spec = find_spec("ensurepip")
    for package in (spec and spec.submodule_search_locations) or ():
        yield os.path.join(package, _BUNDLED)
    yield _DEBIAN_AND_FEDORA


def _pip_wheels(directory: str) -> list[str]:
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return [name for name in names if name.startswith("pip-") and name.endswith(".whl")]


def _settle() -> None:
    """Let what was unpacked reach the disk: a cache has been there for long, and clones would wait for it."""
    if hasattr(os, "sync"):
        os.sync()


def _run(mode: str, wheels: Sequence[WheelLike], trees: Sequence[Tree], place: str) -> _Run:
    site = os.path.join(place, "site-packages")
    os.makedirs(site)
    with Environment(site) as environment:
        _read_the_listing(environment, trees)
        started = time.perf_counter()
        reports = link_wheels(site, wheels, mode=mode)
        seconds = time.perf_counter() - started
        disk = _extra_disk(site, reports, trees)
        imported = [
            text
            for report, tree in zip(reports, trees)
            for text in _import(environment, report, tree)
        ]
    return _Run(mode, reports, seconds, disk, imported)


def _read_the_listing(environment: Environment, trees: Sequence[Tree]) -> None:
    """Have Python see that nothing is there, and keep that in mind: without this any import would succeed."""
    early = [name for tree in trees for name in importable_names(tree) if environment.has(name)]
    early += environment.distributions()
    if early:
        raise WheelLinkerError(f"{early[0]} is in an environment that was to be empty")


def _import(environment: Environment, report: LinkReport, tree: Tree) -> Iterator[str]:
    """Import what one wheel supplies; yield in words what was imported."""
    from packaging.version import Version

    version = environment.distributions().get(report.wheel.name)
    if version is None or Version(version) != report.wheel.version:
        raise WheelLinkerError(
            f"Python sees version {version} of {report.wheel.name} where {report.wheel.version} was just linked"
        )
    native = has_native_code(tree)
    names = importable_names(tree)
    for name in names:
        if not environment.has(name):
            raise WheelLinkerError(f"Python does not see {name!r}, which was just linked")
        yield (
            f"{name} (found; not run, for its native code)"
            if native
            else _imported(environment, name, version)
        )
    if not names:
        yield f"{report.wheel.name} {version} (found; it has no modules)"


def _imported(environment: Environment, name: str, version: str) -> str:
    try:
        return f"{name} {environment.version_of(name) or version}"
    except WheelLinkerError:
        raise
    except Exception as error:  # noqa: BLE001 - the wheel's own code, which may need what is not here
        return f"{name} (found; running it failed: {type(error).__name__}: {error})"


def _extra_disk(site: str, reports: Sequence[LinkReport], trees: Sequence[Tree]) -> str:
    """Return the KiB below ``site`` that are its own, and whether there are shared ones besides."""
    clones: set[str] = set()
    mixed = False
    for report, tree in zip(reports, trees):
        if report.used.get(LinkMode.CLONE):
            # A clone looks like a copy to stat(): only where all are clones is it known which are.
            mixed = mixed or bool(report.used.get(LinkMode.COPY))
            clones.update(_files(site, tree))
    if mixed:
        clones.clear()
    own = sum(
        _allocated(status)
        for path, status in _statuses(site)
        if not _is_shared(path, status, clones)
    )
    size = f"{own / _KIB:,.0f}"
    if mixed:
        return f"at most {size}"
    return f"{size} + shared" if clones else size


def _is_shared(path: str, status: os.stat_result, clones: Container[str]) -> bool:
    return stat.S_ISREG(status.st_mode) and (status.st_nlink > 1 or path in clones)


def _files(site: str, tree: Tree) -> Iterator[str]:
    for directory in tree.directories:
        for name in directory.files:
            yield os.path.join(site, *directory.parts, name)


def _statuses(directory: str) -> Iterator[tuple[str, os.stat_result]]:
    for parent, directories, files in os.walk(directory):
        for name in (*directories, *files):
            path = os.path.join(parent, name)
            yield path, os.lstat(path)


def _allocated(status: os.stat_result) -> int:
    """Return the bytes allocated to a file; its size where the system does not tell (Windows)."""
    blocks: int | None = getattr(status, "st_blocks", None)
    return status.st_size if blocks is None else blocks * _BLOCK


def _size(trees: Sequence[Tree]) -> str:
    files = sum(tree.files for tree in trees)
    size = sum(_allocated(status) for tree in trees for _, status in _statuses(tree.path))
    return f"{files:,} files, {size / _KIB:,.0f} KiB"


def _cells(run: _Run) -> tuple[str, ...]:
    return (
        run.asked,
        ", ".join(dict.fromkeys(report.mode.value for report in run.reports)),
        f"{sum(report.files for report in run.reports):,}",
        f"{run.seconds * 1000:,.1f}",
        run.disk,
        run.imported[0] if len(run.imported) == 1 else f"{len(run.imported)} modules",
        ", ".join(_reasons(run.reports)),
    )


def _reasons(reports: Sequence[LinkReport]) -> list[str]:
    reasons = (
        f"{fallback.tried}: {fallback.error.strerror or fallback.error}"
        for report in reports
        for fallback in report.fallbacks
    )
    return list(dict.fromkeys(reasons))
