"""What a store has of bytecode."""

from __future__ import annotations

from wheel_linker._compat.named_tuple import NamedTuple


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
