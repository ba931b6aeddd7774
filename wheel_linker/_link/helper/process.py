"""A process that places files for a thread which would else wait for the interpreter's lock.

Every system call of a thread lets go of that lock and takes it again. Where two threads do nothing but make such calls,
a tenth of these find the lock taken, and each time the thread goes to sleep for longer than the call itself took. A
process has a lock of its own. It knows the modes and nothing else: whatever is to be decided, this process decides.
"""

from __future__ import annotations

import marshal
import os
import sys
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

from wheel_linker._link.helper.program import ENOUGH, Answer, interpreter
from wheel_linker._log import PACKAGE, log
from wheel_linker.backends import default_backend
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from typing import IO

    from wheel_linker._fs.stage import Stage
    from wheel_linker._link.helper.program import Order
    from wheel_linker.backends import Backend

_LIBRARY: Final = PACKAGE
# The library's directory, and the one that it was imported from.
_ROOT, _DIRECTORY = os.path.split(
    os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 2))
)
# The packages that a vendored library lies in are empty in a helper process: nothing runs of the program that vendors
# it.
_START: Final = """
import sys
root, library = sys.argv.pop(1), sys.argv.pop(1)
parents = library.split(".")[:-1]
if not parents:
    sys.path.append(root)
for count in range(1, len(parents) + 1):
    module = type(sys)(".".join(parents[:count]))
    module.__path__ = [root]
    sys.modules[module.__name__] = module
__import__(library + "._link.helper.program", fromlist=["main"]).main()
"""
_MILLISECONDS_TO_START: Final = 5_000
_MILLISECONDS_TO_END: Final = 30_000


def may_clone(backend: Backend) -> bool:
    """Tell whether there can be helper processes here that clone as ``backend`` does: a caller's own cannot be sent."""
    return _can_be_had() and type(backend) is type(default_backend())


def _can_be_had() -> bool:
    if sys.platform != "linux" or sys.implementation.name != "cpython":
        return False  # nobody has measured whether it helps
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False  # threads do not wait for each other
    # In an application that embeds Python, or is frozen, sys.executable may be the application. A helper process would
    # not find a library in an archive, or under a name that is not its directory's.
    return (
        not getattr(sys, "frozen", False)
        and os.path.basename(sys.executable or "").startswith("python")
        and os.path.isfile(__file__)
        and _LIBRARY.rpartition(".")[2] == _DIRECTORY
    )


class Helper:
    """A running helper process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()

    def place(self, order: Order) -> Answer:
        """Have files placed; return how far that went.

        :raises LinkError: if the process has died, so that nobody knows how far it went.
        """
        orders, answers = _pipes(self._process)
        try:
            orders.write(order.to_bytes())
            orders.flush()
            return Answer(*marshal.load(answers))  # noqa: S302 - from the process started here
        except (OSError, EOFError) as error:
            raise LinkError(
                f"a helper process that was linking {order.path!r} has ended before it was through, as if killed: "
                "try again, with jobs=1 to do without such processes",
                source=order.path,
            ) from error


def helper_in(stage: Stage) -> AbstractContextManager[Helper | None]:
    """Have a helper process that works in a stage, if there can be one; the stage is in use as long as it lives."""
    if stage.folder.fd is None:
        return nullcontext()  # it works by the descriptor that it inherits
    return started(stage.folder.path, stage.folder.fd, stage.locks())


@contextmanager
def started(path: str, descriptor: int, kept: Sequence[int]) -> Iterator[Helper | None]:
    """Have a helper process, which ends with the context; None if there can be none.

    :param path: the path of the stage.
    :param descriptor: the descriptor of the stage.
    :param kept: other descriptors that the process is to have: a lock that it inherits is held until it ends, too.
    """
    process = _start(path, descriptor, kept)
    if process is None:
        yield None
        return
    try:
        yield Helper(process) if _is_ready(process) else None
    finally:
        _end(process)


def _start(path: str, descriptor: int, kept: Sequence[int]) -> subprocess.Popen[bytes] | None:
    import subprocess

    # The interpreter runs isolated, and without site: it imports nothing of the environment but this library, and looks
    # for that last.
    options = ["-I", "-S", "-X", f"utf8={sys.flags.utf8_mode}"]
    if sys.dont_write_bytecode:
        options.append("-B")
    try:
        return subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, *options, "-c", _START, _ROOT, _LIBRARY, str(descriptor), path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(descriptor, *kept),
            # Ctrl-C is for the parent, who ends this one as well.
            start_new_session=True,
        )
    except OSError as error:
        log("cannot start a helper process: %s", error)
        return None


def _is_ready(process: subprocess.Popen[bytes]) -> bool:
    if sys.platform == "win32":
        return False
    import select

    _, answers = _pipes(process)
    try:
        poll = select.poll()
        poll.register(answers, select.POLLIN)
        if poll.poll(_MILLISECONDS_TO_START):
            answer = marshal.load(answers)  # noqa: S302 - from the process started here
            if answer == interpreter():
                return True
            log("a helper process is not like this one: %s", answer)
    except (OSError, EOFError, ValueError, TypeError) as error:
        log("a helper process has not started: %s", error)
    process.kill()
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    orders, answers = _pipes(process)
    try:
        with orders:
            orders.write(ENOUGH)
    except OSError as error:
        log("a helper process is gone already: %s", error)
    with answers:
        if not _says_or_ends(answers):
            log("a helper process does not end: it is killed")
            process.kill()
    process.wait()


def _says_or_ends(answers: IO[bytes]) -> bool:
    """Wait until a helper process closes its end or still answers; False if it does neither, as one that is stopped."""
    if sys.platform == "win32":
        return True
    import select

    poll = select.poll()
    poll.register(answers, select.POLLIN)
    return bool(poll.poll(_MILLISECONDS_TO_END))


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """Return where orders go to and answers come from."""
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout
