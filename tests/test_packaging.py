"""What the project promises about itself: its names, its files, its modules and what importing costs."""

from __future__ import annotations

import ast
import email
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import installer
import packaging
import pytest
from packaging.requirements import Requirement

import wheel_linker
import wheel_linker.backends
from wheel_linker.store import Damage, DamageKind

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = Path(wheel_linker.__file__).resolve().parent

PUBLIC: Final = (
    "AUTO",
    "Fallback",
    "InvalidWheelError",
    "LinkError",
    "LinkFallbackWarning",
    "LinkMode",
    "LinkReport",
    "LockTimeoutError",
    "Locks",
    "PackageConflict",
    "PackageConflictError",
    "PackageConflictWarning",
    "Preview",
    "ProgressBar",
    "RecordProblem",
    "RecordWarning",
    "UnpackedWheel",
    "WheelFilename",
    "WheelLinkerError",
    "link_wheel_files",
    "link_wheels",
    "pack_wheel",
    "supported_modes",
    "unpack_wheel",
    "write_record",
)
ALIASES: Final = ("Modes", "MustCopy", "OnConflict", "RecordMode", "WheelLike")
"""What annotations of callers need."""
PUBLIC_BACKENDS: Final = ("Backend", "default_backend")

# A package imports from itself and from those after it, never from one before it, not even for the type checker.
LAYERS: Final = (
    ("__main__",),
    ("_cli",),
    ("integrations",),
    ("install",),
    ("store", "cache_key"),
    ("__init__",),
    ("_api",),
    ("_link",),
    ("backends", "_archive"),
    ("_wheel",),
    ("_fs",),
    ("_threads", "_log"),
    ("errors",),
    ("mode",),
    ("_compat",),
)
LAYER_OF: Final = {name: number for number, names in enumerate(LAYERS) for name in names}
MOST_MODULES: Final = 18
MOST_IN_THE_ROOT: Final = 6
SYSTEMS: Final = ("ubuntu", "macos", "windows")
MOST_MINUTES: Final = 30

SYSTEM_CALLS: Final = frozenset(
    {"_ctypes", "_winapi", "ctypes", "fcntl", "msvcrt", "reflink_copy", "winreg"}
)
# Besides the backends.
WITH_SYSTEM_CALLS: Final = frozenset({"_fs.durable", "_fs._windows.kernel32", "_fs.locking"})
# What each extra brings that is for a tool.
FOR_TOOLS: Final = {
    "build": ("build", "installer", "packaging", "pip", "platformdirs"),
    "nox": ("installer", "nox", "packaging", "pip", "platformdirs"),
    "tox": ("installer", "packaging", "pip", "platformdirs", "tox"),
    "virtualenv": ("installer", "platformdirs", "virtualenv"),
}
# Imported by these tools, with what they import themselves: other platforms cannot be pretended to them.
PLUGINS: Final = ("integrations.tox", "integrations.virtualenv")
COSTLY: Final = frozenset(
    {
        "argparse",
        "asyncio",
        "concurrent.futures",
        "ctypes",
        "dataclasses",
        "importlib.metadata",
        "inspect",
        "json",
        "logging",
        "multiprocessing",
        "packaging",
        "pathlib",
        "platformdirs",
        "rich",
        "shtab",
        "shutil",
        "subprocess",
        "tempfile",
        "typing_extensions",
        "zipfile",
    }
)


# The modules of the library that are loaded at most, itself included. More is loaded by what is asked for more.
MOST_LOADED: Final = {
    "from wheel_linker import link_wheels": 8,
    "from wheel_linker.store import WheelStore; WheelStore(place + '/store')": 22,
    "from wheel_linker.store import WheelStore; WheelStore(place + '/store').trusted": 45,
    "from wheel_linker import link_wheel_files; link_wheel_files(place + '/site', place + '/wheel')": 53,
}
FIND_PACKAGING: Final = f"sys.path.append({os.path.dirname(*packaging.__path__)!r})"

# Where files of the project are published.
PUBLISHED: Final = (
    ("https://wheel-linker.readthedocs.io/en/latest/", "docs/", ".md"),
    ("https://github.com/wheel-linker/wheel-linker/blob/main/", "", ""),
    ("https://raw.githubusercontent.com/wheel-linker/wheel-linker/main/", "", ""),
)


def modules() -> Iterator[str]:
    """Yield the package's modules by their names in it, such as ``backends`` and ``backends.linux``."""
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
        yield relative.removesuffix(".__init__")


MODULES: Final = tuple(modules())


def relative_path(module: str) -> str:
    """Return where a module of the package lies, such as ``backends/__init__.py``."""
    path = module.replace(".", "/")
    return f"{path}/__init__.py" if (PACKAGE / path).is_dir() else f"{path}.py"


def layer(module: str) -> int:
    """Return how far down a module lies."""
    return LAYER_OF[module.partition(".")[0]]


class TestPublicNames:
    def test_are_these(self) -> None:
        assert sorted(wheel_linker.__all__) == sorted((*PUBLIC, *ALIASES))

    @pytest.mark.parametrize("name", ALIASES)
    def test_of_types_exist_and_are_in_the_reference(self, name: str) -> None:
        assert get_args(getattr(wheel_linker, name))
        reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
        assert re.search(rf"wheel_linker\.{name}$", reference, re.MULTILINE)

    def test_kinds_of_damage_are_a_type(self) -> None:
        assert set(get_args(DamageKind)) == {"changed", "missing", "added"}
        assert Damage.__annotations__["kind"] == "DamageKind"

    @pytest.mark.parametrize("name", PUBLIC)
    def test_exist(self, name: str) -> None:
        assert getattr(wheel_linker, name) is not None

    def test_can_be_listed(self) -> None:
        assert set(PUBLIC) <= set(dir(wheel_linker))

    def test_unknown_one_is_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="no_such_name"):
            wheel_linker.no_such_name  # type: ignore[attr-defined]  # noqa: B018

    @pytest.mark.parametrize("name", PUBLIC_BACKENDS)
    def test_of_backends_exist(self, name: str) -> None:
        assert getattr(wheel_linker.backends, name) is not None

    @pytest.mark.parametrize("name", [name for name in PUBLIC if name != "AUTO"])
    def test_are_documented(self, name: str) -> None:
        assert getattr(wheel_linker, name).__doc__

    @pytest.mark.parametrize("name", PUBLIC)
    def test_are_in_the_reference(self, name: str) -> None:
        reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
        assert re.search(rf"wheel_linker\.{name}$", reference, re.MULTILINE)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(directory)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture(scope="module")
def wheel(built: Path) -> Iterator[zipfile.ZipFile]:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


class TestDistributions:
    def test_wheel_is_pure(self, built: Path) -> None:
        (path,) = built.glob("*.whl")
        assert path.name.endswith("-py3-none-any.whl")

    def test_wheel_contains_the_package_and_nothing_else(self, wheel: zipfile.ZipFile) -> None:
        package = {f"wheel_linker/{relative_path(module)}" for module in MODULES}
        dist_info = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
        assert {re.sub(r"^[^/]+\.dist-info/", "", name) for name in wheel.namelist()} == (
            package | dist_info | {"wheel_linker/py.typed"}
        )

    def test_wheel_requires(self, wheel: zipfile.ZipFile) -> None:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(wheel.read(name))
        requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
        assert metadata["Requires-Python"] == ">=3.10"
        assert {(item.name, str(item.marker or "")) for item in requirements} == {
            ("packaging", ""),
            ("reflink-copy", 'sys_platform == "win32"'),
            ("typing-extensions", 'python_version < "3.12"'),
            ("installer", 'extra == "install"'),
            ("platformdirs", 'extra == "cli"'),
            ("installer", 'extra == "pip"'),
            ("packaging", 'extra == "pip"'),
            ("tomli", 'python_version < "3.11" and extra == "pip"'),
            ("rich", 'extra == "cli"'),
            ("shtab", 'extra == "cli"'),
            ("isal", 'extra == "fast"'),
            *(
                (name, f'extra == "{extra}"')
                for extra, names in FOR_TOOLS.items()
                for name in names
            ),
            *(
                ("tomli", f'python_version < "3.11" and extra == "{extra}"')
                for extra in ("build", "nox", "tox")
            ),
        }

    def test_sdist_contains_what_it_takes_to_test_it(self, built: Path) -> None:
        (path,) = built.glob("*.tar.gz")
        with tarfile.open(path) as sdist:
            names = {name.partition("/")[2] for name in sdist.getnames()}
        assert {
            ".ci/run",
            "CHANGELOG.md",
            "LICENSE",
            "README.md",
            "docs/conf.py",
            "noxfile.py",
            "pyproject.toml",
            "tests/test_packaging.py",
            "wheel_linker/py.typed",
        } <= names
        assert any(name.startswith("benchmarks/") for name in names)

    def test_changelog_speaks_of_this_version(self, built: Path) -> None:
        (path,) = built.glob("*.whl")
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        assert f"\n## {path.name.split('-')[1]} (" in changelog


class TestModules:
    def test_import_downwards_only(self) -> None:
        graph = {module: own_imports(module) - {module} for module in MODULES}
        upwards = [
            f"{module} imports {other}"
            for module, others in graph.items()
            for other in others
            if layer(other) < layer(module)
            or (layer(other) == layer(module) and not shares_a_folder(module, other))
        ]
        assert upwards == []
        assert set(TopologicalSorter(graph).static_order()) == set(MODULES)

    def test_are_few_in_each_folder(self) -> None:
        folders = Counter((PACKAGE / relative_path(module)).parent for module in MODULES)
        root = {module for module in MODULES if "." not in module} & {
            path.stem for path in PACKAGE.glob("*.py")
        }
        assert max(folders.values()) <= MOST_MODULES
        assert len(root - {"__init__", "__main__"}) <= MOST_IN_THE_ROOT

    @pytest.mark.parametrize(
        "module",
        [
            name
            for name in MODULES
            if name.split(".")[0] != "backends" and name not in WITH_SYSTEM_CALLS
        ],
    )
    def test_only_backends_and_locks_call_the_system_directly(self, module: str) -> None:
        assert not {name.split(".")[0] for name in imports(module)} & SYSTEM_CALLS

    @pytest.mark.parametrize("platform", ["linux", "darwin", "win32", "ios", "plan9"])
    def test_import_on_every_platform(self, platform: str) -> None:
        (libraries,) = installer.__path__
        done = run_python(IMPORT_ALL, os.path.dirname(libraries), platform, *sorted(SYSTEM_CALLS))
        assert done.returncode == 0, done.stderr


EVERYWHERE: Final = tuple(name for name in MODULES if not name.startswith(PLUGINS))
# Everything is imported twice: first to have the standard library in place, which would not take
# the pretence, and then as on a platform that lacks every module which only some platforms have.
IMPORT_ALL: Final = f"""
import importlib, sys
libraries, platform, *missing = sys.argv[1:]
sys.path.append(libraries)
names = ["wheel_linker." + name for name in {EVERYWHERE!r} if not name.startswith("__")]
for name in names:
    importlib.import_module(name)
for name in list(sys.modules):
    if name.split(".")[0] in ("wheel_linker", *missing):
        del sys.modules[name]
sys.modules.update(dict.fromkeys(missing))
sys.platform = platform
for name in names:
    importlib.import_module(name)
"""


class TestImport:
    def test_is_cheap(self) -> None:
        before, after = loaded_by("import wheel_linker")
        assert not (after - before) & COSTLY

    def test_of_a_call_is_cheap(self) -> None:
        # What a caller writes must not cost more than the bare package.
        before, after = loaded_by("from wheel_linker import AUTO, link_wheels")
        expensive = {"asyncio", "concurrent.futures", "ctypes", "packaging", "tempfile"}
        assert not (after - before) & expensive

    def test_takes_one_module(self) -> None:
        before, after = loaded_by("import wheel_linker")
        assert own(after - before) == {"wheel_linker"}
        assert "typing" not in after - before

    @pytest.mark.parametrize(("what", "most"), MOST_LOADED.items())
    def test_of_what_is_used_takes_few(self, what: str, most: int, tmp_path: Path) -> None:
        write_wheel(tmp_path / "wheel", "demo", "1.0")
        before, after = loaded_by(f"{FIND_PACKAGING}\nplace = {os.fspath(tmp_path)!r}\n{what}")
        assert len(own(after - before)) <= most

    @pytest.mark.parametrize("what", MOST_LOADED)
    def test_of_what_is_used_takes_no_pathlib(self, what: str, tmp_path: Path) -> None:
        """Its import takes longer than linking a small wheel, and only callers that are given paths need it."""
        write_wheel(tmp_path / "wheel", "demo", "1.0")
        before, after = loaded_by(f"{FIND_PACKAGING}\nplace = {os.fspath(tmp_path)!r}\n{what}")
        assert "pathlib" not in after - before

    @pytest.mark.skipif(os.name == "nt", reason="is about other systems")
    @pytest.mark.parametrize("what", MOST_LOADED)
    def test_is_of_nothing_for_windows_elsewhere(self, what: str, tmp_path: Path) -> None:
        write_wheel(tmp_path / "wheel", "demo", "1.0")
        before, after = loaded_by(f"{FIND_PACKAGING}\nplace = {os.fspath(tmp_path)!r}\n{what}")
        loaded = own(after - before) - {"wheel_linker._fs.windows"}  # what all systems ask
        assert not {name for name in loaded if "windows" in name}

    @pytest.mark.parametrize(
        "module", ["backends.linux", "backends.macos", "store._entry.stored_wheel"]
    )
    def test_of_what_overrides_is_cheap(self, module: str) -> None:
        before, after = loaded_by(f"import wheel_linker.{module}")
        assert "wheel_linker._compat.override" in after
        assert "typing_extensions" not in after - before


class TestReadme:
    @pytest.fixture
    def text(self) -> str:
        return (ROOT / "README.md").read_text(encoding="utf-8")

    def test_begins_with_the_two_commands(self, text: str) -> None:
        demo, tests, *_ = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        # A line each to paste. The installed command, because `python -m` takes what lies in the directory.
        assert demo.count("\n") == tests.count("\n") == 1
        assert demo.endswith("&& .venv/bin/wheel-linker demo\n")
        assert tests.endswith("&& .venv/bin/nox -s tests\n")

    def test_links_lead_somewhere(self, text: str) -> None:
        """Absolute, because the page on PyPI has no other files of the project."""
        links = re.findall(r"\]\(([^)]+)\)|(?:src|srcset)=\"([^\"]+)\"", text)
        paths = [path_of(link or image) for link, image in links]
        assert len(paths) > 10
        assert [path for path in paths if path and not (ROOT / path).exists()] == []

    def test_is_short(self, text: str) -> None:
        assert len(text.splitlines()) <= 130

    def test_figures_are_those_that_were_recorded(
        self, text: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.syspath_prepend(ROOT)
        from benchmarks import picture, summary
        from benchmarks.results import Results

        results = Results.load(ROOT / "docs" / "benchmarks.json")
        written = summary.summary(results)
        assert written
        assert f"{summary.START}{written}{summary.END}" in text
        for theme in picture.THEMES:
            svg = (ROOT / "docs" / f"seconds-{theme}.svg").read_text(encoding="utf-8")
            assert svg == picture.drawn(results, theme)

    def test_example_runs(
        self,
        text: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        for name, version in (("idna", "3.20"), ("rich", "15.0.0")):
            write_wheel(tmp_path / "cache" / f"{name}-{version}", name, version)
        monkeypatch.chdir(tmp_path)
        match = re.search(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        assert match
        code = match[1].replace("mode=AUTO", 'mode="copy"')  # AUTO would warn where nothing clones
        exec(compile(code, "README.md", "exec"), {})
        lines = capsys.readouterr().out.splitlines()
        assert lines == ["idna: 3 files, most by copy", "rich: 3 files, most by copy"]


class TestWorkflow:
    """What runs on the systems that no Debian stands for: a job that is not there says nothing."""

    @pytest.fixture
    def text(self) -> str:
        path = ROOT / ".github" / "workflows" / "ci.yml"
        if not path.exists():
            pytest.skip("is about a checkout: an sdist has no workflow")
        return path.read_text(encoding="utf-8")

    def test_runs_every_interpreter_on_every_system(self, text: str) -> None:
        (systems,) = re.findall(r"^ +os: \[(.*)\]$", text, re.MULTILINE)
        assert set(systems.split(", ")) == {f"{name}-latest" for name in SYSTEMS}
        (line,) = re.findall(r"^ +python: \[(.*)\]$", text, re.MULTILINE)
        interpreters = {word.strip('"') for word in line.split(", ")}
        pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        supported = set(re.findall(r'"Programming Language :: Python :: (3\.\d+)"', pyproject))
        assert supported
        assert interpreters == supported | {"3.14t", "3.15t", "pypy3.11"}

    def test_has_a_dev_drive_and_a_mac(self, text: str) -> None:
        assert re.search(r"Format-Volume .*-DevDrive", text)
        assert '"TEMP=$temp", "TMP=$temp"' in text
        assert "python benchmarks/first_import.py" in text

    def test_no_job_takes_more_than_half_an_hour(self, text: str) -> None:
        jobs = re.findall(r"^  [a-z-]+:\n    name:", text, re.MULTILINE)
        limits = [
            int(each) for each in re.findall(r"^    timeout-minutes: (\d+)$", text, re.MULTILINE)
        ]
        assert len(limits) == len(jobs) > 0
        assert max(limits) <= MOST_MINUTES


def test_conda_recipe_has_the_same_version_and_command() -> None:
    recipe = (ROOT / "recipe" / "recipe.yaml").read_text(encoding="utf-8")
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for theirs, ours in (
        (r'^version = "(.+)"', r'^  version: "(.+)"'),
        (r'^requires-python = ">=(.+)"', r'^  python_min: "(.+)"'),
        (r'^wheel-linker = "(.+:main)"', r"^      - wheel-linker = (.+)"),
    ):
        wanted = re.findall(theirs, pyproject, re.MULTILINE)
        assert re.findall(ours, recipe, re.MULTILINE) == wanted != []


def test_conda_recipe_requires_what_the_wheel_and_its_command_do() -> None:
    recipe = (ROOT / "recipe" / "recipe.yaml").read_text(encoding="utf-8")
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lists = re.findall(
        r"^(?:dependencies|install|cli) = \[(.*?)\]$", pyproject, re.MULTILINE | re.DOTALL
    )
    assert len(lists) == 3
    wanted = {
        (needed.name, str(needed.specifier))
        for text in re.findall(r'"([^"]+)"', "".join(lists))
        # Read on all systems alike: what is for one of them cannot be named in a package for all.
        if (needed := Requirement(text)).name != "reflink-copy"
    }
    run = recipe.partition("  run:\n")[2].partition("\n\n")[0]
    found = {tuple(line.split()) for line in re.findall(r"^    - (.+)$", run, re.MULTILINE)}
    # An older package of another kind has the name "installer" in conda-forge.
    renamed = {("python-installer" if name == "installer" else name, low) for name, low in wanted}
    assert found - {("python", ">=${{")} - {("python", ">=${{", "python_min", "}}")} == renamed


def path_of(link: str) -> str | None:
    """Return what of the project a link of the README leads to, or None if it leads to another project."""
    for start, folder, end in PUBLISHED:
        if link.startswith(start):
            path = link[len(start) :].partition("#")[0]
            return folder + (path.removesuffix(".html") + ".md" if end == ".md" else path)
    assert link.startswith("https://")
    return None


def write_wheel(root: Path, name: str, version: str) -> None:
    """Write the least that is a wheel: a module, its metadata and a record."""
    dist_info = root / f"{name}-{version}.dist-info"
    dist_info.mkdir(parents=True)
    (root / f"{name}.py").write_text(f"VERSION = {version!r}\n", encoding="utf-8")
    (dist_info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n", encoding="utf-8")
    (dist_info / "RECORD").write_text("", encoding="utf-8")


def loaded_by(statement: str) -> tuple[set[str], set[str]]:
    """Return the modules that are loaded before and after ``statement`` in a bare interpreter."""
    code = f"""
import sys
before = list(sys.modules)
{statement}
after = list(sys.modules)
import json
print(json.dumps([before, after]))
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout)
    return set(before), set(after)


def own(modules: set[str]) -> set[str]:
    """Return those of some loaded modules that are the library's."""
    return {name for name in modules if name.partition(".")[0] == "wheel_linker"}


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter without ``site``, whose ``.pth`` files import what they like."""
    # isolated from the environment too; packaging is found only where it lies beside the package
    setup = f"import sys; sys.path.insert(0, {os.fspath(PACKAGE.parent)!r})\n"
    command = [sys.executable, "-I", "-S", "-c", setup + code, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def imports(module: str) -> set[str]:
    """Return the dotted names that a module imports anywhere, those for the type checker included."""
    tree = ast.parse((PACKAGE / relative_path(module)).read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def own_imports(module: str) -> set[str]:
    """Return the modules of the package that a module of the package imports."""
    found: set[str] = set()
    for name in imports(module):
        top, _, rest = name.partition(".")
        if top != "wheel_linker":
            continue
        # `from wheel_linker.mode import AUTO` was noted as wheel_linker.mode.AUTO
        while rest and rest not in MODULES:
            rest = rest.rpartition(".")[0]
        found.add(rest or "__init__")
    return found


def shares_a_folder(module: str, other: str) -> bool:
    """Tell whether two modules of one layer lie in the same top-level package."""
    return module.partition(".")[0] == other.partition(".")[0]
