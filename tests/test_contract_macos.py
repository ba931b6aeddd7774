"""The contract over ``clonefile``: macOS's own there, a compiled stand-in elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from contract import LinkingContract
from filesystems import can_clone

from wheel_linker.backends.macos import MacOSBackend

if TYPE_CHECKING:
    from standins import FakeClonefile

    from wheel_linker.backends import Backend


class TestMacOS(LinkingContract):
    @pytest.fixture
    def backend(self, fake_clonefile: FakeClonefile) -> Backend:
        return MacOSBackend(library=fake_clonefile.library)

    @pytest.fixture
    def clones(self) -> bool:
        return True


if sys.platform == "darwin":

    class TestRealMacOS(LinkingContract):
        @pytest.fixture
        def backend(self) -> Backend:
            return MacOSBackend()

        @pytest.fixture
        def clones(self, place: Path) -> bool:
            return can_clone(place)
