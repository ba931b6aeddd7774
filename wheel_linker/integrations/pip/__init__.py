"""From requirements and lock files to wheels, by pip's command line: nothing of pip is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheel_linker.integrations.pip.locked import obtain_locked
    from wheel_linker.integrations.pip.resolved import Resolved, gather, obtain, resolve
    from wheel_linker.integrations.pip.running import PipError
    from wheel_linker.integrations.pip.wanted import NotLockedError

__all__ = [
    "NotLockedError",
    "PipError",
    "Resolved",
    "gather",
    "obtain",
    "obtain_locked",
    "resolve",
]

# What asks pip takes long to be imported, and is not needed for locks whose wheels are all in the store.
_MODULE_OF = {
    "NotLockedError": ".wanted",
    "PipError": ".running",
    "Resolved": ".resolved",
    "gather": ".resolved",
    "obtain": ".resolved",
    "obtain_locked": ".locked",
    "resolve": ".resolved",
}


if not TYPE_CHECKING:  # checkers would take every name for one that there is

    def __getattr__(name: str) -> object:
        """Return a public name, from the module that it is in."""
        module = _MODULE_OF.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = globals()[name] = getattr(import_module(module, __name__), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
