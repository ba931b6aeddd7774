"""The one ``*.dist-info`` directory that a wheel has, and what the wheel is called by that."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker.errors import InvalidWheelError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheel_linker._wheel.filename import WheelFilename

DIST_INFO: Final = ".dist-info"


def only_dist_info(top_level: Iterable[str], wheel: str, remedy: str) -> str:
    """Return the name of a wheel's ``*.dist-info`` directory.

    :param top_level: the names of the directories in its root.
    :param wheel: the beginning of the message if there is not one of them, such as "the wheel 'x'".
    :param remedy: its end: what to do then.
    :raises InvalidWheelError: if there is none, or there are several.
    """
    infos = sorted(name for name in top_level if name.endswith(DIST_INFO))
    if len(infos) == 1:
        return infos[0]
    found = f"{len(infos)} of them: {', '.join(map(repr, infos))}" if infos else "none"
    raise InvalidWheelError(
        f"{wheel} should have one *{DIST_INFO} directory and has {found}; {remedy}"
    )


def own_filename(tree: str, info: str) -> WheelFilename:
    """Return the file name of an unpacked wheel, by its ``*.dist-info`` directory and the tags in ``WHEEL``.

    :param tree: the root of the wheel.
    :param info: the name of its ``*.dist-info`` directory.
    :returns: a name without tags, if ``WHEEL`` has none.
    :raises InvalidWheelError: if the directory does not name a distribution.
    """
    from wheel_linker._wheel.filename import WheelFilename  # most callers know it

    return WheelFilename.from_dist_info(info, _tags(os.path.join(tree, info, "WHEEL")))


def _tags(path: str) -> list[str]:
    """Return the compatibility tags that a ``WHEEL`` file lists; none if it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []  # then the file name has no tags
    return [line[4:].strip() for line in lines if line.startswith("Tag:")]
