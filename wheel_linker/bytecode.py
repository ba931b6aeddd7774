"""Which files in ``__pycache__`` belong to a source file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

CACHE: Final = "__pycache__"

_SOURCE: Final = ".py"
_BYTECODE: Final = ".pyc"
_OPTIMIZATION: Final = "opt-"


def bytecode_of(sources: Iterable[str], cached: Iterable[str]) -> list[str]:
    """Return those of the names ``cached`` that an interpreter may have compiled from one of ``sources``.

    By PEP 3147 and PEP 488 these are ``MODULE.TAG.pyc`` and ``MODULE.TAG.opt-LEVEL.pyc``.
    """
    modules = {name[: -len(_SOURCE)] for name in sources if name.endswith(_SOURCE)}
    return [name for name in cached if _module(name) in modules]


def _module(name: str) -> str | None:
    if not name.endswith(_BYTECODE):
        return None
    stem, _, tag = name[: -len(_BYTECODE)].rpartition(".")
    if tag.startswith(_OPTIMIZATION):
        stem = stem.rpartition(".")[0]
    return stem or None
