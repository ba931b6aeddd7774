"""Tests of what the benchmark makes of its figures: targets, the page, and runs that are merged."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Last: what is tested is the installed package, not the one beside the benchmark.
sys.path.append(str(ROOT))

from benchmarks import commands, report, tools  # noqa: E402
from benchmarks.corpus import Wheel  # noqa: E402
from benchmarks.merge import merged  # noqa: E402
from benchmarks.part import Part  # noqa: E402, TC001
from benchmarks.results import ImportTime, PlaceResult, Results, Row, Stamp  # noqa: E402
from benchmarks.sections import PARTS  # noqa: E402
from benchmarks.targets import all_targets  # noqa: E402

CORPUS = {"wheels": 189, "files": 51890, "directories": 8616, "bytes": 1_105_000_000}


def results(part: str, place: str, *rows: tuple[str, str, int | None, float]) -> Results:
    """A run that measured one part in one place, each row in one round."""
    found = [Row(name, mode, threads, [time], [time]) for name, mode, threads, time in rows]
    stamp = Stamp(part, place, "2026-01-01 00:00 UTC", 1, {"kernel": "one"})
    parts = {part: [PlaceResult(place, place, found)]}
    return Results({"kernel": "one"}, dict(CORPUS), 1, parts, stamps=[stamp])


def verdicts(run: Results) -> dict[str, bool]:
    """Each target, and whether it is met."""
    return {target.what: target.met for target in all_targets(run)}


class TestTargets:
    @pytest.mark.parametrize(("seconds", "met"), [(0.74, True), (0.76, False)])
    def test_of_linking_name_the_yardstick(self, seconds: float, met: bool) -> None:
        run = results(
            "link", "xfs", ("wheel_linker", "hardlink", 2, seconds), ("uv", "hardlink", None, 1.0)
        )
        assert verdicts(run) == {"hardlink, 2 threads, against uv": met}

    def test_of_copies_are_for_one_thread_too(self) -> None:
        run = results(
            "link",
            "xfs",
            ("wheel_linker", "copy", 1, 2.2),
            ("C program", "copy", 1, 2.0),
            ("wheel_linker", "copy", 2, 1.2),
            ("C program", "copy", 2, 1.0),
        )
        assert verdicts(run) == {
            "copy, 2 threads, against C program": False,
            "copy, 1 thread, against C program": True,
        }

    def test_of_large_wheels_are_stricter_on_disks(self) -> None:
        rows = [("wheel_linker", "nine wheels", 2, 0.9), ("uv", "nine wheels", None, 1.0)]
        (memory,), (disk,) = (
            all_targets(results("unpack", place, *rows)) for place in ("tmpfs", "xfs")
        )
        assert (memory.limit, memory.met) == (1.05, True)
        assert (disk.limit, disk.met) == (0.75, False)

    def test_of_a_change_count_what_it_adds(self) -> None:
        run = results(
            "sync",
            "xfs",
            ("wheel_linker", "unchanged", 2, 0.05),
            ("wheel_linker", "one changed", 2, 0.07),
        )
        assert verdicts(run) == {
            "sync of 189 unchanged wheels": True,
            "sync with one changed, beyond that": False,
        }

    def test_of_importing_are_beyond_the_bare_interpreter(self) -> None:
        run = Results({}, dict(CORPUS), 1, import_time=ImportTime([0.010], [0.016]))
        (target,) = all_targets(run)
        assert target.figure == pytest.approx(0.6)
        assert target.met

    def test_without_rival_there_is_none(self) -> None:
        run = results("tools", "xfs", ("wheel_linker sync", "locked", None, 1.0))
        assert all_targets(run) == []


class TestPage:
    def test_says_which_targets_are_missed(self) -> None:
        run = results(
            "command",
            "xfs",
            ("wheel_linker", "install one wheel", None, 0.3),
            ("uv", "install one wheel", None, 0.1),
        )
        text = report.markdown(run)
        assert "0 of 1 are met." in text
        assert "| command line, one wheel, against uv | xfs | 3.00 x | 2.5 x | **no** |" in text

    def test_gives_short_times_in_milliseconds(self) -> None:
        text = report.markdown(results("small", "tmpfs", ("wheel_linker", "1 wheel", 2, 0.0016)))
        assert "| wheels | contender | threads | median ms |" in text
        assert "| 1 wheel | **wheel_linker** | 2 | 1.6 | 1.6 to 1.6 |" in text

    @pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
    def test_shows_the_plot_of_each_part(self, part: Part) -> None:
        assert f"(benchmarks-{part.name}.svg)" in part.introduction
        assert part.introduction.startswith("## ")

    def test_published_one_is_made_of_the_recorded_figures(self) -> None:
        run = Results.load(ROOT / "docs" / "benchmarks.json")
        text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
        assert text == report.markdown(run)
        assert [
            name
            for name in re.findall(r"\((benchmarks-\w+\.svg)\)", text)
            if not (ROOT / "docs" / name).exists()
        ] == []


class TestMerging:
    def test_replaces_the_same_part_in_the_same_place(self) -> None:
        old = results("small", "xfs", ("uv", "1 wheel", None, 1.0))
        old.parts["sync"] = [
            PlaceResult("xfs", "xfs", [Row("uv", "unchanged", None, [3.0], [3.0])])
        ]
        new = results("small", "xfs", ("uv", "1 wheel", None, 2.0))
        both = merged(old, new)
        assert [row.median for row in both.of("small")[0].rows] == [2.0]
        assert [row.median for row in both.of("sync")[0].rows] == [3.0]

    def test_keeps_other_places(self) -> None:
        old = results("small", "xfs", ("uv", "1 wheel", None, 1.0))
        both = merged(old, results("small", "tmpfs", ("uv", "1 wheel", None, 2.0)))
        assert [place.name for place in both.of("small")] == ["xfs", "tmpfs"]
        assert [stamp.place for stamp in both.stamps] == ["xfs", "tmpfs"]

    @pytest.mark.parametrize(("stamped", "kernel"), [(True, "two"), (False, "one")])
    def test_machine_is_the_new_one_if_the_old_is_noted(self, stamped: bool, kernel: str) -> None:
        old = results("small", "xfs", ("uv", "1 wheel", None, 1.0))
        if not stamped:
            old.stamps.clear()
        new = results("sync", "xfs", ("uv", "unchanged", None, 1.0))
        new.machine["kernel"] = "two"
        assert merged(old, new).machine["kernel"] == kernel


class TestReading:
    def test_understands_files_of_before(self, tmp_path: Path) -> None:
        place = {"name": "xfs", "filesystem": "xfs", "rows": [], "skipped": {}}
        data = {"machine": {}, "corpus": CORPUS, "rounds": 5, "scaling": None, "import_time": None}
        path = tmp_path / "old.json"
        path.write_text(json.dumps({**data, "places": [place], "store": [place]}))
        run = Results.load(path)
        assert list(run.parts) == ["link", "store"]
        assert run.unstamped() == ["link on xfs", "store on xfs"]

    def test_gives_back_what_was_saved(self, tmp_path: Path) -> None:
        run = results("tools", "xfs", ("tox", "second environment of tox", None, 1.0))
        run.save(tmp_path / "new.json")
        assert Results.load(tmp_path / "new.json") == run


@pytest.mark.skipif(sys.platform == "win32", reason="there are no process groups")
class TestPrograms:
    def test_what_they_have_started_ends_with_an_interrupt(self, tmp_path: Path) -> None:
        import fcntl

        path = tmp_path / "lock"
        inner = (
            f"import fcntl, time; file = open({os.fspath(path)!r}, 'w'); fcntl.flock(file, fcntl.LOCK_EX); "
            "file.write('held'); file.flush(); time.sleep(60)"
        )
        outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"

        def interrupt(_program: int) -> None:
            if path.exists() and path.read_text() == "held":
                raise KeyboardInterrupt

        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            commands.timed([sys.executable, "-c", outer], watch=interrupt)
        if sys.platform == "win32":
            pytest.skip("is about POSIX systems")
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
        assert time.monotonic() - started < 50


def test_what_is_resolved_lacks_nothing_that_it_requires(tmp_path: Path) -> None:
    """A wheel whose requirement is missing, or there in another version, is left out with all above it."""
    requirements = {
        "top-1.0": ["base>=1", 'more; extra == "other"', "never; python_version < '3'"],
        "base-1.0": [],
        "old-1.0": ["base<1"],
        "above-1.0": ["lacking"],
        "further-1.0": ["above"],
        "with_extra-1.0": ["base[fast]"],
    }
    wheels = []
    for name, requires in requirements.items():
        info = tmp_path / name / f"{name}.dist-info"
        info.mkdir(parents=True)
        lines = [f"Requires-Dist: {one}" for one in requires]
        (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, "", ""]))
        wheels.append(Wheel(tmp_path / f"{name}-py3-none-any.whl", tmp_path / name))
    assert [tools.name_of(wheel) for wheel in tools.closed(wheels)] == ["top", "base"]
