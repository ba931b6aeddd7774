"""The contract over ``reflink_copy``, or a stand-in for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from contract import LinkingContract
from standins import FakeReflink

from wheel_linker._fs import folder
from wheel_linker.backends.windows import WindowsBackend

if TYPE_CHECKING:
    from wheel_linker.backends import Backend


class TestWindows(LinkingContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return WindowsBackend(reflink=FakeReflink())

    @pytest.fixture(autouse=True, params=["portable"])
    def way(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
        """The only way there is on Windows."""
        monkeypatch.setattr(folder, "BY_DESCRIPTOR", False)
        return str(request.param)

    @pytest.fixture
    def clones(self) -> bool:
        return True
