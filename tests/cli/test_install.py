"""``wheel-linker install`` and ``wheel-linker uninstall``, as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from wheels import make_wheel, names, snapshot, zip_wheel

from cli.kit import failed, run, run_without
from wheel_linker._cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

pytest.importorskip("installer")

NAME: Final = "some_tool"
LINK_KEYS: Final = {
    "wheel",
    "requested",
    "mode",
    "files",
    "used",
    "fallbacks",
    "fallback_count",
    "replaced",
}


def tool(root: Path, version: str = "1.0", **others: bytes) -> Path:
    """Write an unpacked wheel with a console script that tells its version."""
    code = f"__version__ = {version!r}\ndef main():\n    print('some-tool', __version__)\n"
    files = {
        f"{NAME}/__init__.py": code.encode(),
        f"{NAME}-{version}.dist-info/entry_points.txt": (
            f"[console_scripts]\nsome-tool = {NAME}:main\n".encode()
        ),
        **{f"{NAME}/{name}.py": data for name, data in others.items()},
    }
    return make_wheel(root, files, name=NAME, version=version)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The same, as a ``.whl`` file."""
    return zip_wheel(tool(tmp_path / "source" / "w"), tmp_path)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment with nothing in it."""
    root = tmp_path / "environment"
    venv.create(root, symlinks=os.name != "nt")
    return root


def in_scripts(environment: Path, name: str) -> Path:
    """Return the path of a program in an environment."""
    if os.name == "nt":
        return environment / "Scripts" / f"{name}.exe"
    return environment / "bin" / name


def python_of(environment: Path) -> Path:
    """Return an environment's interpreter."""
    return in_scripts(environment, "python")


def packages(environment: Path) -> Path:
    """Return an environment's ``site-packages``."""
    (found,) = environment.glob("[Ll]ib/**/site-packages")
    return found


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Return a function that runs a command and returns what it prints, once it is as it should be."""
    # A machine that is busy makes them slow, and slow ones say how far they are.
    monkeypatch.setattr("wheel_linker._cli.lines._SECONDS_BETWEEN_LINES", 3600.0)

    def command(*arguments: object, code: int = 0) -> str:
        assert main.main([str(one) for one in arguments]) == code
        output = capsys.readouterr()
        if not code:
            assert output.err == ""
            return output.out
        assert output.out == ""
        (line,) = output.err.splitlines()
        assert line.startswith("wheel-linker: error: ")
        return line

    return command


class TestInstall:
    def test_into_an_environment(self, archive: Path, environment: Path, tmp_path: Path) -> None:
        store = tmp_path / "store"
        done = run("install", archive, "--python", python_of(environment), "--store", store)
        assert (done.returncode, done.stderr) == (0, "")
        (line,) = done.stdout.splitlines()
        assert line.startswith("some-tool 1.0: ")
        assert line.endswith("; 1 script")
        said = subprocess.check_output([in_scripts(environment, "some-tool")], text=True)
        assert said == "some-tool 1.0\n"
        assert len(list(store.glob("**/some_tool-1.0.dist-info"))) == 1

    def test_notes(self, archive: Path, environment: Path, command: Callable[..., str]) -> None:
        command("install", archive, "--python", python_of(environment))
        info = packages(environment) / f"{NAME}-1.0.dist-info"
        assert (info / "INSTALLER").read_text() == "wheel-linker\n"
        assert (info / "REQUESTED").exists()
        command("install", archive, "--python", python_of(environment), "--as-dependencies")
        assert not (info / "REQUESTED").exists()

    def test_an_unpacked_wheel_into_a_target(
        self, tmp_path: Path, command: Callable[..., str]
    ) -> None:
        source = tool(tmp_path / "w")
        before = snapshot(source, directory_times=True)
        target = tmp_path / "new" / "target"
        command("install", source, "--target", target, "--mode", "copy", "--jobs", "2")
        assert names(target) == {NAME, f"{NAME}-1.0.dist-info", "bin"}
        assert snapshot(source, directory_times=True) == before

    def test_a_mode(self, tmp_path: Path, command: Callable[..., str]) -> None:
        source = tool(tmp_path / "w")
        command("install", source, "--target", tmp_path / "t", "--mode", "symlink", "--strict")
        assert (tmp_path / "t" / NAME / "__init__.py").is_symlink()

    def test_compiled(self, tmp_path: Path, command: Callable[..., str]) -> None:
        source = tool(tmp_path / "w")
        for options, expected in ((["--compile"], True), ([], False)):
            target = tmp_path / f"target-{expected}"
            command("install", source, "--target", target, *options)
            assert (target / NAME / "__pycache__").exists() == expected

    def test_json(self, tmp_path: Path, command: Callable[..., str]) -> None:
        target = tmp_path / "target"
        old = tool(tmp_path / "old", "0.9", gone=b"")
        command("install", old, "--target", target)
        new = tool(tmp_path / "new")
        other = make_wheel(tmp_path / "other", {"o.py": b""}, name="other")
        output = command(
            "install", new, other, "--target", target, "--json", "--mode", "copy", "--strict"
        )
        first, second = json.loads(output)
        assert first.keys() == LINK_KEYS | {
            "dist_info",
            "scripts",
            "upgraded",
            "removed",
            "record_problems",
        }
        assert first["wheel"] == f"{NAME}-1.0-py3-none-any.whl"
        assert first["requested"] == ["copy"]
        assert first["upgraded"] == ["0.9"]
        assert os.fspath(target / NAME / "gone.py") in first["removed"]
        assert first["dist_info"] == os.fspath(target / f"{NAME}-1.0.dist-info")
        assert [os.path.dirname(path) for path in first["scripts"]] == [os.fspath(target / "bin")]
        assert (second["scripts"], second["upgraded"], second["removed"]) == ([], [], [])

    def test_an_upgrade_is_told(self, tmp_path: Path, command: Callable[..., str]) -> None:
        command("install", tool(tmp_path / "old", "0.9", gone=b""), "--target", tmp_path / "t")
        line = command("install", tool(tmp_path / "new"), "--target", tmp_path / "t")
        assert "in place of 0.9" in line
        assert "files of that removed" in line

    @pytest.mark.parametrize(("word", "code"), [("ignore", 0), ("error", 1)])
    def test_on_conflict(
        self, tmp_path: Path, command: Callable[..., str], word: str, code: int
    ) -> None:
        sources = [
            make_wheel(tmp_path / name, {"p/m.py": name.encode()}, name=name)
            for name in ("one", "other")
        ]
        target = tmp_path / "target"
        output = command("install", *sources, "--target", target, "--on-conflict", word, code=code)
        assert ("p/m.py" in output) == (target.exists() is False) == bool(code)

    @pytest.mark.parametrize("place", ["ext4"], indirect=True)
    def test_strict(self, place: Path, command: Callable[..., str]) -> None:
        source = tool(place / "w")
        options = ("--target", place / "target", "--mode", "clone", "--strict")
        assert "clone" in command("install", source, *options, code=1)
        assert not (place / "target").exists()


class TestWithoutAStore:
    @pytest.fixture(autouse=True)
    def no_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "wheel_linker.integrations._filling.user_store.default_directory", lambda: None
        )

    def test_a_temporary_one_is_used(
        self, archive: Path, tmp_path: Path, command: Callable[..., str]
    ) -> None:
        command("install", archive, "--target", tmp_path / "target")
        assert names(tmp_path / "target") == {NAME, f"{NAME}-1.0.dist-info", "bin"}

    def test_symlinks_into_that_are_refused(
        self, archive: Path, tmp_path: Path, command: Callable[..., str]
    ) -> None:
        options = ("--target", tmp_path / "target", "--mode", "symlink")
        assert "symlink" in command("install", archive, *options, code=2)
        assert not (tmp_path / "target").exists()

    @pytest.mark.parametrize(
        "step",
        [
            "wheel_linker._archive.unpacking._Unpacking.unpack",
            "wheel_linker.install.sync_wheels",
        ],
    )
    def test_ctrl_c_leaves_nothing(
        self,
        archive: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        step: str,
    ) -> None:
        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(step, interrupted)
        before = snapshot(tmp_path)
        assert main.main(["install", str(archive), "--target", str(tmp_path / "new" / "t")]) == 130
        line = "wheel-linker: interrupted: everything is as it was before\n"
        assert capsys.readouterr() == ("", line)
        assert snapshot(tmp_path) == before


class TestUninstall:
    def test_leaves_nothing(
        self, archive: Path, environment: Path, command: Callable[..., str]
    ) -> None:
        before = snapshot(environment)
        python = python_of(environment)
        command("install", archive, "--python", python)
        line = command("uninstall", "Some.Tool", "--python", python)
        assert line.startswith("some-tool 1.0: ")
        assert line.endswith(" files removed\n")
        assert snapshot(environment) == before

    def test_several(self, tmp_path: Path, command: Callable[..., str]) -> None:
        target = tmp_path / "target"
        other = make_wheel(tmp_path / "other", {"o.py": b""}, name="other")
        command("install", tool(tmp_path / "w"), other, "--target", target)
        output = command("uninstall", "other", NAME, "Other", "--target", target)
        assert [line.split()[0] for line in output.splitlines()] == ["other", "some-tool"]
        assert names(target) <= {"bin"}

    def test_of_what_is_not_there_touches_nothing(
        self, tmp_path: Path, command: Callable[..., str]
    ) -> None:
        target = tmp_path / "target"
        command("install", tool(tmp_path / "w"), "--target", target)
        before = snapshot(target, directory_times=True)
        line = command("uninstall", NAME, "No.Such", "--target", target, code=1)
        assert "'No.Such'" in line
        assert NAME not in line
        assert snapshot(target, directory_times=True) == before

    def test_json(self, tmp_path: Path, command: Callable[..., str]) -> None:
        target = tmp_path / "target"
        both = {"p/m.py": b""}
        sources = [make_wheel(tmp_path / name, both, name=name) for name in ("one", "other")]
        command("install", *sources, "--target", target)
        (report,) = json.loads(command("uninstall", "one", "--target", target, "--json"))
        assert report.keys() == {"name", "versions", "removed", "kept", "incomplete"}
        assert (report["name"], report["versions"]) == ("one", ["1.0"])
        assert os.fspath(target / "one-1.0.dist-info" / "RECORD") in report["removed"]
        assert report["kept"] == [os.fspath(target / "p" / "m.py")]
        assert command("uninstall", "other", "--target", target).count("kept") == 0

    def test_what_is_kept_is_told(self, tmp_path: Path, command: Callable[..., str]) -> None:
        both = {"p/m.py": b""}
        sources = [make_wheel(tmp_path / name, both, name=name) for name in ("one", "other")]
        command("install", *sources, "--target", tmp_path / "t")
        assert "; 1 kept" in command("uninstall", "one", "--target", tmp_path / "t")


class TestUsage:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["install"],
            ["install", "w"],
            ["install", "--target", "t"],
            ["install", "w", "--target", "t", "--python", "p"],
            ["install", "w", "--python", "p", "--mode", "auto", "--strict"],
            ["install", "w", "--target", "t", "--mode", "nonsense"],
            ["install", "w", "--target", "t", "--jobs", "0"],
            ["uninstall"],
            ["uninstall", "n"],
            ["uninstall", "--python", "p"],
            ["uninstall", "n", "--target", "t", "--python", "p"],
        ],
        ids=" ".join,
    )
    def test_wrong_usage_is_2(
        self,
        arguments: Sequence[str],
        command: Callable[..., str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # Where there is no environment to be taken without being named.
        monkeypatch.delenv("VIRTUAL_ENV", raising=False)
        monkeypatch.chdir(tmp_path)
        command(*arguments, code=2)

    @pytest.mark.parametrize("name", ["install", "uninstall"])
    def test_asking_is_0(self, name: str, command: Callable[..., str]) -> None:
        assert f"wheel-linker {name}" in command(name, "--help")

    @pytest.mark.parametrize("what", ["install", "uninstall"])
    def test_a_missing_interpreter_is_1(self, tmp_path: Path, what: str) -> None:
        python = tmp_path / "missing"
        assert os.fspath(python) in failed(1, what, "w", "--python", python)

    def test_a_missing_wheel_is_1(self, tmp_path: Path, command: Callable[..., str]) -> None:
        missing = tmp_path / "missing.whl"
        options = ("--target", tmp_path / "target")
        assert os.fspath(missing) in command("install", missing, *options, code=1)
        assert not (tmp_path / "target").exists()

    @pytest.mark.parametrize("what", ["install", "uninstall"])
    def test_without_the_library_it_says_what_brings_it(self, tmp_path: Path, what: str) -> None:
        done = run_without("installer", what, "w", "--target", tmp_path / "target")
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("wheel-linker: error: ")
        assert "wheel-linker[install]" in line
