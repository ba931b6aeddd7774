"""Names in wheels: which of them some file system takes for one, and which cannot be written."""

from __future__ import annotations

import os
import re
from typing import Final

from wheel_linker.errors import InvalidWheelError


def fold(name: str) -> str:
    """Return what all names have in common that a file system may take for this one.

    Such names differ in case (NTFS, APFS, exFAT, ext4 with casefold) or in Unicode normalisation (HFS+, APFS).
    """
    if name.isascii():
        return name.lower()
    # This is imported late, because hardly any name in a wheel needs it.
    import unicodedata

    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


# An empty part, "." or ".."; a control character (Unicode's Cc) or a surrogate; a backslash; a drive letter.
# Both patterns are compiled when the first name is checked.
_FAULTY: Final = r"(?:^|/)\.{0,2}(?:/|$)|[\x00-\x1f\x7f-\x9f\ud800-\udfff\\]|^[A-Za-z]:"
# "Naming Files, Paths, and Namespaces": what Windows cannot write, would drop, or takes for a device.
_FAULTY_ON_WINDOWS: Final = (
    r'(?i:[<>:"|?*]|[. ](?:/|$)|(?:^|/)(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])'
    r" *(?:[./]|$))"
)
# PATH_MAX of Linux. Every directory on the way is a path of its own, so that without a bound one name of 64 KB would
# take gigabytes of memory.
_LONGEST: Final = 4096
# Characters in the paths of all directories together. The 10,000 directories of a very large wheel have half a million.
_MOST_CHARACTERS: Final = 20_000_000


def fault(name: str, *, windows: bool = os.name == "nt") -> str | None:
    """Say why a name cannot be written below a directory, in the words that follow the name; None if it can.

    :param name: with forward slashes; that of a directory may end in one.
    :param windows: whether what only Windows cannot write is a fault, too.
    """
    plain = name.removesuffix("/")
    if len(plain) >= _LONGEST:
        return f"has {len(plain):,} characters, more than a path may have"
    if re.search(_FAULTY, plain):
        return _what_is_wrong(plain)
    if windows and re.search(_FAULTY_ON_WINDOWS, plain):
        return "cannot be written on Windows"
    return None


def _what_is_wrong(name: str) -> str:
    parts = name.split("/")
    if "\\" in name:
        return "has a backslash"
    if re.match(r"[A-Za-z]:", name):
        return "begins with a drive letter"
    if os.curdir in parts or os.pardir in parts:
        return "has the part '.' or '..'"
    if "" in parts:
        return "is absolute, or has an empty part"
    return "has a control character"


class Names:
    """The files of an archive and the directories they lie in, each path once on every file system.

    :ivar directories: the paths of all directories above its files, parents before children.
    """

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._folded: dict[str, str] = {}
        self._given: set[str] = set()
        self._characters = 0
        self.directories: dict[str, None] = {}

    def add_file(self, name: str) -> None:
        """Note one more file and the directories it lies in.

        :raises InvalidWheelError: if there is such a path already.
        """
        key = fold(name)
        if key in self._files or key in self._folded:
            raise ambiguous(self._files.get(key) or self._folded[key], name)
        self._files[key] = name
        directory = name.rpartition("/")[0]
        if directory and directory not in self.directories:
            self._add_directories(directory)

    def add_directory(self, name: str) -> None:
        """Note an entry for a directory: it takes the name from files, but is not made unless a file lies in it.

        :raises InvalidWheelError: if there is a file, another such entry or a differently spelt directory of that path.
        """
        if name in self._given:
            raise ambiguous(name, name)
        self._given.add(name)
        self._take(name)

    def _add_directories(self, lowest: str) -> None:
        new = []
        # A loop, and no recursion: the archive decides how deep its directories are.
        name = lowest
        while name and name not in self.directories:
            new.append(name)
            self._characters += len(name)
            name = name.rpartition("/")[0]
        if self._characters > _MOST_CHARACTERS:
            # A few hundred names of thousands of levels each would take gigabytes of memory.
            raise InvalidWheelError(
                "its files lie in more and deeper directories than any wheel's; do not trust this file"
            )
        for name in reversed(new):
            self._take(name)
            self.directories[name] = None

    def _take(self, name: str) -> None:
        """Take a path for a directory."""
        key = fold(name)
        earlier = self._folded.setdefault(key, name)
        if earlier != name or key in self._files:
            raise ambiguous(self._files.get(key, earlier), name)


def ambiguous(earlier: str, name: str) -> InvalidWheelError:
    """Return the error for two entries that are one path."""
    return InvalidWheelError(
        f"the entries {earlier!r} and {name!r} are one path, here or on file systems that fold case or normalise "
        "names; rename one of them in the project and build the wheel again"
    )
