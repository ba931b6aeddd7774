"""What a wheel says of itself: what is wrong gets one clear error, and nothing is changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import row_of, snapshot

from install.kit import check_record, check_recorded, make, pure, root_of, rows
from wheel_linker import InvalidWheelError, LinkError, UnpackedWheel, WheelLinkerError
from wheel_linker.install import Layout, WheelVersionWarning, install_wheel, install_wheels

if TYPE_CHECKING:
    from wheel_linker._wheel.record_problems import RecordMode

INFO = "demo-1.0.dist-info"
WHEEL = "Wheel-Version: {}\nRoot-Is-Purelib: true\n"


def refused(wheel: object, layout: Layout, match: str, record: RecordMode = "lenient") -> None:
    """The wheel must be refused with nothing made, and the message must name it."""
    with pytest.raises(InvalidWheelError, match=match) as caught:
        install_wheel(wheel, layout, record=record)  # type: ignore[arg-type]
    path = wheel.path if isinstance(wheel, UnpackedWheel) else wheel
    assert str(path) in str(caught.value)
    assert not root_of(layout).exists()


@pytest.mark.parametrize("version", ["1.1", "1.9"])
def test_newer_minor_version(layout: Layout, tmp_path: Path, version: str) -> None:
    wheel = make(tmp_path / "w", {f"{INFO}/WHEEL": WHEEL.format(version).encode()})
    with pytest.raises(WheelVersionWarning, match=version):
        install_wheel(wheel, layout)
    assert not root_of(layout).exists()
    with pytest.warns(WheelVersionWarning, match=version) as caught:
        install_wheel(wheel, layout)
    assert caught[0].filename == __file__
    check_record(layout)


@pytest.mark.parametrize("version", ["1.0", "1", "0.1"])
def test_known_version(layout: Layout, tmp_path: Path, version: str) -> None:
    install_wheel(make(tmp_path / "w", {f"{INFO}/WHEEL": WHEEL.format(version).encode()}), layout)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (WHEEL.format("2.0"), "update"),
        (WHEEL.format("x"), "Wheel-Version"),
        (WHEEL.format(""), "Wheel-Version"),
        ("", "Wheel-Version"),
    ],
)
def test_other_version(layout: Layout, tmp_path: Path, text: str, match: str) -> None:
    refused(make(tmp_path / "w", {f"{INFO}/WHEEL": text.encode()}), layout, match)


@pytest.mark.parametrize(
    "metadata",
    [b"Name: other\nVersion: 1.0\n", b"Name: demo\nVersion: 1.1\n", b"Name: demo\n", b"", b"\xff"],
)
def test_metadata_of_another(layout: Layout, tmp_path: Path, metadata: bytes) -> None:
    refused(make(tmp_path / "w", {f"{INFO}/METADATA": metadata}), layout, "METADATA")


@pytest.mark.parametrize(
    "metadata",
    [
        b"Name: Demo\nVersion: 1\n\nName: other\n",
        b"NAME:demo\r\nversion:  1.0.0\r\nName: x\r\n",
        b"Summary: a\n  Version: 9\nName:\n demo\nVersion:\n\t1.0\n\n Name: other\n",
        b"Summary: a\r\n Name: other\r\nName:\r\n demo\r\nVersion: 1\r\n\r\n Name: other\r\n",
    ],
)
def test_metadata_written_otherwise(layout: Layout, tmp_path: Path, metadata: bytes) -> None:
    install_wheel(make(tmp_path / "w", {f"{INFO}/METADATA": metadata}), layout)


@pytest.mark.parametrize("name", ["other-1.0-py3-none-any.whl", "demo-1.1-py3-none-any.whl"])
def test_file_name_of_another(layout: Layout, tmp_path: Path, name: str) -> None:
    refused(UnpackedWheel(make(tmp_path / "w", {}), name), layout, "inside")


@pytest.mark.parametrize("name", ["METADATA", "WHEEL", "RECORD"])
def test_missing(layout: Layout, tmp_path: Path, name: str) -> None:
    wheel = make(tmp_path / "w", {})
    (wheel / INFO / name).unlink()
    refused(wheel, layout, f"no {name}")


def test_several_and_none(layout: Layout, tmp_path: Path) -> None:
    wheel = make(tmp_path / "w", {"x-1.dist-info/METADATA": b""})
    refused(UnpackedWheel(wheel, "demo-1.0-py3-none-any.whl"), layout, "one \\*.dist-info")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", layout, "dist-info")


BAD_RECORDS = {
    b"demo.py,md5=abc,1\n": "md5",
    b"demo.py,sha256=abc,1\ndemo.py,sha256=abd,1\n": "two claims",
    b"demo.py,sha256=abc\n": "cannot be read",
    b"demo.py,sha256=abc,x\n": "cannot be read",
    b'"demo.py,,\n': "cannot be read",
    b"demo.py,,\ngone.py,,\n": "not there",
    b"demo.py,,\n../gone.py,,\n": "not there",
    b"\xff": "UTF-8",
    b"demo.py\0,,\n": "RECORD",
    b"x" * 200_000: "RECORD",
}


@pytest.mark.parametrize(("record", "match"), BAD_RECORDS.items(), ids=BAD_RECORDS.values())
def test_bad_record(layout: Layout, tmp_path: Path, record: bytes, match: str) -> None:
    refused(make(tmp_path / "w", {"demo.py": b""}, record=record), layout, match, "strict")


def test_rows_without_hash_or_size(layout: Layout, tmp_path: Path) -> None:
    """Are made complete, as are those that are missing."""
    odd = "com,ma" if os.name == "nt" else 'quo"te,d'
    files = {f"{name}.py": name.encode() for name in ("whole", "hash", "bare", "missing", odd)}
    files |= {f"demo-1.0.data/data/{name}": data for name, data in files.items()}
    lines = []
    for path, data in files.items():
        quoted = '"{}"'.format(path.replace('"', '""')) if "," in path else path
        row = row_of(path, data)
        head = row.rpartition(",")[0]
        if "hash" in path:
            row = f"{head},\n"
        elif "bare" in path:
            row = f"{quoted},,\n"
        lines.append("" if "missing" in path else row)
    record = "".join([*lines, f"{INFO}/RECORD,,\n"])
    for number, text in enumerate((record, record.replace("\n", "\r\n"))):
        wheel = make(tmp_path / f"w{number}", files, record=text.encode())
        install_wheel(wheel, layout)
        check_recorded(layout, INFO)


def test_linked_files_are_not_read(layout: Layout, tmp_path: Path) -> None:
    """Their rows are the wheel's own, letter by letter, if the size that it says is that of the file."""
    digest = "A" * 86
    said = f"demo.py,sha512={digest},5\n{INFO}/METADATA,,\n{INFO}/WHEEL,,\n{INFO}/RECORD,,\n"
    install_wheel(make(tmp_path / "w", {"demo.py": b"12345"}, record=said.encode()), layout)
    assert rows(layout)["demo.py"] == (f"sha512={digest}", "5")


def test_notes_and_signatures_of_the_wheels_own(layout: Layout, tmp_path: Path) -> None:
    """What only an installer may say is dropped; signatures stay."""
    files = {
        f"{INFO}/{name}": b"mine" for name in ("INSTALLER", "REQUESTED", "direct_url.json")
    } | {f"{INFO}/RECORD.jws": b"signature"}
    install_wheel(make(tmp_path / "w", files), layout)
    info = pure(layout) / INFO
    assert (info / "INSTALLER").read_bytes() == b"wheel-linker\n"
    assert not (info / "REQUESTED").exists()
    assert not (info / "direct_url.json").exists()
    assert (info / "RECORD.jws").is_file()
    check_recorded(layout, INFO)


def test_the_same_distribution_twice(layout: Layout, tmp_path: Path) -> None:
    one, two = make(tmp_path / "1", {}, name="De.mo"), make(tmp_path / "2", {}, name="de_mo")
    with pytest.raises(InvalidWheelError, match="at once"):
        install_wheels([one, two], layout)
    assert not root_of(layout).exists()


@pytest.mark.parametrize("what", ["missing", "missing.whl", "file", "file.whl"])
def test_what_is_no_wheel(layout: Layout, tmp_path: Path, what: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "file.whl").write_bytes(b"x")
    before = snapshot(tmp_path)
    with pytest.raises(WheelLinkerError, match=what):
        install_wheel(tmp_path / what, layout)
    assert snapshot(tmp_path) == before


def test_library_that_is_a_file(layout: Layout, tmp_path: Path) -> None:
    pure(layout).parent.mkdir(parents=True)
    pure(layout).write_bytes(b"")
    before = snapshot(tmp_path / "env")
    with pytest.raises(LinkError, match="site-packages"):
        install_wheel(make(tmp_path / "w", {}), layout)
    assert snapshot(tmp_path / "env") == before


def test_bad_arguments(layout: Layout, tmp_path: Path) -> None:
    wheel = make(tmp_path / "w", {})
    with pytest.raises(ValueError, match="unknown"):
        install_wheel(wheel, layout, mode="nonsense")
    with pytest.raises(ValueError, match="jobs"):
        install_wheels([wheel], layout, jobs=0)
    with pytest.raises(ValueError, match="on_conflict"):
        install_wheels([wheel], layout, on_conflict="x")  # type: ignore[arg-type]
    assert install_wheels([], layout) == []
    assert not root_of(layout).exists()
