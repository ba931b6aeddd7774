"""Asking an interpreter something, in one subprocess, and keeping the answer."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from wheel_linker._log import log
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECONDS: Final = 60
_KEPT: Final = os.path.join(".store", "interpreters")


def kept_in(store: str) -> str | None:
    """Return where the answers of interpreters are kept in a store; None if there is no such store yet."""
    directory = os.path.join(store, _KEPT)
    return directory if os.path.isdir(os.path.dirname(directory)) else None


def executable(python: str) -> str:
    """Return the absolute path of an interpreter.

    :param python: its path, or its name on PATH.
    :raises LinkError: if there is none of that name.
    """
    if os.path.dirname(python):
        return os.path.abspath(python)
    from shutil import which  # with it come all formats of archives

    found = which(python)
    if found is None:
        raise LinkError(f"no interpreter {python!r} on PATH: give its path")
    return os.path.abspath(found)


def identity(path: str) -> tuple[object, ...]:
    """Return what changes when an interpreter, or the environment around it, is made anew."""
    known: list[object] = [path]
    configuration = os.path.join(os.path.dirname(os.path.dirname(path)), "pyvenv.cfg")
    for file in (path, configuration):
        try:
            status = os.stat(file)
        except OSError:
            continue  # if it is the interpreter that is missing, running it says so
        known += [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]
    return tuple(known)


def answer(path: str, question: str, arguments: Sequence[str], what: str) -> Any:
    """Run a program in an interpreter, and return what it prints, which is JSON.

    :param question: the program.
    :param what: what is asked for, in a word or two.
    :raises LinkError: if the interpreter cannot be run, or does not answer as a Python should.
    """
    # Late: mostly the answer is known.
    import subprocess

    doing = f"ask the interpreter {path!r} for its {what}"
    try:
        done = subprocess.run(  # noqa: S603 - running it is what was asked for
            [path, "-I", "-c", question, *arguments],
            capture_output=True,
            check=False,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise LinkError.from_os_error(error, doing, destination=path) from error
    except subprocess.TimeoutExpired as error:
        raise LinkError(f"cannot {doing}: no answer in {_SECONDS} seconds") from error
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = said[-1] if said else f"it answered {done.stdout[:80]!r}"
        raise no_python(path, what, reason) from error


def no_python(path: str, what: str, reason: str) -> LinkError:
    """Return the error for something that does not answer as a Python should."""
    return LinkError(
        f"cannot ask the interpreter {path!r} for its {what}: {reason}; give the path of a Python 3.8 or newer"
    )


def kept_answer(
    path: str, question: str, arguments: Sequence[str], what: str, directory: str | None
) -> Any:
    """Return the answer that is kept in a directory, or ask and keep it there; errors as for :func:`answer`.

    An answer holds as long as the question is the same, and the interpreter's file and its ``pyvenv.cfg`` have
    the same device, inode, size and time. None as the directory keeps nothing.
    """
    if directory is None:
        return answer(path, question, arguments, what)
    key = [question, *arguments, *identity(path)]
    note = os.path.join(directory, _name(path, what))
    known = _read(note, key)
    if known is None:
        known = answer(path, question, arguments, what)
        _write(note, key, known)
    return known


def _name(path: str, what: str) -> str:
    from hashlib import sha256

    return f"{what}-{sha256(os.fsencode(path)).hexdigest()[:32]}.json"


def _read(note: str, key: list[object]) -> Any:
    try:
        with open(note, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log("cannot read what is known of an interpreter: %s", error)
        return None
    return found["answer"] if isinstance(found, dict) and found.get("key") == key else None


def _write(note: str, key: list[object], known: object) -> None:
    """Keep an answer; where that is refused, the interpreter is asked again the next time."""
    new = f"{note}.{os.urandom(8).hex()}"
    try:
        os.makedirs(os.path.dirname(note), exist_ok=True)
        with open(new, "x", encoding="utf-8") as file:
            json.dump({"key": key, "answer": known}, file)
        os.replace(new, note)
    except OSError as error:
        log("cannot keep what is known of an interpreter: %s", error)
        _remove(new)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        log("cannot remove %s: %s", path, error)
