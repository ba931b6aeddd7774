"""The first line of a script: which interpreter starts it."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Final

PLACEHOLDER: Final = b"#!python"
"""What a script of a wheel starts with if the interpreter's path is to be put there."""
# BINPRM_BUF_SIZE of Linux before 5.1, with "#!" and the line end.
_LONGEST: Final = 127
# PEP 263: a declaration counts in the first two lines only.
_ENCODING: Final = rb"[ \t\f]*#.*?coding[:=][ \t]*[-\w.]+"


def with_interpreter(script: bytes, python: str, launcher: str) -> bytes:
    """Return a script that starts with :data:`PLACEHOLDER` with the interpreter's path there instead.

    :param launcher: as :attr:`Layout.launcher` has it.
    """
    _, newline, rest = script.partition(b"\n")
    first = first_line(python, launcher)
    if b"\n" in first and _declares_encoding(rest):
        # Two more lines follow the first one, so that the declaration would come too late for Python.
        declaration, _, rest = rest.partition(b"\n")
        start, _, more = first.partition(b"\n")
        return b"\n".join((start, declaration.rstrip(b"\r"), more, rest))
    return first + newline + rest


def _declares_encoding(lines: bytes) -> bool:
    import re

    return re.match(_ENCODING, lines) is not None


@lru_cache(maxsize=16)
def first_line(python: str, launcher: str) -> bytes:
    """Return what starts an interpreter, also one whose path is too long, or has spaces, for a ``#!`` line."""
    path = os.fsencode(python)
    if launcher != "posix" or (b" " not in path and len(path) + 3 <= _LONGEST):
        return b"#!" + path
    # For sh this is a command, for Python a string that does nothing.
    quoted = b"'" + path.replace(b"'", b"'\"'\"'") + b"'"
    return b"#!/bin/sh\n'''exec' " + quoted + b' "$0" "$@"\n' + b"' '''"
