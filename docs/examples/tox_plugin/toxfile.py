"""A tox plugin: environments are linked from a store of unpacked wheels, and made anew when a wheel is."""

from importlib.metadata import distributions
from typing import Any

from tox.plugin import impl
from tox.tox_env.errors import Fail, Recreate
from tox.tox_env.installer import Installer
from tox.tox_env.python.virtual_env.runner import VirtualEnvRunner

from wheel_linker import WheelLinkerError
from wheel_linker.cache_key import environment_cache_key
from wheel_linker.install import Layout, install_wheels
from wheel_linker.store import WheelStore


class WheelInstaller(Installer):  # type: ignore[type-arg]
    def _register_config(self) -> None: ...

    def installed(self) -> list[str]:
        found = distributions(path=[str(self._env.env_site_package_dir())])
        return sorted(f"{one.metadata['Name']}=={one.version}" for one in found)

    def install(self, arguments: Any, section: str, of_type: str) -> None:
        given = getattr(arguments, "requirements", arguments)  # what deps says, or the package
        root = self._env.core["tox_root"]
        wheels = [root / str(getattr(one, "path", one)) for one in given]
        try:
            key = environment_cache_key(wheels, interpreter=self._env.python_cache())
            with self._env.cache.compare(key, section, of_type) as (same, old):
                if old and not same and of_type == "deps":
                    raise Recreate("a wheel was rebuilt, added or removed")
                if not same:
                    layout = Layout.for_python(self._env.env_python())
                    with WheelStore(self._env.core["work_dir"] / ".wheels") as store:
                        install_wheels(wheels, layout, store=store)
        except (OSError, WheelLinkerError) as error:
            raise Fail(str(error)) from error


class WheelRunner(VirtualEnvRunner):
    installer = property(WheelInstaller)

    @staticmethod
    def id() -> str:
        return "wheels"

    def virtualenv_env_vars(self) -> dict[str, str]:
        return {**super().virtualenv_env_vars(), "VIRTUALENV_NO_SEED": "True"}  # without pip


@impl
def tox_register_tox_env(register: Any) -> None:
    register.add_run_env(WheelRunner)
