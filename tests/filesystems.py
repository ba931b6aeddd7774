"""Real file systems for the tests: directories that were given, or images that are mounted.

As root on Linux each file system is a sparse image, mounted on a loop device for the session. Elsewhere
``WHEEL_LINKER_TEST_FILESYSTEMS="btrfs=/one:xfs=/two"`` names directories that lie on them.
What a test does on each of them in turn, it does on those only that ``WHEEL_LINKER_TEST_PLACES="xfs:local"`` names.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from images import Unavailable, check_can_mount, mount_image, run, unmount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

GIVEN: Final = "WHEEL_LINKER_TEST_FILESYSTEMS"
REQUIRED: Final = "WHEEL_LINKER_REQUIRE_FILESYSTEMS"
CHOSEN: Final = "WHEEL_LINKER_TEST_PLACES"

LOCAL: Final = "local"
"""Wherever this machine keeps temporary files."""
NAMES: Final = ("ext4", "tmpfs", "btrfs", "xfs")
CLONING: Final = ("btrfs", "xfs")

_PREFIX: Final = "wheel_linker-tests-"
_IMAGE_SIZE: Final = 512 * 1024 * 1024  # sparse; mkfs.xfs refuses less than 300 MB
_FICLONE: Final = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)


def is_required(environ: Mapping[str, str]) -> bool:
    """Tell whether a file system that cannot be had is a failure, and not a reason to skip."""
    return environ.get(REQUIRED, "") not in {"", "0"}


class FileSystems:
    """The file systems of one test session, each made when it is first asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.required = is_required(environ)
        self._given = _parse_given(environ.get(GIVEN, ""))
        self._made: dict[str, Path | Unavailable] = {}
        self._base: Path | None = None
        self._owner: int | None = None

    def __enter__(self) -> FileSystems:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def directory(self, name: str) -> Path:
        """Return a directory on the file system ``name``.

        :raises Unavailable: where there is none and none can be made.
        """
        if name in self._given:
            return self._given[name]
        if name not in self._made:
            try:
                self._made[name] = self._mount(name, name)
            except Unavailable as error:
                self._made[name] = error
        made = self._made[name]
        if isinstance(made, Unavailable):
            raise made
        return made

    def small_tmpfs(self, label: str, options: str) -> Path:
        """Mount another tmpfs with ``options`` such as ``size=1m``, to be filled."""
        return self._mount("tmpfs", label, options)

    def folding(self) -> Path:
        """Mount a directory where, as on APFS, neither case nor normalisation distinguishes names.

        :raises Unavailable: where that cannot be had.
        """
        if "folding" not in self._made:
            below, point = self._mount_point("folding-below"), self._mount_point("folding")
            run(sys.executable, str(Path(__file__).with_name("folding.py")), str(below), str(point))
            self._made["folding"] = point
        return self.directory("folding")

    def read_only(self, directory: Path, label: str) -> Path:
        """Return a second, read-only view of ``directory``."""
        view = self._mount_point(label)
        run("mount", "--bind", str(directory), str(view))
        try:
            run("mount", "-o", "remount,ro,bind", str(view))
        except Unavailable:
            unmount(view)
            raise
        return view

    @contextlib.contextmanager
    def mounted(self, point: Path, *arguments: str) -> Iterator[Path]:
        """Mount something for the length of a block, with what ``mount`` takes before the mount point.

        :param point: a directory or file on one of this session's file systems, so that it is swept with them.
        """
        run("mount", *arguments, str(point))
        try:
            yield point
        finally:
            unmount(point)

    def close(self) -> None:
        """Unmount and delete whatever was made."""
        base, self._base = self._base, None
        if base is not None:
            _remove(base)
            atexit.unregister(self.close)
        if self._owner is not None:
            os.close(self._owner)
            self._owner = None

    def _mount(self, name: str, label: str, options: str = "size=512m,mode=755") -> Path:
        point = self._mount_point(label)
        if name == "tmpfs":
            run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(point))
            return point
        image = point.with_suffix(".img")
        mount_image(name, image, point, _IMAGE_SIZE)
        return point

    def _mount_point(self, label: str) -> Path:
        try:
            check_can_mount()
        except Unavailable as error:
            raise Unavailable(f"{error}; {GIVEN} may name directories") from None
        if self._base is None:
            self._base = self._make_base()
        point = self._base / label
        point.mkdir()
        return point

    def _make_base(self) -> Path:
        _sweep()
        # The owner's lock is held before the directory exists: a sweep never meets it without.
        handle, name = tempfile.mkstemp(prefix=_PREFIX, suffix=".lock")
        self._owner = handle
        _try_lock(handle)
        base = Path(name).with_suffix("")
        base.mkdir(mode=0o755)
        atexit.register(self.close)
        return base


def places(environ: Mapping[str, str]) -> list[str]:
    """Return the names of the file systems on which tests that are for all of them are run.

    :raises ValueError: if one that was asked for is none of :data:`NAMES` and :data:`LOCAL`.
    """
    everything = [*NAMES, LOCAL]
    chosen = environ.get(CHOSEN, "")
    if not chosen:
        return everything
    names = chosen.split(os.pathsep)
    for name in names:
        if name not in everything:
            raise ValueError(f"{CHOSEN}: {name!r} is none of {', '.join(everything)}")
    return names


def can_clone(directory: Path) -> bool:
    """Tell whether files in ``directory`` can be cloned, without asking the library."""
    one, two = directory / "clone-source", directory / "clone-destination"
    one.write_bytes(b"x" * 5000)
    try:
        if sys.platform == "linux":
            import fcntl

            with one.open("rb") as source, two.open("wb") as destination:
                fcntl.ioctl(destination, _FICLONE, source.fileno())
            return True
        if sys.platform == "darwin":
            return subprocess.run(["cp", "-c", one, two], check=False).returncode == 0
    except OSError:
        return False
    else:
        return False
    finally:
        one.unlink()
        two.unlink(missing_ok=True)


def _parse_given(text: str) -> dict[str, Path]:
    pairs = (item.partition("=") for item in text.split(os.pathsep) if item)
    return {name: Path(directory) for name, _, directory in pairs}


def _sweep() -> None:
    """Remove what killed sessions left behind."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*.lock"):
        try:
            handle = os.open(lock, os.O_RDWR)
        except OSError:
            continue
        if _try_lock(handle):
            _remove(lock.with_suffix(""))
        os.close(handle)


def _try_lock(handle: int) -> bool:
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove(base: Path) -> None:
    for point in _mounted_below(base):
        unmount(point)
    if not _mounted_below(base):  # never delete through a mount
        shutil.rmtree(base, ignore_errors=True)
        base.with_suffix(".lock").unlink(missing_ok=True)


def _mounted_below(base: Path) -> list[Path]:
    """Return the mount points below ``base``, the last mounted first."""
    table = Path("/proc/self/mounts")
    if not table.exists():
        return []
    points = (line.split()[1] for line in table.read_text(encoding="utf-8").splitlines())
    # The kernel writes blanks in octal.
    plain = (re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), point) for point in points)
    return [Path(point) for point in plain if base in Path(point).parents][::-1]
