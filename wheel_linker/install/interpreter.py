"""What an interpreter is, for choosing wheels and requirements: its markers and its tags."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker.install.asking import SAY, base_of, executable, kept_answer, no_python

if TYPE_CHECKING:
    from collections.abc import Mapping

# The interpreter need not have the package packaging: it gets this process's own, after everything it has itself.
# Tools that vendor this library rewrite lines that begin with `from packaging`; there it has to keep its name.
_QUESTION: Final = """
import json, sys
from importlib import import_module
sys.path.append(sys.argv[1])
markers, tags = (import_module("packaging." + name) for name in ("markers", "tags"))
answer = [json.dumps([markers.default_environment(), [str(tag) for tag in tags.sys_tags()]])]
"""
_WHAT: Final = "tags"


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
    :param kept_in: a directory where the answer is kept and looked for, one for an interpreter and all virtual
        environments of it; an answer holds as long as the interpreter's file has the same device, inode, size and time.
    :raises LinkError: if the interpreter is missing, cannot be run, or does not answer as a Python should.
    """
    import packaging

    (library,) = packaging.__path__
    directory = None if kept_in is None else os.fsdecode(kept_in)
    path = executable(os.fsdecode(python))
    # Environments have the markers and tags of their base interpreter, which is asked once for all of them.
    path = (None if directory is None else base_of(path)) or path
    question = [os.path.dirname(library)]
    import json

    said = kept_answer(path, _QUESTION + SAY, question, _WHAT, directory)
    try:
        environment, tags = json.loads("".join(said))
        return Interpreter(dict(environment), tuple(tags))
    except (ValueError, TypeError) as error:
        raise no_python(path, _WHAT, f"it answered {said!r}") from error
