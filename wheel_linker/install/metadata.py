"""What a wheel says of itself in its ``*.dist-info``, as far as it decides how it is installed.

Rules: "Binary distribution format", https://packaging.python.org/specifications/binary-distribution-format/
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._log import warn_caller
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.filename import WheelFilename, normalised
from wheel_linker.errors import InvalidWheelError, LinkError, shortened

if TYPE_CHECKING:
    from wheel_linker._wheel.tree import Tree

_SUPPORTED: Final = (1, 0)
_TRUE: Final = "true"
_DATA: Final = ".data"
ENTRY_POINTS: Final = "entry_points.txt"


class WheelVersionWarning(UserWarning):
    """A wheel is of a newer minor version of the format than this library knows."""


class Metadata(NamedTuple):
    """What decides how a wheel is installed."""

    dist_info: str
    """The name of its ``*.dist-info`` directory."""
    scheme: str
    """Where its root goes: ``purelib`` or ``platlib``."""
    data: str
    """The name of the directory with what goes elsewhere, if it has one."""

    def is_usual_data(self) -> bool:
        """Tell whether the data directory is spelt like the ``*.dist-info``."""
        return self.data == self.dist_info.removesuffix(DIST_INFO) + _DATA


def read_metadata(tree: Tree, name: WheelFilename) -> Metadata:
    """Read and check what a wheel says of itself.

    :param name: what it was called from outside, by its file name or the caller.
    :raises InvalidWheelError: if it has not one ``*.dist-info`` of that name and version, is of a newer major version
        of the format, or lacks ``WHEEL``, ``METADATA`` or ``RECORD``.
    :raises LinkError: if one of these cannot be read.
    """
    dist_info = tree.dist_info("build the wheel again")
    inner = WheelFilename.from_dist_info(dist_info)
    if not inner.is_release_of(name):
        raise invalid(tree, f"it is called {name} and is {inner.name} {inner.version} inside")
    _check_project(tree, dist_info, name)
    wheel = _fields(read_text(tree, dist_info, "WHEEL"), "wheel-version", "root-is-purelib")
    _check_version(tree, wheel.get("wheel-version", ""))
    pure = wheel.get("root-is-purelib", "").lower() == _TRUE
    return Metadata(
        dist_info, "purelib" if pure else "platlib", _data_directory(tree, dist_info, name)
    )


def _data_directory(tree: Tree, dist_info: str, name: WheelFilename) -> str:
    """Return the name of the data directory: however it spells the distribution's name and version.

    :raises InvalidWheelError: if there are several.
    """
    found = []
    for index in tree.top_level():
        stem, suffix = os.path.splitext(tree.directories[index].parts[0])
        if suffix != _DATA:
            continue
        # A version has no hyphen in a file name; a name that is spelt as its project has it may have some.
        project, _, version = stem.rpartition("-")
        # A package's own directory may have a name that ends so.
        if normalised(project) == name.name and name.has_version(version):
            found.append(stem + suffix)
    if len(found) > 1:
        raise invalid(tree, f"it has several data directories: {', '.join(sorted(found))}")
    return found[0] if found else dist_info.removesuffix(DIST_INFO) + _DATA


def has_entry_points(tree: Tree, dist_info: str) -> bool:
    """Tell whether a wheel names entry points, some of which may ask for launchers."""
    index = tree.find(dist_info)
    return index is not None and ENTRY_POINTS in tree.directories[index].files


def read_fields(tree: Tree, dist_info: str, *names: str) -> dict[str, str]:
    """Return some of the header fields of ``METADATA``, by their names in lower case.

    The errors are those of :func:`read_metadata`.
    """
    return _fields(read_text(tree, dist_info, "METADATA"), *names)


def read_text(tree: Tree, dist_info: str, name: str, longest: int = -1) -> str:
    """Return the text of a file in the ``*.dist-info``. The errors are those of :func:`read_metadata`.

    :param longest: the number of bytes beyond which the file is refused, since a few bytes of an archive may unpack to
        any number of them; -1 for no limit.
    """
    try:
        return read_bytes(tree, dist_info, name, longest).decode("utf-8")
    except UnicodeDecodeError as error:
        raise invalid(tree, f"its {name} is not UTF-8 ({error})") from error


def read_bytes(tree: Tree, dist_info: str, name: str, longest: int = -1) -> bytes:
    """Return the content of a file in the ``*.dist-info``, with the parameters and errors of :func:`read_text`."""
    path = os.path.join(tree.path, dist_info, name)
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if 0 <= longest < size:
                raise invalid(tree, f"its {name} has {size:,} bytes, which no wheel needs")
            return file.read()
    except FileNotFoundError as error:
        raise invalid(tree, f"its {dist_info} has no {name}") from error
    except OSError as error:
        if os.path.isdir(path):
            raise invalid(tree, f"its {dist_info}/{name} is a directory") from error
        raise LinkError.from_os_error(error, f"read {path!r}", source=path) from error


def _check_project(tree: Tree, dist_info: str, name: WheelFilename) -> None:
    fields = _fields(read_text(tree, dist_info, "METADATA"), "name", "version")
    said = fields.get("name", ""), fields.get("version", "")
    if normalised(said[0]) != name.name or not name.has_version(said[1]):
        raise invalid(
            tree, f"it is called {name}, and its METADATA says {' '.join(map(shortened, said))!r}"
        )


def _fields(text: str, *names: str) -> dict[str, str]:
    """Return some of the header fields of a metadata file, the first of each.

    :param names: in lower case.
    """
    fields: dict[str, str] = {}
    # The description is left out, which may be long; where lines end in CR LF the loop below stops before it.
    for line in _unfolded(text.partition("\n\n")[0]).splitlines():
        if not line.strip() or len(fields) == len(names):
            break  # the description follows, or what does not matter
        key, separator, value = line.partition(":")
        name = key.strip().lower()
        if separator and name in names and not key[:1].isspace():
            fields.setdefault(name, value.strip())
    return fields


def _unfolded(text: str) -> str:
    """Return header fields each in one line: a field goes on in lines that begin with a blank."""
    if "\n " not in text and "\n\t" not in text:
        return text
    import re  # few wheels have such

    return re.sub(r"(?<![\r\n])\r?\n[ \t]+", " ", text)


def _check_version(tree: Tree, text: str) -> None:
    try:
        version = tuple(map(int, text.split(".")))
    except ValueError:
        raise invalid(tree, f"its WHEEL has no Wheel-Version, but {shortened(text)!r}") from None
    if version[0] > _SUPPORTED[0]:
        raise InvalidWheelError(
            f"cannot install {tree.called!r}: its Wheel-Version is {shortened(text)}, and this library knows 1.0; "
            "update it"
        )
    if version > _SUPPORTED:
        warn_caller(
            f"{tree.called!r} has Wheel-Version {shortened(text)}, and this library knows 1.0: it is installed as 1.0",
            WheelVersionWarning,
        )


def invalid(tree: Tree, reason: str) -> InvalidWheelError:
    """Return the error for a wheel that was not built as wheels are.

    :param reason: what is wrong about it.
    """
    return InvalidWheelError(f"cannot install {tree.called!r}: {reason}; build the wheel again")
