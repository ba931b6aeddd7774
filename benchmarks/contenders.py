"""Everybody who puts the same wheels into a directory."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import commands
from benchmarks.children.job import Answer, Job
from benchmarks.corpus import Wheel, target_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.filesystems import Place

MODES = ("hardlink", "clone", "symlink", "copy")
UNPACK = "unpack"
"""Not a link mode: the contender reads wheel files instead of unpacked wheels."""
PIP = "pip --no-compile"
PIP_COMPILING = ("install", "--no-index", "--no-deps")
PIP_INSTALL = (*PIP_COMPILING, "--no-compile")


class UnavailableError(RuntimeError):
    """A contender cannot take part; the message says why."""


@dataclass(frozen=True)
class Sample:
    """Seconds that count, and seconds of the whole process."""

    seconds: float
    process: float


@dataclass(frozen=True)
class Contender:
    """One way to fill a directory.

    `exact` if it leaves the very files of the wheels, `counted` if it leaves files there at all, and how many if not
    those of the whole corpus.
    """

    name: str
    mode: str
    threads: int | None
    run: Callable[[Path], Sample]
    slow: bool = False
    exact: bool = True
    counted: bool = True
    files: int | None = None

    @property
    def title(self) -> str:
        """Name, mode and threads for progress lines."""
        return " ".join(str(part) for part in (self.name, self.mode, self.threads) if part)


@dataclass(frozen=True)
class Context:
    """What contenders need to know: where, which wheels, how many threads, built tools."""

    place: Place
    wheels: list[Wheel]
    threads: tuple[int, ...]
    tools: Path
    large: Path | None = None
    """The file of one large wheel, which is not among the others."""

    @property
    def roots(self) -> list[Path]:
        """The unpacked wheels."""
        return [wheel.root for wheel in self.wheels]

    @property
    def uv_cache(self) -> Path:
        """Uv's, on the same file system."""
        return self.place.root / "uv-cache"

    def modes(self) -> Iterator[str]:
        """The link modes that this place supports."""
        return (mode for mode in MODES if mode != "clone" or self.place.clones)


def ours(contender: str) -> bool:
    """Whether that is this library, in one way or another."""
    return "wheel_linker" in contender


def ask_child(
    module: str, job: Job, cwd: Path, *, watch: Callable[[int], None] | None = None
) -> tuple[float, Answer]:
    """Run one of the child programs; seconds of its process, and its answer."""
    command = [sys.executable, "-m", f"benchmarks.children.{module}"]
    environment = commands.child_environment()
    seconds, output = commands.timed(
        command, text=job.dump(), cwd=cwd, environment=environment, watch=watch
    )
    return seconds, Answer.parse(output)


def child_sample(module: str, job: Job, cwd: Path) -> Sample:
    """The sample of a child program."""
    process, answer = ask_child(module, job, cwd)
    return Sample(answer.seconds, process)


def process_sample(command: Sequence[str | Path], **environment: str) -> Sample:
    """The sample of a program that is timed from the outside."""
    seconds, _ = commands.timed(command, environment=commands.child_environment(**environment))
    return Sample(seconds, seconds)


def wheel_names(wheels: list[Wheel]) -> list[tuple[str, str]]:
    """Root and file name of each wheel, as jobs want them."""
    return [(str(wheel.root), wheel.file.name) for wheel in wheels]


def wheel_linker(context: Context) -> Iterator[Contender]:
    """`link_wheels` in each mode and thread count, in a fresh process."""
    if importlib.util.find_spec("wheel_linker") is None:
        raise UnavailableError("wheel_linker cannot be imported")

    def contender(mode: str, threads: int) -> Contender:
        def run(destination: Path) -> Sample:
            job = Job(str(destination), wheel_names(context.wheels), mode, threads)
            return child_sample("link", job, context.place.root)

        return Contender("wheel_linker", mode, threads, run)

    yield from (contender(mode, n) for mode in context.modes() for n in context.threads)


def compiled(tools: Path) -> Path:
    """The C program, built anew."""
    compiler = shutil.which("cc")
    if not compiler:
        raise UnavailableError("there is no C compiler")
    program, source = tools / "least", Path(__file__).with_name("least.c")
    commands.run([compiler, "-O2", "-pthread", "-o", program, source])
    return program


def least(context: Context) -> Iterator[Contender]:
    """The C program that does the least possible."""
    program = compiled(context.tools)

    def contender(mode: str, threads: int) -> Contender:
        def run(destination: Path) -> Sample:
            return process_sample([program, mode, str(threads), destination, *context.roots])

        return Contender("C program", mode, threads, run)

    yield from (contender(mode, n) for mode in context.modes() for n in context.threads)


def cp(context: Context) -> Iterator[Contender]:
    """`cp`, hard-linking and cloning."""
    ways = {"cp -al": ("hardlink", ["-al"])}
    if context.place.clones:
        ways["cp -r --reflink=always"] = ("clone", ["-r", "--reflink=always"])
    # A `Path` would drop the dot, which makes the directory itself not part of the copy.
    sources = [f"{root}/." for root in context.roots]

    def contender(name: str, mode: str, options: list[str]) -> Contender:
        def run(destination: Path) -> Sample:
            return process_sample(["cp", *options, "-t", str(destination), *sources])

        return Contender(name, mode, None, run)

    yield from (contender(name, *way) for name, way in ways.items())


def copytree(context: Context) -> Iterator[Contender]:
    """`shutil.copytree`, in a fresh process."""

    def run(destination: Path) -> Sample:
        job = Job(str(destination), wheel_names(context.wheels))
        return child_sample("copytree", job, context.place.root)

    yield Contender("shutil.copytree", "copy", None, run, slow=True)


def uv_command(
    mode: str, cache: Path, *where: str | Path, verb: str = "install"
) -> list[str | Path]:
    """One install, or `sync`, from a local cache; the requirements follow."""
    beside = Path(sys.executable).parent
    program = shutil.which("uv", path=str(beside)) or shutil.which("uv")
    if not program:
        raise UnavailableError("uv is not installed")
    command = [program, "pip", verb, "--quiet", "--no-config", "--offline"]
    alone = ["--no-deps"] if verb == "install" else []
    return [*command, *alone, "--link-mode", mode, "--cache-dir", cache, *where]


def into_directory(destination: Path) -> list[str | Path]:
    """Where uv installs to.

    The platform is spelt out, so that the wheels fit whatever interpreter runs this.
    """
    fitting = ["--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28"]
    return ["--python", sys.executable, *fitting, "--target", destination]


def uv_requirements(context: Context, wheels: list[Wheel] | None = None) -> list[str | Path]:
    """What uv installs: a list of wheel files, all of them unless some are given."""
    return ["-r", uv_listing(context, [wheel.file for wheel in wheels or context.wheels])]


def uv_listing(context: Context, files: Sequence[Path]) -> Path:
    """A file that lists wheel files, named after the first and how many they are."""
    listing = context.place.root / f"uv-{len(files)}-{files[0].stem}.txt"
    listing.write_text("".join(f"{file}\n" for file in files))
    return listing


def uv(context: Context) -> Iterator[Contender]:
    """`uv pip install` from a cache on the same file system."""
    cache, wheels = context.uv_cache, uv_requirements(context)
    uv_command("copy", cache)

    def contender(mode: str) -> Contender:
        def run(destination: Path) -> Sample:
            return process_sample([*uv_command(mode, cache, *into_directory(destination)), *wheels])

        return Contender("uv", mode, None, run, exact=False)

    yield from (contender(mode) for mode in context.modes())


def installer(context: Context) -> Iterator[Contender]:
    """The library `installer`, from the wheel files, in a fresh process."""
    if importlib.util.find_spec("installer") is None:
        raise UnavailableError("installer is not installed")

    def run(destination: Path) -> Sample:
        job = Job(str(destination), [(str(wheel.file), "") for wheel in context.wheels])
        return child_sample("with_installer", job, context.place.root)

    yield Contender("installer", UNPACK, None, run, slow=True, exact=False)


def pip_sample(context: Context, *options: str | Path) -> Sample:
    """One `pip` of the wheel files."""
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--quiet"]
    files = [wheel.file for wheel in context.wheels]
    # Pip unpacks to a temporary directory first: elsewhere, it would copy everything over.
    temporary = context.place.directory("tmp")
    return process_sample([*pip, *options, *files], TMPDIR=str(temporary))


def pip(context: Context) -> Iterator[Contender]:
    """`pip install --no-compile` from the wheel files."""
    check_pip()

    def run(destination: Path) -> Sample:
        return pip_sample(context, *PIP_INSTALL, *target_options(), "--target", destination)

    yield Contender(PIP, UNPACK, None, run, slow=True, exact=False)


def check_pip() -> None:
    """Raise `UnavailableError` when pip is not there."""
    if importlib.util.find_spec("pip") is None:
        raise UnavailableError("pip is not installed")


Family = Callable[[Context], Iterator[Contender]]

FAMILIES: dict[str, Family] = {
    "link": wheel_linker,
    "least": least,
    "cp": cp,
    "copytree": copytree,
    "uv": uv,
    "installer": installer,
    "pip": pip,
}


def gather(
    context: Context, families: Mapping[str, Family]
) -> tuple[list[Contender], dict[str, str]]:
    """Who takes part, and who does not and why."""
    ready: list[Contender] = []
    skipped: dict[str, str] = {}
    for name, family in families.items():
        try:
            ready += family(context)
        except UnavailableError as error:
            skipped[name] = str(error)
    return ready, skipped
