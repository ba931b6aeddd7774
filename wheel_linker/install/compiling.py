"""Compiling what was installed to bytecode, by the environment's own interpreter."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from wheel_linker._log import log
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheel_linker.install.layout import Layout


def compile_all(files: Iterable[str], layout: Layout, jobs: int) -> None:
    """Compile source files. Those that are none for this interpreter, such as templates, are left as they are.

    :param files: absolute paths.
    :param jobs: how many processes.
    :raises LinkError: if the interpreter cannot be run; what is installed stays, and compiles when it is imported.
    """
    listed = "".join(f"{path}\n" for path in files if path.endswith(".py"))
    if not listed:
        return
    command = [layout.python, "-I", "-m", "compileall", "-q", "-q", "-j", str(jobs), "-i", "-"]
    try:
        done = subprocess.run(  # noqa: S603 - the caller's own interpreter
            command, input=os.fsencode(listed), check=False, capture_output=True
        )
    except OSError as error:
        doing = f"compile what was installed, with {layout.python!r}"
        raise LinkError.from_os_error(error, doing, destination=layout.python) from error
    log("compileall ended with %s: %s", done.returncode, done.stderr)
