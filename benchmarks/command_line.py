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

from benchmarks import corpus, machine, plots, report, scaling, summary, synthetic
from benchmarks.commands import PROJECT, CommandError
from benchmarks.contenders import FAMILIES, MODES, UNPACK, Context, gather
from benchmarks.corpus import CorpusError, Wheel
from benchmarks.filesystems import (
    MAKERS,
    Place,
    PlaceError,
    directory_place,
    image_place,
    wheels_on,
)
from benchmarks.measure import Plan, WrongResultError, measure
from benchmarks.results import PlaceResult, Results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

DESCRIPTION = "Measure wheel_linker beside others who put the same wheels into a directory."
DISK = "disk"
PLACES = (*MAKERS, DISK)
ALL_MODES = (*MODES, UNPACK)
SCALING, IMPORT = "scaling", "import"
PARTS = (*FAMILIES, SCALING, IMPORT)


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
    for name, allowed in (("only", PARTS), ("places", PLACES), ("modes", ALL_MODES)):
        choose.add_argument(
            f"--{name}", type=words_among(allowed), metavar="LIST", help=f"of {', '.join(allowed)}"
        )
    choose.add_argument("--threads", type=number_list, default=[1, 2], metavar="LIST")
    choose.add_argument("--rounds", type=int, help="rounds of each contender; 5")
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
    parser.add_argument("--render", type=Path, metavar="JSON", help="write an old run's page anew")
    options = parser.parse_args(arguments)
    fill_in(options)
    return options


def fill_in(options: argparse.Namespace) -> None:
    """Defaults that depend on other options."""
    whole = not (options.quick or options.only or options.places or options.modes)
    if whole or options.render:
        options.output = options.output or PROJECT / "docs"
    options.only = options.only or list(PARTS)
    options.places = options.places or ([DISK] if options.quick else list(PLACES))
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


def measure_place(
    place: Place, wheels: list[Wheel], options: argparse.Namespace, files: int
) -> PlaceResult:
    """All contenders in one place."""
    tell(f"{place.name}: {place.filesystem}, {'' if place.clones else 'no '}clones")
    local = wheels_on(place, wheels)
    corpus.warm(local)
    tools = place.directory("tools")
    context = Context(place, local, tuple(options.threads), tools)
    families = [name for name in options.only if name in FAMILIES]
    contenders, skipped = gather(context, families, options.modes)
    plan = Plan(options.rounds, options.slow_rounds, files)
    rows = measure(contenders, place, plan, tell)
    return PlaceResult(place.name, place.filesystem, rows, skipped)


def measure_extras(results: Results, place: Place, options: argparse.Namespace) -> None:
    """Scaling on the first place that clones, else on the last; import time once."""
    if SCALING in options.only and (results.scaling is None):
        threads = max(options.threads)
        rounds = options.slow_rounds
        results.scaling = scaling.measure_scaling(place, options.sizes, threads, rounds, tell)
    if IMPORT in options.only and results.import_time is None:
        rounds = 5 if options.quick else 20
        results.import_time = scaling.measure_import(rounds, place.root)


def measure_all(wheels: list[Wheel], options: argparse.Namespace) -> Results:
    """Every part that was asked for, place by place."""
    size = corpus.size_of(wheels)
    tell(f"{size.wheels} wheels, {size.files:,} files, {size.bytes / 1e6:,.0f} MB")
    results = Results(machine.facts(), vars(size), options.rounds)
    for name in options.places:
        with place_named(name, options) as place:
            if set(options.only) & set(FAMILIES):
                results.places.append(measure_place(place, wheels, options, size.files))
            if place.clones or name == options.places[-1]:
                measure_extras(results, place, options)
    return results


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
    """The wheels to link."""
    if options.quick:
        return synthetic.prepare(options.cache / "synthetic")
    return corpus.prepare(options.cache)


def publish(results: Results, output: Path | None) -> None:
    """Print the page, and write it if it has somewhere to go."""
    print(report.markdown(results))
    if output:
        report.write(results, output)
        plots.write(results, output)
        if output == PROJECT / "docs":
            summary.fill(PROJECT / "README.md", summary.summary(results))


def stop(signal_number: int, _frame: FrameType | None) -> None:
    """Leave as on Ctrl-C, so that images are unmounted."""
    raise KeyboardInterrupt(f"signal {signal_number}")


def main(arguments: list[str] | None = None) -> int:
    """Measure what was asked for and publish it."""
    options = parse_arguments(arguments)
    if options.render:
        publish(Results.load(options.render), options.output)
        return 0
    signal.signal(signal.SIGTERM, stop)
    try:
        with cache_directory(options):
            publish(measure_all(prepare(options), options), options.output)
    except (CommandError, CorpusError, PlaceError, WrongResultError) as error:
        tell(f"benchmarks: {error}")
        return 1
    except KeyboardInterrupt:
        tell("benchmarks: interrupted")
        return 130
    return 0
