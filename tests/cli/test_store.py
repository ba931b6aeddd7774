"""The part of the command line that is about the store."""

from __future__ import annotations

import builtins
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from examples.kit import write_wheel as write_other
from store.archives import FILES, NAME, files_below, sha256_of, with_record, write_wheel
from store.conftest import entry_names

from wheel_linker import link_wheels
from wheel_linker._cli import main
from wheel_linker.integrations._filling import user_store
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., str]


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs ``wheel-linker store`` on the test's store; gives what it printed."""

    def command(name: str, *arguments: object, code: int = 0) -> str:
        words = ["store", name, "--store", str(root), *map(str, arguments)]
        assert main.main(words) == code
        printed = capsys.readouterr()
        if code:
            (line,) = printed.err.splitlines()
            assert line.startswith("wheel-linker: error: ")
            return printed.out + line
        assert printed.err == ""
        return printed.out

    return command


class TestCommands:
    def test_add_and_list(self, run: Run, wheel_file: Path, root: Path) -> None:
        out = run("add", wheel_file)
        (entry,) = WheelStore(root).entries()
        assert out == f"{NAME}: {entry.path}\n"
        row = run("list")
        assert entry.name in row
        assert NAME in row
        assert "now" in row

    def test_compile(self, run: Run, wheel_file: Path, root: Path) -> None:
        run("add", wheel_file)
        (entry,) = WheelStore(root).entries()
        out = run("compile", "--python", sys.executable)
        assert out == f"{NAME}: 3 files, 0.0 MiB\n"
        # An environment's directory does, too, as for other commands.
        if sys.prefix != sys.base_prefix:
            assert run("compile", "--python", sys.prefix) == out
        (made,) = json.loads(run("compile", entry.name, "--optimize", 2, "--json"))
        assert made["entry"] == entry.name
        assert (made["files"], made["not_compiled"]) == (3, [])
        assert WheelStore(root).entries()[0].bytecode > made["size"] > 0

    def test_list_of_nothing(self, run: Run) -> None:
        assert "entry" in run("list")

    def test_path(self, run: Run, root: Path) -> None:
        assert run("path") == f"{root}\n"
        base = root.parent / "base"
        found = json.loads(run("path", "--base", base, "--json"))
        assert found == {"path": str(root), "bases": [str(base)]}
        assert not root.exists()

    def test_size(self, run: Run, wheel_file: Path, root: Path) -> None:
        assert run("size") == "0 wheels, 0 files, 0.0 MiB\n"
        run("add", wheel_file)
        run("compile", "--python", sys.executable)
        (entry,) = WheelStore(root).entries()
        assert json.loads(run("size", "--json")) == {
            "entries": 1,
            "files": entry.files,
            "bytes": entry.whole_size,
            "bytecode": entry.bytecode,
        }
        out = run("size")
        assert out.startswith(f"1 wheel, {entry.files} files, ")
        assert "bytecode" in out

    def test_remove(self, run: Run, wheel_file: Path, root: Path, tmp_path: Path) -> None:
        run("add", wheel_file, write_other(tmp_path / "other-1.0-py3-none-any.whl", {"o.py": ""}))
        one, other = WheelStore(root).entries()
        assert "abcdefghij" in run("remove", one.name, "abcdefghij", code=1)
        assert entry_names(root) == {one.name, other.name}
        assert run("remove", one.name) == f"{one.name} {one.filename}: removed\n"
        (gone,) = json.loads(run("remove", other.digest, "--json"))
        assert (gone["entry"], gone["sha256"]) == (other.name, other.digest)
        assert entry_names(root) == set()

    def test_remove_of_what_is_in_use(self, run: Run, wheel_file: Path, root: Path) -> None:
        with WheelStore(root) as store:
            wheel = store.add(wheel_file)
            assert "in use" in run("remove", wheel.entry, code=1)
        assert entry_names(root) == {wheel.entry}

    def test_remove_of_one_whose_description_is_lost(
        self, run: Run, wheel_file: Path, root: Path
    ) -> None:
        run("add", wheel_file)
        (name,) = entry_names(root)
        (root / name / "entry").write_bytes(b"")
        assert name in run("remove", name)
        assert entry_names(root) == set()

    def test_json(self, run: Run, wheel_file: Path, root: Path) -> None:
        (added,) = json.loads(run("add", wheel_file, "--json"))
        (entry,) = json.loads(run("list", "--json"))
        assert (added["entry"], added["path"]) == (entry["entry"], entry["path"])
        assert (entry["wheel"], entry["files"]) == (NAME, len(FILES) + 1)
        assert json.loads(run("verify", "--json")) == {"damage": [], "record_problems": []}
        Path(entry["path"], "single.py").write_bytes(b"")
        found = run("verify", "--json", code=1)
        (damage,) = json.loads(found.partition("wheel-linker: ")[0])["damage"]
        assert (damage["path"], damage["kind"]) == ("single.py", "changed")
        assert json.loads(run("repair", entry["entry"], wheel_file, "--json")) == [damage]
        (pruned,) = json.loads(run("prune", "--max-size", "10", "--json"))
        assert (pruned["entry"], pruned["frees"] > 0) == (entry["entry"], True)

    @pytest.mark.parametrize(("seconds", "shown"), [(90, "1 m"), (7200, "2 h"), (200_000, "2 d")])
    def test_list_shows_age(
        self, run: Run, wheel_file: Path, root: Path, seconds: int, shown: str
    ) -> None:
        run("add", wheel_file)
        (name,) = entry_names(root)
        os.utime(root / name / "entry", (time.time() - seconds,) * 2)
        assert shown in run("list")

    def test_add_of_a_bad_wheel(self, run: Run, wheel_file: Path) -> None:
        wheel_file.write_bytes(b"nothing")
        assert str(wheel_file) in run("add", wheel_file, code=1)

    @pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
    def test_interrupted(
        self,
        wheel_file: Path,
        root: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """What was added, or removed, before Ctrl-C stays so."""

        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        for name in ("add_all", "entries"):
            monkeypatch.setattr(WheelStore, name, interrupted)
        said = []
        for words in (["add", str(wheel_file)], ["list"]):
            assert main.main(["store", *words, "--store", str(root)]) == 130
            said.append(capsys.readouterr().err)
        start = "wheel-linker: interrupted: "
        assert said == [
            f"{start}each entry of the store is whole\n",
            f"{start}everything is as it was before\n",
        ]

    def test_add_protected(self, run: Run, wheel_file: Path, root: Path) -> None:
        run("add", "--protect", wheel_file)
        (entry,) = WheelStore(root).entries()
        assert Path(entry.path, "single.py").stat().st_mode & 0o222 == 0

    def test_verify_and_repair(self, run: Run, wheel_file: Path, root: Path) -> None:
        run("add", wheel_file)
        (entry,) = WheelStore(root).entries()
        assert run("verify") == run("verify", "--deep") == run("verify", entry.digest) == ""
        Path(entry.path, "single.py").write_bytes(b"")
        for arguments in ((), (entry.name,), ("--deep", entry.digest)):
            line = run("verify", *arguments, code=1)
            assert "single.py is changed" in line
            assert "repair" in line
        assert "single.py is changed: restored" in run("repair", entry.name, wheel_file)
        assert run("verify", "--deep") == ""

    def test_verify_of_what_is_not_there(self, run: Run, wheel_file: Path) -> None:
        run("add", wheel_file)
        assert "abcdefghij" in run("verify", "abcdefghij", code=1)
        assert "neither" in run("verify", "../x", code=2)

    def test_repair_from_another_wheel(
        self, run: Run, wheel_file: Path, root: Path, tmp_path: Path
    ) -> None:
        run("add", wheel_file)
        (name,) = entry_names(root)
        other = write_wheel(tmp_path / "other-1.0-py3-none-any.whl")
        assert sha256_of(other) not in ("", None)
        other.write_bytes(b"something else")
        assert "should have" in run("repair", name, other, code=1)

    def test_prune(self, run: Run, wheel_file: Path, root: Path) -> None:
        run("add", wheel_file)
        assert "0.0 MiB removed" in run("prune", "--unused-for", "30d")
        assert "0.0 MiB removed" in run("prune", "--max-size", "1.5GiB")
        assert NAME in run("prune", "--max-size", "10")
        assert entry_names(root) == set()

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--unused-for", "3"),
            ("--unused-for", "0"),
            ("--unused-for", "3x"),
            ("--unused-for", "1d2"),
            ("--max-size", "1Q"),
            ("--max-size", ""),
        ],
    )
    def test_prune_of_nonsense(self, run: Run, arguments: tuple[str, str]) -> None:
        assert "use such as" in run("prune", *arguments, code=2)


class TestLink:
    @pytest.mark.parametrize("mode", ["hardlink", "symlink", "copy"])
    def test_from_a_store(
        self,
        wheel_file: Path,
        root: Path,
        site: Path,
        mode: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        words = ["link", str(wheel_file), "--store", str(root), "--into", str(site), "--mode", mode]
        assert main.main(words) == 0
        assert files_below(site) == with_record(FILES)
        assert len(WheelStore(root).entries()) == 1
        assert "demo 1.0" in capsys.readouterr().out

    def test_from_the_default_store(
        self, wheel_file: Path, root: Path, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(user_store, "default_directory", lambda: str(root))
        assert main.main(["link", str(wheel_file), "--into", str(site)]) == 0
        assert len(WheelStore(root).entries()) == 1


class TestDefault:
    def test_is_in_the_users_cache(self) -> None:
        pytest.importorskip("platformdirs")
        directory = user_store.default_directory()
        assert directory
        assert Path(directory).name == "store"
        assert "wheel-linker" in directory

    def test_is_missing_without_platformdirs(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        real = builtins.__import__

        def without(name: str, *arguments: object, **options: object) -> object:
            if name == "platformdirs":
                raise ImportError(name)
            return real(name, *arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(builtins, "__import__", without)
        assert user_store.default_directory() is None
        assert main.main(["store", "list"]) == 1
        assert "--store DIR" in capsys.readouterr().err

    def test_prune_keeps_what_is_linked(
        self, run: Run, wheel_file: Path, root: Path, site: Path
    ) -> None:
        run("add", str(wheel_file))
        with WheelStore(root) as store:
            link_wheels(site, [store.add(wheel_file)], mode="hardlink")
        assert "0.0 MiB removed" in run("prune", "--unused-for", "0s", "--keep-linked")
        assert "MiB freed: environments have the rest" in run("prune", "--unused-for", "0s")

    @pytest.mark.parametrize("given", ["-1", "soon", "nan", "inf", ""])
    def test_timeout_of_nonsense(self, run: Run, given: str) -> None:
        assert "a number of seconds, or 'none'" in run("list", f"--timeout={given}", code=2)

    @pytest.mark.parametrize("given", ["0", "1.5", "none"])
    def test_timeout(self, run: Run, given: str, wheel_file: Path) -> None:
        assert NAME in run("add", str(wheel_file), "--timeout", given)
