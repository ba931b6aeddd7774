"""What a tool that has virtualenv make its environments tells the seeder."""

from __future__ import annotations

from typing import Final

STORE: Final = "_WHEEL_LINKER_STORE"
"""The variable that names the store which the tool has open already; empty for the one in the user's cache."""
MODE: Final = "_WHEEL_LINKER_MODE"
"""The variable that says how files are linked; empty for the platform's default."""


class SeedingError(RuntimeError):
    """An environment cannot have what it is to be seeded with; virtualenv knows of no other kind."""
