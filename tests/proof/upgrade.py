"""An upgrade from one version of a package to another, and what anybody may see of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proof.kit import files_of, litter, package, package_files
from wheel_linker import link_wheel_files

if TYPE_CHECKING:
    from wheel_linker import LinkMode

OLD, NEW = 1, 2
_MODULES: Final = (
    "demo",
    "demo.m0",
    "demo.m1",
    "demo.sub.m2",
    "demo.a.b.c.d.leaf",
    "space.part.one",
    "single",
)


class Upgrade:
    """Two versions of a package, linked in one mode into any number of destinations.

    :param place: a directory where the mode works.
    """

    def __init__(self, place: Path, mode: LinkMode) -> None:
        self._place = place
        self._mode = mode
        self._sites = 0
        self._wheels = {
            version: package(place / "cache" / str(version), version) for version in (OLD, NEW)
        }
        self._files = {version: files_of(wheel) for version, wheel in self._wheels.items()}
        self._source = dict(self._files)

    def site(self, *, installed: bool) -> Path:
        """Make a new destination, where the old version may be installed."""
        self._sites += 1
        site = self._place / f"site-{self._sites}"
        site.mkdir()
        if installed:
            self.link(site, OLD)
        return site

    def link(self, site: Path, version: int = NEW) -> None:
        """Link one of the versions."""
        link_wheel_files(site, self._wheels[version], mode=self._mode)

    def look(self, site: Path) -> None:
        """Read every file as somebody may at any moment: each is whole, and the new metadata come last."""
        finished = (site / "demo-2.0.dist-info").is_dir()
        for path, new in self._files[NEW].items():
            allowed = [new] if finished else [new, self._files[OLD].get(path), None]
            assert _read(site / path) in allowed, f"{path} is torn, or missing behind its metadata"

    def try_import(self, site: Path) -> None:
        """Import the package as somebody may at any moment. Only for a process that does nothing else."""
        finished = (site / "demo-2.0.dist-info").is_dir()
        versions = _import_versions(site, required=finished)
        assert versions <= ({1000 + NEW} if finished else {1000 + OLD, 1000 + NEW})

    def check_after_kill(self, site: Path, *, installed: bool) -> None:
        """Every file must be the old one, the new one, or not there if it was not there before."""
        self.look(site)
        found = files_of(site)
        if installed:
            missing = self._files[OLD].keys() - found.keys()
            assert not missing, f"{missing} went missing"
        assert found.keys() <= self._files[OLD].keys() | self._files[NEW].keys()

    def check_complete(self, site: Path) -> None:
        """The new version must be there in full, without litter."""
        found = files_of(site)
        assert {path: found.get(path) for path in self._files[NEW]} == self._files[NEW]
        assert litter(site) == []

    def check_one_version(self, site: Path) -> None:
        """One of the versions must be there in full, the other as far as it has files of its own; no litter."""
        found = files_of(site)
        assert litter(site) == []
        assert found.keys() == self._files[OLD].keys() | self._files[NEW].keys()
        shared = self._files[OLD].keys() & self._files[NEW].keys()
        winners = [
            version
            for version in (OLD, NEW)
            if all(found[path] == self._files[version][path] for path in shared)
        ]
        assert winners, "a mixture of both versions"

    def check_source(self) -> None:
        """The wheels must be as they were."""
        assert {version: files_of(wheel) for version, wheel in self._wheels.items()} == self._source


def changed_files() -> int:
    """Return how many files differ between the two versions."""
    old, new = package_files(OLD), package_files(NEW)
    return sum(old[path] != new[path] for path in new)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _import_versions(site: Path, *, required: bool) -> set[int]:
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.fspath(site))
    sys.path_importer_cache.clear()
    versions = set()
    try:
        for name in _MODULES:
            try:
                module = __import__(name, fromlist=["VERSION"])
            except ImportError:
                assert not required
            else:
                versions.add(module.VERSION)
    finally:
        del sys.path[0]
        for name in [
            name for name in sys.modules if name.split(".")[0] in {"demo", "space", "single"}
        ]:
            del sys.modules[name]
    return versions
