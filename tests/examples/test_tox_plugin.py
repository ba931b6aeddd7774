"""The tox plugin of the tutorial, run by tox."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from examples.kit import EXAMPLES, example, run, write_hello, write_wheel, written

if TYPE_CHECKING:
    from collections.abc import Callable

HELLO: Final = "wheels/hello-1.0-py3-none-any.whl"
WORLD: Final = "wheels/world-1.0-py3-none-any.whl"
REBUILT: Final = "recreate env because a wheel was rebuilt, added or removed"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = example("tox_plugin", tmp_path)
    (made / "wheels").mkdir()
    write_hello(made / HELLO, "hello")
    write_wheel(made / WORLD, {"world.py": "NAME = 'world'\n"})
    return made


def tox(project: Path, *arguments: str, fails: bool = False) -> str:
    return run(["-m", "tox", *arguments], project, fails=fails)


def library(project: Path, env: str = "greet") -> Path:
    (hello,) = (project / ".tox" / env).rglob("hello/__init__.py")
    return hello.parent.parent


def test_environments_are_linked_then_reused_then_made_anew(project: Path) -> None:
    said = tox(project)
    assert "\nhello\n" in f"\n{said}"
    assert "\n10\n" in f"\n{said}"
    assert REBUILT not in said
    before = written(library(project)), written(project / ".tox" / ".wheels")
    (stored,) = (project / ".tox" / ".wheels").rglob("hello/__init__.py")
    assert (library(project) / "hello" / "__init__.py").samefile(stored)

    said = tox(project)
    assert "\nhello\n" in f"\n{said}"
    assert REBUILT not in said
    assert (written(library(project)), written(project / ".tox" / ".wheels")) == before

    size = (project / HELLO).stat().st_size
    write_hello(project / HELLO, "howdy")
    assert (project / HELLO).stat().st_size == size
    said = tox(project, "run", "-e", "greet")
    assert REBUILT in said
    assert "\nhowdy\n" in f"\n{said}"


def test_result_names_what_is_installed(project: Path) -> None:
    tox(project, "run", "-e", "count", "--result-json", "result.json")
    result = json.loads((project / "result.json").read_text(encoding="utf-8"))
    assert result["testenvs"]["count"]["installed_packages"] == ["hello==1.0", "world==1.0"]


def test_two_environments_may_be_filled_at_once(project: Path) -> None:
    tox(project, "run-parallel", "--parallel-no-spinner")
    assert written(library(project, "greet")).keys() < written(library(project, "count")).keys()


def test_dropped_wheel_is_gone(project: Path) -> None:
    tox(project, "run", "-e", "count")
    config = project / "tox.ini"
    config.write_text(config.read_text(encoding="utf-8").replace(f"count: {WORLD}", ""), "utf-8")
    said = tox(project, "run", "-e", "count", fails=True)
    assert REBUILT in said
    assert "No module named 'world'" in said


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("hello-1.0", "missing-1.0"), "missing-1.0-py3-none-any.whl"),
        (lambda text: text.replace(HELLO, "hello>=1"), "hello>=1"),
    ],
    ids=["missing", "no wheel file"],
)
def test_what_cannot_be_linked_fails_the_environment(
    project: Path, change: Callable[[str], str], reason: str
) -> None:
    config = project / "tox.ini"
    config.write_text(change(config.read_text(encoding="utf-8")), encoding="utf-8")
    said = tox(project, "run", "-e", "greet", fails=True)
    assert "greet: failed with" in said
    assert reason in said
    assert "Traceback" not in said


def test_package_is_replaced_in_place(project: Path) -> None:
    config = project / "tox.ini"
    text = config.read_text(encoding="utf-8").replace(HELLO, "").replace("no_package = true", "")
    config.write_text(text, encoding="utf-8")
    command = ("run", "-e", "greet", "--installpkg", HELLO)
    assert "\nhello\n" in tox(project, *command)
    write_hello(project / HELLO, "howdy")
    said = tox(project, *command)
    assert "\nhowdy\n" in said
    assert "recreate" not in said


def test_plugin_can_be_a_package(project: Path, tmp_path: Path) -> None:
    tutorial = (EXAMPLES.parent / "tutorial-tox-plugin.md").read_text(encoding="utf-8")
    assert '[project.entry-points.tox]\nwheels = "tox_wheels"\n' in tutorial
    shutil.move(project / "toxfile.py", tmp_path / "tox_wheels.py")
    info = tmp_path / "tox_wheels-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: tox-wheels\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[tox]\nwheels = tox_wheels\n", encoding="utf-8")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import tox.run; tox.run.run()"
    assert "\nhello\n" in run(["-c", code, "run", "-e", "greet"], project)


@pytest.mark.skipif(os.name == "nt", reason="the page shows a command as it is quoted elsewhere")
def test_the_tutorial_followed_literally(tmp_path: Path) -> None:
    page = (EXAMPLES.parent / "tutorial-tox-plugin.md").read_text(encoding="utf-8")
    names = re.findall(r"\{download\}`(\S+) <examples/(\S+)>`", page)
    assert {name for name, _ in names} == {"tox.ini", "toxfile.py", "wheels.py"}
    for name, path in names:
        shutil.copy(EXAMPLES / path, tmp_path / name)
    run(["wheels.py"], tmp_path)
    first, second = re.findall(r"^```console\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert_shown(first, tox(tmp_path))

    old, new = re.findall(r"`(GREETING = .*?)`", page)
    script = tmp_path / "wheels.py"
    text = script.read_text(encoding="utf-8")
    assert text.count(old) == 1
    script.write_text(text.replace(old, new), encoding="utf-8")
    run(["wheels.py"], tmp_path)
    assert_shown(second, tox(tmp_path).replace(str(tmp_path), "project"))


def assert_shown(block: str, said: str) -> None:
    """Compare what a page shows below the commands with what was said, in its order; dots stand for other lines."""
    lines = iter(said.splitlines())
    for shown in block.splitlines():
        if shown != "..." and not shown.startswith("$ "):
            assert shown in lines, (shown, said)
