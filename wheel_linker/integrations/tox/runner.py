"""The runner: a virtual environment as tox's own, filled by another installer."""

from __future__ import annotations

import glob
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tox.tox_env.python.virtual_env.runner import VirtualEnvRunner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tox.tox_env.api import ToxEnvCreateArgs

    from wheel_linker.integrations.tox.installer import LinkingInstaller

NAME = "wheel-linker"


class LinkingRunner(VirtualEnvRunner):
    """What ``runner = wheel-linker`` stands for."""

    def __init__(self, create_args: ToxEnvCreateArgs) -> None:
        self._linking: LinkingInstaller | None = None
        self._allowed: list[str] = []
        super().__init__(create_args)

    @staticmethod
    def id() -> str:
        """Return what it is called in ``tox.ini``."""
        return NAME

    @property
    def installer(self) -> LinkingInstaller:
        """What fills the environment."""
        if self._linking is None:
            # tox loads this module wherever the library is installed, with what a linked environment takes or without.
            from wheel_linker.integrations.tox.installer import LinkingInstaller

            self._linking = LinkingInstaller(self, self.allowing)
        return self._linking

    @contextmanager
    def allowing(self, program: str) -> Iterator[None]:
        """Let a program be run that is not in the environment."""
        self._allowed = [glob.escape(program)]
        try:
            yield
        finally:
            self._allowed = []

    @property
    def _allow_externals(self) -> list[str]:
        return [*super()._allow_externals, *self._allowed]
