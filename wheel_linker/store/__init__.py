"""A store of unpacked wheels, each unpacked once, verified, and linked from as often as needed."""

from __future__ import annotations

from wheel_linker._archive.limits import Limits
from wheel_linker.store._bytecode.compiling import Compiled
from wheel_linker.store._entry.damage import Damage, DamageKind
from wheel_linker.store._entry.entry import Entry
from wheel_linker.store._entry.stored_wheel import StoredWheel
from wheel_linker.store.wheel_store import WheelStore

__all__ = ["Compiled", "Damage", "DamageKind", "Entry", "Limits", "StoredWheel", "WheelStore"]
