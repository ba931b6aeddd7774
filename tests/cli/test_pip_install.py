"""The command ``wheel-linker pip install``, beside the real pip: of locks that the store has, without it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from examples.kit import write_wheel
from integrations.projects import write_project

from wheel_linker._cli import main
from wheel_linker.install import Layout, install_wheels, installed
from wheel_linker.integrations.pip import PipError, obtain_locked
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable

WHEELS: dict[str, dict[str, Any]] = {
    "top-1.0": {
        "requires": [
            "base[fast]<2",
            "never; python_version<'3'",
            'only-for-tests>=9; extra == "test"',
            'extended; extra == "more"',
        ]
    },
    "base-1.0": {"requires": ['speed>=1; python_version>="3" and extra == "fast"']},
    "base-1.5": {},
    "base-2.0": {},
    "speed-1.0": {},
    "extended-1.0": {},
    "newer-1.0": {"requires_python": ">=99"},
    "spread_out-1.0": {"requires": ["direct @ https://nowhere.invalid/direct-1.0.tar.gz"]},
}
WHOLE = ("top-1.0", "base-1.0", "speed-1.0")


class Ran(NamedTuple):
    """What became of a command."""

    code: int
    output: str


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("index")
    for name, more in WHEELS.items():
        module = name.partition("-")[0]
        path = directory / f"{name}-py3-none-any.whl"
        write_wheel(path, {f"{module}.py": f"NAME = {name!r}\n"}, **more)
    return directory


@pytest.fixture
def store(tmp_path: Path, index: Path) -> Path:
    """A store that has every wheel."""
    with WheelStore(tmp_path / "store") as made:
        made.add_all(sorted(index.glob("*.whl")))
    return tmp_path / "store"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    return new_environment(tmp_path / "ours")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing that is set for pip here have a say."""
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


@pytest.fixture
def run(
    settings: None, store: Path, environment: Path, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Return a function that runs our command."""

    def command(*arguments: object) -> Ran:
        words = ["pip", "install", "--store", store, "--python", environment, *arguments]
        code = main.main([*map(str, words)])
        return Ran(code, "".join(capfd.readouterr()))

    return command


class StartedError(Exception):
    """pip was started."""


@pytest.fixture
def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where pip is started."""

    def start(*_: object) -> None:
        raise StartedError

    monkeypatch.setattr("wheel_linker.integrations.pip.resolved.run_pip", start)


def new_environment(path: Path, *, sees_system: bool = False) -> Path:
    builder = venv.EnvBuilder(symlinks=os.name != "nt", system_site_packages=sees_system)
    builder.create(path)
    return path


def interpreter_of(environment: Path) -> str:
    return os.fspath(environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def by_pip(environment: Path, index: Path, *arguments: object) -> Ran:
    """Run pip itself."""
    words = ["--python", interpreter_of(environment), "install", "--no-index", "-f", index]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *map(str, [*words, *arguments])],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return Ran(done.returncode, done.stdout)


def put(environment: Path, index: Path, *names: str) -> None:
    """Have wheels in an environment, as pip leaves them that nobody has asked for."""
    files = [index / f"{name}-py3-none-any.whl" for name in names]
    install_wheels(files, Layout.for_python(interpreter_of(environment)), installer="pip")


def there(environment: Path) -> dict[str, Any]:
    return {one.name: one for one in installed(Layout.for_python(interpreter_of(environment)))}


def state(environment: Path) -> dict[str, tuple[str, bool, object]]:
    """Return what is installed, whether that was asked for, and where it comes from."""
    return {
        name: (one.version, Path(one.path, "REQUESTED").exists(), one.direct_url)
        for name, one in there(environment).items()
    }


def lock(directory: Path, index: Path, *lines: str, name: str = "locked.txt") -> Path:
    """Write a lock of wheels, each ``NAME-VERSION`` with what follows the version in a line."""
    written = []
    for line in lines:
        wheel, _, rest = line.partition(" ")
        project, _, version = wheel.partition("-")
        project, bracket, extras = project.partition("[")
        path = index / f"{project}-{version}-py3-none-any.whl"
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        written.append(f"{project}{bracket}{extras}=={version} {rest}--hash=sha256:{digest}\n")
    path = directory / name
    path.write_text("".join(written), encoding="utf-8")
    return path


class TestWithoutPip:
    """What pip and this command make of the same, the latter without the former."""

    @pytest.mark.parametrize(
        ("present", "lines", "options"),
        [
            pytest.param((), WHOLE, (), id="new"),
            pytest.param(("base-2.0", "extended-1.0"), WHOLE, (), id="another version"),
            pytest.param(("base-1.0", "speed-1.0"), WHOLE, (), id="some are there"),
            pytest.param(WHOLE, WHOLE, ("--upgrade",), id="all are there"),
            pytest.param(("base-1.0", "speed-1.0"), ("top-1.0",), (), id="required and there"),
            pytest.param((), ("top-1.0",), ("--no-deps",), id="without dependencies"),
            pytest.param((), (*WHOLE, "newer-1.0 ; python_version<'3' "), (), id="markers"),
            pytest.param((), (*WHOLE[1:], "top[more]-1.0", "extended-1.0"), (), id="extras"),
        ],
    )
    def test_is_as_with_pip(
        self,
        tmp_path: Path,
        index: Path,
        environment: Path,
        run: Callable[..., Ran],
        no_pip: None,
        present: tuple[str, ...],
        lines: tuple[str, ...],
        options: tuple[str, ...],
    ) -> None:
        theirs = new_environment(tmp_path / "theirs")
        if present:
            put(environment, index, *present)
            put(theirs, index, *present)
        path = lock(tmp_path, index, *lines)
        assert by_pip(theirs, index, "-r", path, *options).code == 0
        before = {name: Path(one.path) for name, one in there(environment).items()}
        times = {name: (path / "RECORD").stat().st_mtime_ns for name, path in before.items()}
        done = run("-r", path, *options)
        assert done.code == 0, done.output
        assert state(environment) == state(theirs)
        for name, one in there(environment).items():
            if name in before and before[name] == Path(one.path):
                assert Path(one.path, "RECORD").stat().st_mtime_ns == times[name]
            else:
                assert one.installer == "wheel-linker"

    @pytest.mark.usefixtures("no_pip")
    def test_says_what_would_be_done(
        self, tmp_path: Path, index: Path, environment: Path, run: Callable[..., Ran]
    ) -> None:
        done = run("--dry-run", "-r", lock(tmp_path, index, *WHOLE))
        assert (done.code, done.output.splitlines()[0]) == (0, "top 1.0: would be installed")
        assert there(environment) == {}

    @pytest.mark.usefixtures("no_pip")
    def test_says_that_all_is_there(
        self, tmp_path: Path, index: Path, run: Callable[..., Ran]
    ) -> None:
        path = lock(tmp_path, index, *WHOLE)
        run("-r", path)
        assert run("-r", path) == (0, "everything that is asked for is installed already\n")

    @pytest.mark.usefixtures("no_pip")
    def test_several_locks_and_options_in_them(
        self, tmp_path: Path, index: Path, environment: Path, run: Callable[..., Ran]
    ) -> None:
        one, other = lock(tmp_path, index, "top-1.0"), lock(tmp_path, index, *WHOLE[1:], name="b")
        other.write_text(f"--index-url https://nowhere.invalid\n{other.read_text()}")
        assert run("-r", one, "-r", other, "-q", "--require-hashes").code == 0
        assert set(there(environment)) == {"top", "base", "speed"}

    @pytest.mark.usefixtures("no_pip")
    def test_a_pylock(
        self, tmp_path: Path, index: Path, environment: Path, run: Callable[..., Ran]
    ) -> None:
        pytest.importorskip("packaging.pylock", reason="needs packaging 26.1")
        pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
        assert run("-r", pylock(tmp_path, index, *WHOLE)).code == 0
        assert state(environment) == {name.partition("-")[0]: ("1.0", True, None) for name in WHOLE}


class TestByPip:
    """What pip has to decide."""

    @pytest.mark.parametrize(
        ("present", "lines", "says"),
        [
            pytest.param((), ("top-1.0",), "--require-hashes mode", id="not locked"),
            pytest.param(("base-2.0",), ("top-1.0",), "--require-hashes mode", id="too new"),
            pytest.param((), ("top-1.0", "base-2.0", "speed-1.0"), "conflict", id="conflict"),
            pytest.param((), ("newer-1.0",), "requires a different Python", id="Requires-Python"),
        ],
    )
    def test_errors_are_those_of_pip(
        self,
        tmp_path: Path,
        index: Path,
        environment: Path,
        run: Callable[..., Ran],
        present: tuple[str, ...],
        lines: tuple[str, ...],
        says: str,
    ) -> None:
        if present:
            put(environment, index, *present)
        path = lock(tmp_path, index, *lines)
        before = state(environment)
        done = run("--no-index", "-f", index, "-r", path)
        assert done.code == 1
        assert says in done.output
        assert says in by_pip(environment, index, "--dry-run", "-r", path).output
        assert state(environment) == before

    def test_fetches_what_the_store_lacks(
        self, tmp_path: Path, index: Path, store: Path, environment: Path, run: Callable[..., Ran]
    ) -> None:
        path = lock(tmp_path, index, *WHOLE)
        with WheelStore(store) as opened:
            opened.remove(
                hashlib.sha256((index / "base-1.0-py3-none-any.whl").read_bytes()).hexdigest()
            )
        done = run("--no-index", "-f", index, "-r", path)
        assert done.code == 0, done.output
        assert {name: one[:2] for name, one in state(environment).items()} == {
            name.partition("-")[0]: ("1.0", True) for name in WHOLE
        }

    def test_fetches_what_is_damaged_in_the_store(
        self, tmp_path: Path, index: Path, store: Path, environment: Path, run: Callable[..., Ran]
    ) -> None:
        for module in store.glob("**/base.py"):
            module.chmod(0o644)
            module.write_text("")
        done = run("--no-index", "-f", index, "-r", lock(tmp_path, index, *WHOLE))
        assert done.code == 0, done.output
        (placed,) = environment.glob("**/base.py")
        assert placed.read_text() == "NAME = 'base-1.0'\n"

    def test_the_digest_of_another_wheel_does_not_do(
        self, tmp_path: Path, index: Path, store: Path, environment: Path, run: Callable[..., Ran]
    ) -> None:
        path = lock(tmp_path, index, "base-1.0")
        for named in ("base==2.0", "speed==1.0"):
            path.write_text(path.read_text().replace(path.read_text().split(" ")[0], named))
            done = run("--no-index", "-f", index, "-r", path)
            assert done.code == 1
            assert "DO NOT MATCH THE HASHES" in done.output
            with WheelStore(store) as opened, pytest.raises(PipError):
                obtain_locked(
                    path,
                    python=interpreter_of(environment),
                    store=opened,
                    pip_args=["--no-index", "-f", os.fspath(index)],
                )
        assert there(environment) == {}

    @pytest.mark.parametrize(
        "more",
        [
            ("base",),
            ("-c", "limits.txt"),
            ("--force-reinstall",),
            ("--ignore-installed",),
            ("--no-binary", ":all:"),
            ("--report", "report.json"),
            ("-r", "other.txt"),
            ("-r", "twice.txt"),
            ("-r", "options.txt"),
            ("-r", "address.txt"),
        ],
        ids=lambda words: " ".join(words),
    )
    @pytest.mark.usefixtures("no_pip")
    def test_is_asked_about_anything_else(
        self,
        tmp_path: Path,
        index: Path,
        run: Callable[..., Ran],
        monkeypatch: pytest.MonkeyPatch,
        more: tuple[str, ...],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "other.txt").write_text("extended\n")
        lock(tmp_path, index, "base-1.0", name="twice.txt")
        lock(tmp_path, index, "spread_out-1.0", name="address.txt")
        (tmp_path / "options.txt").write_text("--no-binary :all:\n")
        with pytest.raises(StartedError):
            run("-r", lock(tmp_path, index, *WHOLE), *more)

    def test_projects_in_place_in_a_file_of_requirements(
        self,
        tmp_path: Path,
        index: Path,
        environment: Path,
        run: Callable[..., Ran],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        project = write_project(tmp_path / "local")
        put(environment, index, *WHOLE)
        write_wheel(tmp_path / "wanted-1.0-py3-none-any.whl", {"wanted.py": ""})
        (tmp_path / "more.txt").write_text("-e ./local\n")
        (tmp_path / "all.txt").write_text("-r more.txt\ntop\n")
        done = run("--no-index", "-f", tmp_path, "-r", tmp_path / "all.txt")
        assert done.code == 0, done.output
        found = there(environment)["local"]
        assert (found.editable, found.direct_url["url"]) == (True, project.as_uri())
        assert there(environment)["wanted"].installer == "wheel-linker"

    @pytest.mark.parametrize(
        "line", ["./local", "local @ file:{project}", "-e ./local", "--editable=./local"]
    )
    def test_options_of_one_requirement_hold_for_it(
        self,
        tmp_path: Path,
        environment: Path,
        run: Callable[..., Ran],
        monkeypatch: pytest.MonkeyPatch,
        line: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        project = write_project(tmp_path / "local")
        backend = (project / "backend.py").read_text()
        told = '"told.py": f"SETTINGS = {config_settings!r}"'
        backend = backend.replace('{"local.py": file.read()}', "{" + told + "}")
        backend = backend.replace('{"local.pth":', "{" + told + ", " + '"local.pth":')
        (project / "backend.py").write_text(backend)
        write_wheel(tmp_path / "wanted-1.0-py3-none-any.whl", {"wanted.py": ""})
        named = line.format(project=project)
        (tmp_path / "more.txt").write_text(f'{named} --config-settings="--one=a b" -C two=2\n')
        (tmp_path / "all.txt").write_text("-r more.txt\nwanted\n")
        done = run("--no-index", "-f", tmp_path, "-r", "all.txt")
        assert done.code == 0, done.output
        assert there(environment)["local"].editable == line.startswith("-")
        script = "import told, json; print(json.dumps(told.SETTINGS))"
        said = subprocess.check_output([interpreter_of(environment), "-c", script])
        assert json.loads(said) == {"--one": "a b", "two": "2"}

    def test_in_an_environment_that_another_manager_looks_after(
        self,
        tmp_path: Path,
        index: Path,
        environment: Path,
        run: Callable[..., Ran],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        real = Layout.for_python(interpreter_of(environment))
        managed = real._replace(externally_managed="EXTERNALLY-MANAGED")
        monkeypatch.setattr(Layout, "for_python", lambda *_, **__: managed)
        given: list[str] = []
        monkeypatch.setattr(
            "wheel_linker.integrations.pip.resolved.install_editable",
            lambda *_, index, **__: given.extend(index),
        )
        write_wheel(tmp_path / "wanted-1.0-py3-none-any.whl", {"wanted.py": ""})
        words = ("--no-index", "-f", tmp_path, "-e", write_project(tmp_path / "local"))
        assert run(*words).code == 1
        monkeypatch.setenv("PIP_BREAK_SYSTEM_PACKAGES", "1")
        done = run(*words)
        assert done.code == 0, done.output
        assert "--break-system-packages" in given  # pip would refuse as well

    def test_options_in_a_file_hold_for_what_is_built(
        self,
        tmp_path: Path,
        index: Path,
        environment: Path,
        run: Callable[..., Ran],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "nowhere").as_uri())
        monkeypatch.setenv("PIP_RETRIES", "0")
        (tmp_path / "files" / "wheels").mkdir(parents=True)
        for name in ("wanted", "helper"):
            write_wheel(tmp_path / f"files/wheels/{name}-1.0-py3-none-any.whl", {f"{name}.py": ""})
        write_project(tmp_path / "local")
        file = tmp_path / "local" / "pyproject.toml"
        file.write_text(file.read_text().replace("requires = []", 'requires = ["helper"]'))
        (tmp_path / "files" / "options.txt").write_text("--no-index\n--find-links ./wheels\n")
        for line in ("./local", "-e ./local"):
            (tmp_path / "files" / "all.txt").write_text(f"-r options.txt\n{line}\n")
            done = run("-r", "files/all.txt")
            assert done.code == 0, done.output
            assert there(environment)["local"].editable == line.startswith("-e")

    def test_what_is_set_for_pip_install_holds_for_what_is_fetched(
        self,
        tmp_path: Path,
        environment: Path,
        run: Callable[..., Ran],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        configuration = tmp_path / "settings"
        monkeypatch.setenv("PIP_CONFIG_FILE", os.fspath(configuration))
        # The requirement of the back end is not to be had, and is not needed without an isolated build.
        write_project(tmp_path / "local")
        file = tmp_path / "local" / "pyproject.toml"
        file.write_text(file.read_text().replace("requires = []", 'requires = ["none-such"]'))
        report = tmp_path / "report.json"
        configuration.write_text(
            "[global]\nno-index = yes\n"
            f"[install]\nno-build-isolation = no\nno-deps = yes\nreport = {report}\n"
        )
        done = run(tmp_path / "local")
        assert done.code == 0, done.output
        assert set(there(environment)) == {"local"}
        assert json.loads(report.read_text())["install"][0]["metadata"]["name"] == "local"

    def test_report(
        self, tmp_path: Path, index: Path, environment: Path, run: Callable[..., Ran]
    ) -> None:
        place = ("--no-index", "-f", index)
        done = run(*place, "--dry-run", "--report", tmp_path / "report.json", "base<2")
        assert done.code == 0, done.output
        report = json.loads((tmp_path / "report.json").read_text())
        assert [one["metadata"]["version"] for one in report["install"]] == ["1.5"]
        done = run(*place, "-q", "--report", "-", "--", "base<2")
        assert done.code == 0, done.output
        assert json.loads(done.output) == report
        assert set(there(environment)) == {"base"}

    def test_a_report_that_a_variable_asks_for(
        self,
        tmp_path: Path,
        index: Path,
        environment: Path,
        run: Callable[..., Ran],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        report = tmp_path / "report.json"
        monkeypatch.setenv("PIP_REPORT", os.fspath(report))
        done = run("--no-index", "-f", index, "base<2")
        assert done.code == 0, done.output
        assert json.loads(report.read_text())["install"][0]["metadata"]["version"] == "1.5"
        assert set(there(environment)) == {"base"}

    def test_an_option_that_pip_does_not_know(self, run: Callable[..., Ran]) -> None:
        done = run("--none-such", "base")
        assert done.code == 2
        assert "no such option: --none-such" in done.output
        assert done.output.splitlines()[-1].startswith("wheel-linker: error: pip could not resolve")

    def test_flags_in_one_word(
        self, index: Path, environment: Path, run: Callable[..., Ran]
    ) -> None:
        put(environment, index, "base-1.0")
        assert run("-qUf", index, "--no-index", "base<2") == (0, "")
        assert there(environment)["base"].version == "1.5"

    def test_files_that_are_read_only_once(
        self, tmp_path: Path, index: Path, environment: Path, run: Callable[..., Ran]
    ) -> None:
        if sys.platform == "win32":
            pytest.skip("needs FIFOs")
        os.mkfifo(tmp_path / "pipe")

        def write() -> None:
            (tmp_path / "pipe").write_text("base<2\n")

        for command in ((), ("sync",)):
            writer = Thread(target=write, daemon=True)
            writer.start()
            if command:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setenv("PIP_NO_INDEX", "1")
                    patch.setenv("PIP_FIND_LINKS", os.fspath(index))
                    store = os.fspath(tmp_path / "store")
                    words = ["sync", "--store", store, "--python", os.fspath(environment)]
                    assert main.main([*words, os.fspath(tmp_path / "pipe")]) == 0
            else:
                done = run("--no-index", "-f", index, "-r", tmp_path / "pipe")
                assert done.code == 0, done.output
            writer.join(10)
            assert {name: one.version for name, one in there(environment).items()} == {
                "base": "1.5"
            }

    @pytest.mark.usefixtures("no_pip")
    def test_variables_for_what_has_no_meaning_are_refused(
        self,
        tmp_path: Path,
        index: Path,
        environment: Path,
        run: Callable[..., Ran],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        path = lock(tmp_path, index, *WHOLE)
        monkeypatch.setenv("PIP_TARGET", os.fspath(tmp_path / "elsewhere"))
        for words in (["base"], ["-r", path]):
            done = run(*words)
            assert done.code == 1
            assert "pip's variable PIP_TARGET has no meaning here" in done.output
        assert run("--isolated", "--dry-run", "-r", path).code == 0
        monkeypatch.delenv("PIP_TARGET")
        monkeypatch.setenv("PIP_USER", "no")
        assert run("--dry-run", "-r", path).code == 0
        monkeypatch.setenv("PIP_DRY_RUN", "1")
        assert run("-r", path).output.startswith("top 1.0: would be installed")
        assert there(environment) == {}

    @pytest.mark.usefixtures("no_pip")
    def test_is_asked_where_its_settings_say_more(
        self,
        tmp_path: Path,
        index: Path,
        run: Callable[..., Ran],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        path = lock(tmp_path, index, *WHOLE)
        monkeypatch.setenv("PIP_INDEX_URL", "https://nowhere.invalid")
        monkeypatch.setenv("PIP_FORCE_REINSTALL", "0")
        assert run("--dry-run", "-r", path).code == 0
        monkeypatch.setenv("PIP_CONSTRAINT", "limits.txt")
        with pytest.raises(StartedError):
            run("-r", path)
        assert run("--isolated", "--dry-run", "-r", path).code == 0

    @pytest.mark.parametrize(
        ("variable", "setting", "word", "compiled"),
        [
            ("", "", "", False),
            ("PIP_COMPILE=1", "", "", True),
            ("PIP_COMPILE=1", "", "--no-compile", False),
            ("PIP_COMPILE=0", "compile = yes", "", False),
            ("PIP_COMPILE=0", "", "--compile", True),
            ("PIP_NO_COMPILE=1", "compile = yes", "", False),
            ("", "compile = yes", "", True),
            ("", "no-compile = no", "", False),
        ],
    )
    @pytest.mark.usefixtures("no_pip")
    def test_compiles_where_that_is_set(
        self,
        tmp_path: Path,
        index: Path,
        environment: Path,
        run: Callable[..., Ran],
        monkeypatch: pytest.MonkeyPatch,
        variable: str,
        setting: str,
        word: str,
        compiled: bool,
    ) -> None:
        if variable:
            monkeypatch.setenv(*variable.split("="))
        if setting:
            (tmp_path / "settings").write_text(f"[install]\n{setting}\n")
            monkeypatch.setenv("PIP_CONFIG_FILE", os.fspath(tmp_path / "settings"))
        path = lock(tmp_path, index, *WHOLE)
        assert run("-r", path, *filter(None, [word])).code == 0
        libraries = Path(there(environment)["top"].path).parent
        assert any((libraries / "__pycache__").glob("top.*.pyc")) == compiled

    @pytest.mark.usefixtures("no_pip")
    def test_is_asked_where_its_configuration_says_more(
        self,
        tmp_path: Path,
        index: Path,
        environment: Path,
        run: Callable[..., Ran],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        path = lock(tmp_path, index, *WHOLE)
        monkeypatch.delenv("PIP_CONFIG_FILE")
        file = environment / ("pip.ini" if os.name == "nt" else "pip.conf")
        file.write_text("[global]\nindex-url = https://nowhere.invalid\n[wheel]\npre = yes\n")
        assert run("--dry-run", "-r", path).code == 0
        file.write_text("[install]\nconstraint = limits.txt\n")
        with pytest.raises(StartedError):
            run("-r", path)
        limits = tmp_path / "limits.txt"
        file.write_text(f"[install]\nconstraint = {limits}\n")
        limits.write_text("Base <1.5\nother==1.0 ; python_version > '3'\n")
        assert run("--dry-run", "-r", path).code == 0
        for line in ("base>1", "base<2; python_version > '3'", "-c more.txt", "./base"):
            limits.write_text(f"{line}\n")
            with pytest.raises(StartedError):
                run("-r", path)
        file.write_text("[install]\ntarget = elsewhere\n")
        done = run("-r", path)
        assert done.code == 1
        assert "pip's setting target in a configuration file has no meaning here" in done.output
        file.write_text("[install]\ndry_run = yes\n")
        assert run("-r", path).output.startswith("top 1.0: would be installed")
        file.write_text("no section\n")
        done = run("-r", path)
        assert done.code == 1
        assert f"cannot read pip's configuration {str(file)!r}" in done.output

    @pytest.mark.usefixtures("no_pip")
    def test_is_asked_where_others_distributions_are_seen(
        self,
        tmp_path: Path,
        index: Path,
        environment: Path,
        run: Callable[..., Ran],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        path = lock(tmp_path, index, *WHOLE)
        (tmp_path / "more" / "base-1.0.dist-info").mkdir(parents=True)
        monkeypatch.setenv("PYTHONPATH", os.fspath(tmp_path))
        assert run("--dry-run", "-r", path).code == 0
        monkeypatch.setenv("PYTHONPATH", os.fspath(tmp_path / "more"))
        with pytest.raises(StartedError):
            run("-r", path)
        monkeypatch.delenv("PYTHONPATH")
        new_environment(environment, sees_system=True)
        with pytest.raises(StartedError):
            run("-r", path)


def pylock(directory: Path, index: Path, *names: str) -> Path:
    packages = "".join(
        f"""
[[packages]]
name = "{name.partition("-")[0]}"
version = "{name.partition("-")[2]}"
[[packages.wheels]]
name = "{name}-py3-none-any.whl"
url = "https://nowhere.invalid/{name}-py3-none-any.whl"
hashes = {{ sha256 = "{hashlib.sha256((index / f"{name}-py3-none-any.whl").read_bytes()).hexdigest()}" }}
"""
        for name in names
    )
    path = directory / "pylock.toml"
    path.write_text(f'lock-version = "1.0"\ncreated-by = "a test"\n{packages}', encoding="utf-8")
    return path
