"""How a file of an entry may differ from what was unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker.errors import printable
from wheel_linker.store.layout import MANIFEST, ROWS

if TYPE_CHECKING:
    from wheel_linker.store._entry.entry import Entry

DamageKind = Literal["changed", "missing", "added"]
"""The words that say how a file differs from what was unpacked."""
CHANGED: Final = "changed"
MISSING: Final = "missing"
ADDED: Final = "added"
DESCRIPTION: Final = f"../{MANIFEST}"
"""The path of an entry's manifest, as damage to it has it."""
ITS_ROWS: Final = f"../{ROWS}"
"""The path of what an entry keeps of its ``RECORD``, and of what was not right about that."""


class Damage(NamedTuple):
    """One file of an entry that is not as it was unpacked."""

    entry: Entry
    """The entry that the file is in."""
    path: str
    """The path of the file relative to the unpacked wheel, with forward slashes. ``../entry``, ``../rows`` and what
    begins with ``../bytecode`` are the store's own files.

    While ``../entry`` is damaged, nothing is linked from the entry.
    """
    kind: DamageKind
    """``"changed"``, ``"missing"`` or ``"added"`` since the wheel was unpacked."""

    def __str__(self) -> str:
        return printable(f"{self.entry.filename}: {self.path} is {self.kind}")
