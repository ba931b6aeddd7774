"""Write what was measured of the tests into ``development/tested.md``; ``nox -s coverage mutation`` calls it.

``python docs/generate_tested.py coverage REPORT`` takes the report of ``coverage json``;
``python docs/generate_tested.py mutation DIRECTORY`` what ``mutmut run`` has left in its directory;
with ``--merge`` behind it, the page keeps what it says of modules that were not measured this time.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

PAGE: Final = Path(__file__).parent / "development" / "tested.md"
SURVIVORS: Final = Path(__file__).with_name("survivors.json")

# How mutmut writes the end of a run of pytest with one change.
_KILLED: Final = frozenset({1, 3})
_SURVIVED: Final = 0
_NOT_TRIED: Final = None
# A time limit, or the limit of the processor's time.
_ENDLESS: Final = frozenset({24, 36, 152, 255, -24})


def replaced(page: str, part: str, lines: Sequence[str]) -> str:
    """Return the page with the lines between two marks."""
    before, _, after = _parted(page, part)
    if not lines:
        sys.exit(f"nothing was measured that could be written into {PAGE.name}")
    return "\n".join([before, *lines, after])


def _parted(page: str, part: str) -> tuple[str, str, str]:
    """Return the page up to a part, its first mark included, the part, and the page from its last mark on."""
    start, end = f"<!-- {part}:start -->", f"<!-- {part}:end -->"
    before, found, rest = page.partition(start)
    inside, also, after = rest.partition(end)
    if not (found and also):
        sys.exit(f"{PAGE.name} needs the marks {start} and {end}")
    return before + start, inside, end + after


def coverage_table(report: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines and branches that ran, for each part of the package."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    files = report["files"]
    assert isinstance(files, dict)
    for path, measured in files.items():
        inside = path.replace("\\", "/").partition("wheel_linker/")[2]
        part = inside.partition("/")[0] if "/" in inside else "modules of the first level"
        for each in (part, "all"):
            counts[each].update(
                {name: n for name, n in measured["summary"].items() if isinstance(n, int)}
            )
    yield "| part | lines that ran | branches that ran | both |"
    yield "|---|---|---|---|"
    for part in (*sorted(set(counts) - {"all"}), "all"):
        found = counts[part]
        lines = found["covered_lines"], found["num_statements"]
        branches = found["covered_branches"], found["num_branches"]
        both = lines[0] + branches[0], lines[1] + branches[1]
        name = part if " " in part or part == "all" else f"`{part}`"
        yield f"| {name} | {' | '.join(map(_share, (lines, branches, both)))} |"
    yield ""
    yield f"Measured with {_interpreter()}."


def _share(counts: tuple[int, int]) -> str:
    part, whole = counts
    return f"{part:,} of {whole:,}, {100 * part / whole:.1f} %" if whole else "none"


def mutation_table(
    results: Mapping[str, Mapping[str, int]], why: Mapping[str, str], before: str = ""
) -> Iterator[str]:
    """Yield how many changes were noticed in each module, and why the others could not be.

    :param results: for each module, the changes' names and what became of the tests.
    :param why: the reason for each that survived, by its name.
    :param before: what the page says now, of which everything about other modules is kept.
    """
    counts, reasons = _said_of_others(before, results)
    for module, ends in results.items():
        found = Counter(_what(end) for end in ends.values())
        counts[module] = (len(ends), found["killed"], found["survived"])
    for reason, names in _by_reason(why).items():
        reasons[reason] |= names
    total = [sum(each) for each in zip(*counts.values())]
    yield "| module | changes | noticed | explained |"
    yield "|---|---|---|---|"
    for module, of_module in sorted(counts.items()):
        yield f"| `{module}` | {' | '.join(map(str, of_module))} |"
    yield f"| all | {' | '.join(map(str, total))} |"
    yield ""
    score = 100 * total[1] / total[0]
    yield f"Score: {score:.1f} % noticed, with {_interpreter()}. The others, and why no test notices them:"
    yield ""
    for reason, names in sorted(reasons.items()):
        yield f"- {reason}: {', '.join(f'`{name}`' for name in sorted(names))}."


def _said_of_others(
    before: str, measured: Collection[str]
) -> tuple[dict[str, tuple[int, ...]], defaultdict[str, set[str]]]:
    """Return the counts and the reasons that the page has for modules that were not measured this time."""
    if before and f" noticed, with {_interpreter()}. " not in before:
        sys.exit(f"{PAGE.name} has been measured with another interpreter: measure all modules")
    counts = {
        module: tuple(map(int, numbers.split(" | ")))
        for module, numbers in re.findall(r"^\| `(.+?)` \| ([\d |]+) \|$", before, re.MULTILINE)
        if module not in measured
    }
    inside = tuple(f"{module.replace('/', '.')}." for module in counts)
    reasons = defaultdict[str, set[str]](set)
    for reason, found in re.findall(r"^- (.+): (`[\w.]+`(?:, `[\w.]+`)*)\.$", before, re.MULTILINE):
        names = {name.strip("`") for name in found.split(", ")}
        if kept := {name for name in names if name.startswith(inside)}:
            reasons[reason] = kept
    return counts, reasons


def _what(end: int) -> str:
    if end in _KILLED or end in _ENDLESS:
        return "killed"
    if end == _SURVIVED:
        return "survived"
    sys.exit(
        f"no test reaches a change, or it was not tried to its end: mutmut says {end}, see `mutmut results`"
    )


def _by_reason(why: Mapping[str, str]) -> dict[str, set[str]]:
    reasons: defaultdict[str, set[str]] = defaultdict(set)
    for name, reason in why.items():
        module, _, mangled = name.rpartition(".")
        function = mangled.rpartition("__mutmut_")[0].removeprefix("x_").removeprefix("xǁ")
        reasons[reason].add(f"{module.removeprefix('wheel_linker.')}.{function.replace('ǁ', '.')}")
    return reasons


def _interpreter() -> str:
    return f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}"


def explained(name: str, change: str, known: Sequence[Mapping[str, str]]) -> str | None:
    """Return why a change survives; None if nobody has said so.

    :param change: what mutmut shows of it.
    :param known: the content of ``survivors.json``.
    """
    added = [
        line[1:].strip() for line in change.splitlines() if line[:1] == "+" and line[:2] != "++"
    ]
    for each in known:
        if any(each["becomes"] in line for line in added):
            return each["why"]
    print(f"{name} survived, and {SURVIVORS.name} does not say why:", *added, sep="\n  ")
    return None


def _results(directory: Path) -> dict[str, dict[str, int]]:
    results = {}
    for path in sorted(directory.rglob("*.py.meta")):
        ends = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        if any(end is not _NOT_TRIED for end in ends.values()):
            results[
                path.relative_to(directory / "wheel_linker").as_posix().removesuffix(".py.meta")
            ] = ends
    return results


def _shown(name: str) -> str:
    command = ["mutmut", "show", name]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main(kind: str, source: Path, *, merge: bool = False) -> None:
    """Replace one table in the page.

    :param merge: whether to keep what is said of modules in which nothing was changed this time.
    """
    page = PAGE.read_text(encoding="utf-8")
    if kind == "coverage":
        lines = list(coverage_table(json.loads(source.read_text(encoding="utf-8"))))
    else:
        results = _results(source)
        known = json.loads(SURVIVORS.read_text(encoding="utf-8"))
        survived = [
            name for ends in results.values() for name, end in ends.items() if end == _SURVIVED
        ]
        found = {name: explained(name, _shown(name), known) for name in survived}
        why = {name: reason for name, reason in found.items() if reason is not None}
        if len(why) < len(found):
            sys.exit(
                f"{len(found) - len(why)} changes were not noticed: write a test, or say why there can be none"
            )
        before = _parted(page, kind)[1] if merge else ""
        lines = list(mutation_table(results, why, before))
    PAGE.write_text(replaced(page, kind, lines), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), merge="--merge" in sys.argv[3:])
