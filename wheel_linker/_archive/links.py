"""Symlinks in an archive: those that stay inside of the wheel, and no others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from wheel_linker._wheel.links import led_to
from wheel_linker._wheel.names import fold
from wheel_linker.errors import InvalidWheelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wheel_linker._archive.zip_directory import Member

# PATH_MAX of Linux.
_LONGEST: Final = 4096
# What no tool writes into the target of a symlink, and some system reads in another way.
_FAULTY: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\]|^/|^[A-Za-z]:")


def read_links(members: Sequence[Member], read: Callable[[Member], bytes]) -> dict[str, str]:
    """Return the targets of the symlinks among some entries, by path.

    :param read: returns the content of an entry.
    :raises InvalidWheelError: if one leads out of the wheel, or might on some system.
    """
    targets = {member.name: _target(member, read) for member in members if member.is_link}
    exactly = {tuple(name.split("/")): target for name, target in targets.items()}
    # Where names are folded, a path may go through a symlink that it spells otherwise.
    folded = {tuple(map(fold, parts)): fold(target) for parts, target in exactly.items()}
    for parts, target in exactly.items():
        inside = led_to(parts, exactly), led_to(tuple(map(fold, parts)), folded)
        if None in inside:
            raise _refused("/".join(parts), target, "which leads out of the wheel, or in a circle")
    return targets


def files_led_to(targets: Mapping[str, str]) -> dict[str, str]:
    """Return the path that each symlink leads to in the end, whether there is something or not."""
    links = {tuple(name.split("/")): target for name, target in targets.items()}
    return {"/".join(parts): "/".join(led_to(parts, links) or ()) for parts in links}


def _target(member: Member, read: Callable[[Member], bytes]) -> str:
    if member.size >= _LONGEST:
        raise _refused(member.name, "...", f"a target of {member.size:,} bytes")
    content = read(member)
    try:
        target = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(member.name, content, "which is not UTF-8") from error
    if _FAULTY.search(target):
        raise _refused(
            member.name, target, "which is no relative path that every system reads alike"
        )
    return target


def _refused(name: str, target: object, why: str) -> InvalidWheelError:
    return InvalidWheelError(
        f"its entry {name!r} is a symlink to {target!r}, {why}; only those that stay inside are unpacked: "
        "do not trust this file"
    )
