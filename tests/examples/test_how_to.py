"""A reader who types what a how-to guide says, in its order, gets what it promises."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from integrations.projects import write_project

from examples.kit import EXAMPLES, entry_points, run, write_wheel
from wheel_linker import LinkMode

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCS: Final = EXAMPLES.parent
LOCKED: Final = {"hello": "", "tool": "'test' in extras", "world": "'docs' in dependency_groups"}
# What makes the project of other tests the one that the pages have.
RENAMED: Final = (
    ("local", "project"),
    ('more = ["extra"]', 'test = ["pytest"]'),
    ('dev = ["grouped"]', 'dev = ["wanted"]'),
    ("Provides-Extra: more", "Provides-Extra: test"),
    ("Requires-Dist: extra; extra == 'more'", "Requires-Dist: pytest; extra == 'test'"),
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the pages have the paths of other systems")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory with what the tutorial's script makes, and an environment in it."""
    made = tmp_path / "place"
    made.mkdir()
    entry_points(tmp_path / "plugin")
    run([str(EXAMPLES / "wheels.py")], made)
    venv.create(made / ".venv", symlinks=True)
    return made


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / "how-to" / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[tuple[list[str], str]]:
    """Return each command of a page, and what the page shows below it."""
    found = []
    for block in blocks(page, "console"):
        for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, shown = command.partition("\n")
            found.append((shlex.split(line), shown))
    assert found
    return found


def variables(place: Path) -> dict[str, str]:
    """Return what makes a user's directories, and an index, out of directories of the test."""
    home = str(place.parent / "home")
    return {
        "HOME": home,
        "XDG_CACHE_HOME": os.path.join(home, ".cache"),
        "PIP_FIND_LINKS": str(place / "wheels"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def typed(words: list[str], place: Path) -> str:
    """Do what a command says, with this library as it is tested; return what was said."""
    if words[:4] == ["python3", "-m", "pip", "install"]:
        assert_there_is_such_an_extra(words[-1])
        return ""
    program, *rest = words
    start = {
        "python3": [],
        "wheel-linker": ["-m", "wheel_linker"],
        "virtualenv": ["-m", "virtualenv", "--no-periodic-update"],
        "tox": ["-m", "tox"],
        "nox": ["-m", "nox"],
    }[program]
    expanded = [
        name
        for word in rest
        for name in (sorted(map(str, place.glob(word))) if "*" in word else [word])
    ]
    path = place.parent / "plugin"
    return run([*start, *expanded], place, path=path, variables=variables(place))


def assert_there_is_such_an_extra(requirement: str) -> None:
    text = (DOCS.parent / "pyproject.toml").read_text(encoding="utf-8")
    (names,) = re.findall(r"^wheel-linker\[(.*)\]$", requirement)
    known = re.findall(
        r"^([\w-]+) = \[", text.partition("optional-dependencies]\n")[2], re.MULTILINE
    )
    assert set(names.split(",")) <= set(known)


def modules(env: Path) -> set[str]:
    """Return which of the tutorial's packages an environment has."""
    names = ("hello", "tool", "world", "pytest", "pip")
    return {name for name in names if [*env.rglob(f"site-packages/{name}-*.dist-info")]}


def write_locks(place: Path, names: Mapping[str, str] = LOCKED) -> None:
    """Write a lock of each kind, for wheels that pip can fetch without a network."""
    lines, packages = [], []
    for name, marker in names.items():
        wheel = place / "wheels" / f"{name}-1.0-py3-none-any.whl"
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        lines.append(f"{name}==1.0 --hash=sha256:{digest}\n")
        packages.append(
            f'[[packages]]\nname = "{name}"\nversion = "1.0"\n'
            + (f'marker = "{marker}"\n' if marker else "")
            + f'[[packages.wheels]]\nname = "{wheel.name}"\nurl = "{wheel.as_uri()}"\n'
            f'hashes = {{ sha256 = "{digest}" }}\n'
        )
    (place / "requirements.txt").write_text("".join(lines), encoding="utf-8")
    head = 'lock-version = "1.0"\ncreated-by = "a test"\n'
    head += 'extras = ["test"]\ndependency-groups = ["docs"]\n'
    (place / "pylock.toml").write_text(head + "".join(packages), encoding="utf-8")


def needs_pylock() -> None:
    pytest.importorskip("packaging.pylock", reason="needs packaging 26.1")
    pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")


def test_install_on_the_command_line(place: Path) -> None:
    needs_pylock()
    write_locks(place)
    page = "install-on-the-command-line.md"
    for words, shown in commands(page):
        expected = shown.replace("hardlink", str(LinkMode.default().value))
        said = typed(words, place)
        if expected:
            assert said == expected
        if words[1] == "uninstall":
            assert modules(place / "env") == {"world"}
        elif words[1] == "pip":
            assert modules(place / ".venv") >= {"hello", "tool", "world"}
        elif words[:3] == ["wheel-linker", "sync", "pylock.toml"]:
            assert modules(place / ".venv") == {"hello"}
    assert modules(place / ".venv") == {"hello", "tool", "world"}
    text = (DOCS / "how-to" / page).read_text(encoding="utf-8")
    for command in re.findall(r"`wheel-linker (list|show NAME|check)`", text):
        typed(["wheel-linker", *command.replace("NAME", "hello").split()], place)
    (module,) = (place / ".venv").rglob("hello/__init__.py")
    module.unlink()
    typed(["wheel-linker", "check", "--repair"], place)
    assert module.exists()


def test_lock_files(place: Path) -> None:
    needs_pylock()
    write_locks(place)
    expected = iter([{"hello"}, {"hello", "tool", "world"}, {"hello", "tool", "world"}])
    for words, _ in commands("lock-files.md"):
        typed(words, place)
        if words[1] == "sync":
            assert modules(place / ".venv") == next(expected)
    assert not list(expected)
    (program,) = blocks("lock-files.md", "python")
    run(["-c", program], place, variables=variables(place))
    assert modules(place / ".venv") == {"hello", "tool"}
    typed(["wheel-linker", "store", "add", "wheels/*.whl"], place)
    typed(["wheel-linker", "store", "compile"], place)
    (place / "wheels").rename(place / "gone")
    typed(["wheel-linker", "sync", "pylock.toml", "--python", ".venv"], place)
    assert modules(place / ".venv") == {"hello"}


def test_keep_an_environment_in_step(place: Path) -> None:
    page = "keep-an-environment-in-step.md"
    text = (DOCS / "how-to" / page).read_text(encoding="utf-8")
    (shown,) = re.findall(r"^This prints `(.*)`\.$", text, re.MULTILINE)
    sync, plan = blocks(page, "python")
    said = run(["-c", sync + plan], place).splitlines()
    assert said == ["2 installed, 0 removed, 0 left alone", shown]
    assert modules(place / ".venv") == {"hello", "world"}
    (call,) = re.findall(r"^`uninstall\((.*), layout\)` removes both", text, re.MULTILINE)
    names = call.replace("one", "hello").replace("two", "world")
    remove = f"from wheel_linker.install import uninstall\nuninstall({names}, layout)\n"
    run(["-c", sync + remove], place)
    assert modules(place / ".venv") == set()


def test_check_and_mend(place: Path) -> None:
    (program,) = blocks("check-and-mend.md", "python")
    wheels = ["wheels/hello-1.0-py3-none-any.whl", "wheels/tool-1.0-py3-none-any.whl"]
    # The store that the page has.
    command = ["-m", "wheel_linker", "install", *wheels, "--python", ".venv", "--store", "cache"]
    run([*command, "--mode", "copy"], place)
    assert run(["-c", program], place) == ""
    (module,) = (place / ".venv").rglob("hello/__init__.py")
    whole = module.read_text(encoding="utf-8")
    module.write_text("GREETING = 'edited'\n", encoding="utf-8")
    (tool,) = (place / ".venv").rglob("tool.py")
    tool.unlink()
    said = run(["-c", program], place).splitlines()
    found = [(kind, os.path.realpath(path)) for kind, path in (line.split(" ", 1) for line in said)]
    assert sorted(found) == [
        ("changed", os.path.realpath(module)),
        ("missing", os.path.realpath(tool)),
    ]
    assert module.read_text(encoding="utf-8") == whole
    assert tool.exists()
    assert run(["-c", program], place) == ""


class TestTools:
    """`use-it-in-tox-nox-and-build.md`, with a project and an index of wheels that are as small as can be."""

    PAGE: Final = "use-it-in-tox-nox-and-build.md"

    @pytest.fixture
    def project(self, place: Path) -> Path:
        needs_pylock()
        for name in ("pytest", "sphinx"):
            script = "sphinx-build" if name == "sphinx" else name
            write_wheel(
                place / "wheels" / f"{name}-1.0-py3-none-any.whl",
                {f"{name}.py": f"def main(): print('{name} was started')\n"},
                scripts={script: f"{name}:main"},
            )
        write_wheel(place / "wheels" / "wanted-1.0-py3-none-any.whl", {"wanted.py": ""})
        (place / "requirements.txt").write_text("hello==1.0\n", encoding="utf-8")
        write_project(place)
        for name in ("pyproject.toml", "backend.py"):
            text = (place / name).read_text(encoding="utf-8")
            for old, new in RENAMED:
                text = text.replace(old, new)
            (place / name).write_text(text, encoding="utf-8")
        (place / "local.py").rename(place / "project.py")
        return place

    def test_tox(self, project: Path) -> None:
        environment, requires = blocks(self.PAGE, "ini")
        assert_there_is_such_an_extra(requires.rpartition(" ")[2].strip())
        config = f"[tox]\nno_package = true\n{environment}commands = pytest\n"
        (project / "tox.ini").write_text(config, encoding="utf-8")
        words = ["tox", "run", "-e", "py"]
        assert "pytest was started" in typed(words, project)
        assert modules(project / ".tox" / "py") >= {"pytest", "hello"}
        (placed,) = (project / ".tox" / "py").rglob("hello/__init__.py")
        (stored,) = (project.parent / "home").rglob("hello/__init__.py")
        assert LinkMode.default() is LinkMode.CLONE or placed.samefile(stored)
        # Of an environment that is made anew the wheels come from the store, and are looked up.
        assert "--dry-run" not in typed(words, project)
        assert "--dry-run" in typed(["tox", "run", "--recreate", "-e", "py"], project)

    def test_nox(self, project: Path) -> None:
        (noxfile,) = blocks(self.PAGE, "python")
        (project / "noxfile.py").write_text(noxfile, encoding="utf-8")
        write_locks(project, {"sphinx": ""})
        (project / "pylock.toml").rename(project / "pylock.docs.toml")
        for session, tool in (("tests", "pytest"), ("docs", "sphinx")):
            assert f"{tool} was started" in typed(["nox", "-s", session], project)
        (direct,) = (project / ".nox" / "tests").rglob("project-1.0.dist-info/direct_url.json")
        assert '"editable": true' in direct.read_text(encoding="utf-8")
        assert [*(project / ".nox" / "tests").rglob("wanted-1.0.dist-info")]
        assert modules(project / ".nox" / "docs") == set()  # pip neither
        assert "-m pip" not in typed(["nox", "-s", "docs"], project)

    def test_build_virtualenv_and_prune(self, project: Path) -> None:
        for words, shown in commands(self.PAGE):
            said = typed(words, project)
            assert said.endswith(shown.replace("/home/me/project", str(project)))
            assert "--seeder" not in words or modules(project / ".venv") == {"pip"}
        assert len(list((project / "dist").iterdir())) == 2
