"""Unpacking an sdist, on every Python: the filters of ``tarfile`` came with 3.10.12 and 3.11.4."""

from __future__ import annotations

import os
import shutil
import tarfile
from typing import Final

_EXECUTABLE: Final = 0o111


def extract(sdist: str, directory: str) -> None:
    """Unpack an sdist into a directory, and nothing outside of it.

    :raises tarfile.TarError: if it is none, or something in it would go elsewhere, or is no file, directory or link.
    :raises OSError: if it cannot be read, or the directory cannot be written.
    """
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(directory, filter="data")
            return
        for member in archive:
            _extract_member(archive, member, os.path.realpath(directory))


def _extract_member(archive: tarfile.TarFile, member: tarfile.TarInfo, root: str) -> None:
    path = _within(root, member, member.name)
    if member.isdir():
        os.makedirs(path, exist_ok=True)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if member.issym():
        _within(root, member, os.path.join(os.path.dirname(path), member.linkname))
        os.symlink(member.linkname, path)
    elif member.islnk() or member.isreg():
        _write(archive, member, path)
    else:
        raise tarfile.ExtractError(f"{member.name!r} is no file, directory or link")


def _within(root: str, member: tarfile.TarInfo, name: str) -> str:
    """Return where a name leads to, links that were made already included; refuse what is outside."""
    path = os.path.realpath(os.path.join(root, name))
    if path != root and not path.startswith(os.path.join(root, "")):
        raise tarfile.ExtractError(f"{member.name!r} leads out of the sdist")
    return path


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    """Write a file, or a copy of the one that a hard link names."""
    packed = archive.extractfile(member)
    if packed is None:
        raise tarfile.ExtractError(f"{member.name!r} has no contents")
    with packed, open(path, "wb") as file:
        shutil.copyfileobj(packed, file)
    if member.mode & _EXECUTABLE:
        os.chmod(path, os.stat(path).st_mode | _EXECUTABLE)
    os.utime(path, (member.mtime, member.mtime))
