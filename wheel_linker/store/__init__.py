"""A store of unpacked wheels, each unpacked once, verified, and linked from as often as needed."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing
if TYPE_CHECKING:
    from wheel_linker._archive.limits import Limits
    from wheel_linker.store._bytecode.compiled import Compiled
    from wheel_linker.store._entry.damage import Damage, DamageKind
    from wheel_linker.store._entry.entry import Entry
    from wheel_linker.store._entry.stored_wheel import StoredWheel
    from wheel_linker.store.wheel_store import WheelStore

__all__ = ["Compiled", "Damage", "DamageKind", "Entry", "Limits", "StoredWheel", "WheelStore"]

# A name's module is imported when the name is first asked for.
_MODULE_OF = {
    "Compiled": "store._bytecode.compiled",
    "Damage": "store._entry.damage",
    "DamageKind": "store._entry.damage",
    "Entry": "store._entry.entry",
    "Limits": "_archive.limits",
    "StoredWheel": "store._entry.stored_wheel",
    "WheelStore": "store.wheel_store",
}


if not TYPE_CHECKING:  # checkers would take every name for one that there is
    from wheel_linker import _found

    def __getattr__(name: str) -> object:
        return _found(name, _MODULE_OF, globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
