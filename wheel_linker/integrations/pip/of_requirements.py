"""What a file says of a single requirement, handed on to the command of pip that builds it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._wheel.filename import normalised
from wheel_linker.integrations.pip.named_files import settings_in_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def settings_for(
    chosen: Iterable[tuple[str, str]], given: Sequence[str], directory: str = os.curdir
) -> list[str]:
    """Return the options that files name for each distribution, such as ``--config-settings``; mostly nothing.

    :param chosen: the normalised name and the address of each.
    :param given: arguments of pip.
    :param directory: what paths are relative to.
    """
    lines = settings_in_lines(given, directory)
    return [_settings(name, url, lines, directory) for name, url in chosen]


def _settings(name: str, url: str, lines: Sequence[tuple[str, str]], directory: str) -> str:
    found = [settings for text, settings in lines if _is_meant(name, url, text, directory)]
    return found[0] if found else ""


def _is_meant(name: str, url: str, text: str, directory: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return normalised(Requirement(text).name) == name
    except (InvalidRequirement, RecursionError):
        return url.rstrip("/") in _addresses(text, directory)


def _addresses(text: str, directory: str) -> set[str]:
    """Return the addresses that a requirement without a name may stand for, as pip's report has them."""
    address = text.partition(";")[0].partition("#")[0].strip()
    scheme, colon, rest = address.partition("://")
    if not colon and not address.startswith("file:"):
        from pathlib import Path

        path = os.path.abspath(os.path.join(directory, address))
        without_extras = path[: path.rindex("[")] if path.endswith("]") else path
        return {Path(path).as_uri(), Path(without_extras).as_uri()}
    plain = f"{scheme.rpartition('+')[2]}{colon}{rest}".rstrip("/")
    # Of version control, a revision may follow.
    return {plain, plain.rpartition("@")[0].rstrip("/")}
