"""An environment that is to hold exactly some wheels, and looking before anything is changed."""

from __future__ import annotations

import errno
import os
import sys
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from odd_records import RECORDS, write_odd
from wheels import snapshot, write_tree

from install.kit import (
    check_recorded,
    contents_of,
    files_in,
    layout_in,
    make,
    no_litter,
    pure,
    root_of,
)
from wheel_linker import (
    InvalidWheelError,
    LinkError,
    LinkMode,
    PackageConflictError,
    UnpackedWheel,
)
from wheel_linker._link.transaction import Transaction
from wheel_linker.install import (
    Layout,
    NoRecordError,
    NotInstalledError,
    install_wheel,
    install_wheels,
    installed,
    plan_install,
    plan_sync,
    plan_uninstall,
    sync_wheels,
    uninstall,
)
from wheel_linker.install._changes import syncing
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable


def wheel(cache: Path, name: str, version: str = "1.0", text: bytes = b"") -> Path:
    """Write a wheel with something in several directories."""
    stem = f"{name}-{version}"
    files = {
        f"{name}/__init__.py": text or version.encode(),
        f"{name}/only_{version[0]}.py": b"",
        f"{stem}.data/scripts/{name}-script": b"#!python\n",
        f"{stem}.data/data/share/{name}.txt": text or version.encode(),
        f"{stem}.dist-info/entry_points.txt": f"[console_scripts]\n{name} = {name}:x\n".encode(),
    }
    return make(cache / f"{stem}{len(text)}", files, name=name, version=version)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def versions(layout: Layout) -> dict[str, str]:
    return {one.name: one.version for one in installed(layout)}


def infos(layout: Layout) -> list[str]:
    return [os.path.basename(one.path) for one in installed(layout)]


def test_installed(layout: Layout, cache: Path) -> None:
    url = {"url": "file:///x", "dir_info": {"editable": True}}
    install_wheel(wheel(cache, "a"), layout, installer="me", direct_url=url)
    install_wheel(wheel(cache, "b"), layout)
    write_tree(pure(layout), {"old-egg.egg-link": b"/x\n.", "left-1.0.dist-info/x": b""})
    a, b, egg = installed(layout)
    assert (a.name, a.version, a.installer, a.direct_url, a.editable) == (
        *("a", "1.0", "me"),
        url,
        True,
    )
    assert a.path == str(pure(layout) / "a-1.0.dist-info")
    assert (b.installer, b.direct_url, b.editable) == ("wheel-linker", None, False)
    assert (egg.name, egg.version, egg.editable, egg.installer) == ("old-egg", "", True, None)
    assert installed(layout._replace(schemes={**layout.schemes, "purelib": "/nowhere"})) == []


def test_from_nothing_and_to_nothing(layout: Layout, cache: Path, mode: LinkMode) -> None:
    wheels = [wheel(cache, name) for name in ("a", "b", "c")]
    report = sync_wheels(wheels, layout, mode=mode)
    assert [str(one.wheel.name) for one in report.installed] == ["a", "b", "c"]
    assert (report.removed, report.kept) == ((), ())
    check_recorded(layout, *infos(layout))
    report = sync_wheels([], layout)
    assert [one.name for one in report.removed] == ["a", "b", "c"]
    assert not files_in(root_of(layout))


def test_one_step(layout: Layout, cache: Path) -> None:
    """Something is kept, something replaced, removed, added and left alone by name."""
    older = [wheel(cache, name) for name in ("stays", "rises", "goes", "keep", "same")]
    install_wheels(older, layout)
    stays = snapshot(pure(layout) / "stays")
    newer = [
        *(wheel(cache, "rises", "2.0"), wheel(cache, "stays"), wheel(cache, "new")),
        wheel(cache, "same", "1.0", b"the same version with other files"),
    ]
    report = sync_wheels(newer, layout, keep=["Keep", "not-there"])
    assert [one.wheel.name for one in report.installed] == ["rises", "new", "same"]
    assert [one.upgraded for one in report.installed] == [("1.0",), (), ("1.0",)]
    (goes,) = report.removed
    assert (goes.name, goes.versions, goes.kept) == ("goes", ("1.0",), ())
    assert str(pure(layout) / "goes" / "only_1.py") in goes.removed
    assert [one.name for one in report.kept] == ["keep", "stays"]
    assert snapshot(pure(layout) / "stays") == stays
    assert versions(layout) == {
        **dict.fromkeys(["stays", "keep", "new", "same"], "1.0"),
        "rises": "2.0",
    }
    check_recorded(layout, *infos(layout))
    assert no_litter(root_of(layout))


def test_what_is_replaced_is_not_said_to_be_kept(layout: Layout, cache: Path) -> None:
    sync_wheels([wheel(cache, "rises"), wheel(cache, "same")], layout)
    newer = [wheel(cache, "rises", "2.0"), wheel(cache, "same")]
    planned = plan_sync(newer, layout, keep=["rises", "same"])
    report = sync_wheels(newer, layout, keep=["rises", "same"])
    assert [one.name for one in report.kept] == ["same"]
    assert [one.name for one in planned.kept] == ["same"]


def test_nothing_to_do_touches_nothing(
    layout: Layout, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = [wheel(cache, "a"), wheel(cache, "b")]
    sync_wheels(wheels, layout)
    before = snapshot(root_of(layout))
    monkeypatch.setattr(
        "wheel_linker.install._changes.syncing.change", lambda *_: pytest.fail("a change")
    )
    for _ in range(2):
        report = sync_wheels(wheels, layout)
        assert (report.installed, report.removed) == ((), ())
        assert [one.name for one in report.kept] == ["a", "b"]
    assert snapshot(root_of(layout)) == before


def test_what_others_installed_is_left_alone_too(layout: Layout, cache: Path) -> None:
    """With the rows of its RECORD in another order, and quoted otherwise."""
    made = wheel(cache, "a")
    install_wheel(made, layout)
    record = pure(layout) / "a-1.0.dist-info" / "RECORD"
    record.write_text("".join(sorted(record.read_text().splitlines(keepends=True))))
    assert sync_wheels([made], layout).installed == ()
    # Not if a file in its data directory is another one.
    rows = [line for line in record.read_text().splitlines() if "share/" not in line]
    record.write_text("\n".join(rows) + "\n")
    assert len(sync_wheels([made], layout).installed) == 1


def test_from_a_store(layout: Layout, cache: Path, tmp_path: Path) -> None:
    tree = wheel(cache, "a")
    path = tmp_path / "a-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files_in(tree)):
            archive.write(tree / name, name)
    with WheelStore(tmp_path / "store") as store:
        assert len(sync_wheels([path], layout, store=store).installed) == 1
        assert sync_wheels([path], layout, store=store).installed == ()
        assert plan_sync([path], layout, store=store).is_empty()
    assert sync_wheels([path], layout).installed == ()


@pytest.mark.filterwarnings("ignore::wheel_linker.RecordWarning")
@pytest.mark.parametrize("way", ["store", "file", "unpacked"])
@pytest.mark.parametrize("name", RECORDS)
def test_a_wheel_whose_record_is_not_right(
    layout: Layout, tmp_path: Path, name: str, way: str
) -> None:
    """What is installed has a RECORD that is right, so that the two never agree."""
    given = write_odd(tmp_path, name)
    if way == "unpacked":
        with zipfile.ZipFile(given) as archive:
            archive.extractall(tmp_path / "unpacked")
        given = tmp_path / "unpacked"
    with WheelStore(tmp_path / "store") as store:
        used = store if way == "store" else None
        assert len(sync_wheels([given], layout, store=used).installed) == 1
        before = snapshot(root_of(layout))
        assert plan_sync([given], layout, store=used).is_empty()
        assert sync_wheels([given], layout, store=used).installed == ()
    assert snapshot(root_of(layout)) == before


NOT_WHERE_THEY_LIE = {
    "data directory spelt otherwise": {"Demo-1.0.0.data/data/share/x": b"x"},
    "package called like a data directory": {"demo.data/x": b"x"},
    "one file from two places": {"demo.py": b"x", "demo-1.0.data/purelib/demo.py": b"x"},
    "wrapper that a launcher takes the place of": {
        "demo-1.0.data/scripts/demo-script.py": b"x",
        "demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\ndemo = demo:x\n",
    },
}


@pytest.mark.parametrize("name", NOT_WHERE_THEY_LIE)
def test_what_is_not_installed_where_it_lies(layout: Layout, cache: Path, name: str) -> None:
    made = make(cache, NOT_WHERE_THEY_LIE[name])
    sync_wheels([made], layout)
    before = snapshot(root_of(layout))
    assert sync_wheels([made], layout).installed == ()
    assert snapshot(root_of(layout)) == before


SOME = {"demo/__init__.py": b"", "demo-1.0.data/scripts/tool": b"#!python\n1\n"}


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"demo/more.py": b""}, "demo/more.py"),
        ({"demo-1.0.data/data/share/more": b""}, "share/more"),
        ({"demo-1.0.data/scripts/more": b"#!python\n"}, "bin/more"),
        ({"demo-1.0.data/scripts/tool": b"#!python\n2\n"}, None),
        ({"demo-1.0.data/scripts/tool": b"#!/bin/sh\n"}, None),
    ],
)
def test_the_same_version_built_anew(
    layout: Layout, cache: Path, changes: dict[str, bytes], lost: str | None
) -> None:
    """A file that the wheel has not any more goes; a script that is another one is replaced."""
    older, newer = make(cache / "older", {**SOME, **changes}), make(cache / "newer", SOME)
    install_wheel(older, layout)
    (report,) = sync_wheels([newer], layout).installed
    if lost is not None:
        assert [os.path.basename(path) for path in report.removed] == [os.path.basename(lost)]
    fresh = layout_in(cache.parent / "fresh")._replace(python=layout.python)
    install_wheel(newer, fresh)
    assert contents_of(layout) == contents_of(fresh)


@pytest.mark.parametrize("fails", ["add", "replace", "remove"])
def test_all_or_nothing(
    layout: Layout, cache: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    install_wheels([wheel(cache, name) for name in ("goes", "rises")], layout)
    before = snapshot(root_of(layout))
    calls = 0

    def failing(original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **more: object) -> object:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return original(*arguments, **more)

        return call

    monkeypatch.setattr(Transaction, fails, failing(getattr(Transaction, fails)))
    with pytest.raises(LinkError):
        sync_wheels([wheel(cache, "rises", "2.0"), wheel(cache, "new")], layout)
    assert calls >= 2
    assert snapshot(root_of(layout)) == before


def test_what_cannot_be_removed_stops_it(layout: Layout, cache: Path) -> None:
    install_wheel(wheel(cache, "a"), layout)
    write_tree(pure(layout), {"rpm-1.0.dist-info/METADATA": b"Name: rpm\nVersion: 1.0\n"})
    before = snapshot(root_of(layout))
    with pytest.raises(NoRecordError, match="rpm"):
        sync_wheels([wheel(cache, "b")], layout)
    assert snapshot(root_of(layout)) == before
    sync_wheels([wheel(cache, "b")], layout, keep=["rpm"])
    assert versions(layout) == {"b": "1.0", "rpm": "1.0"}


def test_the_same_distribution_twice(layout: Layout, cache: Path) -> None:
    with pytest.raises(InvalidWheelError, match="at once"):
        sync_wheels([wheel(cache, "a"), wheel(cache, "a", "2.0")], layout)
    with pytest.raises(InvalidWheelError, match=r"dist-info"):
        sync_wheels([cache.parent], layout)
    assert not root_of(layout).exists()


def test_conflicts_with_what_stays(layout: Layout, cache: Path, tmp_path: Path) -> None:
    install_wheel(make(tmp_path / "1", {"x.py": b"1"}, name="one"), layout)
    other = make(tmp_path / "2", {"x.py": b"2"}, name="two")
    with pytest.raises(PackageConflictError):
        sync_wheels([other], layout, keep=["one"], on_conflict="error")
    sync_wheels([other], layout, on_conflict="error")
    assert versions(layout) == {"two": "1.0"}


def test_two_at_once_end_with_one_of_both(layout: Layout, cache: Path) -> None:
    """Whoever comes last decides everything; nothing of the other is left."""
    lists = [
        [wheel(cache, name, version) for name in names]
        for names, version in ((("a", "b", "c"), "1.0"), (("b", "c", "d"), "2.0"))
    ]
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(4):
                sync_wheels(lists[number], layout, mode=LinkMode.COPY, jobs=1)
        except BaseException as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert versions(layout) in (
        dict.fromkeys("abc", "1.0"),
        dict.fromkeys("bcd", "2.0"),
    )
    check_recorded(layout, *infos(layout))


def write_again(layout: Layout) -> None:
    """Another ``RECORD`` of the same length, as another program would write it."""
    record = Path(layout.schemes["purelib"], "stays-1.0.dist-info", "RECORD")
    content = record.read_bytes().replace(b"sha256=", b"sha384=", 1)
    record.unlink()
    record.write_bytes(content)


def bring_another(layout: Layout) -> None:
    """A second distribution of that name, in another spelling."""
    write_tree(
        Path(layout.schemes["purelib"], "Stays-0.9.dist-info"),
        {
            "METADATA": b"Metadata-Version: 2.1\nName: Stays\nVersion: 0.9\n",
            "RECORD": b"Stays-0.9.dist-info/RECORD,,\n",
        },
    )


@pytest.mark.parametrize(
    "meanwhile", [lambda layout: uninstall("stays", layout), write_again, bring_another]
)
def test_somebody_else_changes_what_was_to_stay(
    layout: Layout,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Callable[[Layout], object],
) -> None:
    """Between the look and the turn: it is looked at again."""
    stays, new = wheel(cache, "stays"), wheel(cache, "new")
    install_wheel(stays, layout)
    real: Callable[..., object] = vars(syncing)["change"]
    times: list[int] = []

    def change(*arguments: object) -> object:
        times.append(1)
        if len(times) == 1:
            meanwhile(layout)
        return real(*arguments)

    monkeypatch.setattr(syncing, "change", change)
    report = sync_wheels([stays, new], layout)
    assert len(times) == 2
    assert {one.wheel.name for one in report.installed} == {"stays", "new"}
    assert versions(layout) == {"new": "1.0", "stays": "1.0"}


def test_what_stays_is_read_once(layout: Layout, cache: Path) -> None:
    """However many others are replaced; what it has in common with these stays, too."""
    common = {"common.py": b"1\n"}
    stays = make(cache / "stays", {**common, "stays.py": b""}, name="stays")
    older = make(cache / "older", {**common, "rises.py": b""}, name="rises")
    newer = make(cache / "newer", {"rises.py": b"2"}, name="rises", version="2.0")
    sync_wheels([stays, older], layout)
    opened: list[str] = []
    watching = [True]

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and watching and isinstance(arguments[0], str):
            opened.append(arguments[0])

    sys.addaudithook(watch)
    report = sync_wheels([stays, newer], layout)
    watching.clear()
    assert [str(one.wheel.version) for one in report.installed] == ["2.0"]
    info = os.path.join(layout.schemes["purelib"], "stays-1.0.dist-info")
    assert [opened.count(os.path.join(info, name)) for name in ("METADATA", "RECORD")] == [1, 1]
    assert files_in(pure(layout)) >= {"common.py", "stays.py"}


# --- Looking before -------------------------------------------------------------------------------------


def test_dry_runs_tell_and_touch_nothing(layout: Layout, cache: Path) -> None:
    install_wheels([wheel(cache, "goes"), wheel(cache, "rises")], layout)
    newer = [wheel(cache, "rises", "2.0"), wheel(cache, "new")]
    before = snapshot(root_of(layout))
    foretold = sync_wheels(newer, layout, dry_run=True)
    foretold_install = install_wheels(newer, layout, dry_run=True)
    foretold_removal = uninstall(["goes", "rises"], layout, dry_run=True)
    assert snapshot(root_of(layout)) == before
    removal = uninstall(["goes", "rises"], layout)
    assert removal == foretold_removal
    install_wheels([wheel(cache, "goes"), wheel(cache, "rises")], layout)
    done = sync_wheels(newer, layout)
    assert foretold.removed == done.removed
    for told, real, install in zip(foretold.installed, done.installed, foretold_install):
        assert told._replace(link=real.link) == real
        assert install._replace(link=real.link) == real
        assert (told.link.files, told.link.requested) == (real.link.files, real.link.requested)


def test_a_dry_run_with_nothing_to_do_sweeps_nothing(layout: Layout, cache: Path) -> None:
    wheels = [wheel(cache, "a")]
    sync_wheels(wheels, layout)
    write_tree(root_of(layout), {".wheel_linker-0123456789abcdef/0/x": b""})
    before = snapshot(root_of(layout))
    assert not sync_wheels(wheels, layout, dry_run=True).installed
    assert snapshot(root_of(layout)) == before


def test_plans(layout: Layout, cache: Path) -> None:
    install_wheels([wheel(cache, name) for name in ("goes", "rises", "stays")], layout)
    newer = [wheel(cache, "rises", "2.0"), wheel(cache, "new"), wheel(cache, "stays")]
    before = snapshot(root_of(layout))
    plan = plan_sync(newer, layout, mode="auto")
    assert [one.name for one in plan.added] == ["new"]
    assert [(one.wheel.name, one.versions) for one in plan.replaced] == [("rises", ("1.0",))]
    assert [one.name for one in plan.removed] == ["goes"]
    assert [one.name for one in plan.kept] == ["stays"]
    assert plan.modes == (LinkMode.CLONE, LinkMode.HARDLINK, LinkMode.COPY)
    assert str(pure(layout) / "rises" / "only_1.py") in plan.removed_files
    assert str(pure(layout) / "goes" / "__init__.py") in plan.removed_files
    assert not plan.is_empty()
    assert [one.name for one in plan_install(newer, layout).kept] == ["goes"]
    gone = plan_uninstall(["goes", "Rises"], layout)
    assert [one.name for one in gone.removed] == ["goes", "rises"]
    assert [one.name for one in gone.kept] == ["stays"]
    assert snapshot(root_of(layout)) == before
    sync_wheels(newer, layout)
    there = [path for name in ("rises-2.0", "new-1.0") for path in recorded(layout, name)]
    assert plan.files == len(there)
    assert plan.bytes == sum(path.stat().st_size for path in there)
    assert not any(os.path.lexists(path) for path in plan.removed_files)


def recorded(layout: Layout, stem: str) -> list[Path]:
    rows = (pure(layout) / f"{stem}.dist-info" / "RECORD").read_text().splitlines()
    return [pure(layout) / row.partition(",")[0] for row in rows]


def test_plans_tell_of_conflicts(layout: Layout, tmp_path: Path) -> None:
    install_wheel(make(tmp_path / "1", {"x.py": b"1"}, name="one"), layout)
    new = [
        make(tmp_path / "2", {"x.py": b"22", "y.py": b""}, name="two"),
        make(tmp_path / "3", {"y.py": b"3"}, name="three"),
    ]
    assert {one.path for one in plan_install(new, layout).conflicts} == {"x.py", "y.py"}


def test_dry_run_of_archives_needs_no_place_in_the_environment(
    layout: Layout, cache: Path, tmp_path: Path
) -> None:
    tree = wheel(cache, "a")
    path = tmp_path / "a-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files_in(tree)):
            archive.write(tree / name, name)
    assert plan_install([path], layout, mode=LinkMode.SYMLINK).added[0].name == "a"
    assert install_wheels([path], layout, dry_run=True)[0].wheel.name == "a"
    assert not root_of(layout).exists()


# --- Several names --------------------------------------------------------------------------------------


def test_uninstall_of_several_is_all_or_nothing(layout: Layout, cache: Path) -> None:
    install_wheels([wheel(cache, name) for name in ("a", "b", "c")], layout)
    before = snapshot(root_of(layout))
    with pytest.raises(NotInstalledError, match="'x'"):
        uninstall(["a", "x", "b"], layout)
    assert snapshot(root_of(layout)) == before
    (pure(layout) / "b-1.0.dist-info" / "RECORD").unlink()
    before = snapshot(root_of(layout))
    with pytest.raises(NoRecordError, match="b"):
        uninstall(["a", "b"], layout)
    assert snapshot(root_of(layout)) == before
    assert [report.name for report in uninstall(["C", "a", "c"], layout)] == ["c", "a"]
    assert infos(layout) == ["b-1.0.dist-info"]
    assert uninstall([], layout) == []


@pytest.mark.parametrize("kind", [str, Path, os.fsencode, UnpackedWheel])
def test_one_wheel_where_a_list_is_wanted(
    layout: Layout, cache: Path, kind: Callable[[object], Any]
) -> None:
    one = kind(os.fspath(wheel(cache, "a")))
    for call in (install_wheels, sync_wheels, plan_install, plan_sync):
        with pytest.raises(InvalidWheelError, match="give a list"):
            call(one, layout)
    assert not root_of(layout).exists()
