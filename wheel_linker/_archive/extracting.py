"""Unpacking a wheel file into a directory of the caller's, whole or not at all."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, Final

from wheel_linker._archive.checks import examine, strictly
from wheel_linker._archive.crew import Crew
from wheel_linker._archive.limits import Limits
from wheel_linker._archive.unpacking import amount, unpack
from wheel_linker._archive.wheel_file import WheelFile, check_digest, filename_of
from wheel_linker._fs.destination import opened, resolved
from wheel_linker._fs.moving import move
from wheel_linker._fs.paths import possible
from wheel_linker._fs.stage import staged
from wheel_linker._threads import usable_cpus
from wheel_linker._wheel.progress import Progress
from wheel_linker._wheel.record_problems import warn_of_problems
from wheel_linker._wheel.unpacked import UnpackedWheel
from wheel_linker.errors import InvalidWheelError, LinkError, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker._archive.unpacking import Result
    from wheel_linker._fs.folder import Folder
    from wheel_linker._wheel.filename import WheelFilename

_NEW: Final = "new"


def extract(
    wheel_file: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    sha256: str | None,
    strict: bool,
    limits: Limits | None,
    jobs: int | None,
    progress: Callable[[int], object] | None = None,
) -> UnpackedWheel:
    """Unpack a wheel file; what the public call says holds here."""
    path = os.path.abspath(os.fsdecode(wheel_file))
    filename = filename_of(path)
    to = possible(os.fsdecode(to), f"unpack the wheel {path!r}")
    above, name = os.path.split(os.path.abspath(to))
    target = os.path.join(above, name)
    told = Progress.of(progress)
    with (
        refused(f"unpack the wheel {path!r} into {target!r}", source=path, destination=target),
        WheelFile(path) as file,
        opened(resolved(above)) as parent,
        staged(parent) as stage,
        told.telling_of_failure(),
    ):
        _refuse_what_is_there(parent, name, target)
        result = _unpack(file, filename, stage.folder, strict, limits or Limits(), jobs, told)
        check_digest(file, result.digest, None if sha256 is None else sha256.lower())
        if os.name == "nt" and parent.lstat(name) is not None:
            parent.remove_directory(name)
        move(stage.folder, _NEW, parent, name)
    warn_of_problems(str(filename), result.problems)
    return UnpackedWheel(target, filename)


def _unpack(
    file: WheelFile,
    filename: WheelFilename,
    stage: Folder,
    strict: bool,
    limits: Limits,
    jobs: int | None,
    progress: Progress,
) -> Result:
    try:
        contents = examine(file, filename, limits)
        if strict:
            contents = strictly(contents)
        progress.expect(*amount(contents.directory.members))
        crew = Crew(jobs or usable_cpus())
        with stage.make(_NEW) as tree, crew.joined():
            return unpack(file, contents, tree, crew, stamp=time.time_ns(), progress=progress)
    except InvalidWheelError as error:
        raise InvalidWheelError(f"cannot use {file.path!r}: {error}") from error


def _refuse_what_is_there(parent: Folder, name: str, target: str) -> None:
    """Refuse a directory with something in it, and whatever is no directory."""
    if parent.lstat(name) is None:
        return
    with parent.enter_to_list(name) as there:
        if there.listdir():
            raise LinkError(
                f"cannot unpack into {target!r}: there is something in it; give a directory that is empty or missing",
                errno=errno.ENOTEMPTY,
                destination=target,
            )
