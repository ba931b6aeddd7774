"""Checking an environment, and mending it from a store."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import snapshot

from install.kit import check_recorded, files_in, make, pure, root_of
from wheel_linker import InvalidWheelError, LinkMode, WheelFilename, WheelLinkerError
from wheel_linker.install import (
    Layout,
    check_environment,
    install_wheel,
    install_wheels,
    sync_wheels,
)
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable

INFO = "demo-1.0.dist-info"
FILES = {
    "demo/__init__.py": b"",
    "demo/module.py": b"A = 1\n",
    "demo-1.0.data/scripts/tool": b"#!python\n",
    f"{INFO}/METADATA": b"Name: demo\nVersion: 1.0\n",
}


def archive(tmp_path: Path, files: dict[str, bytes], name: str = "demo") -> Path:
    """Write a wheel file."""
    tree = make(tmp_path / f"{name}-1.0", files, name=name)
    path = tmp_path / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as made:
        for each in sorted(files_in(tree)):
            made.write(tree / each, each)
    return path


def test_a_sound_one(layout: Layout, tmp_path: Path) -> None:
    assert check_environment(layout).is_sound()
    install_wheel(archive(tmp_path, FILES), layout, compile_bytecode=True)
    report = check_environment(layout)
    assert report.is_sound()
    assert report.broken() == ()


def test_a_record_that_ends_within_a_row_tells_nothing(layout: Layout, tmp_path: Path) -> None:
    """What followed is not known: the files that are no longer named are not at fault."""
    install_wheel(archive(tmp_path, FILES), layout)
    record = pure(layout) / INFO / "RECORD"
    whole = record.read_bytes()
    record.write_bytes(whole[: whole.index(b"=", whole.index(b"demo/module.py")) + 9])
    report = check_environment(layout)
    assert report.files == ()
    assert [one.name for one in report.incomplete] == ["demo"]
    record.write_bytes(whole.rstrip())
    assert check_environment(layout).is_sound()


def test_a_hash_that_a_record_has_of_itself_is_no_sign(layout: Layout, tmp_path: Path) -> None:
    """As pip and uv keep it, if the wheel's RECORD has one."""
    install_wheel(archive(tmp_path, FILES), layout)
    record = pure(layout) / INFO / "RECORD"
    record.write_text(record.read_text().replace("RECORD,,", f"RECORD,sha256={'a' * 43},7"))
    assert check_environment(layout).is_sound()


@pytest.mark.parametrize("damaged", ["files", "record"])
def test_what_is_wrong_is_found_and_mended(layout: Layout, tmp_path: Path, damaged: str) -> None:
    url = {"url": "https://example.org/x.whl", "archive_info": {}}
    with WheelStore(tmp_path / "store") as store:
        path = archive(tmp_path, FILES)
        other = archive(tmp_path, {"other.py": b""}, name="other")
        install_wheel(
            *(path, layout),
            store=store,
            mode=LinkMode.COPY,
            installer="me",
            requested=True,
            direct_url=url,
        )
        install_wheel(other, layout, mode=LinkMode.COPY)
        before = snapshot(pure(layout) / "demo")
        if damaged == "files":
            (pure(layout) / "demo/module.py").write_bytes(b"A = 2\n")
            (pure(layout) / "demo/__init__.py").unlink()
            (root_of(layout) / "bin/tool").write_bytes(b"")
            (pure(layout) / "demo/mine.txt").write_bytes(b"")
            (pure(layout) / "other.py").unlink()
        else:
            (pure(layout) / INFO / "RECORD").write_bytes(b"")
        report = check_environment(layout, store)
        assert not report.is_sound()
        found = {(os.path.basename(one.path), one.kind, one.distribution) for one in report.files}
        assert found == (
            {
                ("module.py", "changed", "demo"),
                ("__init__.py", "missing", "demo"),
                ("tool", "changed", "demo"),
                ("mine.txt", "unknown", None),
                ("other.py", "missing", "other"),
            }
            if damaged == "files"
            else set()
        )
        mended = report.repair(mode=LinkMode.COPY)
        assert [one.wheel.name for one in mended.installed] == ["demo"]
        assert [one.name for one in mended.not_in_store] == (
            ["other"] if damaged == "files" else []
        )
        (pure(layout) / "demo/mine.txt").unlink(missing_ok=True)
        (pure(layout) / "other.py").write_bytes(b"")
        assert check_environment(layout).is_sound()
        now = snapshot(pure(layout) / "demo")
        assert now.keys() == before.keys()
        assert (pure(layout) / INFO / "INSTALLER").read_text() == "me\n"
        assert (pure(layout) / INFO / "direct_url.json").exists()
        assert (pure(layout) / INFO / "REQUESTED").exists()
    check_recorded(layout, INFO, "other-1.0.dist-info")


def test_repair_without_a_store(layout: Layout) -> None:
    with pytest.raises(WheelLinkerError, match="store"):
        check_environment(layout).repair()


def test_requirements(layout: Layout, tmp_path: Path) -> None:
    wanted = (
        *("there", "Missing>=1", "there<1.0", "never; python_version < '3'"),
        *("with-extra[x]", "optional; extra == 'y'", "not a requirement !"),
    )
    metadata = "Name: demo\nVersion: 1.0\n" + "".join(f"Requires-Dist: {one}\n" for one in wanted)
    extra = (
        b"Name: with-extra\nVersion: 1.0\nProvides-Extra: x\nRequires-Dist: deep; extra == 'x'\n"
    )
    install_wheels(
        [
            make(tmp_path / "1", {f"{INFO}/METADATA": f"{metadata}\n".encode()}),
            make(tmp_path / "2", {}, name="there"),
            make(
                tmp_path / "3",
                {"with_extra-1.0.dist-info/METADATA": extra},
                name="with_extra",
            ),
        ],
        layout,
    )
    found = check_environment(layout).requirements
    assert {(one.distribution, one.requirement, one.found) for one in found} == {
        ("demo", "Missing>=1", None),
        ("demo", "there<1.0", "1.0"),
        ("with-extra", 'deep; extra == "x"', None),
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_pipes_do_not_make_it_wait(layout: Layout, tmp_path: Path) -> None:
    install_wheel(make(tmp_path / "w", FILES), layout, mode=LinkMode.COPY)
    module = pure(layout) / "demo/module.py"
    record = pure(layout) / INFO / "RECORD"
    module.unlink()
    os.mkfifo(module)  # type: ignore[attr-defined,unused-ignore]
    record.write_text(record.read_text().replace(",6\n", ",\n"))
    (problem,) = check_environment(layout).files
    assert (problem.path, problem.kind) == (str(module), "unreadable")


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("shake_128=abc,6", "bad-row"),
        ("no-such=abc,6", "bad-row"),
        ("=abc,6", "bad-row"),
        ("no-such,6", "bad-row"),
        ("sha256=,6", "bad-row"),
        (",", None),
        (",6", None),
        (f",{'9' * 5000}", "bad-row"),
        (",six", "bad-row"),
        (",-6", "bad-row"),
        ("md5=abc,6", "changed"),
        ("no-such=abc,7", "changed"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_row_that_cannot_be_compared(
    layout: Layout, tmp_path: Path, row: str, kind: str | None
) -> None:
    install_wheel(make(tmp_path / "w", FILES), layout, mode=LinkMode.COPY)
    record = pure(layout) / INFO / "RECORD"
    rows = record.read_text().splitlines()
    rows = [f"demo/module.py,{row}" if one.startswith("demo/module.py,") else one for one in rows]
    record.write_text("\n".join([*rows, ""]))
    found = check_environment(layout).files
    assert [(os.path.basename(one.path), one.kind, one.distribution) for one in found] == (
        [] if kind is None else [("module.py", kind, "demo")]
    )


@pytest.mark.parametrize(
    "odd",
    [
        'there<1.0; os_name ~= "posix"',
        'there<1.0; platform_release >= "4.x"',
        'there<1.0; platform_version > "abc"',
        'there<1.0; python_version === "no"',
        'there<1.0; extra >= "1"',
        f"there<{'9' * 5000}",
        f"there; {'(' * 5000}os_name == 'x'{')' * 5000}",
        "there @ file:///x ; unknown_marker == 'x'",
        "there<1.0; python_full_version < '" + "9" * 5000 + "'",
    ],
    ids=lambda odd: odd[:40],
)
def test_a_requirement_of_which_nothing_can_be_told(
    layout: Layout, tmp_path: Path, odd: str
) -> None:
    metadata = f"Name: demo\nVersion: 1.0\nRequires-Dist: {odd}\nRequires-Dist: none\n"
    wheels = [
        make(tmp_path / "1", {f"{INFO}/METADATA": metadata.encode()}),
        make(tmp_path / "2", {}, name="there"),
    ]
    install_wheels(wheels, layout)
    (pure(layout) / f"many-{'9' * 200}.dist-info").mkdir()
    found = check_environment(layout).requirements
    assert [one.requirement for one in found if one.requirement == "none"] == ["none"]


@pytest.mark.parametrize(
    "wanted", [">=" + "9" * 5000, "<=" + "9" * 5000, ">=3.x", "~=3"], ids=lambda wanted: wanted[:9]
)
def test_a_required_python_that_is_none(layout: Layout, tmp_path: Path, wanted: str) -> None:
    metadata = f"Name: demo\nVersion: 1.0\nRequires-Python: {wanted}\n"
    wheel = make(tmp_path / "w", {f"{INFO}/METADATA": metadata.encode()})
    install_wheels([wheel], layout, check_tags=True)
    assert check_environment(layout).is_sound()


def test_a_version_of_thousands_of_digits(layout: Layout, tmp_path: Path) -> None:
    many = "9" * 5000
    with pytest.raises(InvalidWheelError, match="not the file name of a wheel"):
        WheelFilename.parse(f"demo-{many}-py3-none-any.whl")
    with pytest.raises(InvalidWheelError, match="does not name a distribution"):
        WheelFilename.from_dist_info(f"demo-{many}.dist-info")
    metadata = f"Name: demo\nVersion: {many}\n".encode()
    with pytest.raises(InvalidWheelError, match="its METADATA says"):
        install_wheels([make(tmp_path / "w", {f"{INFO}/METADATA": metadata})], layout)


# --- Whether a wheel is for the interpreter -------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nTag: cp27-cp27m-win32\n"}, "cp27-cp27m-win32"),
        (
            {f"{INFO}/METADATA": b"Name: demo\nVersion: 1.0\nRequires-Python: <3\n"},
            "requires Python <3",
        ),
    ],
)
def test_check_tags(layout: Layout, tmp_path: Path, files: dict[str, bytes], match: str) -> None:
    wheel = make(tmp_path / "w", files)
    with pytest.raises(InvalidWheelError, match=match) as caught:
        install_wheels([wheel], layout, check_tags=True)
    assert sys.executable in str(caught.value)
    assert not root_of(layout).exists()
    install_wheels([wheel], layout)


def test_check_tags_of_what_fits(layout: Layout, tmp_path: Path) -> None:
    metadata = b"Name: demo\nVersion: 1.0\nRequires-Python: >=3.8\n"
    install_wheels([make(tmp_path / "w", {f"{INFO}/METADATA": metadata})], layout, check_tags=True)


@pytest.mark.parametrize("call", [install_wheels, sync_wheels])
@pytest.mark.parametrize(
    "timestamp",
    [float("nan"), float("inf"), -float("inf"), 1e300, 2**70, -(2**70), 10**400, 10**5000],
    ids=["nan", "inf", "-inf", "1e300", "2**70", "-2**70", "10**400", "10**5000"],
)
def test_what_is_no_time_is_refused_before_anything_is_touched(
    tmp_path: Path, layout: Layout, call: Callable[..., object], timestamp: float
) -> None:
    wheel = make(tmp_path / "w", FILES)
    before = snapshot(tmp_path)
    with pytest.raises(ValueError, match=r"^timestamp is .*: give seconds since 1970$"):
        call([wheel], layout, mode=LinkMode.COPY, timestamp=timestamp)
    assert snapshot(tmp_path) == before


def test_timestamp(tmp_path: Path, layout: Layout) -> None:
    """The same tree each time, whatever the number of threads; what is linked keeps the cache's times."""
    wheel = make(tmp_path / "w", {**FILES, "other/x.py": b""})
    source = snapshot(wheel)
    for jobs in (1, 3):
        install_wheels([wheel], layout, mode=LinkMode.COPY, timestamp=1_000_000_000, jobs=jobs)
        times = {
            path.stat().st_mtime
            for path in (
                pure(layout),
                *pure(layout).rglob("*"),
                *(root_of(layout) / "bin").rglob("*"),
            )
        }
        assert times == {1_000_000_000.0}
    install_wheels([wheel], layout, mode=LinkMode.HARDLINK, timestamp=1_000_000_001)
    assert snapshot(wheel) == source
