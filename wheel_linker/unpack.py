"""Unpacking a ``.whl`` file into a new directory, without trusting what it says.

An archive is checked whole before anything is written: one that is refused on one platform is refused on all, so that
what was unpacked here can be linked anywhere. Nothing in it decides more than names below the new directory, their
contents, and whether a file is executable.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import unicodedata
import zipfile
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.folder import Descent, Folder
from wheel_linker.removal import remove_tree
from wheel_linker.workers import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import IO

    from wheel_linker.folder import Parts

SIZE_LIMIT: Final = 64 * 1024**3
"""Bytes that a wheel may unpack to unless the caller says otherwise; the largest known take a tenth."""

# What zipfile raises for archives that are cut short, garbled, or made for another reader.
_BROKEN: Final = (
    zipfile.BadZipFile,
    EOFError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)
# The two methods that wheels are made with; the others have no bound on what a few bytes become.
_COMPRESSIONS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
# APPNOTE.TXT 4.4.4: encrypted, strongly encrypted, masked local headers.
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000

# "Naming Files, Paths, and Namespaces": what Windows gives a meaning of its own or cannot write.
_FORBIDDEN: Final = frozenset('<>:"|?*')
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {port + digit for port in ("com", "lpt") for digit in "0123456789\u00b9\u00b2\u00b3"}
)

# O_EXCL never writes through a link, nor over a file that the checks of names have missed.
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_PLAIN: Final = 0o666
_EXECUTABLE: Final = 0o777
_CHUNK: Final = 1024 * 1024


def unpack_wheel(
    archive: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    limit: int = SIZE_LIMIT,
) -> None:
    """Unpack a wheel into a new directory: all of it, or nothing is left behind.

    Executables stay executable; other permission bits are the umask's, and time stamps are those of now.

    :param archive: the ``.whl`` file; what it is called does not matter.
    :param directory: must not be there yet; its parent must be.
    :param limit: how many bytes the files may have in all.
    :raises InvalidWheelError: if there is no such archive, or it is broken, or holds what no wheel has: names that
        lead out or that some file system takes for others, entries that are no files or directories, encrypted
        ones, more than ``limit`` bytes, or not the bytes it says.
    :raises LinkError: if the archive cannot be read or the directory cannot be written.
    """
    path = os.path.abspath(os.fsdecode(archive))
    target = os.path.abspath(os.fsdecode(directory))
    try:
        with open(path, "rb") as file, _open_zip(file) as opened:
            members = _check(opened.infolist(), limit)
            _unpack_into_new(opened, members, target, path)
    except InvalidWheelError as error:
        raise InvalidWheelError(f"cannot unpack {path!r}: {error}") from error
    except LinkError:
        raise
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise InvalidWheelError(
            f"no wheel at {path!r}: {error.strerror}; give the path of a .whl file"
        ) from error
    except OSError as error:
        raise LinkError.from_os_error(error, f"read the wheel {path!r}", source=path) from error


def member_parts(name: str) -> Parts:
    """Take the name of an archive's entry apart, if it can be written below any directory of any file system.

    :param name: as it stands in the archive; that of a directory ends in a slash.
    :returns: the names on the way to the entry, its own last.
    :raises InvalidWheelError: if it is empty or absolute, has an empty part, ``.`` or ``..``, a backslash, a control
        character, a drive or another character that Windows forbids, a part that ends in a dot or a blank, or the
        name of a device.
    """
    parts = tuple(name[:-1].split("/") if name.endswith("/") else name.split("/"))
    for part in parts:
        fault = _fault(part)
        if fault:
            raise InvalidWheelError(
                f"the entry {name!r} {fault}; "
                "do not trust this archive, or rename the file in its project and build the wheel again"
            )
    return parts


def _fault(part: str) -> str | None:
    """Say what is wrong with one part of a name, in the words that follow the name."""
    return next((fault for has, fault in _FAULTS if has(part)), None)


def _has_control_character(part: str) -> bool:
    return any(unicodedata.category(character) == "Cc" for character in part)


def _is_device(part: str) -> bool:
    return part.partition(".")[0].rstrip(" ").lower() in _DEVICES


_FAULTS: Final[tuple[tuple[Callable[[str], object], str], ...]] = (
    (lambda part: not part, "is absolute, or has an empty part"),
    (lambda part: part in (".", ".."), "has a part that leads elsewhere"),
    (lambda part: "\\" in part, "has a backslash"),
    (_has_control_character, "has a control character"),
    (_FORBIDDEN.intersection, "has a drive letter, or another character that Windows forbids"),
    (
        lambda part: part[-1] in ". ",
        "has a part that ends in a dot or a blank, which Windows drops",
    ),
    (_is_device, "names a device on Windows"),
)


def _open_zip(file: IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except _BROKEN as error:
        raise _not_a_zip(error) from error
    except OSError as error:
        # Seeking to before the beginning, as an offset in the archive says.
        if error.errno != errno.EINVAL:
            raise
        raise _not_a_zip(error) from error


def _not_a_zip(error: Exception) -> InvalidWheelError:
    return InvalidWheelError(
        f"it is no zip archive, or was cut short ({error}); download or build the wheel again"
    )


class _Member(NamedTuple):
    """One entry of an archive."""

    parts: Parts
    """Where it goes."""
    info: zipfile.ZipInfo
    """What the archive says of it."""

    @property
    def permissions(self) -> int:
        """What a file is created with; the umask takes from it."""
        return _EXECUTABLE if self.info.external_attr >> 16 & 0o111 else _PLAIN


def _check(infos: Iterable[zipfile.ZipInfo], limit: int) -> list[_Member]:
    """Return the files and directories of an archive, if each may be unpacked, and all together."""
    names = _Names()
    members = []
    size = 0
    for info in infos:
        parts = member_parts(info.orig_filename)
        _check_kind(info)
        names.add(parts, info)
        members.append(_Member(parts, info))
        size += info.file_size
    if size > limit:
        raise InvalidWheelError(
            f"it would unpack to {size:,} bytes, more than the {limit:,} allowed; "
            "if you trust it, unpack it with a higher limit"
        )
    return members


def _check_kind(info: zipfile.ZipInfo) -> None:
    """Refuse an entry that is anything but a file or directory that every reader of zip archives sees alike."""
    fault = None
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.filename != info.orig_filename:
        fault = f"has a second name, {info.filename!r}"
    elif kind not in (0, stat.S_IFDIR if _is_directory(info) else stat.S_IFREG):
        fault = f"is {_KINDS.get(kind, 'of an unknown kind')} by its attributes"
    elif _is_directory(info) and info.file_size:
        fault = "is a directory with content"
    elif info.flag_bits & _ENCRYPTED:
        fault = "is encrypted"
    elif info.compress_type not in _COMPRESSIONS:
        fault = f"is compressed by method {info.compress_type}, where wheels are stored or deflated"
    if fault:
        raise InvalidWheelError(
            f"the entry {info.orig_filename!r} {fault}; get the wheel from elsewhere, or build it again"
        )


_KINDS: Final = {
    stat.S_IFLNK: "a symlink",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
    stat.S_IFREG: "a file",
}


def _is_directory(info: zipfile.ZipInfo) -> bool:
    return info.orig_filename.endswith("/")


class _Names:
    """The names in an archive, each with what any file system may take for it."""

    def __init__(self) -> None:
        self._spelling: dict[Parts, tuple[Parts, bool]] = {}
        self._given: set[Parts] = set()

    def add(self, parts: Parts, info: zipfile.ZipInfo) -> None:
        """Note one more entry, and the directories on the way to it.

        :raises InvalidWheelError: if there is another of that name, or of one that differs in case or normalisation
            only, or if something is a file and a directory at once.
        """
        folded = tuple(map(_folded, parts))
        if folded in self._given:
            raise _ambiguous(info, self._spelling[folded][0])
        self._given.add(folded)
        for depth in range(1, len(parts) + 1):
            entry = parts[:depth], depth < len(parts) or _is_directory(info)
            earlier = self._spelling.setdefault(folded[:depth], entry)
            if earlier != entry:
                raise _ambiguous(info, earlier[0])


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def _ambiguous(info: zipfile.ZipInfo, earlier: Parts) -> InvalidWheelError:
    return InvalidWheelError(
        f"the entries {'/'.join(earlier)!r} and {info.orig_filename!r} are one path, here or on file systems that fold "
        "case or normalise names; rename one of them in its project and build the wheel again"
    )


def _unpack_into_new(
    opened: zipfile.ZipFile, members: Iterable[_Member], target: str, archive: str
) -> None:
    """Make the directory ``target`` and fill it; remove it again if that fails."""
    parent, name = os.path.split(target)
    try:
        with Folder.open(parent) as folder:
            try:
                _make_new(folder, name, target)
                with folder.enter(name) as root, Descent(root, Folder.make) as folders:
                    for member in members:
                        _unpack(opened, member, folders)
            except LinkError:
                raise  # it is somebody else's
            except BaseException:
                uninterrupted(lambda: remove_tree(folder, name))
                raise
    except OSError as error:
        if isinstance(error, LinkError):
            raise
        doing = f"unpack {archive!r} into {target!r}"
        raise LinkError.from_os_error(error, doing, source=archive, destination=target) from error


def _make_new(folder: Folder, name: str, target: str) -> None:
    try:
        os.mkdir(folder.prefix + name, dir_fd=folder.fd)
    except FileExistsError as error:
        raise LinkError(
            f"cannot unpack a wheel into {target!r}: there is something already; choose another directory",
            errno=error.errno,
            destination=target,
        ) from error


def _unpack(opened: zipfile.ZipFile, member: _Member, folders: Descent) -> None:
    if _is_directory(member.info):
        folders.go(member.parts)
        return
    folder = folders.go(member.parts[:-1])
    try:
        with _open_member(opened, member.info) as source:
            path = folder.prefix + member.parts[-1]
            fd = os.open(path, _CREATE, member.permissions, dir_fd=folder.fd)
            with open(fd, "wb") as new:
                _copy(source, new, member.info)
    except InvalidWheelError:
        raise
    except _BROKEN as error:
        raise _damaged(member.info, error) from error


def _open_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    try:
        return opened.open(info)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise _damaged(info, error) from error


def _copy(source: IO[bytes], new: IO[bytes], info: zipfile.ZipInfo) -> None:
    """Copy an entry's bytes, no more and no fewer than it says; its checksum is verified by the reader."""
    left = info.file_size
    while data := source.read(_CHUNK):
        left -= len(data)
        if left < 0:
            break
        new.write(data)
    if left:
        raise _damaged(info, f"it has not the {info.file_size:,} bytes that are announced")


def _damaged(info: zipfile.ZipInfo, reason: object) -> InvalidWheelError:
    return InvalidWheelError(
        f"the entry {info.orig_filename!r} is damaged ({reason}); download or build the wheel again"
    )
