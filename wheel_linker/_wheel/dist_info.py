"""The one ``*.dist-info`` directory that a wheel has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wheel_linker.errors import InvalidWheelError

if TYPE_CHECKING:
    from collections.abc import Iterable

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
