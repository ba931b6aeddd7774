"""The contract where the platform has no clone call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from contract import LinkingContract

from wheel_linker.backends.unsupported import UnsupportedBackend

if TYPE_CHECKING:
    from wheel_linker.backends import Backend


class TestUnsupported(LinkingContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return UnsupportedBackend()

    @pytest.fixture
    def clones(self) -> bool:
        return False
