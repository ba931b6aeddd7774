"""Where a wheel's own symlinks lead, told by the names in it alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheel_linker._fs.folder import Parts

_HOPS: Final = 40  # as the Linux kernel allows, path_resolution(7)


def led_to(parts: Parts, links: Mapping[Parts, str]) -> Parts | None:
    """Follow a symlink as path_resolution(7) would; None if it leads out of the wheel, or in a circle.

    :param parts: the names that lead to it from the wheel's root.
    :param links: the targets of all symlinks in the wheel.
    """
    position: list[str] = []
    ahead = list(reversed(parts))
    hops = 0
    while ahead:
        name = ahead.pop()
        if name == os.pardir:
            if not position:
                return None
            position.pop()
        elif name not in ("", os.curdir):
            position.append(name)
        target = links.get(tuple(position)) if position else None
        if target is None:
            continue
        hops += 1
        if hops > _HOPS or _is_absolute(target):
            return None
        position.pop()
        ahead.extend(reversed(target.replace(os.sep, "/").split("/")))
    return tuple(position)


def _is_absolute(target: str) -> bool:
    return os.path.isabs(target) or bool(os.path.splitdrive(target)[0])
