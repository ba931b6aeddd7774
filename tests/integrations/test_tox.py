"""The tox plugin, run by tox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
from examples.kit import entry_points, run

from integrations.projects import write_index, write_project
from wheel_linker.store import WheelStore

RESOLVED: Final = "--dry-run"
INI: Final = """
[tox]
env_list = one, two

[testenv]
runner = wheel-linker
package = wheel
wheel_linker_store = {toxinidir}{/}store
deps =
    top
    -c constraints.txt
    two: -r more.txt
extras = more
dependency_groups = dev
commands = python -c "import local, wanted, extra, grouped, top, base; print('base', base.VERSION)"

[testenv:develop]
usedevelop = true
extras =
dependency_groups =
deps = -e other
commands = python -c "import local, beside; print(local.__file__, beside.NAME)"

[testenv:plain]
runner = virtualenv
"""
OTHER: Final = ("local", "beside")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = write_project(tmp_path / "project")
    write_index(tmp_path / "index")
    entry_points(tmp_path / "plugin")
    (made / "tox.ini").write_text(INI, encoding="utf-8")
    (made / "constraints.txt").write_text("base<3\n", encoding="utf-8")
    (made / "more.txt").write_text("base==1.0\n", encoding="utf-8")
    other = write_project(made / "other")
    for file in ("pyproject.toml", "backend.py", "local.py"):
        text = (other / file).read_text(encoding="utf-8")
        (other / file).write_text(text.replace(*OTHER), encoding="utf-8")
    (other / "local.py").rename(other / "beside.py")
    return made


def tox(project: Path, *arguments: str, fails: bool = False) -> str:
    variables = {"PIP_FIND_LINKS": str(project.parent / "index")}
    command = ["-m", "tox", *arguments]
    path = project.parent / "plugin"
    return run(command, project, fails=fails, path=path, variables=variables)


def library(project: Path, env: str) -> Path:
    (found,) = (project / ".tox" / env).rglob("top.py")
    return found.parent


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_environments_are_filled_once_and_then_brought_up_to_date(project: Path) -> None:
    said = tox(project, "run", "-e", "one")
    assert "\nbase 1.0\n" in said
    # What deps, the dependency group, and the package with its extra need.
    assert said.count(RESOLVED) == 3
    # pip, which the environment is made with, comes from the same store.
    for name in ("top.py", "pip/__main__.py"):
        (stored,) = (project / "store").rglob(name)
        assert (library(project, "one") / name).samefile(stored)
    # Not what the command has made of it.
    (bytecode,) = (project / "store").rglob("top.*.pyc")
    (placed,) = (library(project, "one") / "__pycache__").glob("top.*.pyc")
    assert placed.samefile(bytecode)
    made = (project / ".tox" / "one" / "pyvenv.cfg").stat().st_mtime_ns

    # Nothing has changed but the package.
    edit(project / "local.py", "local", "other")
    said = tox(project, "run", "-e", "one")
    assert RESOLVED not in said
    assert "other" in (library(project, "one") / "local.py").read_text(encoding="utf-8")

    # What is dropped goes, and the rest stays where it is.
    edit(project / "tox.ini", "    top\n", "    base\n")
    edit(project / "tox.ini", "grouped, top, base", "grouped, base")
    before = (library(project, "one") / "grouped.py").stat().st_ino
    site = library(project, "one")
    said = tox(project, "run", "-e", "one")
    assert "\nbase 2.0\n" in said
    assert "recreate" not in said
    assert not (site / "top.py").exists()
    assert list(site.glob("pip-*"))
    assert (site / "grouped.py").stat().st_ino == before
    assert (project / ".tox" / "one" / "pyvenv.cfg").stat().st_mtime_ns == made


def test_at_once_and_anew(project: Path) -> None:
    said = tox(project, "run-parallel", "--parallel-no-spinner", "-o")
    assert said.count("base 1.0") == 2
    # The one that another environment has found out is not asked for again; -r does ask.
    edit(project / "tox.ini", "env_list = one, two", "env_list = one, two, three")
    assert RESOLVED not in tox(project, "run", "-e", "three")
    assert RESOLVED in tox(project, "run", "-e", "three", "--recreate", "--notest")


def test_in_place_and_in_the_result(project: Path) -> None:
    said = tox(project, "run", "-e", "develop", "--result-json", "result.json")
    assert f"{project / 'local.py'} beside" in said
    result = json.loads((project / "result.json").read_text(encoding="utf-8"))
    packages = result["testenvs"]["develop"]["installed_packages"]
    assert {"beside==1.0", "local==1.0", "wanted==1.0"} <= set(packages)


@pytest.mark.parametrize("package", ["wheel", "sdist"])
def test_where_the_package_comes_from_is_noted_as_pip_does(project: Path, package: str) -> None:
    edit(project / "tox.ini", "package = wheel", f"package = {package}")
    with (project / "tox.ini").open("a", encoding="utf-8") as file:
        file.write(f"package = {package}\ncommands =\n")
    noted = []
    for env in ("one", "plain"):
        tox(project, "run", "-e", env)
        (note,) = (project / ".tox" / env).rglob("local-*.dist-info/direct_url.json")
        noted.append(json.loads(note.read_text(encoding="utf-8")))
    ours, pips = noted
    # Each environment has the package built for itself, and the file of the last one lies there still.
    for one in noted:
        hashes = one["archive_info"]["hashes"]
        assert one["archive_info"]["hash"] == f"sha256={hashes['sha256']}"
    assert Path(ours["url"]).suffix == Path(pips["url"]).suffix
    assert (project / ".tox").as_uri() in ours["url"]


def test_only_environments_that_ask_for_it(project: Path) -> None:
    assert "\ntype = LinkingRunner\n" in tox(project, "config", "-e", "one")
    assert "\ntype = VirtualEnvRunner\n" in tox(project, "config", "-e", "plain")


def test_what_cannot_be_had_is_said_as_tox_says_it(project: Path) -> None:
    edit(project / "tox.ini", "    top\n", "    unheard-of\n")
    said = tox(project, "run", "-e", "one", fails=True)
    assert "No matching distribution found for unheard-of" in said
    assert "Traceback" not in said


def test_a_missing_library_is_named_as_tox_names_errors(project: Path) -> None:
    """Without the extra for installing there is nothing to fill environments with, old ones and new ones."""
    tox(project, "run", "-e", "one", "--notest")
    # As if it were not installed.
    hiding = project.parent / "plugin" / "sitecustomize.py"
    hiding.write_text("import sys\nsys.modules['installer'] = None\n", encoding="utf-8")
    edit(project / "tox.ini", "    top\n", "    top\n    base\n")
    for env in ("one", "two"):
        said = tox(project, "run", "-e", env, fails=True)
        assert "needs the library installer: install wheel-linker[install]" in said
        assert "Traceback" not in said


def test_what_was_pruned_is_had_anew(project: Path) -> None:
    tox(project, "run", "-e", "one", "--notest")
    with WheelStore(project / "store") as store:
        store.remove(*store.entries())
    edit(project / "tox.ini", "dependency_groups = dev", "dependency_groups =")
    edit(project / "tox.ini", "extra, grouped, top", "extra, top")
    said = tox(project, "run", "-e", "one")
    assert "recreate env because the wheel of" in said
    assert "\nbase 1.0\n" in said
    assert not (library(project, "one") / "grouped.py").exists()
