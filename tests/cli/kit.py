"""Running the command line as a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import wheel_linker

HOME = Path(wheel_linker.__file__).parent.parent
PATH = os.pathsep.join([os.fspath(HOME), *filter(None, [os.environ.get("PYTHONPATH")])])
ENVIRONMENT = {**os.environ, "PYTHONPATH": PATH}
# A machine that has much else to do makes a command last so long that it says how far it is.
PROGRESS = re.compile(
    r"^(?:putting everything back as it was|[\d.,]+ of [\d.,]+ (?:MB unpacked|files linked))\n",
    re.MULTILINE,
)


def without_progress(
    done: subprocess.CompletedProcess[str],
) -> subprocess.CompletedProcess[str]:
    """Return what a command has said, but for how far it was in between."""
    done.stderr = PROGRESS.sub("", done.stderr)
    return done


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m wheel_linker``."""
    done = subprocess.run(
        [sys.executable, "-m", "wheel_linker", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**ENVIRONMENT, "NO_COLOR": "1", **environment},
    )
    return without_progress(done)


def run_without(library: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command where a library is not installed."""
    code = (
        "import sys\n"
        "sys.modules[sys.argv.pop(1)] = None\n"
        "from wheel_linker._cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, library, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    return without_progress(done)


def failed(code: int, *arguments: object) -> str:
    """Run a command that must fail with ``code`` and one clear line; return that line."""
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("wheel-linker: error: ")
    assert "Traceback" not in line
    return line
