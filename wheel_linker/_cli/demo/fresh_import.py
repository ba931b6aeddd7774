"""Importing what has just been linked, in the process that runs already, and forgetting it again."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.paths import is_within
from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from wheel_linker._wheel.tree import Tree

_INIT: Final = "__init__.py"
_SOURCE: Final = ".py"
_NATIVE: Final = tuple(EXTENSION_SUFFIXES)


def importable_names(tree: Tree) -> list[str]:
    """Return the names of a wheel's packages and modules; those with an underscore only if there is no other."""
    root, *below = tree.directories
    packages = [one.parts[0] for one in below if len(one.parts) == 1 and _INIT in one.files]
    modules = [name[: -len(_SOURCE)] for name in root.files if name.endswith(_SOURCE)]
    native = [name.partition(".")[0] for name in root.files if name.endswith(_NATIVE)]
    names = [name for name in (*packages, *modules, *native) if name.isidentifier()]
    public = [name for name in names if not name.startswith("_")]
    return sorted(set(public or names))


def has_native_code(tree: Tree) -> bool:
    """Tell whether a wheel has extension modules, which a process cannot load twice nor let go of."""
    return any(name.endswith(_NATIVE) for directory in tree.directories for name in directory.files)


class Environment:
    """A directory that imports come from first while it is open.

    :param site: its absolute path; it is there.
    """

    def __init__(self, site: str) -> None:
        self._site = site
        self._bytecode = sys.dont_write_bytecode

    def __enter__(self) -> Environment:
        sys.path.insert(0, self._site)
        sys.dont_write_bytecode = True
        return self

    def __exit__(self, *_: object) -> None:
        sys.dont_write_bytecode = self._bytecode
        sys.path.remove(self._site)
        sys.path_importer_cache.pop(self._site, None)

    def has(self, name: str) -> bool:
        """Tell whether there is a module of that name in it, as ``import`` would.

        What is asked is the very finder that ``import`` asks, which keeps the directory's listing from now on.
        """
        return PathFinder.find_spec(name, [self._site]) is not None

    def distributions(self) -> dict[str, str]:
        """Return the projects in it and their versions, by ``importlib.metadata``, which keeps the listing too."""
        from importlib.metadata import distributions

        found = distributions(path=[self._site])
        return {_normalised(one.metadata["Name"]): one.version for one in found}

    def version_of(self, name: str) -> str | None:
        """Import a module from it, and forget it again.

        :returns: the version that the module itself tells, if it does.
        :raises WheelLinkerError: if it is not found in here.
        :raises Exception: whatever importing it raises.
        """
        with _forgotten({name}):
            try:
                module = importlib.import_module(name)
            except ModuleNotFoundError as error:
                if error.name != name:
                    raise
                raise WheelLinkerError(
                    f"cannot import {name!r}, just linked into {self._site!r}"
                ) from error
            origin = getattr(module.__spec__, "origin", None)
            if not origin or not is_within(origin, self._site):
                raise WheelLinkerError(
                    f"imported {name!r} from {origin!r}, not from {self._site!r} where it was linked into"
                )
            # getattr() is not used, because packages have hooks for it that warn.
            version = vars(module).get("__version__")
            return version if isinstance(version, str) else None


@contextmanager
def _forgotten(names: Collection[str]) -> Iterator[None]:
    """Have no module of these names, nor below them, loaded; restore those that were."""
    kept = {loaded: sys.modules[loaded] for loaded in _loaded(names)}
    _forget(names)
    try:
        yield
    finally:
        _forget(names)
        sys.modules.update(kept)


def _loaded(names: Collection[str]) -> Sequence[str]:
    return [loaded for loaded in sys.modules if loaded.partition(".")[0] in names]


def _forget(names: Collection[str]) -> None:
    for loaded in _loaded(names):
        del sys.modules[loaded]


def _normalised(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
