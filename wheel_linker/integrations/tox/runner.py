"""The runner: a virtual environment as tox's own, filled by another installer."""

from __future__ import annotations

import glob
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tox.tox_env.errors import Fail
from tox.tox_env.python.virtual_env.runner import VirtualEnvRunner

from wheel_linker._compat.override import override
from wheel_linker.integrations._filling.seeding import MODE, STORE, SeedingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tox.tox_env.api import ToxEnvCreateArgs

    from wheel_linker.integrations.tox.installer import LinkingInstaller

NAME = "wheel-linker"
_OLDER: Final = "virtualenv_spec"
_SEEDER: Final = "VIRTUALENV_SEEDER"


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

    @override
    def virtualenv_env_vars(self) -> dict[str, str]:
        """Return what virtualenv is told: pip comes from the store, too, unless another seeder is asked for."""
        variables = super().virtualenv_env_vars()
        # An older virtualenv, which tox may run for an older Python, does not know of this library.
        older = _OLDER in self.conf and self.conf[_OLDER]
        if not older and not variables.get(_SEEDER):
            variables[_SEEDER] = NAME
            variables[STORE] = self.installer.named_store()
            variables[MODE] = self.installer.named_mode()
        return variables

    @override
    def create_python_env(self) -> None:
        """Make the environment.

        :raises Fail: if pip, or what else is asked for, cannot be put into it.
        """
        try:
            super().create_python_env()
        except SeedingError as error:
            raise Fail(str(error)) from error

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
