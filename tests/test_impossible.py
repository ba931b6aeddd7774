"""What no file and no clock can have, given to the public calls: NUL bytes, and numbers that are none."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from wheels import make_wheel, snapshot, zip_wheel

from wheel_linker import (
    LinkError,
    Locks,
    UnpackedWheel,
    WheelLinkerError,
    link_wheel_files,
    link_wheels,
    pack_wheel,
    supported_modes,
    unpack_wheel,
    write_record,
)
from wheel_linker._cli.main import main
from wheel_linker.cache_key import environment_cache_key, local_distribution_timestamps
from wheel_linker.install import (
    Layout,
    check_environment,
    install_wheels,
    installed,
    plan_install,
    plan_sync,
    plan_uninstall,
    sync_wheels,
    uninstall,
)
from wheel_linker.install.interpreter import describe
from wheel_linker.store import WheelStore

NAN = float("nan")
WHEEL = "demo-1.0-py3-none-any.whl"


class Place(NamedTuple):
    """What there is: a directory, an unpacked wheel and a wheel file, and a path that nothing can have."""

    root: Path
    tree: Path
    file: Path
    nul: str


@pytest.fixture
def place(tmp_path: Path) -> Place:
    tree = make_wheel(tmp_path / "w", {"demo/a.py": b"1"})
    return Place(tmp_path, tree, zip_wheel(tree, tmp_path), os.fspath(tmp_path / "a\0b"))


CALLS: dict[str, Callable[[Place], object]] = {
    "link_wheel_files into": lambda at: link_wheel_files(at.nul, at.tree),
    "link_wheel_files from": lambda at: link_wheel_files(at.root / "s", at.nul),
    "link_wheels into": lambda at: link_wheels(at.nul, [at.tree]),
    "link_wheels from": lambda at: link_wheels(at.root / "s", [at.nul]),
    "link_wheels unpacked": lambda at: link_wheels(at.root / "s", [UnpackedWheel(at.nul)]),
    "link_wheels called": lambda at: link_wheels(
        at.root / "s", [UnpackedWheel(at.tree, f"\0{WHEEL}")]
    ),
    "supported_modes from": lambda at: supported_modes(at.nul, at.root),
    "supported_modes to": lambda at: supported_modes(at.root, at.nul),
    "pack_wheel from": lambda at: pack_wheel(at.nul, at.root / "o"),
    "pack_wheel to": lambda at: pack_wheel(at.tree, at.nul),
    "pack_wheel to a file": lambda at: pack_wheel(at.tree, f"{at.nul}.whl"),
    "pack_wheel below": lambda at: pack_wheel(at.tree, f"{at.nul}/{WHEEL}"),
    "unpack_wheel from": lambda at: unpack_wheel(f"{at.nul}/{WHEEL}", at.root / "o"),
    "unpack_wheel to": lambda at: unpack_wheel(at.file, at.nul),
    "unpack_wheel below": lambda at: unpack_wheel(at.file, f"{at.nul}/o"),
    "write_record": lambda at: write_record(at.nul),
    "WheelStore": lambda at: WheelStore(at.nul),
    "WheelStore bases": lambda at: WheelStore(at.root / "store", bases=[at.nul]),
    "WheelStore.add": lambda at: WheelStore(at.root / "store").add(f"{at.nul}/{WHEEL}"),
    "WheelStore.add_all": lambda at: WheelStore(at.root / "store").add_all([f"{at.nul}.whl"]),
    "Layout.for_target": lambda at: Layout.for_target(at.nul),
    "Layout.for_target python": lambda at: Layout.for_target(at.root, python=at.nul),
    "Layout.for_python": lambda at: Layout.for_python(at.nul),
    "Layout.for_python name": lambda _: Layout.for_python("py\0thon"),
    "describe": lambda at: describe(at.nul),
    "install_wheels": lambda at: install_wheels([at.nul], layout(at)),
    "install_wheels file": lambda at: install_wheels([f"{at.nul}/{WHEEL}"], layout(at)),
    "install_wheels python": lambda at: install_wheels(
        [at.tree], layout(at)._replace(python=at.nul), compile_bytecode=True
    ),
    "check_environment": lambda at: check_environment(layout(at)._replace(python=at.nul)),
    "installed": lambda at: installed(with_scheme(at, "platlib")),
    "uninstall name": lambda at: uninstall("de\0mo", layout(at)),
    "uninstall": lambda at: uninstall("demo", with_scheme(at, "purelib")),
    "plan_uninstall": lambda at: plan_uninstall("demo", with_scheme(at, "purelib")),
    **{
        f"{call.__name__} {scheme}": lambda at, call=call, scheme=scheme: call(  # type: ignore[misc]
            [at.tree], with_scheme(at, scheme)
        )
        for call in (install_wheels, sync_wheels, plan_install, plan_sync)
        for scheme in ("purelib", "platlib", "headers", "scripts", "data")
    },
}


def layout(at: Place) -> Layout:
    return Layout.for_target(at.root / "env")


def with_scheme(at: Place, scheme: str) -> Layout:
    return layout(at)._replace(schemes={**layout(at).schemes, scheme: at.nul})


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_nul_byte_is_an_error_of_the_library(
    place: Place, call: Callable[[Place], object]
) -> None:
    before = snapshot(place.root)
    with pytest.raises(WheelLinkerError, match=r"\\x00") as caught:
        call(place)
    assert not isinstance(caught.value, LinkError) or caught.value.errno in {errno.EINVAL, None}
    assert {path for path in snapshot(place.root) if not path.startswith("store")} == set(before)


@pytest.mark.parametrize(
    "name",
    [
        *(name for name in CALLS if name.endswith((" into", "s from", " to", "purelib"))),
        *(
            "link_wheels unpacked",
            "pack_wheel from",
            "write_record",
            "WheelStore",
            "WheelStore bases",
        ),
        *("Layout.for_target", "installed", "uninstall", "plan_uninstall"),
    ],
)
def test_an_empty_path_is_not_the_current_directory(
    place: Place, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Least of all where all else is removed from it."""
    monkeypatch.chdir(place.tree)
    before = snapshot(place.root)
    with pytest.raises(WheelLinkerError, match="empty") as caught:
        CALLS[name](place._replace(nul=""))
    assert not isinstance(caught.value, LinkError) or caught.value.errno == errno.EINVAL
    assert {path for path in snapshot(place.root) if not path.startswith("store")} == set(before)


@pytest.mark.parametrize("empty", ["", b""])
def test_a_mirror_of_an_empty_path(
    place: Place, empty: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.root / "cwd").mkdir()
    (place.root / "cwd/mine.txt").write_bytes(b"mine")
    monkeypatch.chdir(place.root / "cwd")
    with pytest.raises(LinkError, match="empty"):
        link_wheel_files(empty, place.tree, exact=True)
    assert os.listdir() == ["mine.txt"]


@pytest.mark.parametrize("exact", [False, True])
def test_a_nul_byte_is_in_no_archive(place: Place, exact: bool) -> None:
    """That a local archive is missing is told by this error."""
    for one in (f"{place.nul}.whl", Path(f"{place.nul}.whl"), "demo @ file:///a%00b.whl"):
        with pytest.raises(FileNotFoundError, match="NUL byte"):
            environment_cache_key([one], interpreter="x", exact=exact)
        with pytest.raises(FileNotFoundError, match="NUL byte"):
            local_distribution_timestamps([one])


@pytest.mark.parametrize("timeout", [-1, -0.5, NAN, -float("inf")])
@pytest.mark.parametrize("made", [Locks, lambda timeout: WheelStore("store", timeout=timeout)])
def test_a_timeout_that_is_none(made: Callable[..., object], timeout: float) -> None:
    with pytest.raises(ValueError, match=r"^timeout is .*: give seconds, or None"):
        made(timeout=timeout)


@pytest.mark.parametrize(
    ("what", "match"),
    [
        ({"unused_for": NAN}, "unused_for is nan"),
        ({"max_bytes": -1}, "max_bytes is -1"),
        ({"max_bytes": NAN}, "max_bytes is nan"),
    ],
)
def test_nothing_is_pruned_by_what_is_no_amount(
    place: Place, what: dict[str, Any], match: str
) -> None:
    with WheelStore(place.root / "store") as store:
        wheel = store.add(place.file)
        store.close()
        with pytest.raises(ValueError, match=match):
            store.prune(**what)
        assert [entry.name for entry in store.entries()] == [wheel.entry]


@pytest.mark.parametrize(
    "what",
    [
        {"unused_for": float("inf")},
        {"unused_for": 10**400},
        {"unused_for": timedelta.max},
        {"max_bytes": 10**400},
        {"max_bytes": 10**5000},
    ],
    ids=["for ever", "huge", "longest", "large", "larger"],
)
def test_much_is_an_amount(place: Place, what: dict[str, Any]) -> None:
    with WheelStore(place.root / "store") as store:
        store.add(place.file)
        store.close()
        assert store.prune(**what) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-size", "9" * 400),
        ("--max-size", "9" * 400 + "T"),
        ("--unused-for", "9" * 400 + "d"),
        ("--jobs", "9" * 5000),
    ],
    ids=["bytes", "terabytes", "days", "threads"],
)
def test_a_number_of_hundreds_of_digits_is_a_wrong_option(
    place: Place, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    call = ["link"] if option == "--jobs" else ["store", "prune"]
    with pytest.raises(SystemExit) as ended:
        sys.exit(main([*call, "--store", os.fspath(place.root / "store"), option, value]))
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert f"argument {option}" in said
    assert value not in said
