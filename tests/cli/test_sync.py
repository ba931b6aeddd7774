"""Keeping an environment in step, looking before it is changed, and checking it, on the command line."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from examples.kit import write_wheel
from integrations.projects import write_project
from wheels import snapshot

from wheel_linker._cli import main
from wheel_linker.install import Layout, installed
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., str]

ROW = f"one==1.0 --hash=sha256:{'0' * 64}"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


@pytest.fixture
def run(tmp_path: Path, target: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command on the target; gives what it printed, errors included."""

    def command(name: str, *arguments: object, code: int = 0) -> str:
        store = ["--store", str(tmp_path / "store")] if name in ("sync", "install", "check") else []
        words = [name, *map(str, arguments), "--target", str(target), *store]
        assert main.main(words) == code
        out, err = capsys.readouterr()
        return out + err

    return command


def wheel(tmp_path: Path, name: str, version: str = "1.0", requires: tuple[str, ...] = ()) -> Path:
    path = tmp_path / f"{name}-{version}-py3-none-any.whl"
    return write_wheel(path, {f"{name}.py": f"V = {version!r}\n"}, requires=requires)


def lock_of(wheel: Path, project: Path, kind: str) -> Path:
    """Write a lock of a wheel and a project."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    directory = wheel.parent
    if kind.endswith("file"):
        lock = directory / "requirements.txt"
        rows = f"wanted==1.0 --hash=sha256:{digest}\n"
        name = f"-e '{project.as_posix()}'" if kind == "editable file" else os.fspath(project)
        lock.write_text(f"--no-index\n--find-links {directory}\n{name}\n{rows}")
        return lock
    path = project.relative_to(directory).as_posix()
    parts = {
        "directory": f'directory = {{path = "{path}"}}',
        "editable": f'directory = {{path = "{path}", editable = true}}',
        "subdirectory": f'directory = {{path = "{project.parent.name}", subdirectory = "below"}}',
        "archive": "",
        "vcs": "",
    }
    entry = parts[kind]
    if kind == "archive":
        base = os.fspath(directory / "packed")
        archive = Path(shutil.make_archive(base, "zip", directory, project.parent.name))
        hashes = hashlib.sha256(archive.read_bytes()).hexdigest()
        entry = f'archive = {{path = "packed.zip", subdirectory = "below", hashes = {{sha256 = "{hashes}"}}}}'
    elif kind == "vcs":
        commit = committed(project.parent)
        where = f'path = "{project.parent.name}", subdirectory = "below"'
        entry = f'vcs = {{type = "git", {where}, commit-id = "{commit}"}}'
    lock = directory / "pylock.toml"
    lock.write_text(
        'lock-version = "1.0"\ncreated-by = "hand"\n'
        f'[[packages]]\nname = "local"\n{entry}\n'
        '[[packages]]\nname = "wanted"\nversion = "1.0"\n'
        f'wheels = [{{path = "{wheel.name}", hashes = {{sha256 = "{digest}"}}}}]\n'
    )
    return lock


def committed(directory: Path) -> str:
    """Make a repository of a directory, and return its commit."""

    def git(*words: str) -> str:
        return subprocess.check_output(["git", *words], cwd=directory, text=True).strip()

    if shutil.which("git") is None:
        pytest.skip("there is no git")
    git("init", "--quiet")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "all")
    return git("rev-parse", "HEAD")


def interpreter_of(environment: Path) -> str:
    return os.fspath(environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


class TestSync:
    def test_holds_exactly_what_is_named(self, tmp_path: Path, target: Path, run: Run) -> None:
        one, other = wheel(tmp_path, "one"), wheel(tmp_path, "other")
        run("install", wheel(tmp_path, "old"), other)
        out = run("sync", one, other)
        assert "one 1.0: " in out
        assert "old 1.0: " in out
        assert "1 left alone" in out
        assert {path.name for path in target.glob("*.py")} == {"one.py", "other.py"}

    def test_what_may_stay_stays(self, tmp_path: Path, target: Path, run: Run) -> None:
        run("install", wheel(tmp_path, "old"))
        run("sync", wheel(tmp_path, "one"), "--keep", "Old")
        assert {path.name for path in target.glob("*.py")} == {"one.py", "old.py"}

    def test_a_lock(self, tmp_path: Path, target: Path, run: Run) -> None:
        path = wheel(tmp_path, "one")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lock = tmp_path / "requirements.txt"
        lock.write_text(f"--no-index\n--find-links {tmp_path}\none==1.0 --hash=sha256:{digest}\n")
        run("sync", lock)
        assert (target / "one.py").exists()

    def test_a_lock_of_which_the_store_has_something_damaged(
        self, tmp_path: Path, target: Path, run: Run
    ) -> None:
        path = wheel(tmp_path, "one")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lock = tmp_path / "requirements.txt"
        lock.write_text(f"--no-index\n--find-links {tmp_path}\none==1.0 --hash=sha256:{digest}\n")
        run("sync", lock)
        right = (target / "one.py").read_bytes()
        run("uninstall", "one")
        (stored,) = (tmp_path / "store").glob("*/w/one.py")
        stored.unlink()
        stored.write_bytes(bytes(len(right)))
        run("sync", lock)
        assert (target / "one.py").read_bytes() == right

    @pytest.mark.parametrize("kind", ["directory", "subdirectory", "archive", "vcs", "file"])
    def test_projects_of_a_lock_are_built(
        self, tmp_path: Path, target: Path, run: Run, kind: str
    ) -> None:
        project = write_project(tmp_path / "a project" / "below")
        lock = lock_of(wheel(tmp_path, "wanted"), project, kind)
        run("sync", lock)
        assert {path.name for path in target.glob("*.py")} == {"local.py", "wanted.py"}
        (origin,) = target.glob("local-1.0.dist-info/direct_url.json")
        assert json.loads(origin.read_text())["url"].startswith("file:///")

    @pytest.mark.parametrize("kind", ["editable", "editable file"])
    def test_projects_in_place(self, tmp_path: Path, run: Run, kind: str) -> None:
        project = write_project(tmp_path / "a project" / "below")
        lock = lock_of(wheel(tmp_path, "wanted"), project, kind)
        assert "local cannot be installed in place in the directory" in run("sync", lock, code=1)
        environment = tmp_path / "environment"
        venv.EnvBuilder(symlinks=os.name != "nt").create(environment)
        layout = Layout.for_python(interpreter_of(environment))
        words = ["--python", environment, "--store", tmp_path / "store", "--no-durable", lock]
        for more in (["--dry-run"], [], []):
            assert main.main(["sync", *map(str, [*words, *more])]) == 0
            there = {one.name: one.editable for one in installed(layout)}
            assert there == ({} if more else {"local": True, "wanted": False})
        (project / "backend.py").unlink()  # what cannot be built stays as it was
        assert main.main(["sync", *map(str, words)]) == 1
        assert {one.name for one in installed(layout)} == {"local", "wanted"}

    def test_a_project_alone_is_no_lock(self, tmp_path: Path, target: Path, run: Run) -> None:
        project = write_project(tmp_path / "project")
        wheel(tmp_path, "wanted")
        lines = tmp_path / "requirements.txt"
        lines.write_text(f"--no-index\n--find-links {tmp_path}\n{project}\n")
        run("sync", lines)
        assert {path.name for path in target.glob("*.py")} == {"local.py", "wanted.py"}

    def test_hashes_that_are_required_are_required_of_projects(
        self, tmp_path: Path, run: Run
    ) -> None:
        lock = lock_of(wheel(tmp_path, "wanted"), write_project(tmp_path / "project"), "file")
        lock.write_text("--require-hashes\n" + lock.read_text())
        assert "pip could not resolve" in run("sync", lock, code=1)

    def test_what_is_editable_names_what_installs_it(self, tmp_path: Path, run: Run) -> None:
        project = write_project(tmp_path / "project")
        lines = tmp_path / "requirements.txt"
        wheel(tmp_path, "wanted")
        lines.write_text(f"--no-index\n--find-links {tmp_path}\n-e {project.as_posix()}\n")
        out = run("sync", lines, code=1)
        assert f"install it by: wheel-linker pip install -r {lines}" in out

    @pytest.mark.parametrize("first", ["-r hashed.txt", "-c hashed.txt", ROW])
    def test_what_is_editable_beside_hashes_is_refused_before_pip(
        self, tmp_path: Path, run: Run, first: str
    ) -> None:
        lines, hashed = tmp_path / "requirements.txt", tmp_path / "hashed.txt"
        hashed.write_text(ROW)
        lines.write_text(f"{first}\n-e ./local\n")
        (line,) = run("sync", lines, code=1).splitlines()
        assert "'-e ./local' cannot stand beside hashes" in line
        assert "wheel-linker pip install -r FILE" in line

    def test_json(self, tmp_path: Path, run: Run) -> None:
        run("install", wheel(tmp_path, "old"), wheel(tmp_path, "same"))
        found = json.loads(run("sync", wheel(tmp_path, "one"), wheel(tmp_path, "same"), "--json"))
        assert [one["wheel"] for one in found["installed"]] == ["one-1.0-py3-none-any.whl"]
        assert [one["name"] for one in found["removed"]] == ["old"]
        assert found["kept"] == ["same==1.0"]

    @pytest.mark.parametrize("json_", [True, False])
    def test_dry_run_touches_nothing(
        self, tmp_path: Path, target: Path, run: Run, json_: bool
    ) -> None:
        run("install", wheel(tmp_path, "old"), wheel(tmp_path, "two"))
        before = snapshot(target, directory_times=True)
        newer = wheel(tmp_path, "two", "2.0")
        out = run(
            "sync", wheel(tmp_path, "one"), newer, "--dry-run", *(["--json"] if json_ else [])
        )
        assert snapshot(target, directory_times=True) == before
        if json_:
            plan = json.loads(out)
            assert plan["added"] == ["one-1.0-py3-none-any.whl"]
            assert plan["replaced"] == [{"wheel": newer.name, "versions": ["1.0"]}]
            assert plan["removed"] == ["old==1.0"]
        else:
            assert "one 1.0: would be installed" in out
            assert "two 2.0: would take the place of 1.0" in out
            assert "old 1.0: would be removed" in out

    @pytest.mark.parametrize("dry_run", [[], ["--dry-run"]])
    def test_a_wheel_for_another_interpreter(
        self, tmp_path: Path, target: Path, run: Run, dry_run: list[str]
    ) -> None:
        path = wheel(tmp_path, "one").rename(tmp_path / "one-1.0-cp27-none-any.whl")
        assert "cp27" in run("sync", path, *dry_run, code=1)
        assert "cp27" in run("install", path, *dry_run, code=1)
        assert not target.exists()
        run("sync", path, "--no-compatibility-check", *dry_run)
        assert target.exists() == (not dry_run)

    def test_links_from_a_base(self, tmp_path: Path, target: Path, run: Run) -> None:
        path, base = wheel(tmp_path, "one"), tmp_path / "base"
        with WheelStore(base) as store:
            (kept,) = store.add_all([path])
        run("sync", path, "--base", base, "--mode", "hardlink")
        assert os.path.samefile(target / "one.py", os.path.join(kept.path, "one.py"))
        assert WheelStore(tmp_path / "store").entries() == []


class TestInstall:
    def test_the_same_again_is_there_already(self, tmp_path: Path, target: Path, run: Run) -> None:
        path = wheel(tmp_path, "one")
        run("install", path, wheel(tmp_path, "other"))
        before = snapshot(target, directory_times=True)
        assert run("install", path) == "one 1.0: already there\n"
        assert snapshot(target, directory_times=True) == before
        assert "one 1.0: " in run("install", path, "--reinstall")

    def test_a_wheel_for_another_interpreter(self, tmp_path: Path, target: Path, run: Run) -> None:
        path = wheel(tmp_path, "one").rename(tmp_path / "one-1.0-cp27-none-any.whl")
        assert "cp27" in run("install", path, code=1)
        assert not target.exists()
        run("install", path, "--no-compatibility-check")
        assert (target / "one.py").exists()

    def test_dry_run(self, tmp_path: Path, target: Path, run: Run) -> None:
        out = run("install", wheel(tmp_path, "one"), "--dry-run")
        assert "one 1.0: would be installed" in out
        assert not target.exists()

    def test_dry_run_of_a_removal(self, tmp_path: Path, run: Run) -> None:
        run("install", wheel(tmp_path, "one"))
        *_, last = run("uninstall", "one", "--dry-run").splitlines()
        assert re.fullmatch(r"\d+ files to be removed", last)

    def test_dry_run_of_the_same_again(self, tmp_path: Path, target: Path, run: Run) -> None:
        path = wheel(tmp_path, "one")
        run("install", path, wheel(tmp_path, "other"))
        out = run("install", path, "--dry-run")
        assert out.startswith("0 files, ")
        assert out.endswith("\none 1.0: already there\n")
        assert json.loads(run("install", path, "--dry-run", "--json"))["replaced"] == []
        out = run("install", path, "--dry-run", "--reinstall")
        assert "one 1.0: would take the place of 1.0" in out

    def test_what_an_upgrade_replaces_is_not_there_already(self, tmp_path: Path, run: Run) -> None:
        run("install", wheel(tmp_path, "one"))
        out = run("install", wheel(tmp_path, "one", "2.0"))
        assert "one 2.0: " in out
        assert "already there" not in out


class TestUninstall:
    def test_several_all_or_nothing(self, tmp_path: Path, target: Path, run: Run) -> None:
        run("install", wheel(tmp_path, "one"), wheel(tmp_path, "other"))
        before = snapshot(target, directory_times=True)
        assert "nothing was removed" in run("uninstall", "one", "missing", code=1)
        assert snapshot(target, directory_times=True) == before
        run("uninstall", "one", "other")
        assert not list(target.glob("*.py"))

    def test_dry_run(self, tmp_path: Path, target: Path, run: Run) -> None:
        run("install", wheel(tmp_path, "one"))
        assert "one 1.0: would be removed" in run("uninstall", "one", "--dry-run")
        plan = json.loads(run("uninstall", "one", "--dry-run", "--json"))
        assert plan["removed"] == ["one==1.0"]
        assert (target / "one.py").exists()


class TestLooking:
    def test_list(self, tmp_path: Path, run: Run) -> None:
        run("install", wheel(tmp_path, "one"), wheel(tmp_path, "other", "2.0"))
        rows = [row.split() for row in run("list").splitlines()]
        assert [row for row in rows if row[:1] in (["one"], ["other"])] == [
            ["one", "1.0", "wheel-linker"],
            ["other", "2.0", "wheel-linker"],
        ]
        assert [one["version"] for one in json.loads(run("list", "--json"))] == ["1.0", "2.0"]

    def test_show(self, tmp_path: Path, target: Path, run: Run) -> None:
        run("install", wheel(tmp_path, "one"))
        assert f"path: {target / 'one-1.0.dist-info'}" in run("show", "One")
        assert "not installed" in run("show", "missing", code=1)

    def test_check_and_repair(self, tmp_path: Path, target: Path, run: Run) -> None:
        run("install", wheel(tmp_path, "one"), "--mode", "copy")
        assert run("check") == ""
        os.unlink(target / "one.py")
        out = run("check", code=1)
        assert f"{target / 'one.py'}: missing" in out
        assert "--repair" in out
        assert run("check", "--repair") == "one 1.0: installed again\n"
        assert (target / "one.py").exists()

    def test_repair_prints_nothing_but_json(self, tmp_path: Path, target: Path, run: Run) -> None:
        run("install", wheel(tmp_path, "one"), "--mode", "copy")
        os.unlink(target / "one.py")
        assert json.loads(run("check", "--repair", "--json"))["files"] == []
        assert (target / "one.py").exists()

    def test_check_of_requirements(self, tmp_path: Path, run: Run) -> None:
        run("install", wheel(tmp_path, "one", requires=("missing>=2",)))
        out = run("check", code=1)
        assert out.startswith("one: needs missing>=2, which is not installed\n")
        assert out.endswith("is not sound; install what others need\n")
        assert json.loads(run("check", "--json", code=1).partition("\nwheel-linker: ")[0])[
            "requirements"
        ]

    def test_check_of_another_version(self, tmp_path: Path, run: Run) -> None:
        run("install", wheel(tmp_path, "one", requires=("two>=2",)), wheel(tmp_path, "two"))
        assert run("check", code=1).startswith("one: needs two>=2, which is installed as 1.0\n")

    def test_repair_of_what_the_store_lacks(self, tmp_path: Path, target: Path, run: Run) -> None:
        run("install", wheel(tmp_path, "one"), "--mode", "copy")
        os.unlink(target / "one.py")
        shutil.rmtree(tmp_path / "store")
        out = run("check", "--repair", code=1)
        assert "one 1.0: the store has no such wheel; install its .whl file again\n" in out
        assert "--repair" not in out

    def test_the_advice_mends(self, tmp_path: Path, target: Path, run: Run) -> None:
        path = wheel(tmp_path, "one")
        run("install", path, "--mode", "copy")
        os.unlink(target / "one.py")
        shutil.rmtree(tmp_path / "store")
        assert run("check", "--repair", code=1).endswith(" to: wheel-linker install --reinstall\n")
        run("install", path, "--reinstall")
        assert run("check") == ""


def test_python_is_asked_as_for_install(tmp_path: Path) -> None:
    assert main.main(["list", "--python", sys.executable, "--json"]) == 0
