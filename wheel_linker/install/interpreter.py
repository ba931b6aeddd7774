"""What an interpreter is, for choosing wheels and requirements: its markers and its tags."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from wheel_linker._log import log
from wheel_linker.errors import LinkError
from wheel_linker.install.layout import executable, identity

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = 60
# The interpreter need not have the package packaging: it gets this process's own, after everything it has itself.
_QUESTION = """
import json, sys
sys.path.append(sys.argv[1])
from packaging.markers import default_environment
from packaging.tags import sys_tags
print(json.dumps([default_environment(), [str(tag) for tag in sys_tags()]]))
"""
_FORMAT = 1


class Interpreter(NamedTuple):
    """What decides which wheels and requirements are for an interpreter."""

    environment: Mapping[str, str]
    """The values of environment markers (PEP 508), by name."""
    tags: tuple[str, ...]
    """The compatibility tags that it supports (PEP 425), the most specific first."""


def describe(
    python: str | os.PathLike[str], *, kept_in: str | os.PathLike[str] | None = None
) -> Interpreter:
    """Ask an interpreter for its markers and tags, in one subprocess.

    :param python: the path of an interpreter, or the name of one on PATH.
    :param kept_in: a directory where the answer is kept and looked for; an answer holds as long as the
        interpreter's file and its ``pyvenv.cfg`` have the same size, time and inode.
    :raises LinkError: if the interpreter is missing, cannot be run, or does not answer as a Python should.
    """
    path = executable(os.fsdecode(python))
    if kept_in is None:
        return _ask(path)
    key = [_FORMAT, *identity(path)]
    note = os.path.join(os.fsdecode(kept_in), _name(path))
    known = _read(note, key)
    if known is None:
        known = _ask(path)
        _write(note, key, known)
    return known


def _ask(path: str) -> Interpreter:
    import packaging

    doing = f"ask the interpreter {path!r} for its tags"
    (library,) = packaging.__path__
    command = [path, "-I", "-c", _QUESTION, os.path.dirname(library)]
    try:
        done = subprocess.run(  # noqa: S603 - running it is what was asked for
            command, capture_output=True, check=False, timeout=_SECONDS, stdin=subprocess.DEVNULL
        )
    except OSError as error:
        raise LinkError.from_os_error(error, doing, destination=path) from error
    except subprocess.TimeoutExpired as error:
        raise LinkError(f"cannot {doing}: no answer in {_SECONDS} seconds") from error
    try:
        environment, tags = json.loads(done.stdout)
        return Interpreter(environment, tuple(tags))
    except ValueError as error:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = said[-1] if said else f"it answered {done.stdout[:80]!r}"
        raise LinkError(
            f"cannot {doing}: {reason}; give the path of a Python 3.8 or newer"
        ) from error


def _name(path: str) -> str:
    import hashlib

    return hashlib.sha256(os.fsencode(path)).hexdigest()[:32] + ".json"


def _read(note: str, key: list[object]) -> Interpreter | None:
    try:
        with open(note, encoding="utf-8") as file:
            before, environment, tags = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log("cannot read what is known of an interpreter: %s", error)
        return None
    return Interpreter(environment, tuple(tags)) if before == key else None


def _write(note: str, key: list[object], known: Interpreter) -> None:
    """Keep an answer; where that is refused, the interpreter is asked again the next time."""
    new = f"{note}.{os.urandom(8).hex()}"
    try:
        os.makedirs(os.path.dirname(note), exist_ok=True)
        with open(new, "x", encoding="utf-8") as file:
            json.dump([key, known.environment, known.tags], file)
        os.replace(new, note)
    except OSError as error:
        log("cannot keep what is known of an interpreter: %s", error)
        _remove(new)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        log("cannot remove %s: %s", path, error)
