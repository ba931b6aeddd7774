"""Entry points, scripts and data directories as published wheels have them."""

from __future__ import annotations

import os
import subprocess
import venv
import zipfile
from pathlib import Path

import pytest
from wheels import row_of, snapshot, write_tree

from install.kit import check_record, check_recorded, files_in, make, no_litter, pure, root_of, rows
from wheel_linker import InvalidWheelError, LinkMode
from wheel_linker.install import Layout, install_wheel, uninstall
from wheel_linker.install._scripts.entry_points import script_entry_points
from wheel_linker.store import WheelStore

INFO = "demo-1.0.dist-info"
CONSOLE = "[console_scripts]\n"
MODULE = {"demo.py": b"def run():\n    print('ran')\n"}


def scripts_of(text: str) -> list[str]:
    return [point.name for point in script_entry_points(text)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"{CONSOLE}a = x:y\na = x:z\n", ["a"]),
        (f"{CONSOLE}a = x:y\n[other]\nb = x\nb = x\n{CONSOLE}c = x:y\n", ["a", "c"]),
        (f"[other]\nn:1 = x\nn:2 = x\n%s = x\n{{:s}} = x\n{CONSOLE}a = x:y\n", ["a"]),
        (f"{CONSOLE}a:b = x:y\n", ["a:b"]),
        (f"{CONSOLE}a = x:y ; says what\n", ["a"]),
        (f"{CONSOLE}100% = x:y\n", ["100%"]),
        (f"z = x:y\nanything\n{CONSOLE}a = x:y\n", ["a"]),
        (f"\ufeff{CONSOLE}a = x:y\n", []),
        (f"{CONSOLE}a = x:\n    y\n", ["a"]),
        (f"{CONSOLE}a = x:y\n    b = x:y\n", ["a", "b"]),
        (f"   {CONSOLE}   a = x:y\r\n", ["a"]),
        (f"{CONSOLE}a = x:y  # says what\n; note\n# note\nb = x : y.z  [ more ]\n", ["a", "b"]),
        (f"[DEFAULT]\nd = e\n{CONSOLE}a = x:y\n", ["a"]),
        (f"[gui_scripts]\ng = x:y\n{CONSOLE}a = x:y\n", ["a", "g"]),
        (f"{CONSOLE}A = x:y\na = x:y\nwörk 2.0 = x:y\n", ["A", "a", "wörk 2.0"]),
        ("[ console_scripts ]\na = x:y\n", []),
        ("", []),
    ],
)
def test_entry_points_as_others_read_them(text: str, names: list[str]) -> None:
    assert scripts_of(text) == names


def test_the_last_of_one_name_counts() -> None:
    (point,) = script_entry_points(f"{CONSOLE}a = x:y\na = z:w.v\n")
    assert (point.module, point.attribute, point.section) == ("z", "w.v", "console")


@pytest.mark.parametrize("text", ["a", "a =", "a = x", "a = x:y []z", "a = x:y#z", "a = x:y z"])
def test_what_is_no_entry_point(text: str) -> None:
    with pytest.raises(ValueError, match="'a'"):
        script_entry_points(f"{CONSOLE}{text}\n")


@pytest.mark.parametrize("name", ["a\x01b", "a\x7fb", "a\x9bb", "a\ud800b", "sub/script"])
def test_names_that_are_no_file_names(layout: Layout, tmp_path: Path, name: str) -> None:
    text = f"{CONSOLE}{name} = demo:run\n".encode("utf-8", "surrogatepass")
    with pytest.raises(InvalidWheelError, match=r"no file name|not UTF-8"):
        install_wheel(make(tmp_path / "w", {f"{INFO}/entry_points.txt": text}), layout)
    assert not root_of(layout).exists()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX file systems")
def test_colon_elsewhere(layout: Layout, tmp_path: Path) -> None:
    files = {**MODULE, f"{INFO}/entry_points.txt": f"{CONSOLE}tool:two = demo:run\n".encode()}
    install_wheel(make(tmp_path / "w", files), layout)
    assert (root_of(layout) / "bin/tool:two").is_file()
    check_record(layout)


def test_colon_on_windows(layout: Layout, tmp_path: Path) -> None:
    files = {f"{INFO}/entry_points.txt": f"{CONSOLE}tool:two = demo:run\n".encode()}
    with pytest.raises(InvalidWheelError, match="no file name"):
        install_wheel(make(tmp_path / "w", files), layout._replace(os_name="nt"))
    assert not root_of(layout).exists()


def test_old_wrappers_are_skipped(layout: Layout, tmp_path: Path) -> None:
    wrappers = ("t1", "t1.exe", "t1-script.py", "T1-script.pyw", "t1.pya")
    others = ("t1-script.pyc", "t2.exe", "xt1", "t1.py")
    files = {f"demo-1.0.data/scripts/{name}": b"#!python\n" for name in wrappers + others}
    files[f"{INFO}/entry_points.txt"] = f"{CONSOLE}t1 = demo:run\n".encode()
    files["demo-1.0.data/scripts/t1.bin"] = b"\x7fELF"
    report = install_wheel(make(tmp_path / "w", files), layout)
    kept = {"T1-script.pyw", "t1", "t1.bin", *others}
    assert {os.path.basename(path) for path in report.scripts} == kept
    assert b"from demo import run" in (Path(layout.schemes["scripts"]) / "t1").read_bytes()
    check_recorded(layout, INFO)


@pytest.mark.parametrize(
    ("name", "given", "made"),
    [
        ("pip", ("pip", "pip3", "pip3.99", "pip3.1"), ("pip", "pip3", "pip{}.{}")),
        ("pip", ("pip", "pip3"), ("pip", "pip3", "pip{}.{}")),
        ("setuptools", ("easy_install-3.4",), ("easy_install-{}.{}",)),
        ("demo", ("pip3.99", "easy_install-3.4"), ("pip3.99", "easy_install-3.4")),
    ],
)
def test_versions_in_names(
    layout: Layout, tmp_path: Path, name: str, given: tuple[str, ...], made: tuple[str, ...]
) -> None:
    text = CONSOLE + "".join(f"{each} = {name}.main:run\n" for each in given)
    files = {f"{name}-1.0.dist-info/entry_points.txt": text.encode()}
    # Old wrappers of these, which go with them.
    files |= {f"{name}-1.0.data/scripts/{each}.pya": b"#!python\n" for each in given}
    install_wheel(make(tmp_path / "w", files, name=name), layout)
    expected = {each.format(*layout.version) for each in made}
    assert set(os.listdir(layout.schemes["scripts"])) == expected


@pytest.mark.skipif(os.name != "posix", reason="runs POSIX scripts")
@pytest.mark.parametrize("place", ["with a space", "x" * 99 + "/" + "y" * 99])
def test_script_that_is_not_utf8(tmp_path: Path, place: str) -> None:
    """What says so must stay in one of the first two lines, however long the interpreter's path is."""
    venv.create(tmp_path / place, symlinks=True, with_pip=False)
    layout = Layout.for_python(tmp_path / place / "bin" / "python")
    script = b"#!python\n# -*- coding: latin-1 -*-\nprint(ascii('\xe9'))\n"
    install_wheel(make(tmp_path / "w", {"demo-1.0.data/scripts/tool": script}), layout)
    tool = os.path.join(layout.schemes["scripts"], "tool")
    assert subprocess.check_output([tool]) == b"'\\xe9'\n"


@pytest.mark.skipif(os.name != "posix", reason="paths are bytes on POSIX only")
def test_interpreter_whose_path_is_not_utf8(layout: Layout, tmp_path: Path) -> None:
    python = os.fsdecode(b"/caf\xe9/python")
    files = {
        "demo-1.0.data/scripts/script": b"#!python\n",
        f"{INFO}/entry_points.txt": f"{CONSOLE}point = demo:run\n".encode(),
    }
    install_wheel(make(tmp_path / "w", files), layout._replace(python=python))
    for name in ("script", "point"):
        data = (Path(layout.schemes["scripts"]) / name).read_bytes()
        assert data.startswith(b"#!/caf\xe9/python\n")


@pytest.mark.parametrize("data", ["Demo-1.0.data", "demo-1.data", "DEMO-1.0.0.data"])
def test_data_directory_by_its_meaning(layout: Layout, tmp_path: Path, data: str) -> None:
    files = {
        f"{data}/scripts/tool": b"#!python\n",
        f"{data}/data/share/page.txt": b"page",
        f"{data}/data/share/quo,te.txt": b"page",
        "other-1.0.data/x.txt": b"a package's own",
    }
    wheel = make(tmp_path / "w", files)
    install_wheel(wheel, layout)
    assert (Path(layout.schemes["scripts"]) / "tool").is_file()
    assert (root_of(layout) / "share" / "page.txt").read_bytes() == b"page"
    assert (pure(layout) / "other-1.0.data" / "x.txt").is_file()
    assert not (pure(layout) / data).exists()
    check_recorded(layout, INFO)
    uninstall("demo", layout)
    assert not files_in(root_of(layout))


def test_hyphens_in_a_data_directory(layout: Layout, tmp_path: Path) -> None:
    """As of a tool that spells the directories in two ways; from a store, too, whose rows are ready."""
    files = {"foo-bar-1.0.data/data/x.txt": b"x", "foo_bar.py": b""}
    tree = make(tmp_path / "w", files, name="foo_bar")
    path = tmp_path / "foo_bar-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files_in(tree)):
            archive.write(tree / name, name)
    with WheelStore(tmp_path / "store") as store:
        install_wheel(path, layout, store=store)
    assert (root_of(layout) / "x.txt").read_bytes() == b"x"
    check_recorded(layout, "foo_bar-1.0.dist-info")


def test_several_data_directories(layout: Layout, tmp_path: Path) -> None:
    files = {"demo-1.0.data/data/x.txt": b"", "Demo-1.0.data/data/y.txt": b""}
    with pytest.raises(InvalidWheelError, match="several data directories"):
        install_wheel(make(tmp_path / "w", files), layout)
    assert not root_of(layout).exists()


@pytest.mark.parametrize("name", ["purelib", "platlib", "scripts", "headers", "data"])
@pytest.mark.parametrize("kind", ["file", "symlink"])
def test_file_called_like_a_scheme(layout: Layout, tmp_path: Path, name: str, kind: str) -> None:
    files = {f"demo-1.0.data/{name}": b"text"} if kind == "file" else {"demo-1.0.data/a/b": b""}
    wheel = make(tmp_path / "w", files)
    if kind == "symlink":
        (wheel / "demo-1.0.data" / name).symlink_to("a")
    with pytest.raises(InvalidWheelError, match=f"demo-1.0.data/{name} is a file"):
        install_wheel(wheel, layout)
    assert not root_of(layout).exists()


def test_signatures_have_rows(layout: Layout, tmp_path: Path) -> None:
    """A wheel's own ``RECORD`` must not name them, that of what is installed must: else they stay for ever."""
    for version in ("1.0", "2.0"):
        info = f"demo-{version}.dist-info"
        wheel = make(tmp_path / version, {"demo.py": b""}, version=version)
        for name in ("RECORD.jws", "RECORD.p7s"):
            (wheel / info / name).write_bytes(b"{}")
        install_wheel(wheel, layout)
        assert rows(layout, info)[f"{info}/RECORD.jws"] == (
            row_of("", b"{}").split(",")[1],
            "2",
        )
        check_recorded(layout, info)
    uninstall("demo", layout)
    assert not files_in(root_of(layout))


# --- What is the environment's own ---------------------------------------------------------------------


@pytest.fixture
def real(layout: Layout) -> Layout:
    """What a virtual environment has of its own."""
    root = root_of(layout)
    files = ("bin/python3", "bin/activate", "bin/activate.fish", "pyvenv.cfg")
    write_tree(root, dict.fromkeys(files, b"own"))
    (root / "bin/python").symlink_to("python3")
    (root / "bin/pypy").symlink_to("python3")
    return layout._replace(python=str(root / "bin/python"))


def point(name: str) -> dict[str, bytes]:
    return {f"{INFO}/entry_points.txt": f"{CONSOLE}{name} = demo:run\n".encode()}


SCRIPTS = "demo-1.0.data/scripts"
PROTECTED = (
    *(point(name) for name in ("python", "python3", "python3.99", "pythonw", "Python", "activate")),
    *({f"{SCRIPTS}/{name}": b"#!python\n"} for name in ("python3", "activate", "activate.fish")),
    {"demo-1.0.data/data/pyvenv.cfg": b"home = /nowhere\n"},
)


@pytest.mark.parametrize("files", PROTECTED, ids=str)
def test_what_is_the_environments_own(
    real: Layout, tmp_path: Path, files: dict[str, bytes]
) -> None:
    before = snapshot(tmp_path / "env")
    with pytest.raises(InvalidWheelError, match="belongs to the environment itself"):
        install_wheel(make(tmp_path / "w", {**MODULE, **files}), real)
    assert snapshot(tmp_path / "env") == before


@pytest.mark.parametrize("name", ["python", "pypy"])
def test_data_file_beside_the_interpreter(real: Layout, tmp_path: Path, name: str) -> None:
    """Whatever the interpreter is called."""
    wheel = make(tmp_path / "w", {f"demo-1.0.data/data/bin/{name}": b"x"})
    with pytest.raises(InvalidWheelError, match="belongs to the environment itself"):
        install_wheel(wheel, real)
    assert no_litter(tmp_path / "env")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX file systems")
def test_data_file_behind_a_symlink_to_the_interpreter(real: Layout, tmp_path: Path) -> None:
    (tmp_path / "env/sbin").symlink_to("bin")
    (tmp_path / "env/here").symlink_to(".")
    before = snapshot(tmp_path / "env")
    for name in ("sbin/python3", "sbin/activate", "here/pyvenv.cfg"):
        wheel = make(tmp_path / "w", {f"demo-1.0.data/data/{name}": b"x"})
        with pytest.raises(InvalidWheelError, match="belongs to the environment itself"):
            install_wheel(wheel, real)
        assert snapshot(tmp_path / "env") == before


def test_names_that_only_look_alike(real: Layout, tmp_path: Path) -> None:
    names = ("python-config", "pythonic", "ipython3", "python.py", "activate-demo", "activate.x-y")
    files = {f"{SCRIPTS}/{name}": b"#!python\n" for name in names}
    install_wheel(make(tmp_path / "w", {**files, "demo/pyvenv.cfg": b"", "demo/python": b""}), real)
    check_record(real)


@pytest.mark.skipif(os.name != "posix", reason="scripts are in bin on POSIX")
def test_flat_layout(tmp_path: Path) -> None:
    """There the wheel's own root may lead to the scripts."""
    layout = Layout.for_target(tmp_path / "target")
    with pytest.raises(InvalidWheelError, match="belongs to the environment itself"):
        install_wheel(make(tmp_path / "w", {"bin/python": b""}), layout)
    assert not (tmp_path / "target").exists()


def test_the_distributions_own(layout: Layout, tmp_path: Path) -> None:
    """What its older version has brought, as another tool lets it, stays its own."""
    bin_ = Path(layout.schemes["scripts"])
    bin_.mkdir(parents=True)
    (bin_ / "python").write_bytes(b"x")
    info = pure(layout) / INFO
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: demo\nVersion: 1.0\n")
    path = os.path.relpath(bin_ / "python", pure(layout))
    (info / "RECORD").write_text(f"{path},,\n{INFO}/METADATA,,\n{INFO}/RECORD,,\n")
    files = {"demo-2.0.data/scripts/python": b"#!python\n"}
    install_wheel(make(tmp_path / "w", files, version="2.0"), layout, mode=LinkMode.COPY)
    check_recorded(layout, "demo-2.0.dist-info")
