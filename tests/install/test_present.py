"""What is taken for installed: by what a distribution says of itself, and where nothing tells, by its name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from wheels import snapshot, write_tree

from install.kit import check_recorded, files_in, layout_in, make, no_litter, pure, root_of
from wheel_linker import LinkMode
from wheel_linker.install import (
    IncompleteInstallationError,
    Layout,
    NoRecordError,
    NotInstalledError,
    check_environment,
    install_wheel,
    installed,
    sync_wheels,
    uninstall,
)
from wheel_linker.install._present.distributions import find_distributions

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX file systems")


def plant(layout: Layout, info: str, metadata: str, files: dict[str, bytes]) -> None:
    """Install as another tool does."""
    rows = "".join(f"{path},,\n" for path in (*files, f"{info}/METADATA", f"{info}/RECORD"))
    notes = {f"{info}/METADATA": metadata.encode(), f"{info}/RECORD": rows.encode()}
    write_tree(pure(layout), {**files, **notes})


def names(layout: Layout) -> list[str]:
    return [f"{one.name} {one.version}".strip() for one in find_distributions(layout)]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"foo-bar-1.0.dist-info/METADATA": b"Name: Foo.Bar\nVersion: 1.0\n"}, "foo-bar 1.0"),
        ({"foo-1.0.dist-info/METADATA": b"Name: other\nVersion: 2.0\n"}, "other 2.0"),
        ({"foo-bar-1.0.dist-info/RECORD": b""}, "foo-bar 1.0"),
        ({"foo_bar-1.0.dist-info/METADATA": b"\0" * 99}, "foo-bar 1.0"),
        ({"foo.dist-info/METADATA": b""}, "foo"),
        ({"foo-bar.egg-link": b"/somewhere\n."}, "foo-bar"),
        ({"foo-bar-1.0-py3.11.egg-info": b"Name: foo-bar\nVersion: 1.0\n"}, "foo-bar 1.0"),
        ({"foo_bar-1.0.egg-info/PKG-INFO": b"Name: foo-bar\n"}, "foo-bar 1.0"),
        ({"x-1-py3.egg/EGG-INFO/PKG-INFO": b"Name: y\nVersion: 1\n"}, "y 1"),
    ],
)
def test_metadata_decides(layout: Layout, files: dict[str, bytes], found: str) -> None:
    write_tree(pure(layout), files)
    assert names(layout) == [found]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_metadata_that_is_a_pipe(layout: Layout) -> None:
    info = pure(layout) / "foo-1.0.dist-info"
    info.mkdir(parents=True)
    os.mkfifo(info / "METADATA")  # type: ignore[attr-defined,unused-ignore]
    assert names(layout) == ["foo 1.0"]


def test_hyphen_in_the_name_of_a_directory(layout: Layout, tmp_path: Path) -> None:
    plant(layout, "foo-bar-1.0.dist-info", "Name: foo-bar\nVersion: 1.0\n", {"foo_bar.py": b""})
    before = snapshot(root_of(layout))
    with pytest.raises(NotInstalledError):
        uninstall("foo", layout)
    report = install_wheel(make(tmp_path / "foo", {"foo.py": b""}, name="foo"), layout)
    assert report.upgraded == ()
    uninstall("foo", layout)
    assert {path for path in snapshot(root_of(layout)) if "foo" in path} == {
        path for path in before if "foo" in path
    }
    wheel = make(tmp_path / "bar", {"foo_bar2.py": b""}, name="foo_bar", version="2.0")
    assert install_wheel(wheel, layout).upgraded == ("1.0",)
    check_recorded(layout, "foo_bar-2.0.dist-info")
    assert uninstall("foo-bar", layout).versions == ("2.0",)
    assert not files_in(root_of(layout))


def test_the_tool_that_installed_it(layout: Layout) -> None:
    info = {"foo-1.0.dist-info/METADATA": b"Name: foo\n", "foo-1.0.dist-info/INSTALLER": b"rpm\n"}
    write_tree(pure(layout), info)
    with pytest.raises(NoRecordError, match="it has no RECORD; remove it with rpm, which"):
        uninstall("foo", layout)


# --- After a power cut ---------------------------------------------------------------------------------

INFO = "demo-1.0.dist-info"
LOST = {
    "demo/__init__.py": b"",
    "demo/deep/module.py": b"A = 1\n",
    "other_top/__init__.py": b"",
    "demo_top.py": b"",
    f"{INFO}/top_level.txt": b"demo\nother_top\n",
    f"{INFO}/entry_points.txt": b"[console_scripts]\ndemo-tool = demo_top:main\n",
}
DAMAGED = (b"", b"\0" * 4096, b"\xff\xfe", b'"demo')


@pytest.fixture
def lost(layout: Layout, tmp_path: Path) -> Layout:
    """An environment with a distribution that is not complete, and one beside it."""
    other = make(tmp_path / "other", {"demo/plugin.py": b"", "bin.py": b""}, name="other")
    install_wheel(make(tmp_path / "lost", LOST), layout, mode=LinkMode.COPY)
    install_wheel(other, layout, mode=LinkMode.COPY)
    return layout


def test_an_empty_record_is_said(lost: Layout, caplog: pytest.LogCaptureFixture) -> None:
    (pure(lost) / INFO / "RECORD").write_bytes(b"")
    (pure(lost) / "demo/deep/module.py").write_bytes(b"")
    report = uninstall("demo", lost)
    assert report.incomplete
    assert "incomplete installation" in caplog.text
    check_recorded(lost, "other-1.0.dist-info")
    assert not (pure(lost) / "demo/deep").exists()


def test_records_that_end_within_a_row_stop_one_too(lost: Layout) -> None:
    record = pure(lost) / INFO / "RECORD"
    whole = record.read_bytes()
    start = whole.index(b"demo/deep")
    before = snapshot(root_of(lost))
    for end in (start + 5, whole.index(b"=", start) + 9):
        record.write_bytes(whole[:end])
        with pytest.raises(IncompleteInstallationError, match="ends within a row"):
            uninstall("demo", lost)
        assert {*before} == {*snapshot(root_of(lost))}
    record.write_bytes(whole.rstrip())
    uninstall("demo", lost)
    assert not (pure(lost) / "demo/deep").exists()


def test_damaged_records_stop_an_uninstall(lost: Layout) -> None:
    for damage in DAMAGED[1:]:
        (pure(lost) / INFO / "RECORD").write_bytes(damage)
        before = snapshot(root_of(lost))
        with pytest.raises(IncompleteInstallationError, match="install it again"):
            uninstall("demo", lost)
        assert snapshot(root_of(lost)) == before


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("damage", DAMAGED)
def test_installing_over_it_heals(
    lost: Layout, tmp_path: Path, version: str, damage: bytes
) -> None:
    (pure(lost) / INFO / "RECORD").write_bytes(damage)
    (pure(lost) / INFO / "METADATA").write_bytes(b"")
    wheel = make(tmp_path / "new", {"demo/__init__.py": b"NEW"}, version=version)
    report = install_wheel(wheel, lost, mode=LinkMode.COPY)
    assert report.upgraded == ("1.0",)
    check_recorded(lost, f"demo-{version}.dist-info", "other-1.0.dist-info")
    assert not uninstall("demo", lost).incomplete
    check_recorded(lost, "other-1.0.dist-info")
    assert no_litter(root_of(lost))


def test_packages_of_the_new_version_tell(layout: Layout, tmp_path: Path) -> None:
    """Where names differ and nothing but the directory is left; a namespace is others' too."""
    files = {"yaml/__init__.py": b"", "yaml/old.py": b"", "space/old.py": b""}
    install_wheel(make(tmp_path / "1", files), layout, mode=LinkMode.COPY)
    (pure(layout) / INFO / "RECORD").write_bytes(b"")
    newer = make(tmp_path / "2", {"yaml/__init__.py": b"", "space/new.py": b""}, version="2.0")
    install_wheel(newer, layout, mode=LinkMode.COPY)
    left = files_in(pure(layout)) - {f"demo-2.0.dist-info/{n}" for n in ("METADATA", "WHEEL")}
    assert {path for path in left if "dist-info" not in path} == {
        "yaml/__init__.py",
        "space/old.py",
        "space/new.py",
    }


@posix_only
@pytest.mark.parametrize("kind", ["fifo", "directory", "device"])
def test_what_is_no_file_in_the_place_of_record(lost: Layout, tmp_path: Path, kind: str) -> None:
    record = pure(lost) / INFO / "RECORD"
    record.unlink()
    if kind == "fifo":
        os.mkfifo(record)  # type: ignore[attr-defined,unused-ignore]
    elif kind == "directory":
        record.mkdir()
    else:
        record.symlink_to("/dev/zero")
    before = snapshot(root_of(lost))
    with pytest.raises(IncompleteInstallationError, match="RECORD"):
        uninstall("demo", lost)
    assert snapshot(root_of(lost)) == before
    # It claims nothing, and hinders nobody else.
    install_wheel(make(tmp_path / "third", {"third.py": b""}, name="third"), lost)


# --- Where symlinks lead to an environment's directories ----------------------------------------------


def odd_environment(root: Path, shape: str) -> Layout:
    """Return an environment of which some directory is reached through a symlink."""
    layout = layout_in(root)
    site, scripts = pure(layout), Path(layout.schemes["scripts"])
    elsewhere = root.with_name("elsewhere") / "deep" / "down"
    elsewhere.mkdir(parents=True)
    root.mkdir()
    if shape == "lib":
        (root / "usr/lib").mkdir(parents=True)
        (root / "lib").symlink_to("usr/lib")
    elif shape == "site-packages":
        site.parent.mkdir(parents=True)
        site.symlink_to(elsewhere)
    elif shape == "bin":
        scripts.symlink_to(elsewhere)
    else:
        root.rmdir()
        root.symlink_to(elsewhere)
    return layout


SHAPES = ("lib", "site-packages", "bin", "environment")
BOTH = {
    "demo/__init__.py": b"",
    "demo-1.0.data/scripts/tool": b"#!python\n",
    "demo-1.0.data/data/share/x.txt": b"x",
}


@posix_only
@pytest.mark.parametrize("shape", SHAPES)
def test_behind_symlinks(tmp_path: Path, shape: str) -> None:
    layout = odd_environment(tmp_path / "env", shape)
    install_wheel(make(tmp_path / "w", BOTH), layout)
    site = pure(layout)
    text = (site / INFO / "RECORD").read_text()
    paths = [line.partition(",")[0] for line in text.splitlines()]
    assert all((site / path).is_file() and not os.path.isabs(path) for path in paths)
    # uv looks at the names alone, and keeps a file that they put outside of the environment.
    named = [Path(os.path.normpath(site / path)) for path in paths]
    assert all(path.is_relative_to(tmp_path / "env") for path in named)
    if shape in {"bin", "environment"}:
        # As pip and uv, which look at the names alone, expect it.
        assert "../../../bin/tool" in paths
    uninstall("demo", layout)
    assert not [path for path in files_in(tmp_path) if "demo" in path and path[0] != "w"]
    assert not (tmp_path / "env/bin/tool").exists()


@posix_only
@pytest.mark.parametrize("shape", SHAPES)
def test_what_others_recorded_behind_symlinks(tmp_path: Path, shape: str) -> None:
    """By the names alone, as pip does."""
    layout = odd_environment(tmp_path / "env", shape)
    scripts = Path(layout.schemes["scripts"])
    scripts.mkdir(exist_ok=True)
    (scripts / "tool").write_bytes(b"")
    row = os.path.relpath(scripts / "tool", pure(layout))
    plant(layout, INFO, "Name: demo\nVersion: 1.0\n", {"demo.py": b""})
    record = pure(layout) / INFO / "RECORD"
    record.write_text(f"{record.read_text()}{row},,\n")
    uninstall("demo", layout)
    assert not (scripts / "tool").exists()
    assert not list(pure(layout).glob("*demo*"))


@pytest.mark.parametrize(
    "entry", ["demo-1.0.egg-info/PKG-INFO", "other.egg-info/PKG-INFO", "demo-1.0-py3.egg-info"]
)
def test_a_wheel_with_an_egg_info_among_its_files(
    layout: Layout, tmp_path: Path, entry: str
) -> None:
    """It is a part of what the wheel installs, and not a distribution of which nobody knows the files."""
    files = {"demo/__init__.py": b"", entry: b"Name: demo\nVersion: 1.0\n"}
    made = make(tmp_path / "w", files)
    install_wheel(made, layout)
    assert [os.path.basename(one.path) for one in installed(layout)] == ["demo-1.0.dist-info"]
    report = check_environment(layout)
    assert report.is_sound()
    assert sync_wheels([made], layout).installed == ()
    install_wheel(make(tmp_path / "w2", {"demo/__init__.py": b""}, version="2.0"), layout)
    check_recorded(layout, "demo-2.0.dist-info")
    install_wheel(made, layout)
    uninstall("demo", layout)
    assert files_in(root_of(layout)) == set()
