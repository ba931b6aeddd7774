"""The contract over ``FICLONE``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from contract import LinkingContract
from filesystems import can_clone

from wheel_linker.backends.linux import LinuxBackend

if TYPE_CHECKING:
    from wheel_linker.backends import Backend


@pytest.mark.skipif(sys.platform != "linux", reason="FICLONE is Linux's")
class TestLinux(LinkingContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return LinuxBackend()

    @pytest.fixture
    def clones(self, place: Path) -> bool:
        return can_clone(place)
