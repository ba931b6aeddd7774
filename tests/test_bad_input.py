"""Bad input: a clear error, and nothing changed."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import POSIX_BYTES, contents, make_wheel, sample_wheel, snapshot

from wheel_linker import InvalidWheelError, LinkError, LinkMode, link_wheel_files, link_wheels

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("way")
# Special files, escaping symlinks: test_containment. In the way, disk full, vanishing: test_all_or_nothing and
# test_namespace. Modes: test_modes. File names: test_filename.


def refused(
    kind: type[Exception], site: Path, source: Path | str, watched: Path, path: Path | str
) -> Exception:
    """Link in both ways; return the error, which names ``path``, after checking that nothing changed."""
    before = snapshot(watched)
    with pytest.raises(kind) as caught:
        link_wheel_files(site, source)
    with pytest.raises(kind):
        link_wheels(site, [source, source])
    assert snapshot(watched) == before
    text = str(caught.value)
    assert os.fspath(path) in text
    assert "\n" not in text
    assert len(text) > len(os.fspath(path)) + 20
    return caught.value


@pytest.mark.parametrize("name", ["missing", "missing/deep", "", "nul\0byte"])
def test_a_wheel_that_is_missing(tmp_path: Path, name: str) -> None:
    source = os.path.join(tmp_path, "nothing", name)
    refused(InvalidWheelError, tmp_path / "new", source, tmp_path, tmp_path / "nothing")


@pytest.mark.parametrize("name", ["file.whl", "file.whl/inside"])
def test_a_wheel_that_is_a_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.whl").write_bytes(b"PK")
    refused(InvalidWheelError, tmp_path / "new", tmp_path / name, tmp_path, tmp_path / "file.whl")


@pytest.mark.parametrize("where", ["", "demo", "demo/sub"])
def test_a_wheel_that_is_unreadable(nobody: Path, where: str) -> None:
    source = sample_wheel(nobody / "cache")
    site = nobody / "site"
    (source / where).chmod(0)
    try:
        with pytest.raises(LinkError) as caught:
            link_wheel_files(site, source)
    finally:
        (source / where).chmod(0o755)
    assert caught.value.errno == errno.EACCES
    assert os.fspath(source / where).rstrip("/") in str(caught.value)
    assert not site.exists()


@pytest.mark.parametrize("name", ["file", "file/below", "file/below/that"])
def test_a_site_packages_that_is_a_file(tmp_path: Path, wheel: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    error = refused(LinkError, tmp_path / name, wheel, tmp_path, tmp_path / "file")
    assert isinstance(error, OSError)
    assert error.errno in (errno.ENOTDIR, errno.EEXIST)


@pytest.mark.parametrize("exists", [True, False])
def test_a_site_packages_that_is_not_writable(nobody: Path, exists: bool) -> None:
    source = sample_wheel(nobody / "cache")
    locked = nobody / "locked"
    locked.mkdir()
    if exists:
        (locked / "site").mkdir()
        (locked / "site").chmod(0o555)
    locked.chmod(0o555)
    error = refused(LinkError, locked / "site", source, nobody, locked / "site")
    assert isinstance(error, OSError)
    assert error.errno == errno.EACCES


def test_a_package_that_is_not_writable(nobody: Path) -> None:
    """Deep in a merge, after other files have been moved."""
    source = sample_wheel(nobody / "cache")
    site = nobody / "site"
    (site / "demo/sub").mkdir(parents=True)
    (site / "demo/sub").chmod(0o555)
    error = refused(LinkError, site, source, nobody, site / "demo/sub")
    assert isinstance(error, OSError)
    assert error.errno == errno.EACCES


def test_no_dist_info_and_no_filename(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w/m.py").touch()
    error = refused(InvalidWheelError, tmp_path / "new", tmp_path / "w", tmp_path, tmp_path / "w")
    assert "dist-info" in str(error)
    assert "file name" in str(error)


def test_an_empty_directory_is_no_wheel(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    refused(InvalidWheelError, tmp_path / "new", tmp_path / "w", tmp_path, tmp_path / "w")


def test_one_bad_wheel_among_good_ones(tmp_path: Path, wheel: Path) -> None:
    before = snapshot(tmp_path)
    with pytest.raises(InvalidWheelError, match=r"missing"):
        link_wheels(tmp_path / "new", [wheel, tmp_path / "missing", wheel])
    assert snapshot(tmp_path) == before


@pytest.mark.skipif(not POSIX_BYTES, reason="names are text here")
class TestNamesThatAreNotUTF8:
    @pytest.fixture
    def odd(self, tmp_path: Path) -> str:
        return os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")

    @pytest.mark.parametrize("mode", list(LinkMode))
    def test_they_work_everywhere(self, odd: str, mode: LinkMode) -> None:
        path = os.fsdecode(b"p\xff/m\xfe.py")
        source = make_wheel(
            Path(odd) / "w", {path: b"N = 1\n"}, links={os.fsdecode(b"l\xfd"): path}
        )
        for _ in range(2):
            link_wheel_files(Path(odd) / "site", source, mode=mode)
        assert contents(Path(odd) / "site") == contents(source)

    def test_as_bytes_paths_they_work_or_are_refused_clearly(self, odd: str) -> None:
        source = make_wheel(Path(odd) / "w", {"m.py": b""})
        try:
            link_wheel_files(os.fsencode(odd) + b"/site", os.fsencode(source))  # type: ignore[arg-type]
        except TypeError:
            return
        assert contents(Path(odd) / "site") == contents(source)

    def test_errors_about_them_can_be_printed(self, odd: str) -> None:
        source = make_wheel(Path(odd) / "w", {os.fsdecode(b"m\xfe.py"): b""})
        site = Path(odd) / "site"
        (site / os.fsdecode(b"m\xfe.py")).mkdir(parents=True)
        with pytest.raises(LinkError) as caught:
            link_wheel_files(site, source)
        str(caught.value).encode("utf-8")  # no lone surrogates


@pytest.mark.parametrize("wrong", [None, 3, ["list"]])
def test_a_wheel_of_the_wrong_type(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(TypeError):
        link_wheel_files(tmp_path / "new", wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("site_of", [lambda wheel: wheel, lambda wheel: wheel / "demo" / "x"])
def test_a_site_packages_inside_the_wheel(wheel: Path, site_of: Callable[[Path], Path]) -> None:
    refused(LinkError, site_of(wheel), wheel, wheel.parent, wheel)
