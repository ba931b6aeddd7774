"""What is tried in a system: the README's commands in a fresh one, the tests on an interpreter in a full one."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Final, NamedTuple

from left_out import FILE_SYSTEM_TOOLS

from systems import lent, outcome
from systems.debian import System, made
from systems.outcome import Row
from systems.room import TREE, Left, Room

_MINUTE: Final = 60.0
_MOST_KEPT: Final = 200_000_000
"""Bytes that the README's commands may leave outside of the checkout."""
_REPORT: Final = ".nox/report.xml"
_COMPILER: Final = ("gcc", "libc6-dev")
# Where a package of the tests has no wheel for an architecture, pip builds it.
_HEADERS: Final = ("python3-dev",)
_SID_PYTHONS: Final = ("pypy3-venv", "python3.13-venv", "python3.15-venv")
# Neither the proof nor what real tools make of an environment.
_SUITE: Final = "--ignore=tests/proof --ignore=tests/real_tools"
# All of the proof but its threads.
_THREADS_ONLY: Final = "'--ignore-glob=*/proof/test_[!t]*'"
_BUILDING: Final = (
    *("libbz2-dev", "libffi-dev", "liblzma-dev", "libssl-dev"),
    *("make", "pkgconf", "xz-utils", "zlib1g-dev"),
)
FREE_THREADED: Final = "3.13t"
# Debian has no package of it; its source is in the suite that still has that Python.
_BUILD: Final = """
sed 's/^deb /deb-src /' /etc/apt/sources.list > /etc/apt/sources.list.d/sources.list
apt-get update -qq
mkdir /usr/src/build
cd /usr/src/build
apt-get source -qq --tar-only python3.13
tar --extract --strip-components=1 --file python3.13_*.orig.tar.xz
./configure -q --disable-gil --disable-test-modules --with-ensurepip=no
make -s -j2
make -s altinstall
cd /
rm -r /usr/src/build
"""


class Spec(NamedTuple):
    """What is to be tried: ``trixie/user`` the README's commands, ``sid/root/3.15`` the tests on an interpreter."""

    suite: str
    user: str
    interpreter: str = ""
    architecture: str = ""

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read ``SUITE[-ARCHITECTURE]/USER[/INTERPRETER]``.

        :raises ValueError: if it is something else.
        """
        match = re.fullmatch(r"([a-z]+)(?:-(\w+))?/(root|user)(?:/([\w.]+))?", text)
        if match is None:
            raise ValueError(f"{text!r} is not SUITE[-ARCHITECTURE]/USER[/INTERPRETER]")
        suite, architecture, user, interpreter = match.groups(default="")
        return cls(suite, user, interpreter, architecture)

    @property
    def name(self) -> str:
        """What it was parsed from, as the name of a file."""
        return "-".join(
            part for part in (self.suite, self.architecture, self.user, self.interpreter) if part
        )

    def system(self) -> System:
        """Return the system that it takes: a fresh one, or one with everything."""
        if not self.interpreter:
            return System(self.suite, self.architecture)
        more: tuple[str, ...] = (*FILE_SYSTEM_TOOLS, *_COMPILER)
        if self.interpreter == FREE_THREADED:
            more += _BUILDING
            return System(self.suite, self.architecture, more, FREE_THREADED, _BUILD)
        if self.architecture:
            more += _HEADERS
        elif self.suite == "sid":
            more += _SID_PYTHONS
        return System(self.suite, self.architecture, more, "full")


class Tried(NamedTuple):
    """What came of it."""

    line: str
    troubles: tuple[str, ...]
    row: Row | None


def attempt(spec: Spec, logs: Path) -> Tried:
    """Try one thing; what it prints goes to a file in ``logs``."""
    lent_one = None
    if spec.interpreter in lent.VERSIONS:
        lent_one = lent.prefix_of(spec.interpreter)
        if lent_one is None:
            line = f"{spec.name}: skipped: neither Debian nor this machine has that interpreter"
            return Tried(line, (), None)
    root = made(spec.system())
    log = logs / f"{spec.name}.log"
    with Room(root, spec.user, spec.architecture, lent_one) as room:
        return _suite(spec, room, log) if spec.interpreter else _readme(spec, room, log)


def readme_commands() -> list[str]:
    """Return the README's first two commands, as a person would paste them."""
    text = (TREE / "README.md").read_text(encoding="utf-8")
    return [
        block.strip()
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[:2]
    ]


def _readme(spec: Spec, room: Room, log: Path) -> Tried:
    troubles, seconds = [], []
    for command in readme_commands():
        begin = time.monotonic()
        status, left = room.run(
            command, log, PYTEST_ADDOPTS=f"--junitxml={room.checkout}/{_REPORT}"
        )
        seconds.append(time.monotonic() - begin)
        troubles += _troubles(command, status, left)
    kept = room.kept()
    if kept > _MOST_KEPT:
        most = ", ".join(room.largest())
        troubles.append(f"{kept / 1e6:.0f} MB stay outside of the checkout: {most}")
    took = " and ".join(f"{each / _MINUTE:.1f}" for each in seconds)
    more = f"{took} minutes, {kept / 1e6:.0f} MB outside of the checkout"
    return _tried(spec, room, more, troubles)


def _suite(spec: Spec, room: Room, log: Path) -> Tried:
    begin = time.monotonic()
    session = f"tests-all-{spec.interpreter}"
    left_out = _THREADS_ONLY if spec.interpreter == FREE_THREADED else _SUITE
    command = (
        "python3 -m venv .venv && .venv/bin/pip install -q nox uv && "
        f".venv/bin/nox -s {session} -- {left_out} --junitxml={room.checkout}/{_REPORT}"
    )
    status, left = room.run(command, log)
    minutes = (time.monotonic() - begin) / _MINUTE
    return _tried(spec, room, f"{minutes:.1f} minutes", _troubles(session, status, left))


def _tried(spec: Spec, room: Room, more: str, troubles: list[str]) -> Tried:
    report = room.checkout_outside / _REPORT
    if not report.exists():
        troubles.append("the tests did not come to an end")
        return Tried(f"{spec.name}: no report; {more}", tuple(troubles), None)
    found = outcome.read(report)
    interpreter = _interpreter(room, spec)
    line = f"{spec.name}, {interpreter}: {found.line()}; {more}"
    troubles += [f"failed: {name}" for name in found.failed]
    architecture = f" ({spec.architecture})" if spec.architecture else ""
    row = Row.of(found, f"Debian {spec.suite}{architecture}", interpreter, spec.user)
    return Tried(line, tuple(troubles), row)


def _troubles(command: str, status: int, left: Left) -> list[str]:
    found = [f"exit status {status} of: {command}"] if status else []
    found += [f"still mounted: {point}" for point in left.mounts]
    return found + [f"still running: {process}" for process in left.processes]


def _interpreter(room: Room, spec: Spec) -> str:
    """Ask the interpreter of the tests what it is."""
    name = f"tests-all-{spec.interpreter.replace('.', '-')}" if spec.interpreter else "tests"
    ask = (
        "import platform, sys, sysconfig; "
        "threaded = 't' if sysconfig.get_config_var('Py_GIL_DISABLED') else ''; "
        "version = '%d.%d.%d' % (getattr(sys, 'pypy_version_info', None) or sys.version_info)[:3]; "
        "print(platform.python_implementation(), version + threaded, "
        "'of Python %d.%d' % sys.version_info[:2] if hasattr(sys, 'pypy_version_info') else '')"
    )
    answer = room.checkout_outside / ".nox" / "interpreter.txt"
    room.run(f'.nox/{name}/bin/python -c "{ask}" > .nox/interpreter.txt', Path("/dev/null"))
    return answer.read_text(encoding="utf-8").strip()


def tail(log: Path) -> str:
    """Return the end of what was printed."""
    done = subprocess.run(["tail", "--lines=60", log], check=False, capture_output=True, text=True)
    return done.stdout
