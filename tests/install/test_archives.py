"""Installing ``.whl`` files, with a store and without."""

from __future__ import annotations

import _thread
import sys
from pathlib import Path

import pytest
from wheels import names, snapshot, zip_wheel

from install.kit import check_recorded, make, no_litter, pure, root_of
from wheel_linker import (
    InvalidWheelError,
    LinkError,
    LinkMode,
    UnpackedWheel,
    WheelLinkerError,
    link_wheels,
    unpack_wheel,
)
from wheel_linker.install import (
    Layout,
    install_wheel,
    install_wheels,
    plan_install,
    sync_wheels,
    uninstall,
)
from wheel_linker.store import WheelStore

INFO = "demo-1.0.dist-info"


@pytest.fixture
def archive(older: Path, tmp_path: Path) -> Path:
    return zip_wheel(older, tmp_path)


@pytest.mark.parametrize("mode", [LinkMode.CLONE, LinkMode.COPY, LinkMode.HARDLINK])
def test_without_a_store(layout: Layout, archive: Path, mode: LinkMode) -> None:
    report = install_wheel(archive, layout, mode=mode)
    check_recorded(layout, INFO)
    assert str(report.wheel) == archive.name
    assert no_litter(root_of(layout))
    uninstall("demo", layout)


@pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="threads wait for nothing there"
)
def test_few_files_take_no_threads(
    layout: Layout, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads would take longer than one, since each waits for the interpreter's lock."""
    started: list[object] = []
    real = _thread.start_new_thread

    def start(*given: object) -> int:
        started.append(given)
        return real(*given)  # type: ignore[call-overload, no-any-return]

    with WheelStore(tmp_path / "store") as store:
        store.add(archive)
        monkeypatch.setattr(_thread, "start_new_thread", start)
        install_wheels([archive], layout, store=store, jobs=4)
    assert started == []
    check_recorded(layout, INFO)


def test_with_a_store(layout: Layout, archive: Path, tmp_path: Path, mode: LinkMode) -> None:
    with WheelStore(tmp_path / "store") as store:
        for _ in range(2):
            install_wheel(archive, layout, mode=mode, store=store)
            check_recorded(layout, INFO)
        before = snapshot(tmp_path / "store")
        uninstall("demo", layout)
        assert snapshot(tmp_path / "store") == before


@pytest.mark.parametrize("kept", ["kept", "missing", "unreadable"])
def test_rows_kept_by_the_store_save_work_alone(
    layout: Layout, archive: Path, tmp_path: Path, kept: str
) -> None:
    """Of what ``RECORD`` gets from them it has the same without."""
    record = pure(layout) / INFO / "RECORD"
    install_wheel(archive, layout)
    expected = record.read_bytes()
    uninstall("demo", layout)
    with WheelStore(tmp_path / "store") as store:
        stored = store.add(archive)
        rows = tmp_path / "store" / stored.entry / "rows"
        # What is before the seal, the last line.
        assert b"".join(rows.read_bytes().splitlines(keepends=True)[:-1]) in expected
        if kept != "kept":
            rows.unlink()
        if kept == "unreadable":
            rows.mkdir()
        install_wheel(stored, layout)
    if kept == "kept":
        assert record.read_bytes() == expected
    # Made anew of what was unpacked they are the same, letter by letter, but in the order of the tree.
    assert sorted(record.read_bytes().splitlines()) == sorted(expected.splitlines())


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_rows_without_sizes_are_not_kept(
    layout: Layout, older: Path, tmp_path: Path, end: str
) -> None:
    """They get their sizes when they are installed; with line ends of Windows, when they are added: made anew."""
    record = older / INFO / "RECORD"
    lines = [f"{line.rpartition(',')[0]}," for line in record.read_text().splitlines()]
    record.write_bytes("".join(f"{line}{end}" for line in lines).encode())
    with WheelStore(tmp_path / "store") as store:
        stored = store.add(zip_wheel(older, tmp_path))
        is_kept = (tmp_path / "store" / stored.entry / "rows").exists()
        kept = stored.carried_rows() or b""
        assert is_kept == bool(kept) == (end == "\r\n")
        assert not any(line.endswith(b",") for line in kept.splitlines())
        install_wheel(stored, layout)
    check_recorded(layout, INFO)


@pytest.mark.parametrize("mode", [LinkMode.SYMLINK, (LinkMode.HARDLINK, LinkMode.SYMLINK)])
def test_symlinks_without_a_store(layout: Layout, archive: Path, mode: LinkMode) -> None:
    """They would lead to a temporary place."""
    with pytest.raises(LinkError, match="give a store"):
        install_wheel(archive, layout, mode=mode)
    assert not root_of(layout).exists()


def test_symlinks_of_unpacked_ones(layout: Layout, older: Path) -> None:
    install_wheel(older, layout, mode=LinkMode.SYMLINK)
    check_recorded(layout, INFO)


@pytest.mark.parametrize("with_store", [False, True])
def test_mixed(layout: Layout, archive: Path, tmp_path: Path, with_store: bool) -> None:
    unpacked = make(tmp_path / "other", {"other.py": b""}, name="other")
    store = WheelStore(tmp_path / "store") if with_store else None
    reports = install_wheels(
        [
            unpacked,
            archive,
        ],
        layout,
        store=store,
        jobs=2,
    )
    assert [report.wheel.name for report in reports] == ["other", "demo"]
    check_recorded(layout, INFO, "other-1.0.dist-info")
    assert no_litter(root_of(layout))
    if store is not None:
        store.close()


def test_truncated(layout: Layout, archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(WheelLinkerError, match=archive.name):
        install_wheel(archive, layout)
    assert not root_of(layout).exists()


def test_renamed(layout: Layout, archive: Path) -> None:
    other = archive.rename(archive.with_name("other-1.0-py3-none-any.whl"))
    with pytest.raises(InvalidWheelError):
        install_wheel(other, layout)
    assert not root_of(layout).exists()
    assert other.name in names(other.parent)


@pytest.mark.parametrize("with_store", [False, True])
@pytest.mark.parametrize("given", ["missing-1.0-py3-none-any.whl", "missing", "demo>=1", "a\0b"])
def test_nothing_there(layout: Layout, tmp_path: Path, given: str, with_store: bool) -> None:
    """What the caller gave is named, and both kinds of wheel: not the temporary store."""
    store = WheelStore(tmp_path / "store") if with_store else None
    with pytest.raises(InvalidWheelError, match=r"give a \.whl file, or the directory") as caught:
        install_wheels([given], layout, store=store)
    assert repr(given) in str(caught.value)
    assert ".wheel_linker-" not in str(caught.value)
    assert not root_of(layout).exists()


@pytest.mark.parametrize(
    "name", ["missing-1.0-py3-none-any.whl", "file/missing-1.0-py3-none-any.whl"]
)
def test_a_wheel_file_that_is_missing_is_one_error_everywhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / name
    layout = Layout.for_target(tmp_path / "target")
    for call in (
        lambda: install_wheels([path], layout),
        lambda: sync_wheels([path], layout),
        lambda: plan_install([path], layout),
        lambda: WheelStore(tmp_path / "store").add(path),
        lambda: WheelStore(tmp_path / "store").add_all([path]),
        lambda: WheelStore(tmp_path / "store", bases=[tmp_path]).add(path),
        lambda: unpack_wheel(path, tmp_path / "to"),
    ):
        with pytest.raises(InvalidWheelError, match=r"no wheel at .*: give a \.whl file") as caught:
            call()
        assert str(path) in str(caught.value)
    assert not (tmp_path / "target").exists()


def test_one_wheel_where_several_are_wanted(tmp_path: Path) -> None:
    layout = Layout.for_target(tmp_path / "target")
    for given in ("a.whl", Path("a.whl"), UnpackedWheel("a")):
        for call in (
            lambda given=given: link_wheels(tmp_path / "site", given),
            lambda given=given: install_wheels(given, layout),
            lambda given=given: sync_wheels(given, layout),
            lambda given=given: WheelStore(tmp_path / "store").add_all(given),
        ):
            with pytest.raises(InvalidWheelError, match="give a list"):
                call()
    assert list(tmp_path.iterdir()) == []


BROKEN = {
    f"{INFO}/WHEEL": b"Wheel-Version: 9.0\n",
    f"{INFO}/METADATA": b"Name: other\nVersion: 1.0\n",
    f"{INFO}/entry_points.txt": b"[console_scripts]\na/b = demo:run\n",
    "demo-1.0.data/nowhere/x": b"",
}


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("name", BROKEN)
def test_errors_name_the_file_that_was_given(
    layout: Layout, tmp_path: Path, name: str, kept: bool
) -> None:
    """Not the place that it was unpacked into, which may be gone by then."""
    archive = zip_wheel(make(tmp_path / "w", {name: BROKEN[name]}), tmp_path)
    with WheelStore(tmp_path / "store") as store, pytest.raises(InvalidWheelError) as caught:
        install_wheel(archive, layout, store=store if kept else None)
    message = str(caught.value)
    assert str(archive) in message
    assert str(tmp_path / "store") not in message
    assert str(root_of(layout)) not in message
    assert not pure(layout).exists() or no_litter(root_of(layout))


def test_a_directory_that_is_no_wheel_is_not_walked(layout: Layout, tmp_path: Path) -> None:
    """It may be a checkout, or a home directory."""
    project = tmp_path / "project"
    (project / "deep").mkdir(parents=True)
    # What a walk would refuse: were it looked at, that would be the message.
    (project / "deep" / "out").symlink_to("/etc")
    expected = r"one \*\.dist-info directory and has none"
    with pytest.raises(InvalidWheelError, match=expected) as caught:
        install_wheel(project, layout)
    assert str(project) in str(caught.value)
    with pytest.raises(InvalidWheelError, match=expected) as caught:
        link_wheels(tmp_path / "site", [project])
    assert str(project) in str(caught.value)
    assert not root_of(layout).exists()
