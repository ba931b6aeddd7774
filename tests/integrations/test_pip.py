"""From requirements and lock files to wheels, by the real pip."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from examples.kit import write_wheel

from wheel_linker import WheelLinkerError
from wheel_linker.install.interpreter import describe
from wheel_linker.integrations import pip as integration
from wheel_linker.integrations.pip import (
    NotLockedError,
    PipError,
    gather,
    obtain,
    obtain_locked,
    resolve,
)
from wheel_linker.integrations.pip.arguments import parse
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Iterator

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
# The least that is a build back end: pip has nothing to fetch for it.
BACKEND = """
import os, zipfile
from base64 import urlsafe_b64encode
from hashlib import sha256

def build_wheel(directory, settings=None, metadata=None):
    name = "local-1.0-py3-none-any.whl"
    files = {
        "local.py": "X = 1\\n",
        "local-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: local\\nVersion: 1.0\\n",
        "local-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = "local-1.0.dist-info/RECORD,,\\n"
    for path, text in files.items():
        digest = urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\\n"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as archive:
        for path, text in {**files, "local-1.0.dist-info/RECORD": record}.items():
            archive.writestr(path, text)
    return name
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of wheels in which ``top`` requires ``base``, of which there are two."""
    directory = tmp_path_factory.mktemp("index")
    for name, requires in (
        ("top-1.0", ["base<2", "never; python_version<'3'"]),
        ("base-1.0", []),
        ("base-2.0", []),
    ):
        module = name.partition("-")[0]
        path = directory / f"{name}-py3-none-any.whl"
        write_wheel(path, {f"{module}.py": f"NAME = {name!r}\n"}, requires=requires)
    return directory


@pytest.fixture
def offline(index: Path) -> list[str]:
    return ["--no-index", "--find-links", os.fspath(index)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WheelStore]:
    with WheelStore(tmp_path / "store") as made:
        yield made


@pytest.fixture
def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if pip is started."""
    monkeypatch.setattr("wheel_linker.integrations.pip.resolved.run_pip", None)


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def filenames(wheels: object) -> list[str]:
    return sorted(str(wheel.filename) for wheel in wheels)  # type: ignore[attr-defined]


def pinned(index: Path, *names: str) -> str:
    lines = []
    for name in names:
        digest = digest_of(index / f"{name}-py3-none-any.whl")
        lines.append(
            f"{name.replace('-', '==')} \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{digest}"
        )
    return "\n".join([*lines, ""])


class TestGather:
    def test_resolves_and_fetches(self, tmp_path: Path, offline: list[str]) -> None:
        (tmp_path / "wheels").mkdir()
        (tmp_path / "wheels" / "other-1.0-py3-none-any.whl").touch()
        found = gather(
            ["top"], python=sys.executable, pip_args=offline, wheel_dir=tmp_path / "wheels"
        )
        assert [path.name for path in found] == [
            "base-1.0-py3-none-any.whl",
            "top-1.0-py3-none-any.whl",
        ]
        assert all(path.parent == tmp_path / "wheels" and path.is_file() for path in found)

    def test_constraints_and_files(self, tmp_path: Path, offline: list[str]) -> None:
        (tmp_path / "in.txt").write_text("base\n")
        (tmp_path / "limits.txt").write_text("base==1.0\n")
        (path,) = gather(
            [],
            python=sys.executable,
            requirement_files=[tmp_path / "in.txt"],
            constraints=[tmp_path / "limits.txt"],
            pip_args=offline,
            wheel_dir=tmp_path,
        )
        assert path.name == "base-1.0-py3-none-any.whl"

    def test_failure_is_one_error_and_leaves_nothing(
        self, tmp_path: Path, offline: list[str], capfd: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(PipError, match="pip could not find and build wheels") as caught:
            gather(["missing"], python=sys.executable, pip_args=offline, wheel_dir=tmp_path / "w")
        assert caught.value.returncode == 1
        assert "missing" in caught.value.command
        assert not (tmp_path / "w").exists()
        out, err = capfd.readouterr()
        assert out == ""
        assert "No matching distribution found for missing" in err


class TestObtain:
    def test_takes_from_the_store_what_it_has(
        self,
        store: WheelStore,
        index: Path,
        offline: list[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name in ("base-1.0", "top-1.0"):
            store.add(index / f"{name}-py3-none-any.whl")
        monkeypatch.setattr("wheel_linker.integrations.pip.resolved._fetched", lambda *_: {})
        wheels = obtain(["top"], python=sys.executable, store=store, pip_args=offline)
        assert filenames(wheels) == ["base-1.0-py3-none-any.whl", "top-1.0-py3-none-any.whl"]

    def test_local_projects_are_built(
        self, store: WheelStore, tmp_path: Path, offline: list[str]
    ) -> None:
        project = tmp_path / "a project"
        project.mkdir()
        (project / "pyproject.toml").write_text(PYPROJECT)
        (project / "backend.py").write_text(BACKEND)
        options = {"python": sys.executable, "pip_args": offline}
        (one,) = resolve([os.fspath(project)], **options)  # type: ignore[arg-type]
        assert (one.name, one.version, one.requested, one.editable) == ("local", "1.0", True, False)
        assert one.direct_url is not None
        assert one.direct_url["url"] == one.url
        wheels = obtain([os.fspath(project), "base"], store=store, **options)  # type: ignore[arg-type]
        assert filenames(wheels) == ["base-2.0-py3-none-any.whl", "local-1.0-py3-none-any.whl"]


class TestLockedRequirements:
    def test_missing_ones_are_fetched_and_then_no_pip_starts(
        self,
        store: WheelStore,
        tmp_path: Path,
        index: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        lock = tmp_path / "requirements.txt"
        lock.write_text(
            f"# a comment\n--no-index\n--find-links {index}\n"
            + pinned(index, "top-1.0", "base-1.0")
            + f"never==1.0 ; python_version < '3' --hash=sha256:{'1' * 64}\n"
        )
        expected = ["base-1.0-py3-none-any.whl", "top-1.0-py3-none-any.whl"]
        wheels = obtain_locked(lock, python=sys.executable, store=store)
        assert filenames(wheels) == expected
        monkeypatch.setattr("wheel_linker.integrations.pip.resolved.run_pip", None)
        wheels = obtain_locked(lock, python=sys.executable, store=store)
        assert [str(wheel.filename) for wheel in wheels] == expected[::-1]  # the lock's order

    def test_a_wheel_for_another_interpreter_is_not_taken(
        self, store: WheelStore, tmp_path: Path
    ) -> None:
        name = "base-1.0-cp27-cp27m-win32.whl"
        write_wheel(tmp_path / name, {"base.py": ""})
        store.add(tmp_path / name)
        lock = tmp_path / "requirements.txt"
        lock.write_text(f"--no-index\nbase==1.0 --hash=sha256:{digest_of(tmp_path / name)}\n")
        with pytest.raises(PipError):
            obtain_locked(lock, python=sys.executable, store=store)

    @pytest.mark.usefixtures("no_pip")
    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("base", "it needs =="),
            ("base==1.0", "it needs =="),
            (f"base>=1.0 --hash=sha256:{'0' * 64}", "it needs =="),
            ("base==1.0 --hash=md5:00", "it needs =="),
            ("-r other.txt", "pip has to resolve"),
            ("-e .", "pip has to resolve"),
            ("./directory", "is not locked"),
            (
                f"base==1.0 ; {'(' * 5000}os_name == ''{')' * 5000} --hash=sha256:{'0' * 64}",
                "not locked",
            ),
            (f"base==1.0 ; platform_machine ~= '1' --hash=sha256:{'0' * 64}", "not locked"),
        ],
    )
    def test_what_is_not_locked_says_so(
        self, store: WheelStore, tmp_path: Path, line: str, why: str
    ) -> None:
        lock = tmp_path / "requirements.txt"
        lock.write_text(line + "\n")
        with pytest.raises(NotLockedError, match=why) as caught:
            obtain_locked(lock, python=sys.executable, store=store)
        assert str(lock) in str(caught.value)

    @pytest.mark.parametrize(
        ("first", "encoding"),
        [
            pytest.param("", "utf-8-sig", id="UTF-8 with a mark"),
            pytest.param("", "utf-16", id="as PowerShell writes it"),
            pytest.param("# -*- coding: latin-1 -*-\n# Gr\u00fc\u00dfe\n", "latin-1", id="named"),
            pytest.param("# via C:\\locks\\\n", "utf-8", id="a comment that ends in a backslash"),
            pytest.param("# one\t# two\n  # three\n", "utf-8", id="comments"),
        ],
    )
    @pytest.mark.usefixtures("no_pip")
    def test_text_is_read_as_pip_reads_it(
        self, store: WheelStore, tmp_path: Path, index: Path, first: str, encoding: str
    ) -> None:
        store.add(index / "base-1.0-py3-none-any.whl")
        lock = tmp_path / "requirements.txt"
        lock.write_bytes((first + pinned(index, "base-1.0")).encode(encoding))
        (found,) = obtain_locked(lock, python=sys.executable, store=store)
        assert str(found.filename) == "base-1.0-py3-none-any.whl"

    @pytest.mark.parametrize("text", [b"\x1f\x8b\x81\n", b"# coding: none-such\n", b"\xff\xfe\x00"])
    def test_text_that_cannot_be_decoded_says_so(
        self, store: WheelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
    ) -> None:
        monkeypatch.setattr("locale.getpreferredencoding", lambda **_: "utf-8")
        lock = tmp_path / "requirements.txt"
        lock.write_bytes(text)
        with pytest.raises(WheelLinkerError, match="cannot read the requirements"):
            obtain_locked(lock, python=sys.executable, store=store)

    @pytest.mark.usefixtures("no_pip")
    def test_text_is_in_the_encoding_of_the_locale(
        self, store: WheelStore, tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("locale.getpreferredencoding", lambda **_: "cp1252")
        store.add(index / "base-1.0-py3-none-any.whl")
        lock = tmp_path / "requirements.txt"
        lock.write_bytes(b"# Gr\xfc\xdfe\n" + pinned(index, "base-1.0").encode())
        assert len(obtain_locked(lock, python=sys.executable, store=store)) == 1

    def test_an_address_is_left_to_pip(self, store: WheelStore, tmp_path: Path) -> None:
        for name in ("requirements.txt", "pylock.toml"):
            with pytest.raises(NotLockedError, match="has to be fetched"):
                obtain_locked((tmp_path / name).as_uri(), python=sys.executable, store=store)

    def test_a_directory_of_wheels_may_be_named_from_beside_the_file(
        self, store: WheelStore, tmp_path: Path, index: Path
    ) -> None:
        (tmp_path / "wheels").mkdir()
        shutil.copy(index / "base-1.0-py3-none-any.whl", tmp_path / "wheels")
        lock = tmp_path / "requirements.txt"
        for option in ("--find-links=wheels", "-f ./wheels"):
            lock.write_text(f"--no-index\n{option}\n" + pinned(index, "base-1.0"))
            (found,) = obtain_locked(lock, python=sys.executable, store=store)
            store.remove(found.digest)

    def test_a_missing_file_says_so(self, store: WheelStore, tmp_path: Path) -> None:
        with pytest.raises(WheelLinkerError, match="cannot read the requirements"):
            obtain_locked(tmp_path / "missing.txt", python=sys.executable, store=store)


class TestPylock:
    @pytest.fixture
    def lock(self, tmp_path: Path, index: Path) -> Path:
        pytest.importorskip("packaging.pylock", reason="needs packaging 26.1")
        pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
        digests = {
            name: digest_of(index / f"{name}-py3-none-any.whl") for name in ("top-1.0", "base-1.0")
        }
        packages = "".join(
            f"""
[[packages]]
name = "{name.partition("-")[0]}"
version = "1.0"
marker = "python_version >= '3'"
[[packages.wheels]]
name = "{name}-py3-none-any.whl"
url = "{(index / f"{name}-py3-none-any.whl").as_uri()}"
hashes = {{ sha256 = "{digest}" }}
"""
            for name, digest in digests.items()
        )
        path = tmp_path / "pylock.toml"
        path.write_text(f'lock-version = "1.0"\ncreated-by = "a test"\n{packages}')
        return path

    def test_missing_ones_are_fetched_and_then_no_pip_starts(
        self, store: WheelStore, lock: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = ["base-1.0-py3-none-any.whl", "top-1.0-py3-none-any.whl"]
        assert filenames(obtain_locked(lock, python=sys.executable, store=store)) == expected
        monkeypatch.setattr("wheel_linker.integrations.pip.resolved.run_pip", None)
        assert filenames(obtain_locked(lock, python=sys.executable, store=store)) == expected

    def test_not_for_this_interpreter(self, store: WheelStore, lock: Path) -> None:
        lock.write_text(
            lock.read_text().replace("created-by", 'requires-python = "<3"\ncreated-by')
        )
        with pytest.raises(WheelLinkerError, match="for this interpreter"):
            obtain_locked(lock, python=sys.executable, store=store)

    @pytest.mark.parametrize("text", ["x", "x = 1", 'lock-version = "9.0"\n'])
    def test_no_lock_at_all(self, store: WheelStore, lock: Path, text: str) -> None:
        lock.write_text(text)
        with pytest.raises(WheelLinkerError, match=r"cannot be read as a pylock\.toml"):
            obtain_locked(lock, python=sys.executable, store=store)

    def test_projects_are_left_to_the_command(self, store: WheelStore, lock: Path) -> None:
        lock.write_text(
            'lock-version = "1.0"\ncreated-by = "a test"\n'
            '[[packages]]\nname = "here"\ndirectory = { path = ".", editable = true }\n'
        )
        with pytest.raises(NotLockedError, match="install it by: wheel-linker sync "):
            obtain_locked(lock, python=sys.executable, store=store)


class TestArguments:
    @pytest.mark.parametrize(
        ("given", "fetching", "editable", "resolving"),
        [
            (["rich"], [], [], ["rich"]),
            (
                ["-r", "a.txt", "-cb.txt"],
                [],
                [],
                ["--requirement", "a.txt", "--constraint", "b.txt"],
            ),
            (["-i", "URL", "x"], ["--index-url", "URL"], [], ["--index-url", "URL", "x"]),
            (["--index-url=URL"], ["--index-url", "URL"], [], ["--index-url", "URL"]),
            (["-e", "./a", "-e./b", "x"], [], ["./a", "./b"], ["x"]),
            (["-U", "--pre", "x"], ["--pre"], [], ["--upgrade", "--pre", "x"]),
            (["-vvv", "x"], [], [], ["-vvv", "x"]),
            (["--group", "dev"], [], [], ["--group", "dev"]),
            (
                ["--ignore-requires-python", "--only-final", "x", "--log-file", "y", "--", "-z"],
                ["--ignore-requires-python", "--only-final", "x"],
                [],
                ["--ignore-requires-python", "--only-final", "x", "--log-file", "y", "-z"],
            ),
        ],
    )
    def test_are_told_apart(
        self, given: list[str], fetching: list[str], editable: list[str], resolving: list[str]
    ) -> None:
        found = parse(given)
        assert list(found.fetching) == fetching
        assert list(found.editable) == editable
        assert list(found.resolving) == resolving

    @pytest.mark.parametrize(
        "option",
        [
            "--target",
            "--prefix",
            "--root",
            "--platform",
            "--user",
            "--abi",
            "--implementation",
            "--python-version",
        ],
    )
    def test_what_has_no_meaning_is_refused(self, option: str) -> None:
        with pytest.raises(WheelLinkerError, match=f"option {option} has no meaning here"):
            parse([option, "x", "rich"])

    def test_a_missing_value_is_said(self) -> None:
        with pytest.raises(WheelLinkerError, match="-r wants a value"):
            parse(["x", "-r"])


class TestInterpreter:
    def test_is_asked_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first = describe(sys.executable, kept_in=tmp_path / "notes")
        monkeypatch.setattr("wheel_linker.install.asking.answer", None)
        assert describe(sys.executable, kept_in=tmp_path / "notes") == first
        assert first.environment["python_version"] == ".".join(map(str, sys.version_info[:2]))
        assert first.tags[-1].endswith("-none-any")

    @pytest.mark.parametrize("text", ["", "[]", "{}", "\0"])
    def test_a_damaged_note_is_no_answer(self, tmp_path: Path, text: str) -> None:
        first = describe(sys.executable, kept_in=tmp_path)
        (note,) = tmp_path.iterdir()
        note.write_text(text)
        assert describe(sys.executable, kept_in=tmp_path) == first
        assert [path.name for path in tmp_path.iterdir()] == [note.name]

    def test_where_nothing_can_be_kept_it_is_asked_again(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        first = describe(sys.executable, kept_in=tmp_path / "file")
        assert describe(sys.executable, kept_in=tmp_path / "file" / "below") == first


def test_errors_pickle() -> None:
    error = PipError("pip could not do it", ["pip", "wheel"], 2)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.command, again.returncode) == (
        "pip could not do it",
        ("pip", "wheel"),
        2,
    )


def test_public_names_exist() -> None:
    assert all(hasattr(integration, name) for name in integration.__all__)
