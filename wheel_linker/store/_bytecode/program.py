"""Compiling stored sources, by the interpreter that is to run them: it alone knows what its bytecode is.

A file of bytecode keeps the name of its source only for who runs it alone: an interpreter that imports it puts in the
path of the source that it is imported for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._archive.stored_file import StoredFile
from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.permissions import REFUSED
from wheel_linker._threads import run
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Iterator, Sequence

# An interpreter of whatever version runs this. Its input are groups of four, each ended by a null character: the root
# of the sources and of the bytecode, the entry's number and the path of a source. Its output are groups of four as
# well: the entry's number, the path of the bytecode, its size and its hash. What does not compile has none.
_PROGRAM: Final = r"""
import base64, hashlib, os, py_compile, stat, sys
from importlib.util import cache_from_source
level, stamp, read_only = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1"
refusals = set(map(int, sys.argv[4].split(",")))
def if_allowed(action, *arguments, **keywords):
    try:
        action(*arguments, **keywords)
    except OSError as error:
        if error.errno not in refusals:
            raise
sys.pycache_prefix = None
mode = py_compile.PycInvalidationMode.TIMESTAMP
asked = iter(os.fsdecode(sys.stdin.buffer.read()).split("\0"))
said = sys.stdout.buffer
for sources, made, number, path in zip(asked, asked, asked, asked):
    source = os.path.join(sources, path)
    # A FIFO or a device would never end; whoever links it instead of a source says what is wrong.
    if not stat.S_ISREG(os.lstat(source).st_mode):
        continue
    cached = cache_from_source(path, optimization=level or "")
    target = os.path.join(made, cached)
    try:
        py_compile.compile(
            source, target, doraise=True, optimize=level, invalidation_mode=mode
        )
    except py_compile.PyCompileError:
        continue
    with open(target, "rb") as file:
        data = file.read()
    if_allowed(os.utime, target, ns=(stamp, stamp))
    if read_only:
        if_allowed(os.chmod, target, os.stat(target).st_mode & ~0o222)
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    for text in (number, cached.replace(os.sep, "/"), str(len(data)), "sha256=" + digest):
        said.write(os.fsencode(text) + b"\0")
"""
# Bytes of source that are compiled in about the time that an interpreter takes to start.
_WORTH_A_PROCESS: Final = 50_000


class Source(NamedTuple):
    """A file to be compiled."""

    number: int
    """Which of the entries it is of."""
    sources: str
    """The root of that entry's unpacked wheel."""
    made: str
    """Where its bytecode goes, as if that were this root."""
    path: str
    """The path of the source relative to the root of the unpacked wheel."""
    size: int


def compile_all(
    python: str, sources: Sequence[Source], jobs: int, *, optimize: int, stamp: int, read_only: bool
) -> dict[int, list[StoredFile]]:
    """Compile, in several processes, and return what was made by the number of the entry.

    :param python: the interpreter.
    :param jobs: how many processes.
    :param stamp: the modification time of what is made, in nanoseconds since the epoch.
    :raises LinkError: if the interpreter cannot be run or fails, for want of room on the disk, say.
    """
    numbers = ",".join(map(str, REFUSED))
    told = [str(optimize), str(stamp), str(int(read_only)), numbers]
    arguments = [python, "-I", "-S", "-c", _PROGRAM, *told]
    made: dict[int, list[StoredFile]] = {}
    running: list[subprocess.Popen[bytes]] = []

    def compile_share(share: list[Source]) -> None:
        for number, file in _compiled(arguments, share, running):
            made.setdefault(number, []).append(file)

    def stop() -> None:
        for process in running:
            process.kill()

    run(_shares(sources, jobs), compile_share, jobs, stop=stop)
    return made


def _shares(sources: Sequence[Source], jobs: int) -> list[list[Source]]:
    """Return the sources in shares of about the same size."""
    number = min(jobs, 1 + sum(source.size for source in sources) // _WORTH_A_PROCESS)
    shares: list[list[Source]] = [[] for _ in range(number)]
    sizes = [0] * number
    for source in sorted(sources, key=lambda one: -one.size):
        least = sizes.index(min(sizes))
        shares[least].append(source)
        sizes[least] += source.size
    return [share for share in shares if share]


def _compiled(
    arguments: Sequence[str], share: Iterable[Source], running: list[subprocess.Popen[bytes]]
) -> Iterator[tuple[int, StoredFile]]:
    import subprocess

    asked = "".join(
        f"{one.sources}\0{one.made}\0{one.number}\0{one.path.replace('/', os.sep)}\0"
        for one in share
    )
    doing = f"compile wheels in the store, with {arguments[0]!r}"
    try:
        process = subprocess.Popen(  # noqa: S603 - the environment's own interpreter
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise LinkError.from_os_error(error, doing, destination=arguments[0]) from error
    with process:
        running.append(process)
        try:
            answer, complaint = process.communicate(os.fsencode(asked))
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        lines = complaint.decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1] if lines else f"it ended with {process.returncode}"
        raise LinkError(f"cannot {doing}: {reason}", destination=arguments[0])
    said = iter(os.fsdecode(answer).split("\0"))
    for number, path, size, digest in zip(said, said, said, said):
        yield int(number), StoredFile(path, int(size), False, digest)
