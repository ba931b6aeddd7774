"""The command line, as a user runs it."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from wheels import (
    SAMPLE,
    contents,
    make_wheel,
    names,
    sample_wheel,
    snapshot,
    write_tree,
    zip_wheel,
)

from cli.kit import ENVIRONMENT, failed, run, run_without
from wheel_linker import LinkMode
from wheel_linker._cli import main, output
from wheel_linker._wheel.record_problems import RecordMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from filesystems import FileSystems

    Refused = Callable[[Callable[[zipfile.ZipFile], None]], str]


class TestLink:
    def test_an_unpacked_wheel(self, wheel: Path, tmp_path: Path) -> None:
        done = run("link", wheel, "--into", tmp_path / "new" / "site")
        assert (done.returncode, done.stderr) == (0, "")
        assert contents(tmp_path / "new/site") == contents(wheel)
        (line,) = done.stdout.splitlines()
        assert "demo" in line
        assert str(len(SAMPLE) + 3) in line

    @pytest.mark.parametrize("mode", ["clone", "reflink", "hardlink", "copy", "auto", None])
    def test_an_archive(self, wheel: Path, site: Path, tmp_path: Path, mode: str | None) -> None:
        archive = zip_wheel(wheel, tmp_path)
        before = archive.read_bytes()
        done = run("link", archive, "--into", site, *(["--mode", mode] if mode else []))
        assert done.returncode == 0
        assert contents(site) == contents(wheel)
        assert archive.read_bytes() == before
        if os.name == "posix":
            assert os.access(site / "demo/tool.sh", os.X_OK)
            assert not os.access(site / "single.py", os.X_OK)

    @pytest.mark.skipif(sys.platform != "linux", reason="only there is the place told so")
    def test_an_archive_of_a_user_without_a_cache(
        self, wheel: Path, site: Path, tmp_path: Path
    ) -> None:
        """As in a container without a home: nobody asked for a store."""
        archive = zip_wheel(wheel, tmp_path)
        (tmp_path / "file").write_bytes(b"")
        done = run("link", archive, "--into", site, XDG_CACHE_HOME=f"{tmp_path}/file/cache")
        assert (done.returncode, done.stderr) == (0, "")
        assert contents(site) == contents(wheel)

    def test_symlinks_into_a_temporary_place_are_refused(
        self,
        wheel: Path,
        site: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(
            "wheel_linker.integrations._filling.user_store.default_directory", lambda: None
        )
        archive = str(zip_wheel(wheel, tmp_path))
        assert main.main(["link", archive, "--into", str(site), "--mode", "symlink"]) == 2
        assert "symlink" in capsys.readouterr().err
        assert names(site) == set()

    def test_no_temporary_place_is_left(self, wheel: Path, site: Path, tmp_path: Path) -> None:
        archive = zip_wheel(wheel, tmp_path)
        (tmp_path / "tmp").mkdir()
        for arguments in (
            ["link", archive, "--into", site],
            ["link", archive, archive, "--into", archive],
        ):
            run(*arguments, TMPDIR=os.fspath(tmp_path / "tmp"))
        assert names(tmp_path / "tmp") == set()
        assert names(site) == names(wheel)
        assert names(tmp_path) == {"tmp", "cache", "site-packages", archive.name}

    def test_json(self, wheel: Path, site: Path, tmp_path: Path) -> None:
        write_tree(site, {"single.py": b"old"})
        other = make_wheel(tmp_path / "other", {"o.py": b""}, name="other")
        done = run("link", wheel, other, "--into", site, "--json", "--mode", "copy", "--jobs", "2")
        assert (done.returncode, done.stderr) == (0, "")
        demo, small = json.loads(done.stdout)
        assert demo["wheel"] == "demo-1.0-py3-none-any.whl"
        assert small["wheel"] == "other-1.0-py3-none-any.whl"
        assert demo["requested"] == ["copy"]
        assert demo["mode"] == "copy"
        assert demo["files"] == len(SAMPLE) + 3
        assert demo["used"] == {"copy": len(SAMPLE) + 3}
        assert demo["replaced"] == ["single.py"]
        assert (demo["fallbacks"], demo["fallback_count"]) == ([], 0)

    @pytest.mark.parametrize("place", ["ext4"], indirect=True)
    def test_falling_back_is_told(self, place: Path) -> None:
        source = sample_wheel(place / "cache")
        done = run("link", source, "--into", place / "site", "--mode", "clone", "--json")
        assert done.returncode == 0
        (report,) = json.loads(done.stdout)
        assert report["mode"] == "copy"
        assert report["fallback_count"] >= report["files"] - 1
        assert report["fallbacks"][0]["tried"] == "clone"
        (line,) = done.stderr.splitlines()
        assert line.startswith("wheel-linker: warning: ")

    @pytest.mark.parametrize("place", ["ext4"], indirect=True)
    def test_strict(self, place: Path) -> None:
        source = sample_wheel(place / "cache")
        site = place / "site"
        line = failed(1, "link", source, "--into", site, "--mode", "clone", "--strict")
        assert "clone" in line
        assert not site.exists()
        assert run("link", source, "--into", site, "--mode", "hardlink", "--strict").returncode == 0

    @pytest.mark.parametrize(("word", "code"), [("ignore", 0), ("warn", 0), ("error", 1)])
    def test_on_conflict(self, site: Path, tmp_path: Path, word: str, code: int) -> None:
        sources = [
            make_wheel(tmp_path / name, {"p/m.py": name.encode()}, name=name)
            for name in ("one", "other")
        ]
        done = run("link", *sources, "--into", site, "--on-conflict", word)
        assert done.returncode == code
        lines = done.stderr.splitlines()
        assert len(lines) == (0 if word == "ignore" else 1)
        assert all("p/m.py" in line for line in lines)
        assert (names(site) == set()) == (word == "error")

    def test_files_that_are_not_utf8_are_told_in_json(self, site: Path, tmp_path: Path) -> None:
        if sys.platform != "linux":
            pytest.skip("names are text here")
        odd = os.fsdecode(b"m\xff.py")
        source = make_wheel(tmp_path / "w", {odd: b""})
        write_tree(site, {odd: b"old"})
        done = run("link", source, "--into", site, "--json")
        assert json.loads(done.stdout)[0]["replaced"] == [odd]


INTERRUPTED = "wheel-linker: interrupted: everything is as it was before\n"


def heed_interrupts() -> None:
    """Undo what a shell does to its background jobs, which ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class TestBrokenOff:
    """Ctrl-C is no error, leaves nothing behind, and one line says so."""

    @pytest.mark.parametrize(
        "step",
        [
            "wheel_linker._archive.unpacking._Unpacking.unpack",
            "wheel_linker._api.link_wheels",
        ],
    )
    def test_by_ctrl_c(
        self,
        wheel: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        step: str,
    ) -> None:
        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(step, interrupted)
        monkeypatch.setattr(
            "wheel_linker.integrations._filling.user_store.default_directory", lambda: None
        )
        archive = zip_wheel(wheel, tmp_path)
        before = snapshot(tmp_path)
        assert main.main(["link", str(archive), "--into", str(tmp_path / "new" / "site")]) == 130
        assert capsys.readouterr() == ("", INTERRUPTED)
        assert snapshot(tmp_path) == before

    @pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
    def test_by_a_signal(self, tmp_path: Path) -> None:
        files = {f"demo/{number}.bin": bytes(100_000) for number in range(2000)}
        archive = zip_wheel(make_wheel(tmp_path / "w", files), tmp_path)
        site = tmp_path / "site"
        command = [sys.executable, "-m", "wheel_linker", "link", "--quiet", str(archive), "--into"]
        command.append(str(site))
        environment = ENVIRONMENT
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            preexec_fn=heed_interrupts,
        ) as child:
            while not (site.is_dir() and names(site)):
                assert child.poll() is None
                time.sleep(0.01)
            child.send_signal(signal.SIGINT)
            assert child.communicate(timeout=60) == (b"", INTERRUPTED.encode())
        assert child.returncode == 130
        assert not site.exists()

    def test_by_a_full_output(self, wheel: Path, site: Path) -> None:
        if not os.path.exists("/dev/full"):
            pytest.skip("this system has no /dev/full")
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(
                [sys.executable, "-m", "wheel_linker", "link", wheel, "--into", site, "--json"],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                env=ENVIRONMENT,
            )
        assert done.returncode
        assert done.stderr.splitlines()[0].startswith("wheel-linker: error: ")
        assert "Traceback" not in done.stderr


class TestWarnings:
    @pytest.mark.parametrize("place", ["ext4"], indirect=True)
    def test_made_errors_are_one_line(self, place: Path) -> None:
        source = sample_wheel(place / "cache")
        arguments = ("link", source, "--into", place / "site", "--mode", "clone")
        done = run(*arguments, PYTHONWARNINGS="error::UserWarning")
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("wheel-linker: error: cannot clone")
        assert not (place / "site").exists()

    @pytest.mark.parametrize("place", ["ext4"], indirect=True)
    def test_can_be_silenced(self, place: Path) -> None:
        source = sample_wheel(place / "cache")
        arguments = ("link", source, "--into", place / "site", "--mode", "clone")
        done = run(*arguments, PYTHONWARNINGS="ignore::UserWarning")
        assert (done.returncode, done.stderr) == (0, "")
        assert "fell back (clone: " in done.stdout


class TestImport:
    def test_is_cheap(self) -> None:
        code = (
            "import sys, wheel_linker\n"
            "before = set(sys.modules)\n"
            "import wheel_linker._cli.main\n"
            "print(*sorted(set(sys.modules) - before))\n"
        )
        path = ENVIRONMENT
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path
        )
        loaded = set(done.stdout.split())
        assert not loaded & {
            "rich",
            "json",
            "zipfile",
            "tempfile",
            "importlib.metadata",
            "packaging",
        }


class TestTables:
    COLUMNS = (output.Column("name"), output.Column("size", right=True))
    ROWS = (("one", "1"), ("[bold]two[/]", "12,345"))

    def test_plain(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(output, "has_rich", lambda: False)
        output.print_table(self.COLUMNS, self.ROWS)
        assert capsys.readouterr().out.splitlines() == [
            "name            size",
            "------------  ------",
            "one                1",
            "[bold]two[/]  12,345",
        ]

    def test_programs_get_no_frames(self, tmp_path: Path) -> None:
        done = run("probe", tmp_path, tmp_path)
        titles, rule, *_ = done.stdout.splitlines()
        assert titles == "mode      works"
        assert set(rule) == {"-", " "}

    def test_quiet(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(output._state, "quiet", True)
        output.print_table(self.COLUMNS, self.ROWS)
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize("terminal", ["dumb", "xterm"])
    def test_rich(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: str
    ) -> None:
        pytest.importorskip("rich")
        monkeypatch.setenv("TERM", terminal)
        monkeypatch.setattr(output._state, "color", "always")
        output.print_table(self.COLUMNS, [*self.ROWS, ("x" * 300, "")])
        printed = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
        lines = [line.split() for line in printed.splitlines()]
        assert ["name", "size"] in lines
        assert ["[bold]two[/]", "12,345"] in lines
        assert ["x" * 300] in lines

    def test_everything_works_without_rich(self, wheel: Path, site: Path) -> None:
        for arguments in (["link", wheel, "--into", site], ["probe", site, site], ["demo", wheel]):
            done = run_without("rich", *arguments)
            assert (done.returncode, done.stderr) == (0, "")


class TestProgress:
    def test_is_a_bar_on_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("rich")
        terminal = self._terminal(monkeypatch)
        with output.progress() as shown:
            shown.total(40, 2_000_000)
            shown.wheel("demo[1]-1.0-py3-none-any.whl")
            shown.unpacked(1_500_000)
            shown(30)
            shown.unpacked(500_000)
            shown(10)
        for text in ("40/40", "2.0/2.0 MB", "demo[1]-1.0-py3-none-any.whl"):
            assert text in terminal.getvalue()

    def test_is_lines_without_rich(self, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = self._terminal(monkeypatch)
        monkeypatch.setattr(output, "has_rich", lambda: False)
        self._advance_in_half_seconds(monkeypatch)
        assert terminal.getvalue() == "2,000 of 5,000 files linked\n4,000 of 5,000 files linked\n"

    def test_is_lines_where_nobody_looks(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._advance_in_half_seconds(monkeypatch)
        assert capsys.readouterr().err.count("\n") == 2

    def test_of_a_moment_is_not_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        with output.progress() as shown:
            shown.total(1, 1)
            shown.unpacked(1)
            shown(1)
        assert capsys.readouterr().err == ""

    def test_of_unpacking_comes_first(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        clock = itertools.count()
        monkeypatch.setattr("time.monotonic", lambda: next(clock))
        with output.progress() as shown:
            shown.total(3, 4_000_000)
            shown.unpacked(1_000_000)
            shown.unpacked(3_000_000)
            shown(3)
            shown.total(5, 4_000_000)
            shown(2)
        assert capsys.readouterr().err.splitlines() == [
            "1.0 of 4.0 MB unpacked",
            "4.0 of 4.0 MB unpacked",
            "4.0 of 4.0 MB unpacked",
            "2 of 2 files linked",
        ]

    @staticmethod
    def _terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
        """Have standard error be a terminal."""
        output = io.StringIO()
        monkeypatch.setattr(output, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stderr", output)
        monkeypatch.setenv("TERM", "xterm")
        return output

    @staticmethod
    def _advance_in_half_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
        clock = itertools.count(step=0.5)
        monkeypatch.setattr("time.monotonic", lambda: next(clock))
        with output.progress() as shown:
            shown.total(5000, 0)
            for _ in range(5):
                shown(1000)


class TestUsage:
    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["nonsense"],
            ["link"],
            ["link", "w"],
            ["link", "--into", "x"],
            ["link", "w", "--into", "x", "--mode", "nonsense"],
            ["link", "w", "--into", "x", "--mode", "auto", "--strict"],
            ["link", "w", "--into", "x", "--jobs", "0"],
            ["link", "w", "--into", "x", "--jobs", "many"],
            ["link", "w", "--into", "x", "--on-conflict", "shout"],
            ["link", "w", "--into", "x", "--unknown"],
            ["probe"],
            ["probe", "only-one"],
        ],
        ids=" ".join,
    )
    def test_wrong_usage_is_2(self, arguments: list[str]) -> None:
        failed(2, *arguments)

    @pytest.mark.parametrize(
        "arguments", [["--help"], ["link", "--help"], ["--version"]], ids=" ".join
    )
    def test_asking_is_0(self, arguments: list[str]) -> None:
        done = run(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert "wheel-linker" in done.stdout

    def test_a_missing_wheel_is_1(self, tmp_path: Path) -> None:
        line = failed(1, "link", tmp_path / "missing", "--into", tmp_path / "site")
        assert os.fspath(tmp_path / "missing") in line
        assert not (tmp_path / "site").exists()

    def test_a_site_packages_that_is_a_file_is_1(self, wheel: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert os.fspath(tmp_path / "file") in failed(1, "link", wheel, "--into", tmp_path / "file")

    def test_a_reader_that_has_gone_is_no_traceback(self, wheel: Path, site: Path) -> None:
        path = ENVIRONMENT
        command = [
            sys.executable,
            "-m",
            "wheel_linker",
            "link",
            str(wheel),
            "--into",
            str(site),
            "--json",
        ]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=path
        ) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            child.stdout.close()
            assert b"Traceback" not in child.stderr.read()


class TestProbe:
    def test_a_table_of_modes(self, tmp_path: Path) -> None:
        done = run("probe", tmp_path, tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        for mode in LinkMode:
            assert any(line.split()[:1] == [mode.value] for line in done.stdout.splitlines())
        assert "works" in done.stdout
        shown = json.loads(run("probe", tmp_path, tmp_path, "--json").stdout)
        assert (set(shown), shown["copy"]) == ({mode.value for mode in LinkMode}, None)
        assert names(tmp_path) == set()

    @pytest.mark.parametrize("place", ["xfs"], indirect=True)
    def test_why_not(self, place: Path, tmp_path: Path) -> None:
        done = run("probe", place, tmp_path)
        rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
        assert "cross-device" in rows["hardlink"]
        assert "works" in rows["symlink"]
        shown = json.loads(run("probe", place, tmp_path, "--json").stdout)
        assert "cross-device" in shown["hardlink"]

    def test_a_missing_directory_is_1(self, tmp_path: Path) -> None:
        assert "missing" in failed(1, "probe", tmp_path, tmp_path / "missing")


class TestDemo:
    def test_the_bundled_pip_in_every_mode(self, tmp_path: Path) -> None:
        (tmp_path / "tmp").mkdir()
        done = run("demo", TMPDIR=os.fspath(tmp_path / "tmp"))
        assert (done.returncode, done.stderr) == (0, "")
        first_words = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
        assert {mode.value for mode in LinkMode} <= set(first_words)
        assert names(tmp_path / "tmp") == set()

    def test_a_wheel_of_ones_own(self, wheel: Path, tmp_path: Path) -> None:
        before = snapshot(wheel, directory_times=True)
        done = run("demo", zip_wheel(wheel, tmp_path))
        assert (done.returncode, done.stderr) == (0, "")
        assert run("demo", wheel).returncode == 0
        assert snapshot(wheel, directory_times=True) == before

    def test_a_missing_wheel_is_1(self, tmp_path: Path) -> None:
        assert "missing" in failed(1, "demo", tmp_path / "missing")

    def test_without_a_bundled_wheel_it_says_so(self, tmp_path: Path) -> None:
        # The system's Python packages may have one as well.
        code = (
            "import sys\n"
            "from wheel_linker._cli import main as cli\nfrom wheel_linker._cli.demo import linking as demo\n"
            "demo._wheel_directories = lambda: iter(sys.argv[1:])\n"
            "sys.exit(cli.main(['demo']))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, os.fspath(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
            env=ENVIRONMENT,
        )
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("wheel-linker: error: ")
        assert os.fspath(tmp_path) in line
        assert "demo WHEEL" in line


class TestHostileArchives:
    """A ``.whl`` is unpacked safely, or not at all."""

    @pytest.fixture
    def refused(self, tmp_path: Path) -> Refused:
        """Return a function that links an archive which a function has added to, and must be refused, in either mode.

        Not for RECORD, which lacks what was added: that is refused in one mode only.
        """

        def link(add: Callable[[zipfile.ZipFile], None]) -> str:
            archive = zip_wheel(sample_wheel(tmp_path / "w"), tmp_path)
            with zipfile.ZipFile(archive, "a") as file:
                add(file)
            before = snapshot(tmp_path)
            (line,) = {
                failed(
                    1,
                    "link",
                    archive,
                    "--into",
                    tmp_path / "site",
                    "--mode=copy",
                    f"--record={record}",
                )
                for record in get_args(RecordMode)
            }
            assert snapshot(tmp_path) == before
            assert archive.name in line
            assert "RECORD" not in line
            return line

        return link

    @pytest.mark.parametrize(
        "name",
        [
            "../evil",
            "demo/../../evil",
            "/evil",
            "//evil",
            "demo/./evil",
            "C:evil",
            "C:/evil",
            "demo\\..\\..\\evil",
            "demo/..",
            "demo//evil",
            "evil\x01",
        ],
    )
    def test_names_that_lead_elsewhere(self, refused: Refused, name: str) -> None:
        refused(lambda file: file.writestr(zipfile.ZipInfo(name), b"evil"))

    @pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
    def test_what_is_no_file(self, refused: Refused, kind: int) -> None:
        info = zipfile.ZipInfo("demo/evil")
        info.create_system = 3
        info.external_attr = (kind | 0o777) << 16
        assert "demo/evil" in refused(lambda file: file.writestr(info, b"../../evil"))

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    @pytest.mark.parametrize("name", ["single.py", "con.py", "demo/evil. "])
    def test_names_that_are_refused_strictly(self, tmp_path: Path, name: str) -> None:
        # Of two entries of one name the last counts otherwise, and Windows alone cannot write the others.
        archive = zip_wheel(sample_wheel(tmp_path / "w"), tmp_path)
        with zipfile.ZipFile(archive, "a") as file:
            file.writestr(name, b"evil")
        before = snapshot(tmp_path)
        options = ("--into", tmp_path / "site", "--mode=copy", "--record=strict")
        assert archive.name in failed(1, "link", archive, *options)
        assert snapshot(tmp_path) == before

    @pytest.mark.parametrize("name", ["SINGLE.PY", "demo", "single.py/below"])
    def test_two_entries_of_one_path(self, refused: Refused, name: str) -> None:
        refused(lambda file: file.writestr(name, b"evil"))

    @pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"no archive at all"])
    def test_what_is_no_archive(self, tmp_path: Path, content: bytes) -> None:
        archive = tmp_path / "demo-1.0-py3-none-any.whl"
        archive.write_bytes(content)
        assert archive.name in failed(1, "link", archive, "--into", tmp_path / "site")
        assert names(tmp_path) == {archive.name}

    def test_a_damaged_member(self, wheel: Path, tmp_path: Path) -> None:
        archive = zip_wheel(wheel, tmp_path)
        data = archive.read_bytes()
        archive.write_bytes(data.replace(b"VALUE = 1", b"VALUE = 2", 1))
        failed(1, "link", archive, "--into", tmp_path / "site")
        assert not (tmp_path / "site").exists()


def test_a_full_disk_is_one_line(
    filesystems: FileSystems, make_small_tmpfs: Callable[[str], Path], tmp_path: Path
) -> None:
    source = make_wheel(tmp_path / "w", {"big.bin": b"x" * 3_000_000})
    line = failed(1, "link", source, "--into", make_small_tmpfs("size=1m"), "--mode", "copy")
    assert "big.bin" in line
    assert "space" in line
