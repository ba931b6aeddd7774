"""Compiling what was installed to bytecode, by the environment's own interpreter."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._log import log
from wheel_linker.errors import refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheel_linker.install.layout import Layout

# The environment's interpreter runs this, of whatever version it is: it alone knows what its bytecode is called.
_PROGRAM: Final = r"""
import compileall, os, sys
from importlib.util import cache_from_source
level = int(sys.argv[1])
for path in os.fsdecode(sys.stdin.buffer.read()).split("\0"):
    if compileall.compile_file(path, quiet=2, optimize=level):
        made = cache_from_source(path, optimization=level or "")
        if os.path.isfile(made):
            sys.stdout.buffer.write(os.fsencode(made) + b"\0")
"""


def compile_all(files: Iterable[str], layout: Layout, optimize: int) -> list[str]:
    """Compile source files. Those that are none for this interpreter, such as templates, are left as they are.

    :param files: absolute paths.
    :param optimize: the level.
    :returns: the absolute paths of the bytecode.
    :raises LinkError: if the interpreter cannot be run; what is installed stays, and compiles when it is imported.
    """
    listed = "\0".join(path for path in files if path.endswith(".py"))
    if not listed:
        return []
    import subprocess

    doing = f"compile what was installed, with {layout.python!r}"
    with refused(doing, destination=layout.python):
        done = subprocess.run(  # noqa: S603 - the caller's own interpreter
            [layout.python, "-I", "-c", _PROGRAM, str(optimize)],
            input=os.fsencode(listed),
            check=False,
            capture_output=True,
        )
    if done.returncode:
        log("compiling ended with %s: %s", done.returncode, done.stderr)
    return [os.fsdecode(path) for path in done.stdout.split(b"\0") if path]
