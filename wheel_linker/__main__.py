"""The program: the command line as a process of its own. ``python -m wheel_linker`` is the same."""

from __future__ import annotations

import gc
import sys

TYPE_CHECKING = (
    False  # as in typing, which takes so long to be imported that Ctrl-C may come meanwhile
)
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, NoReturn

# New objects after which garbage is looked for. Programs that go on running do so more often.
_OBJECTS: Final = 50_000
_INTERRUPTED: Final = 130


def main() -> NoReturn:
    """Run the command that the process was started for, and end the process.

    At its exit an interpreter takes everything apart that it has loaded, which takes as long as installing a small
    wheel. Here what was registered to be done at exit is done, and no more.
    """
    is_cpython = sys.implementation.name == "cpython"
    if is_cpython:
        gc.set_threshold(_OBJECTS)
    code = _loaded()()
    if not is_cpython:  # others have other ways
        raise SystemExit(code)
    import atexit
    import os

    atexit._run_exitfuncs()  # noqa: SLF001 - there is no other way to have that done
    for file in (sys.stdout, sys.stderr):
        try:
            if file is not None:
                file.flush()
        except (OSError, ValueError):
            continue  # closed, or its reader has gone: nobody is left to be told
    os._exit(code)


def _loaded() -> Callable[[], int]:
    """Return what runs a command. An interrupt while that is imported ends the process with a line, as any later."""
    try:
        from wheel_linker._cli.main import main as run
    except KeyboardInterrupt:
        if sys.stderr is not None:
            sys.stderr.write("wheel-linker: interrupted: everything is as it was before\n")
        raise SystemExit(_INTERRUPTED) from None
    return run


if __name__ == "__main__":
    main()
