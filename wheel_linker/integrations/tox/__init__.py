"""A plugin for tox 4: environments that say ``runner = wheel-linker`` are linked from a store of unpacked wheels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tox.plugin import impl

if TYPE_CHECKING:
    from tox.tox_env.register import ToxEnvRegister

__all__ = ["tox_register_tox_env"]


@impl
def tox_register_tox_env(register: ToxEnvRegister) -> None:
    """Tell tox of the runner, which no environment uses that does not name it."""
    from wheel_linker.integrations.tox.runner import LinkingRunner

    register.add_run_env(LinkingRunner)
