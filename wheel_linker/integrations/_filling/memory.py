"""What requirements came to, for each set of them and each kind of interpreter: asked once for all."""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING, Final

from wheel_linker._log import log
from wheel_linker.integrations._filling.lots import (
    Lot,
    lot_as_json,
    lot_from_json,
    read_json,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# What of pyvenv.cfg tells one interpreter from another.
_TELLING: Final = ("base-executable", "home", "implementation", "version", "version_info")


class Memory:
    """Lots by key: in this process, and in a directory if one is given.

    :param directory: where they are kept for other processes.
    """

    def __init__(self, directory: str | None = None) -> None:
        self._directory = directory
        self._lock = Lock()
        self._locks: dict[str, Lock] = {}
        self._known: dict[str, Lot] = {}

    def lot(self, key: str, ask: Callable[[], Lot], *, lasting: bool, anew: bool) -> Lot:
        """Return what is known under a key, or ask; threads that want the same wait for the one that asks.

        :param lasting: whether the answer holds for other processes, too.
        :param anew: whether what other processes found out does not count.
        """
        with self._lock:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            if key not in self._known:
                known = self._read(key) if lasting and not anew else None
                self._known[key] = ask() if known is None else known
                if known is None and lasting:
                    self._write(key)
            return self._known[key]

    def forget(self, key: str) -> None:
        """Forget an answer that turned out to hold no longer."""
        self._known.pop(key, None)
        if self._directory is not None and os.path.exists(self._file(key)):
            os.unlink(self._file(key))

    def _read(self, key: str) -> Lot | None:
        found = None if self._directory is None else read_json(self._file(key))
        if found is None:
            return None
        try:
            return lot_from_json(found["lot"])
        except (KeyError, ValueError) as error:
            log("cannot use what is known of requirements: %s", error)
            return None

    def _write(self, key: str) -> None:
        if self._directory is None:
            return
        try:
            write_json(self._file(key), {"lot": lot_as_json(self._known[key])})
        except OSError as error:
            log("cannot keep what is known of requirements: %s", error)

    def _file(self, key: str) -> str:
        assert self._directory is not None
        return os.path.join(self._directory, f"{key}.json")


def interpreter_of(python: str) -> str:
    """Return what environments of one and the same interpreter have in common.

    :param python: the interpreter of an environment.
    """
    configuration = os.path.join(os.path.dirname(os.path.dirname(python)), "pyvenv.cfg")
    try:
        with open(configuration, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except FileNotFoundError:
        return os.path.realpath(python)
    return "\n".join(line for line in lines if line.partition("=")[0].strip() in _TELLING)
