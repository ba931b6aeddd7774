"""Options, and the order of events."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import corpus, machine, parts, picture, plots, report, scaling, summary, synthetic
from benchmarks.commands import PROJECT, CommandError
from benchmarks.contenders import MODES, UNPACK
from benchmarks.corpus import CorpusError
from benchmarks.filesystems import MOUNTED, Place, PlaceError, directory_place, image_place
from benchmarks.measure import WrongResultError
from benchmarks.merge import MergeError, check, merged
from benchmarks.results import COLD, Results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from benchmarks.corpus import Wheel

DESCRIPTION = "Measure wheel_linker beside others who put the same wheels into a directory."
DISK = "disk"
PLACES = (*MOUNTED, DISK)
ALL_MODES = (*MODES, UNPACK)


def words_among(allowed: tuple[str, ...]) -> Callable[[str], list[str]]:
    """A type for argparse: words of a list, separated by commas."""

    def parse(text: str) -> list[str]:
        words = [word.strip() for word in text.split(",") if word.strip()]
        if wrong := [word for word in words if word not in allowed]:
            raise argparse.ArgumentTypeError(f"{wrong[0]!r} is none of {', '.join(allowed)}")
        return words

    return parse


def number_list(text: str) -> list[int]:
    """A type for argparse: positive numbers, separated by commas."""
    numbers = [int(word) for word in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("numbers start at 1")
    return numbers


def default_cache() -> Path:
    """Where the corpus is kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "wheel-linker-benchmarks"


def add_choices(parser: argparse.ArgumentParser) -> None:
    """Options that choose parts of the whole."""
    choose = parser.add_argument_group("parts", "lists are separated by commas")
    for name, allowed in (("only", parts.ALL), ("places", PLACES), ("modes", ALL_MODES)):
        choose.add_argument(
            f"--{name}", type=words_among(allowed), metavar="LIST", help=f"of {', '.join(allowed)}"
        )
    choose.add_argument("--threads", type=number_list, default=[1, 2], metavar="LIST")
    choose.add_argument(
        "--rounds", type=int, help="rounds of each contender; 5, and more of what is quick"
    )
    choose.add_argument("--slow-rounds", type=int, help="rounds of the slow ones; 3")
    choose.add_argument("--sizes", type=number_list, metavar="LIST", help="files of scaling runs")
    choose.add_argument("--quick", action="store_true", help="small synthetic corpus, 2 rounds")


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The options, defaults filled in."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=DESCRIPTION)
    add_choices(parser)
    parser.add_argument("--cache", type=Path, help="keeps the wheels, and images while they live")
    parser.add_argument("--disk", type=Path, help="directory for the place 'disk'; in the cache")
    parser.add_argument(
        "--output", type=Path, help="directory to write to; docs if all is measured"
    )
    parser.add_argument(
        "--merge",
        type=Path,
        metavar="JSON",
        help="an old run: publish it with what this one measures in the place of the same part and place",
    )
    parser.add_argument(
        "--render", type=Path, metavar="JSON", help="write an old run's page anew; measure nothing"
    )
    options = parser.parse_args(arguments)
    fill_in(options)
    return options


def fill_in(options: argparse.Namespace) -> None:
    """Defaults that depend on other options."""
    whole = not (options.quick or options.only or options.places or options.modes)
    if whole or options.render:
        options.output = options.output or PROJECT / "docs"
    options.only = options.only or list(parts.ALL)
    if options.quick:
        options.places = options.places or [DISK]
    options.modes = options.modes or list(ALL_MODES)
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.slow_rounds = options.slow_rounds or (1 if options.quick else 3)
    sizes = scaling.QUICK_SIZES if options.quick else scaling.SIZES
    options.sizes = sorted(options.sizes or sizes)


def tell(line: str) -> None:
    """Progress, apart from the report."""
    print(line, file=sys.stderr, flush=True)


def place_named(name: str, options: argparse.Namespace) -> AbstractContextManager[Place]:
    """A place by its name."""
    if name == DISK:
        return directory_place(name, options.disk or options.cache)
    return image_place(name, options.cache / "images")


def measure_all(wheels: list[Wheel], options: argparse.Namespace, older: Results | None) -> Results:
    """Every part that was asked for, place by place; merged into an older run if there is one."""
    size = corpus.size_of(wheels)
    tell(f"{size.wheels} wheels, {size.files:,} files, {size.bytes / 1e6:,.0f} MB")
    results = Results(machine.facts(), vars(size), options.rounds)
    if older:  # before hours are spent
        check(older, results)
    run = parts.Run(options, results, tell)
    places = parts.places_for(options, PLACES)
    for name in places:
        with place_named(name, options) as place:
            run.measure(place, wheels, is_last=name == places[-1])
    return merged(older, results) if older else results


@contextmanager
def cache_directory(options: argparse.Namespace) -> Iterator[None]:
    """The directory given, the usual one, or for smoke tests one that goes away."""
    if options.cache or not options.quick:
        options.cache = (options.cache or default_cache()).absolute()
        yield
        return
    with tempfile.TemporaryDirectory(prefix="wheel-linker-benchmarks-") as directory:
        options.cache = Path(directory)
        yield


def prepare(options: argparse.Namespace) -> list[Wheel]:
    """The wheels to link; where it is asked for, a large one as well."""
    prepared = synthetic.prepare if options.quick else corpus.prepare
    large = synthetic.prepare_large if options.quick else corpus.prepare_large
    options.large = large(options.cache) if COLD in options.only else None
    return prepared(options.cache)


def publish(results: Results, output: Path | None) -> None:
    """Print the page, and write it if it has somewhere to go."""
    print(report.markdown(results))
    if output:
        report.write(results, output)
        plots.write(results, output)
        picture.write(results, output)
        if output.resolve() == PROJECT / "docs":
            summary.fill(PROJECT / "README.md", summary.summary(results))


def render(options: argparse.Namespace) -> int:
    """Publish an old run, merged into a still older one if that is given."""
    results = Results.load(options.render)
    try:
        if options.merge:
            results = merged(Results.load(options.merge), results)
    except MergeError as error:
        tell(f"benchmarks: {error}")
        return 1
    publish(results, options.output)
    return 0


def stop(signal_number: int, _frame: FrameType | None) -> None:
    """Leave as on Ctrl-C, so that images are unmounted."""
    raise KeyboardInterrupt(f"signal {signal_number}")


def main(arguments: list[str] | None = None) -> int:
    """Measure what was asked for and publish it."""
    options = parse_arguments(arguments)
    if options.render:
        return render(options)
    signal.signal(signal.SIGTERM, stop)
    try:
        with cache_directory(options):
            older = Results.load(options.merge) if options.merge else None
            publish(measure_all(prepare(options), options, older), options.output)
    except (CommandError, CorpusError, MergeError, PlaceError, WrongResultError) as error:
        tell(f"benchmarks: {error}")
        return 1
    except KeyboardInterrupt:
        tell("benchmarks: interrupted")
        return 130
    return 0
