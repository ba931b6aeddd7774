"""Asking an interpreter something, in one subprocess; where the answer is kept, and for how long."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.sha256 import sha256
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.paths import possible
from wheel_linker._fs.reading import read_with_status
from wheel_linker._fs.sharing import others_may_write
from wheel_linker._log import log
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.store import WheelStore

_SECONDS: Final = 60
_CONFIGURATION: Final = "pyvenv.cfg"
_KEPT: Final = os.path.join(".store", "interpreters")
# Bytes; tags and markers take ten thousand.
_LONGEST: Final = 1 << 20
# No path, tag or number has it.
_SEPARATOR: Final = "\0"
# Characters that are shown of what a program says that is no Python: it may repeat the whole question.
_MOST_SAID: Final = 80
# Whatever the umask, nobody else may write to what says where files go.
_MODE: Final = 0o644
_START: Final = b"answer\0"
SAY: Final = r"""
sys.stdout.buffer.write("\0".join(["answer"] + answer).encode("utf-8", "surrogatepass"))
"""
"""The end of a question: says ``answer``, a list of texts. JSON would have to be imported each time."""


def kept_in(store: WheelStore | None) -> str | None:
    """Return where the answers of interpreters are kept: in the store.

    :returns: None without a store, for one that has not been made yet, and for one that is not trusted.
    """
    if store is None or not _is_made(store.root) or not store.trusted:
        return None
    return os.path.join(store.root, _KEPT)


def kept_with(wheels: Iterable[UnpackedWheel]) -> str | None:
    """Return where the answers of interpreters are kept: in the store that the first of the wheels is from.

    :param wheels: wheels that are held.
    :returns: None if none of them is from a store that is trusted and kept.
    """
    from wheel_linker.store import StoredWheel

    for wheel in wheels:
        session = wheel.session if isinstance(wheel, StoredWheel) else None
        if session is not None and session.standing.doubt is None:
            return os.path.join(session.layout.root, _KEPT)
    return None


def _is_made(store: str) -> bool:
    """Tell whether there is a store, since asking whether it is trusted would make it."""
    return os.path.isdir(os.path.join(store, os.path.dirname(_KEPT)))


def executable(python: str) -> str:
    """Return the absolute path of an interpreter.

    :param python: its path, or its name on PATH.
    :raises LinkError: if there is none of that name.
    """
    possible(python, "ask an interpreter")
    if os.path.dirname(python):
        return os.path.abspath(python)
    from shutil import which  # it imports all formats of archives

    found = which(python)
    if found is None:
        raise LinkError(f"no interpreter {python!r} on PATH: give its path")
    return os.path.abspath(found)


def identity(path: str) -> tuple[object, ...]:
    """Return what changes when an interpreter, or the environment around it, is made anew."""
    known: list[object] = [path]
    configuration = os.path.join(os.path.dirname(os.path.dirname(path)), _CONFIGURATION)
    for file in (path, configuration):
        try:
            status = os.stat(file)
        except OSError:
            continue  # if it is the interpreter that is missing, running it says so
        known += [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]
    return tuple(known)


def base_of(path: str) -> str | None:
    """Return the interpreter that a virtual environment was made by; None if that is not sure.

    What an environment has in common with all others of that interpreter is asked once, and not in each of them.

    :param path: the absolute path of the environment's interpreter.
    """
    if not os.path.islink(path):  # Windows, or a copy
        return None
    configuration = os.path.join(os.path.dirname(os.path.dirname(path)), _CONFIGURATION)
    try:
        with open(configuration, encoding="utf-8") as file:
            lines = [line.partition("=") for line in file]
    except (OSError, ValueError):
        return None
    homes = [value.strip() for name, _, value in lines if name.strip().lower() == "home"]
    base = os.path.realpath(path)
    is_sure = len(homes) == 1 and os.path.realpath(homes[0]) == os.path.dirname(base)
    return base if is_sure and os.path.exists(base) else None


def answer(path: str, question: str, arguments: Sequence[str], what: str) -> list[str]:
    """Run a program in an interpreter, and return what it says.

    :param question: the program, which imports ``sys`` and ends with :data:`SAY`.
    :param what: what is asked for, in a word or two.
    :raises LinkError: if the interpreter cannot be run, or does not answer as a Python should.
    """
    # This is imported late, because the answer is known in most cases.
    import subprocess

    doing = f"ask the interpreter {path!r} for its {what}"
    # -X utf8: an interpreter with another encoding for paths would tell them in other characters. PYTHONUTF8 does not
    # count with -I, and what is the default depends on the version.
    try:
        done = subprocess.run(  # noqa: S603 - running it is what was asked for
            [path, "-I", "-X", f"utf8={sys.flags.utf8_mode}", "-c", question, *arguments],
            capture_output=True,
            check=False,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise LinkError.from_os_error(error, doing, destination=path) from error
    except subprocess.TimeoutExpired as error:
        raise LinkError(f"cannot {doing}: no answer in {_SECONDS} seconds") from error
    if not done.stdout.startswith(_START):
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = said[-1][:_MOST_SAID] if said else f"it answered {done.stdout[:_MOST_SAID]!r}"
        raise no_python(path, what, reason)
    return _texts_in(done.stdout[len(_START) :])


def _texts_in(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogatepass").split(_SEPARATOR)


def no_python(path: str, what: str, reason: str) -> LinkError:
    """Return the error for something that does not answer as a Python should."""
    return LinkError(
        f"cannot ask the interpreter {path!r} for its {what}: {reason}; give the path of a Python 3.8 or newer"
    )


def kept_answer(
    path: str, question: str, arguments: Sequence[str], what: str, directory: str | None
) -> list[str]:
    """Return the answer that is kept in a directory, or ask and keep it there. The errors are those of :func:`answer`.

    An answer holds as long as the question is the same, and the interpreter's file and its ``pyvenv.cfg`` have
    the same device, inode, size and time. None as the directory keeps nothing.
    """
    if directory is None:
        return answer(path, question, arguments, what)
    key = [question, *arguments, *map(str, identity(path))]
    name = _name(path, what)
    known = _read(directory, name, key)
    if known is None:
        known = answer(path, question, arguments, what)
        _write(directory, name, key, known)
    return known


def _name(path: str, what: str) -> str:
    return f"{what}-{sha256(os.fsencode(path)).hexdigest()[:32]}"


def _read(directory: str, name: str, key: list[str]) -> list[str] | None:
    from wheel_linker.store._entry.seal import unsealed  # a store has loaded it

    try:
        with _folder(directory) as folder:
            data, status = read_with_status(folder.prefix + name, _LONGEST, dir_fd=folder.fd)
        if not _is_ours(status):
            return None
        found = _texts_in(unsealed(data))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log("cannot read what is known of an interpreter: %s", error)
        return None
    start = [str(len(key)), *key]
    return found[len(start) :] if found[: len(start)] == start else None


def _folder(directory: str) -> Folder:
    """Open the directory of answers, never through a symlink that somebody put into its place.

    :raises OSError: if that cannot be done.
    """
    above, name = os.path.split(os.path.abspath(directory))
    with Folder.open(above) as parent:
        return parent.enter(name)


def _is_ours(status: os.stat_result) -> bool:
    """Tell whether nobody but the caller or root can have written an answer: it says where files go."""
    return sys.platform == "win32" or not others_may_write(status)


def _write(directory: str, name: str, key: list[str], known: Sequence[str]) -> None:
    """Keep an answer; where that is refused, the interpreter is asked again the next time."""
    text = _SEPARATOR.join((str(len(key)), *key, *known))
    try:
        _make(directory)
        with _folder(directory) as folder:
            _put(folder, name, text.encode("utf-8", "surrogatepass"))
    except OSError as error:
        log("cannot keep what is known of an interpreter: %s", error)


def _put(folder: Folder, name: str, text: bytes) -> None:
    from wheel_linker.store._entry.seal import sealed
    from wheel_linker.store.control import make_file, remove_file

    new = f"{name}.{os.urandom(8).hex()}"
    try:
        make_file(folder, new, sealed(text), _MODE)
        _settle(folder, new)
        folder.move(new, folder, name)
    except OSError:
        remove_file(folder, new)
        raise


def _make(directory: str) -> None:
    """Make the directory of answers if it is missing.

    :raises OSError: if it cannot be made.
    """
    from wheel_linker.store.control import make_directory

    above, name = os.path.split(os.path.abspath(directory))
    os.makedirs(above, exist_ok=True)
    with Folder.open(above) as parent:
        if make_directory(parent, name):
            _settle(parent, name)


def _settle(folder: Folder, name: str) -> None:
    """Give what was just made the owner of the directory that it is in, and its group if that shares it.

    :raises OSError: if that is refused.
    """
    from wheel_linker.store.trust import settle_one, standing_in

    settle_one(folder, name, standing_in([folder.stat()], None, trusted=True))
