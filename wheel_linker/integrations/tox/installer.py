"""The installer: pip finds out what requirements need, and wheels are linked from the store."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, cast

from packaging.requirements import InvalidRequirement, Requirement
from tox.execute.request import StdinSource
from tox.tox_env.errors import Fail, Recreate
from tox.tox_env.python.package import EditableLegacyPackage
from tox.tox_env.python.pip.pip_install import Pip
from tox.tox_env.python.pip.req_file import PythonDeps

from wheel_linker._wheel.filename import WheelFilename, normalised
from wheel_linker.errors import WheelLinkerError
from wheel_linker.integrations._filling.filling import Filling, GoneError, Means
from wheel_linker.integrations._filling.lots import NOTES_FILE, key_of
from wheel_linker.integrations._filling.memory import Memory
from wheel_linker.integrations._filling.user_store import shared_store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from contextlib import AbstractContextManager

    from tox.tox_env.installer import InstallArguments
    from tox.tox_env.package import Package
    from tox.tox_env.python.api import Python
    from tox.tox_env.python.pylock import Pylock

    from wheel_linker.integrations.pip.locked import Obtained
    from wheel_linker.mode import Modes
    from wheel_linker.store import WheelStore

# tox loads this for each run, also where every environment has what it is to have: what puts something into one is
# imported where that is done.
_MEMORY: Final = ".wheel-linker"
_LOCKED: Final = 2
_CHUNK: Final = 1 << 20
# One for all environments of a run, which `tox -p` fills at once.
_memories: dict[str, Memory] = {}


class LinkingInstaller(Pip):
    """Fills one environment. Its settings are those of tox's own installer, and two more.

    :param env: the environment.
    :param allowing: lets a program be run that is not in the environment.
    """

    def __init__(
        self, env: Python, allowing: Callable[[str], AbstractContextManager[None]]
    ) -> None:
        self._filling: Filling | None = None
        self._allowing = allowing
        self._run_id = ""
        super().__init__(env)

    def _register_config(self) -> None:
        super()._register_config()
        self._env.conf.add_config(
            keys=["wheel_linker_store"],
            of_type=str,
            default="",
            desc="directory of the store of unpacked wheels, by default in this user's cache",
        )
        self._env.conf.add_config(
            keys=["wheel_linker_mode"],
            of_type=str,
            default="",
            desc="how wheels are put into the environment: auto, clone, hardlink, symlink or copy",
        )

    def installed(self) -> list[str]:
        """Return what is in the environment, each as a requirement."""
        from wheel_linker.install import Layout, installed

        found = installed(Layout.for_python(self._env.env_python()))
        return [f"{one.name}=={one.version}" for one in found]

    def install(self, arguments: InstallArguments, section: str, of_type: str) -> None:
        """Have this in the environment.

        :param arguments: requirements, a lock file or packages.
        :param section: who asks.
        :param of_type: what this is for, such as ``deps``.
        :raises Fail: if it cannot be had.
        :raises Recreate: if the environment has to change, and what it has is in the store no more.
        """
        name = f"{section} {of_type}"
        try:
            if isinstance(arguments, PythonDeps):
                self._install_deps(name, arguments)
            elif hasattr(arguments, "install_lines"):
                self._install_lock(name, cast("Pylock", arguments))
            else:
                self._install_list(name, arguments)
        except GoneError as error:
            raise Recreate(str(error)) from error
        except (ModuleNotFoundError, OSError, ValueError, WheelLinkerError) as error:
            raise Fail(str(error)) from error

    def _install_deps(self, name: str, deps: PythonDeps) -> None:
        options, lines = deps.unroll()
        given = list(deps.as_root_args)
        constraints = self._constraints()
        alone = len(given) == _LOCKED and given[0] in {"-r", "--requirement"} and not constraints
        locked = self._locked(given[1]) if alone else None
        whole = [*given, *constraints, *self._pre()] if given else []
        self._ready(name).require(name, whole, [*options, *lines, *self._constrained()], locked)
        if self._own_constraints():
            self._write_constraints(lines)

    def _install_lock(self, name: str, lock: Pylock) -> None:
        lines = sorted(lock.install_lines())
        file = Path(self._env.env_dir, "pylock.txt")
        file.write_text("\n".join([*lines, ""]), encoding="utf-8")
        locked = self._locked(os.fspath(lock.path), lock.extras, lock.groups or None)
        self._ready(name).require(name, ["--no-deps", "-r", os.fspath(file)], lines, locked)

    def _install_list(self, name: str, wanted: Sequence[Requirement | Package]) -> None:
        packages = [one for one in wanted if not isinstance(one, Requirement)]
        needed = [str(one) for one in wanted if isinstance(one, Requirement)]
        for package in packages:
            needed += self._forced(getattr(package, "deps", ()))
        given = sorted(needed)
        lines: list[str] = []
        if given:
            given += [*self._constraints(), *self._pre()]
        if given and packages and self._own_constraints():
            own = self.constraints_file()
            lines = own.read_text(encoding="utf-8").splitlines() if own.exists() else []
            given += ["-c", os.fspath(own)] if lines else []
        self._ready(name).require(
            f"{name} requirements", given, [*lines, *self._constrained()] if given else []
        )
        for package in packages:
            self._install_package(name, package)

    def _install_package(self, name: str, package: Package) -> None:
        path = os.fspath(package.path)  # type: ignore[attr-defined]
        filling = self._ready(name)
        if isinstance(package, EditableLegacyPackage):
            filling.place(name, path, lambda: self._in_place(path))
        elif path.endswith(".whl"):
            filling.place(name, _digest(path), lambda: self._linked([path], path))
        else:
            given = getattr(package, "config_settings", None) or {}
            settings = [f"--config-settings={key}={value}" for key, value in given.items()]
            key = key_of(_digest(path), settings)
            filling.place(name, key, lambda: self._built(path, settings))

    def _linked(self, paths: Sequence[str], source: str) -> list[str]:
        """Put wheels of the package under test into the environment; they are not kept in the store.

        :param paths: the wheels.
        :param source: the file that they were built of, or the wheel itself.
        """
        from wheel_linker.install import Layout, install_wheels

        digest = _digest(source)
        origin = {
            "url": Path(source).absolute().as_uri(),
            "archive_info": {"hash": f"sha256={digest}", "hashes": {"sha256": digest}},
        }
        reports = install_wheels(
            paths,
            Layout.for_python(self._env.env_python()),
            mode=self._mode(),
            requested=True,
            direct_urls={
                WheelFilename.parse(os.path.basename(path)).name: origin for path in paths
            },
        )
        return [report.wheel.name for report in reports]

    def _built(self, path: str, settings: Sequence[str]) -> list[str]:
        from wheel_linker.integrations.pip.running import run_pip
        from wheel_linker.integrations.pip.settings import fetching_settings

        with TemporaryDirectory(prefix="wheel_linker-tox-") as directory:
            python = os.fspath(self._env.env_python())
            given = [*fetching_settings(python), *settings]
            command = ["wheel", "--no-deps", "--wheel-dir", directory, *given, path]
            run_pip("build the package", python, command, self._run)
            made = [os.path.join(directory, name) for name in os.listdir(directory)]
            return self._linked(made, path)

    def _in_place(self, path: str) -> list[str]:
        from wheel_linker.integrations.pip.running import run_pip

        python = self._env.env_python()
        before = set(self.installed())
        command = ["install", "--no-deps", "--force-reinstall", "--editable", path]
        run_pip("install the package in place", python, command, self._run)
        return sorted(one.partition("==")[0] for one in set(self.installed()) - before)

    def _locked(
        self,
        path: str,
        extras: Collection[str] = (),
        groups: Collection[str] | None = None,
    ) -> Callable[[WheelStore], Obtained]:
        from wheel_linker.integrations.pip.locked import Obtained, obtain_locked

        def obtain(store: WheelStore) -> Obtained:
            wheels = obtain_locked(
                os.path.join(self._env.core["tox_root"], path),
                python=self._env.env_python(),
                store=store,
                extras=extras,
                groups=groups,
                pip_args=self._constraints(),
                run=self._run,
            )
            return Obtained(wheels)

        return obtain

    def _ready(self, name: str) -> Filling:
        """Return what fills the environment, with the settings as they are now."""
        self._run_id = f"install_{name.rpartition(' ')[2]}"
        if self._filling is None:
            note = os.path.join(self._env.env_dir, NOTES_FILE)
            python = os.fspath(self._env.env_python())
            self._filling = Filling(python, note, self._means())
        return self._filling

    def _means(self) -> Means:
        directory = os.path.join(self._env.core["work_dir"], _MEMORY)
        return Means(
            store=self._store(),
            memory=_memories.setdefault(directory, Memory(directory)),
            run=self._run,
            mode=self._mode(),
            variables=self._env.environment_variables,
            root=os.fspath(self._env.core["tox_root"]),
            anew=bool(self._env.conf["recreate"]),
            compiled=True,
        )

    def _run(self, command: Sequence[str]) -> int:
        with self._allowing(command[0]):
            outcome = self._env.execute(command, stdin=StdinSource.OFF, run_id=self._run_id)
        outcome.assert_success()
        return outcome.exit_code or 0

    def named_store(self) -> str:
        """Return the directory of the store, as it is set; nothing for the one in this user's cache."""
        return str(self._env.conf["wheel_linker_store"])

    def named_mode(self) -> str:
        """Return how wheels are put into the environment, as it is set; nothing for the platform's default."""
        return str(self._env.conf["wheel_linker_mode"])

    def _store(self) -> WheelStore:
        return shared_store(self.named_store() or None)

    def _mode(self) -> Modes:
        return self.named_mode() or None

    def _constraints(self) -> list[str]:
        found = getattr(self, "constraints", None)  # older tox has no such setting
        return [] if found is None else list(found.as_root_args)

    def _constrained(self) -> list[str]:
        """Return what the files of constraints say."""
        found = getattr(self, "constraints", None)
        return [] if found is None else list(found.unroll()[1])

    def _pre(self) -> list[str]:
        return ["--pre"] if self._env.conf["pip_pre"] else []

    def _forced(self, needed: Iterable[Requirement]) -> list[str]:
        forced = {normalised(one.name): one for one in getattr(self._env.options, "force_dep", ())}
        return [str(forced.get(normalised(one.name), one)) for one in needed]

    def _own_constraints(self) -> bool:
        return bool(self._env.conf["constrain_package_deps"]) and not self._constraints()

    def _write_constraints(self, lines: Sequence[str]) -> None:
        """Write what ``deps`` says where the package's own requirements are constrained by it."""
        if self._env.conf["use_frozen_constraints"]:
            found = self.installed()
        else:
            found = [text for text in map(_as_constraint, lines) if text]
        self.constraints_file().write_text("\n".join([*found, ""]), encoding="utf-8")


def _as_constraint(line: str) -> str | None:
    """Return a requirement as pip takes it for a constraint; None if it takes none of its kind."""
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return line.removeprefix("-c ") if line.startswith("-c ") else None
    requirement.extras = set()
    return str(requirement)


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while data := file.read(_CHUNK):
            digest.update(data)
        return digest.hexdigest()
