"""What the pages name is there: modules, sessions of nox, and the figures that were generated."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

import wheel_linker

if TYPE_CHECKING:
    from types import ModuleType

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = Path(wheel_linker.__file__).resolve().parent
PAGES: Final = tuple(
    sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
)


def load(path: Path) -> ModuleType:
    """Import a script by its path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def test_modules_in_architecture_exist() -> None:
    text = (ROOT / "docs" / "development" / "architecture.md").read_text(encoding="utf-8")
    folders = {path.name for path in PACKAGE.iterdir()} - {"__pycache__"}
    picture = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert picture is not None
    layers = [
        name.strip()
        for line in picture[1].splitlines()
        for name in line.strip().split("  ")[0].split(",")
    ]
    named = [
        name for name in re.findall(r"`(\w+(?:/\w+)+)`", text) if name.partition("/")[0] in folders
    ]
    assert len(layers) > 10
    assert len(named) > 10
    missing = [
        name
        for name in (*layers, *named)
        if not ((PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file())
    ]
    assert missing == []


def test_every_package_is_in_the_picture_of_the_layers() -> None:
    text = (ROOT / "docs" / "development" / "architecture.md").read_text(encoding="utf-8")
    picture = text.partition("```text\n")[2].partition("```")[0]
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {name for name in packages if not re.search(rf"(?<!\w){name}(?!\w)", picture)} == set()


def sessions() -> set[str]:
    """Return the names of nox's sessions."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    names = set()
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        for decorator in function.decorator_list:
            if ast.unparse(decorator).startswith("nox.session"):
                given = {word.arg: word.value for word in getattr(decorator, "keywords", ())}
                name = given.get("name")
                names.add(str(name.value) if isinstance(name, ast.Constant) else function.name)
                assert ast.get_docstring(function), f"{function.name} has no sentence"
    return names


@pytest.mark.parametrize(
    "page", [ROOT / "CONTRIBUTING.md", ROOT / "README.md", *PAGES], ids=lambda page: page.name
)
def test_sessions_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = {
        name
        for command in re.findall(r"nox (?:\S+ )?-s ((?:[\w.-]+ ?)+)", text)
        for name in command.split(" -- ")[0].split()
    }
    known = sessions()
    assert {name for name in named if re.sub(r"-(pypy)?\d.*", "", name) not in known} == set()


class TestLinks:
    """`nox -s linkcheck` tells a page that is not there from a server that was not reached."""

    @pytest.fixture
    def script(self) -> Any:
        return load(ROOT / "docs" / "check_links.py")

    @pytest.mark.parametrize(
        ("status", "info", "broken"),
        [
            ("broken", "404 Client Error: Not Found for url: https://example.org/gone", True),
            ("broken", "503 Server Error: Unavailable for url: https://example.org", True),
            ("broken", "Anchor 'part' not found", True),
            ("broken", "HTTPSConnectionPool(host='example.org', port=443): no name", False),
            ("timeout", "", False),
        ],
    )
    def test_what_is_not_fine(self, script: Any, status: str, info: str, broken: bool) -> None:
        row = {"filename": "a.md", "lineno": 3, "uri": "https://e.org", "info": info}
        lists = script.sorted_out([{**row, "status": status}, {**row, "status": "working"}])
        assert [len(lines) for lines in lists] == ([1, 0] if broken else [0, 1])
        assert lists[0 if broken else 1][0].startswith("a.md:3: https://e.org")

    @pytest.mark.parametrize(("code", "end"), [("404 Client Error: x", 1), ("no name", 0)])
    def test_how_it_ends(
        self, script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, end: int
    ) -> None:
        output = tmp_path / "output.json"
        output.write_text(
            '{"filename": "a.md", "lineno": 1, "status": "broken", "uri": "https://e.org", '
            f'"info": "{code}"}}\n',
            encoding="utf-8",
        )
        with pytest.raises(SystemExit) as ended:
            script.main(output)
        assert ended.value.code == end
        assert "https://e.org" in capsys.readouterr().out


class TestTested:
    """`nox -s coverage` and `nox -s mutation` write what they measured into a page."""

    @pytest.fixture
    def script(self) -> Any:
        return load(ROOT / "docs" / "generate_tested.py")

    def test_coverage_is_counted_for_each_part(self, script: Any) -> None:
        summary = {
            "num_statements": 4,
            "covered_lines": 3,
            "num_branches": 2,
            "covered_branches": 1,
        }
        files = {
            "/x/wheel_linker/_fs/a.py": {"summary": summary},
            "wheel_linker\\_fs\\b.py": {
                "summary": {**summary, "num_branches": 0, "covered_branches": 0}
            },
            "wheel_linker/mode.py": {"summary": {**summary, "percent_covered": 66.6}},
        }
        lines = list(script.coverage_table({"files": files}))
        assert lines[2:5] == [
            "| `_fs` | 6 of 8, 75.0 % | 1 of 2, 50.0 % | 7 of 10, 70.0 % |",
            "| modules of the first level | 3 of 4, 75.0 % | 1 of 2, 50.0 % | 4 of 6, 66.7 % |",
            "| all | 9 of 12, 75.0 % | 2 of 4, 50.0 % | 11 of 16, 68.8 % |",
        ]

    def test_changes_are_counted_for_each_module(self, script: Any) -> None:
        name = "wheel_linker.store.index.xǁIndexǁfind__mutmut_8"
        results = {"_fs/paths": {"a": 1, "b": 36}, "store/index": {"c": 1, name: 0}}
        lines = list(script.mutation_table(results, {name: "the same"}))
        assert lines[2:5] == [
            "| `_fs/paths` | 2 | 2 | 0 |",
            "| `store/index` | 2 | 1 | 1 |",
            "| all | 4 | 3 | 1 |",
        ]
        assert lines[6].startswith("Score: 75.0 % noticed")
        assert lines[-1] == "- the same: `store.index.Index.find`."

    def test_what_was_not_measured_this_time_is_kept(self, script: Any) -> None:
        one, two = "wheel_linker._fs.paths.x_a__mutmut_1", "wheel_linker.store.index.x_b__mutmut_2"
        results = {"_fs/paths": {one: 0, "b": 1}, "store/index": {two: 0, "c": 1, "d": 1}}
        before = "\n".join(script.mutation_table(results, {one: "the: same", two: "the: same"}))
        again = list(script.mutation_table({"_fs/paths": {"a": 1}}, {}, before))
        assert again[2:5] == [
            "| `_fs/paths` | 1 | 1 | 0 |",
            "| `store/index` | 3 | 2 | 1 |",
            "| all | 4 | 3 | 1 |",
        ]
        assert again[-1] == "- the: same: `store.index.b`."
        three = "wheel_linker.store.names.x_e__mutmut_3"
        new = {"store/names": {three: 0}}
        again = list(script.mutation_table(new, {three: "the: same"}, "\n".join(again)))
        assert again[5] == "| all | 5 | 3 | 2 |"
        assert again[-1] == "- the: same: `store.index.b`, `store.names.e`."

    def test_what_is_written_anew_as_it_was_is_the_same(self, script: Any) -> None:
        _, before, _ = script._parted(script.PAGE.read_text(encoding="utf-8"), "mutation")
        if script._interpreter() not in before:
            pytest.skip("the page was measured with another interpreter")
        assert list(script.mutation_table({}, {}, before)) == before.strip("\n").split("\n")

    def test_figures_of_different_interpreters_are_not_merged(self, script: Any) -> None:
        before = "\n".join(script.mutation_table({"_fs/paths": {"a": 1}}, {}))
        other = before.replace(script._interpreter(), "Another 1.0")
        with pytest.raises(SystemExit, match="another interpreter"):
            list(script.mutation_table({"store/index": {"a": 1}}, {}, other))

    def test_modules_that_were_left_out(self, script: Any, tmp_path: Path) -> None:
        """mutmut was given the name of another one."""
        for name, ends in (("a", {"x": 1, "y": 0}), ("b", {"z": None}), ("c", {})):
            meta = tmp_path / "wheel_linker" / f"{name}.py.meta"
            meta.parent.mkdir(exist_ok=True)
            meta.write_text(json.dumps({"exit_code_by_key": ends}), encoding="utf-8")
        assert script._results(tmp_path) == {"a": {"x": 1, "y": 0}}

    def test_what_was_not_tried_counts_as_nothing(self, script: Any) -> None:
        with pytest.raises(SystemExit):
            list(script.mutation_table({"_fs/paths": {"a": 33}}, {}))

    def test_a_reason_is_for_one_change(self, script: Any) -> None:
        known = [{"becomes": 'encode("ASCII")', "why": "the same"}]
        change = '--- a\n+++ b\n-    x.encode("ascii")\n+    x.encode("{}")\n'
        assert script.explained("name", change.format("ASCII"), known) == "the same"
        assert script.explained("name", change.format("utf-8"), known) is None

    @pytest.mark.parametrize("part", ["coverage", "mutation"])
    def test_the_page_has_a_place_for_it(self, script: Any, part: str) -> None:
        page = script.PAGE.read_text(encoding="utf-8")
        again = script.replaced(page, part, ["| new |"])
        assert f"<!-- {part}:start -->\n| new |\n<!-- {part}:end -->" in again
        assert script.replaced(again, part, ["| new |"]) == again

    def test_every_reason_is_used(self) -> None:
        reasons = json.loads((ROOT / "docs" / "survivors.json").read_text(encoding="utf-8"))
        page = (ROOT / "docs" / "development" / "tested.md").read_text(encoding="utf-8")
        assert {each["why"] for each in reasons if f"- {each['why']}: " not in page} == set()
