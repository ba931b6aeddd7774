"""Flags of files, as macOS and the BSDs have them: none of them travels, and none of them is hidden from the user."""

from __future__ import annotations

import errno
import os
import runpy
import stat
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from proof.macos import MacOS
from wheels import contents, make_wheel

from wheel_linker import LinkError, LinkMode, link_wheel_files
from wheel_linker._fs.sharing import NotSharedError
from wheel_linker._link import fallback
from wheel_linker.install import Layout, install_wheel, uninstall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from standins import FakeClonefile

    from wheel_linker import LinkReport

if sys.platform != "linux":
    pytest.skip("flags are simulated on Linux", allow_module_level=True)

SF_RESTRICTED = 0x0008_0000
FLAGS = {
    "immutable": stat.UF_IMMUTABLE,
    "append": stat.UF_APPEND,
    "hidden": stat.UF_HIDDEN,
    "compressed": stat.UF_COMPRESSED,
    "system immutable": stat.SF_IMMUTABLE,
    "system append": stat.SF_APPEND,
    "not to be removed": stat.SF_NOUNLINK,
    "restricted": SF_RESTRICTED,
}
HARMLESS = stat.UF_NODUMP
FILES = {
    "demo/__init__.py": b"A = 1\n",
    "demo/one.py": b"B = 1\n",
    "demo/two.py": b"C = 1\n",
    "demo.pth": b"import demo\n",
}
# <linux/fs.h>: _IOW('f', 2, long), and the bit for what is immutable.
FS_IOC_SETFLAGS = 0x40086602 if struct.calcsize("P") == 8 else 0x40046602
FS_IMMUTABLE_FL = 0x10


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch) -> Iterator[MacOS]:
    simulated = MacOS(monkeypatch)
    yield simulated
    simulated.clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_wheel(tmp_path / "w", FILES)


def own(site: Path, source: Path) -> set[str]:
    """Return the files that are not the wheel's own."""
    return {
        name
        for name, data in contents(source).items()
        if data is not None and not os.path.samefile(site / name, source / name)
    }


@pytest.fixture
def link(
    macos: MacOS, fake_clonefile: FakeClonefile, tmp_path: Path
) -> Callable[[Path, LinkMode], LinkReport]:
    def link(wheel: Path, mode: LinkMode) -> LinkReport:
        backend = macos.backend(fake_clonefile)
        return link_wheel_files(tmp_path / "site", wheel, mode=mode, backend=backend)

    return link


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("flag", FLAGS.values(), ids=list(FLAGS))
@pytest.mark.parametrize("mode", [LinkMode.HARDLINK, LinkMode.CLONE])
def test_a_file_with_flags_is_copied_and_no_other(
    macos: MacOS,
    link: Callable[[Path, LinkMode], LinkReport],
    source: Path,
    tmp_path: Path,
    mode: LinkMode,
    flag: int,
) -> None:
    macos.flag(source / "demo/one.py", flag)
    report = link(source, mode)
    site = tmp_path / "site"
    assert contents(site) == contents(source)
    assert macos.flags(site / "demo/one.py") == 0
    assert macos.flags(source / "demo/one.py") == flag
    assert (report.mode, report.fallback_count) == (mode, 1)
    (only,) = report.fallbacks
    assert (only.path, only.used, type(only.error)) == (
        "demo/one.py",
        LinkMode.COPY,
        NotSharedError,
    )
    if mode is LinkMode.HARDLINK:
        assert own(site, source) == {"demo/one.py", "demo.pth", "demo-1.0.dist-info/RECORD"}


@pytest.mark.parametrize("mode", [LinkMode.HARDLINK, LinkMode.CLONE])
def test_other_flags_do_no_harm(
    macos: MacOS, link: Callable[[Path, LinkMode], LinkReport], source: Path, mode: LinkMode
) -> None:
    macos.flag(source / "demo/one.py", HARMLESS)
    assert link(source, mode).fallbacks == ()


def test_a_wheel_without_flags_is_cloned_in_one_call(
    link: Callable[[Path, LinkMode], LinkReport], source: Path, fake_clonefile: FakeClonefile
) -> None:
    link(source, LinkMode.CLONE)
    assert fake_clonefile.calls() == 1


def test_alone_a_mode_that_takes_flags_along_is_an_error(
    macos: MacOS, source: Path, tmp_path: Path
) -> None:
    macos.flag(source / "demo/one.py", stat.UF_IMMUTABLE)
    with pytest.raises(LinkError, match=r"flags 0x2 .*allow the mode 'copy'"):
        link_wheel_files(tmp_path / "site", source, mode=["hardlink"])
    assert not (tmp_path / "site").exists()


@pytest.mark.usefixtures("macos")
@pytest.mark.parametrize("mode", LinkMode)
def test_a_pth_file_is_always_a_file_of_its_own(
    link: Callable[[Path, LinkMode], LinkReport], source: Path, tmp_path: Path, mode: LinkMode
) -> None:
    link(source, mode)
    placed = tmp_path / "site/demo.pth"
    assert not placed.is_symlink()
    assert not os.path.samefile(placed, source / "demo.pth")


@pytest.mark.parametrize("mode", LinkMode)
@pytest.mark.parametrize("upgrade", [False, True])
def test_a_pth_file_is_not_hidden_once_it_is_placed(
    macos: MacOS,
    link: Callable[[Path, LinkMode], LinkReport],
    source: Path,
    tmp_path: Path,
    mode: LinkMode,
    upgrade: bool,
) -> None:
    """As it would be, made in a stage with a leading dot, or found so in the store."""
    if upgrade:
        link(source, mode)
    macos.hides = True
    macos.flag(source / "demo.pth", stat.UF_HIDDEN | HARMLESS)
    link(source, mode)
    assert macos.flags(tmp_path / "site/demo.pth") & stat.UF_HIDDEN == 0
    assert macos.flags(source / "demo.pth") == stat.UF_HIDDEN | HARMLESS


def test_uninstalling_an_immutable_file_says_so(macos: MacOS, source: Path, tmp_path: Path) -> None:
    layout = Layout.for_target(tmp_path / "env")
    install_wheel(source, layout, mode="copy")
    before = contents(tmp_path / "env")
    library = Path(layout.schemes["purelib"])
    macos.flag(library / "demo/one.py", stat.UF_IMMUTABLE)
    with pytest.raises(LinkError, match=r"one\.py'.*flags uchg.*chflags nouchg") as caught:
        uninstall("demo", layout)
    assert isinstance(caught.value, PermissionError)
    assert contents(tmp_path / "env") == before


def test_uninstalling_what_linux_calls_immutable_says_so(source: Path, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    layout = Layout.for_target(tmp_path / "env")
    install_wheel(source, layout, mode="copy")
    before = contents(tmp_path / "env")
    with open(os.path.join(layout.schemes["purelib"], "demo/one.py"), "rb") as file:
        try:
            fcntl.ioctl(file, FS_IOC_SETFLAGS, struct.pack("l", FS_IMMUTABLE_FL))
        except OSError as error:
            pytest.skip(f"nothing can be made immutable here: {error}")
        try:
            with pytest.raises(LinkError, match=r"one\.py'.*chattr -i"):
                uninstall("demo", layout)
        finally:
            fcntl.ioctl(file, FS_IOC_SETFLAGS, struct.pack("l", 0))
    assert contents(tmp_path / "env") == before


@pytest.mark.parametrize("number", [45, 102])
def test_the_numbers_of_macos_lead_to_the_next_mode(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(errno, "ENOTSUP", 45)
    monkeypatch.setattr(errno, "EOPNOTSUPP", 102)
    there = runpy.run_path(fallback.__file__)
    assert there["classify"](OSError(number, "")) is there["Cause"].NOT_SUPPORTED
    assert (
        fallback.classify(OSError(number, "")) is fallback.Cause.FATAL
    )  # elsewhere they are other errors


def test_in_a_bundle_of_macos_only_the_file_that_is_refused_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = "demo/Demo.app/Contents"
    source = make_wheel(tmp_path / "w", {f"{inside}/{number}": b"" for number in range(9)})
    first = os.listdir(source / inside)[0]
    real = os.link

    def refuse(name: str, new: str, **keywords: int) -> None:
        if name == first:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        real(name, new, **keywords)  # type: ignore[arg-type,unused-ignore]

    monkeypatch.setattr(os, "link", refuse)
    report = link_wheel_files(tmp_path / "site", source, mode="hardlink")
    assert own(tmp_path / "site", source) == {f"{inside}/{first}", "demo-1.0.dist-info/RECORD"}
    assert (report.mode, report.fallback_count) == (LinkMode.HARDLINK, 1)
