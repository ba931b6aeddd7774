"""Keys for cached environments that notice a local wheel which was rebuilt at the same path."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Union

from wheel_linker._fs.timestamps import has_coarse_stamps, identity, unsettled_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Distribution = Union[str, "os.PathLike[str]"]
# A new version of this format gets another text, so that its keys never equal those of an older one.
_FORMAT: Final = "wheel_linker environment key 1"
# Ends of names by which installers take a file for a wheel or source archive.
_ARCHIVES: Final = (
    ".whl",
    ".zip",
    ".tar",
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tbz",
    ".tar.xz",
    ".txz",
    ".tar.lzma",
    ".tlz",
    ".tar.zst",
)
_CHUNK: Final = 1024 * 1024


def local_distribution_timestamps(distributions: Iterable[Distribution]) -> Mapping[Path, int]:
    """Return the modification time of each entry that is a wheel or source archive on this machine.

    :param distributions: requirement strings, URLs, and paths of archives and directories. Only what can be an
        archive by its name, as a path or ``file:`` URL, costs a system call; directories are left out, since
        their times change for other reasons and miss edits of what is in them.
    :returns: path to modification time in nanoseconds, in the order given.
    :raises FileNotFoundError: for a local archive that is missing; ``filename`` is its path.
    :raises OSError: if it cannot be looked at.
    :raises TypeError: if one string is given instead of several.
    """
    found: dict[Path, int] = {}
    for entry in _each(distributions):
        path = _local_archive(entry)
        if path is None:
            continue
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode):
            found[Path(path)] = status.st_mtime_ns
    return found


def environment_cache_key(
    distributions: Iterable[Distribution],
    *,
    interpreter: str | Mapping[str, object],
    exact: bool = False,
) -> str:
    """Return a key for an environment of these distributions: another one if a local archive was rebuilt.

    What tells a rebuilt archive is its size, modification time, change time and inode, for one stat(2) each.
    Where a file system keeps whole seconds only, an archive that is younger than that is waited for.

    :param distributions: as for :func:`local_distribution_timestamps`; their order and repetitions do not matter.
    :param interpreter: what tells one Python from another: any text, or facts by name.
    :param exact: whether local archives count by their contents instead, which are read in full.
    :returns: 64 hexadecimal digits.
    :raises FileNotFoundError: for a local archive that is missing; ``filename`` is its path.
    :raises OSError: if it cannot be looked at or, with ``exact``, read.
    :raises TypeError: if one string is given instead of several.
    """
    facts = (
        interpreter
        if isinstance(interpreter, str)
        else {str(key): interpreter[key] for key in interpreter}
    )
    entries = sorted({_described(entry, exact) for entry in _each(distributions)})
    text = json.dumps([_FORMAT, facts, entries], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _each(distributions: Iterable[Distribution]) -> Iterable[Distribution]:
    if isinstance(distributions, (str, bytes, os.PathLike)):
        raise TypeError(f"distributions is {distributions!r}: give a list of them, if only of one")
    return distributions


def _described(entry: Distribution, exact: bool) -> tuple[str, str]:
    text = os.fsdecode(entry)
    path = _local_archive(entry)
    if path is None:
        return (text, "")
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        return (text, "")
    return (text, _digest(path) if exact else _settled_identity(path, status))


def _settled_identity(path: str, status: os.stat_result) -> str:
    # Stamps may be so coarse that the file is written again within one step, after an environment was built from it.
    known = ""
    while has_coarse_stamps(status) and (remaining := unsettled_for(status)):
        # A stamp from the future stays one however long it is waited. What was written since would have another one.
        if identity(status) == known:
            break
        known = identity(status)
        time.sleep(remaining)
        status = os.stat(path)
    return identity(status)


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while data := file.read(_CHUNK):
            digest.update(data)
    return f"sha256:{digest.hexdigest()}"


def _local_archive(entry: Distribution) -> str | None:
    """Return the path of what may be an archive on this machine; None for everything else."""
    if not isinstance(entry, str):
        path = os.fspath(entry)
        return _possible(path) if _is_archive(path) else None
    location = _location(entry)
    scheme, colon, _ = location.partition(":")
    if colon and scheme.lower() == "file":
        path = _path_of_url(location)
    elif "://" in location:
        return None
    else:
        path = location
    return _possible(path) if _is_archive(path) else None


def _possible(path: str) -> str:
    if "\0" in path:
        raise FileNotFoundError(errno.ENOENT, "no file can have a NUL byte in its path", path)
    return path


def _location(entry: str) -> str:
    """Return a requirement's URL or path, without its name, extras and marker."""
    if _is_archive(entry):
        bare = entry
    else:
        # The marker of a direct reference is set off by a blank, see "Dependency specifiers".
        bare = entry.partition(" ;")[0].partition("; ")[0].rstrip()
        if bare.endswith("]"):
            bare = bare.rpartition("[")[0]
    name, at, url = bare.partition("@")
    url = url.strip()
    return url if at and url.lower().startswith("file:") and "/" not in name else bare.strip()


def _path_of_url(url: str) -> str:
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    parts = urlsplit(url)
    host = "" if parts.netloc.lower() in ("", "localhost") else f"//{parts.netloc}"
    return url2pathname(host + parts.path)


def _is_archive(path: str) -> bool:
    return path.lower().endswith(_ARCHIVES)
