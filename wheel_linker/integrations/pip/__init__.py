"""Turning requirements and lock files into wheels, by pip's command line: nothing of pip is imported."""

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
    "NotLockedError": "integrations.pip.wanted",
    "PipError": "integrations.pip.running",
    "Resolved": "integrations.pip.resolved",
    "gather": "integrations.pip.resolved",
    "obtain": "integrations.pip.resolved",
    "obtain_locked": "integrations.pip.locked",
    "resolve": "integrations.pip.resolved",
}


if not TYPE_CHECKING:  # checkers would take every name for one that there is
    from wheel_linker import _found

    def __getattr__(name: str) -> object:
        return _found(name, _MODULE_OF, globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
