"""A seeder for virtualenv: ``--seeder wheel-linker`` links pip from a store of unpacked wheels."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from virtualenv.seed.embed.base_embed import BaseEmbed
from virtualenv.seed.wheels import get_wheel

from wheel_linker._compat.override import override
from wheel_linker.integrations._filling.seeding import MODE, STORE, SeedingError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from virtualenv.create.creator import Creator
    from virtualenv.seed.wheels.util import Wheel

    from wheel_linker.install import Layout
    from wheel_linker.store import WheelStore

__all__ = ["StoreSeeder"]

# virtualenv loads this whichever seeder is asked for: what costs, or may be missing, is imported where it is used.


class StoreSeeder(BaseEmbed):
    """Links the wheels that virtualenv comes with, or finds, and that its options ask for.

    The store is in the user's cache directory, and the same as that of the command line.
    """

    @override
    def run(self, creator: Creator) -> None:
        """Put pip, and what else is asked for, into an environment.

        :param creator: the environment.
        :raises SeedingError: if it cannot be installed.
        :raises RuntimeError: if there is no wheel of something.
        """
        if not self.enabled:
            return
        from wheel_linker.errors import WheelLinkerError

        wheels = [self._wheel(name, version, creator) for name, version in self._wanted()]
        try:
            from wheel_linker.install import install_wheels

            with self._store() as store:
                install_wheels(
                    [wheel.path for wheel in wheels],
                    _layout(creator, store),
                    store=store,
                    mode=self.env.get(MODE) or None,
                    requested=True,
                    compile_bytecode=True,
                )
        except (ImportError, OSError, ValueError, WheelLinkerError) as error:
            raise SeedingError(f"seeding by wheel-linker failed: {error}") from error

    def _store(self) -> AbstractContextManager[WheelStore]:
        """Return the store to be used; one that a tool has open stays so."""
        from wheel_linker.integrations._filling.user_store import open_store, shared_store

        if STORE in self.env:
            return nullcontext(shared_store(self.env[STORE] or None))
        return open_store()

    def _wanted(self) -> list[tuple[str, str]]:
        return sorted(self.distribution_to_versions().items())

    def _wheel(self, name: str, version: str, creator: Creator) -> Wheel:
        for download in (True,) if self.download else (False, True):
            found = get_wheel(
                distribution=name,
                version=version,
                for_py_version=creator.interpreter.version_release_str,
                search_dirs=self.extra_search_dir,
                download=download,
                app_data=self.app_data,
                do_periodic_update=self.periodic_update,
                env=self.env,
            )
            if found is not None:
                return found
        raise RuntimeError(f"no wheel of {name} {version} to be had for seeding")


def _layout(creator: Creator, store: WheelStore) -> Layout:
    """Return where things go, without asking the new interpreter where that can be told.

    Its bytecode is that of the interpreter which the environment is made by: the store keeps what that said once.
    """
    from wheel_linker.install import Layout
    from wheel_linker.install.asking import kept_in

    interpreter = creator.interpreter
    if os.name != "posix" or interpreter.os != "posix":
        return Layout.for_python(creator.exe)
    version = interpreter.version_info.major, interpreter.version_info.minor
    headers = creator.dest / "include" / "site" / "python{}.{}".format(*version)
    directories = {
        "purelib": creator.purelib,
        "platlib": creator.platlib,
        "headers": headers,
        "scripts": creator.script_dir,
        "data": creator.dest,
    }
    schemes = {scheme: os.fspath(path) for scheme, path in directories.items()}
    base = Layout.for_python(interpreter.system_executable or creator.exe, kept_in=kept_in(store))
    exe = os.fspath(creator.exe)
    return Layout(exe, version, "posix", "posix", schemes, bytecode=base.bytecode)
