"""How a store keeps bytecode, and what there is of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple

if TYPE_CHECKING:
    from wheel_linker.store._entry.checking import Check


class Compiled(NamedTuple):
    """The bytecode that a store has of one wheel, for one kind of interpreter and one level."""

    entry: str
    """The name of the entry."""
    files: int
    """How many files of bytecode there are."""
    size: int
    """How many bytes they have."""
    not_compiled: tuple[str, ...]
    """The sources that are none for this interpreter, such as templates, relative to the wheel."""


class CompileOptions(NamedTuple):
    """How a store keeps bytecode."""

    durable: bool
    protect: bool
    jobs: int
    check: Check | None
