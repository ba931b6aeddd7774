"""Files that must not get a second name: those of a third user, and those with set-id bits."""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest
from wheels import contents, make_wheel, zip_wheel

from wheel_linker import (
    LinkError,
    LinkFallbackWarning,
    LinkMode,
    LinkReport,
    UnpackedWheel,
    link_wheel_files,
)
from wheel_linker._fs import sharing
from wheel_linker._fs.sharing import NotSharedError
from wheel_linker._link import fallback
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    pytest.skip("files have no numbers of users there", allow_module_level=True)

SHARING = [LinkMode.HARDLINK, LinkMode.SYMLINK]
THIRD = 54_321
FILES = {"demo/__init__.py": b"A = 1\n", "demo/other.py": b"B = 1\n", "demo/tool": b"#!/bin/sh\n"}


class Trusted(UnpackedWheel):
    """An unpacked wheel whose owner the caller trusts."""

    @property
    def trusted(self) -> bool:
        return True


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_wheel(tmp_path / "w", FILES)


@pytest.fixture
def is_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")


def be_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take all files there are for those of somebody else, who is not root."""
    if os.geteuid() == 0:
        pytest.skip("root's files are everybody's to share")
    monkeypatch.setattr(os, "geteuid", lambda: THIRD)


def shared(site: Path, source: Path) -> set[str]:
    """Return the files that are the same in both places."""
    return {
        name
        for name, data in contents(source).items()
        if data is not None and os.path.samefile(site / name, source / name)
    }


def causes(report: LinkReport) -> set[type[OSError]]:
    return {type(fallback.error) for fallback in report.fallbacks}


@pytest.mark.usefixtures("is_root", "way")
@pytest.mark.parametrize("mode", SHARING)
def test_nothing_of_a_third_users_wheel_is_shared(
    tmp_path: Path, source: Path, mode: LinkMode
) -> None:
    for path in (source, *source.rglob("*")):
        os.chown(path, THIRD, THIRD)
    report = link_wheel_files(tmp_path / "site", source, mode=mode)
    assert contents(tmp_path / "site") == contents(source)
    assert shared(tmp_path / "site", source) == set()
    assert causes(report) == {NotSharedError}
    assert report.fallback_count == report.used[LinkMode.COPY] - 1  # RECORD is copied anyway
    assert f"belongs to the user {THIRD}" in str(report.fallbacks[0].error)
    assert {path.stat().st_uid for path in (tmp_path / "site").rglob("*")} == {0}


@pytest.mark.parametrize("mode", SHARING)
def test_whoever_is_no_root_shares_nothing_of_a_third_user_either(
    tmp_path: Path, source: Path, mode: LinkMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_another_user(monkeypatch)
    report = link_wheel_files(tmp_path / "site", source, mode=mode)
    assert contents(tmp_path / "site") == contents(source)
    assert shared(tmp_path / "site", source) == set()
    assert causes(report) == {NotSharedError}


@pytest.mark.usefixtures("is_root")
@pytest.mark.parametrize("mode", SHARING)
def test_files_of_a_third_user_among_the_callers_are_copied_and_no_others(
    tmp_path: Path, source: Path, mode: LinkMode
) -> None:
    """Where others may write to the directory."""
    (source / "demo").chmod(0o775)
    os.chown(source / "demo/other.py", THIRD, THIRD)
    report = link_wheel_files(tmp_path / "site", source, mode=mode)
    assert shared(tmp_path / "site", source) == {
        name for name in contents(source) if not name.endswith(("RECORD", "other.py"))
    } - {"demo", "demo-1.0.dist-info"}
    assert (report.mode, report.fallback_count) == (mode, 1)


@pytest.mark.usefixtures("is_root", "way")
def test_no_symlink_leads_into_a_directory_of_a_third_user(tmp_path: Path, source: Path) -> None:
    os.chown(source / "demo", THIRD, THIRD)
    report = link_wheel_files(tmp_path / "site", source, mode="symlink")
    assert {name.partition("/")[0] for name in shared(tmp_path / "site", source)} == {
        "demo-1.0.dist-info"
    }
    assert contents(tmp_path / "site") == contents(source)
    assert causes(report) == {NotSharedError}
    assert f"its directory belongs to the user {THIRD}" in str(report.fallbacks[0].error)


@pytest.mark.usefixtures("is_root")
def test_a_program_of_a_third_user_in_the_callers_directory_is_copied(
    tmp_path: Path, source: Path
) -> None:
    os.chown(source / "demo/tool", THIRD, THIRD)
    report = link_wheel_files(tmp_path / "site", source, mode="hardlink")
    assert not os.path.samefile(tmp_path / "site/demo/tool", source / "demo/tool")
    assert os.path.samefile(tmp_path / "site/demo/other.py", source / "demo/other.py")
    assert report.fallback_count == 1


@pytest.mark.usefixtures("is_root")
@pytest.mark.parametrize("mode", SHARING)
@pytest.mark.parametrize("exists", [True, False])
def test_any_file_of_a_third_user_in_the_callers_directory_is_copied(
    tmp_path: Path, source: Path, mode: LinkMode, exists: bool
) -> None:
    """Whoever moved it there has given it to the environment's users, and to its owner's mercy."""
    if exists:
        (tmp_path / "site").mkdir()
    os.chown(source / "demo/other.py", THIRD, THIRD)
    report = link_wheel_files(tmp_path / "site", source, mode=mode)
    assert not os.path.samefile(tmp_path / "site/demo/other.py", source / "demo/other.py")
    assert os.path.samefile(tmp_path / "site/demo/tool", source / "demo/tool")
    assert report.fallback_count == 1


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("mode", SHARING)
def test_no_second_name_is_made_for_a_module_with_set_id_bits(
    tmp_path: Path, source: Path, mode: LinkMode
) -> None:
    (source / "demo/other.py").chmod(0o4755)
    report = link_wheel_files(tmp_path / "site", source, mode=mode)
    found = (tmp_path / "site/demo/other.py").stat()
    assert not os.path.samestat(found, (source / "demo/other.py").stat())
    assert found.st_mode & (stat.S_ISUID | stat.S_ISGID) == 0
    assert report.fallback_count == 1


@pytest.mark.usefixtures("is_root")
@pytest.mark.parametrize("mode", SHARING)
def test_what_the_caller_trusts_is_shared(tmp_path: Path, source: Path, mode: LinkMode) -> None:
    for path in (source, *source.rglob("*")):
        os.chown(path, THIRD, THIRD)
    report = link_wheel_files(tmp_path / "site", Trusted(source), mode=mode)
    assert report.fallbacks == ()
    assert os.path.samefile(tmp_path / "site/demo/other.py", source / "demo/other.py")


@pytest.mark.usefixtures("is_root")
@pytest.mark.parametrize("trusted", [True, False])
def test_a_store_of_a_third_user_is_shared_if_it_is_trusted(tmp_path: Path, trusted: bool) -> None:
    made = zip_wheel(make_wheel(tmp_path / "o", FILES), tmp_path)
    with WheelStore(tmp_path / "store") as store:
        entry = store.add(made).path
    for path in (tmp_path / "store", *(tmp_path / "store").rglob("*")):
        os.chown(path, THIRD, THIRD, follow_symlinks=False)
    if trusted:
        with WheelStore(tmp_path / "store", trusted=True) as store:
            link_wheel_files(tmp_path / "site", store.add(made), mode="hardlink")
    else:
        link_wheel_files(tmp_path / "site", entry, mode="hardlink")
    one, other = tmp_path / "site/demo/other.py", os.path.join(entry, "demo/other.py")
    assert os.path.samefile(one, other) is trusted


@pytest.mark.usefixtures("is_root")
def test_files_that_are_swapped_at_the_last_moment_are_not_shared(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user who may write to the wheel could put his own file there just before link(2)."""
    (source / "demo").chmod(0o777)
    link = os.link

    def swap_and_link(name: str, new: str, **keywords: int) -> None:
        if name == "other.py":
            os.chown(source / "demo/other.py", THIRD, THIRD)
        link(name, new, **keywords)  # type: ignore[arg-type,unused-ignore]

    monkeypatch.setattr(sharing, "hard_link", lambda: swap_and_link)
    monkeypatch.setattr("wheel_linker._link.placing.hard_link", lambda: swap_and_link)
    link_wheel_files(tmp_path / "site", source, mode="hardlink")
    assert (tmp_path / "site/demo/other.py").stat().st_uid == 0


@pytest.mark.usefixtures("is_root")
def test_alone_that_mode_is_an_error_that_says_what_to_do(tmp_path: Path, source: Path) -> None:
    for path in (source, *source.rglob("*")):
        os.chown(path, THIRD, THIRD)
    with pytest.raises(LinkError, match=f"belongs to the user {THIRD}.*allow the mode 'copy'"):
        link_wheel_files(tmp_path / "site", source, mode=["hardlink"])
    assert not (tmp_path / "site").exists()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("bits", [0o4755, 0o2755, 0o6711])
@pytest.mark.parametrize("mode", SHARING)
def test_no_second_name_is_made_for_a_set_id_file(
    tmp_path: Path, source: Path, mode: LinkMode, bits: int
) -> None:
    (source / "demo/tool").chmod(bits)
    report = link_wheel_files(tmp_path / "site", source, mode=mode)
    found = (tmp_path / "site/demo/tool").stat()
    assert not os.path.samestat(found, (source / "demo/tool").stat())
    assert found.st_mode & (stat.S_ISUID | stat.S_ISGID) == 0
    assert found.st_mode & stat.S_IXUSR
    assert stat.S_IMODE((source / "demo/tool").stat().st_mode) == bits
    assert (report.mode, report.fallback_count) == (mode, 1)


def test_the_warning_names_the_reason(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fallback, "_warned", set())
    (source / "demo/tool").chmod(0o4755)
    with pytest.warns(LinkFallbackWarning, match="set-id bits; used copy instead"):
        link_wheel_files(tmp_path / "site", source, mode="hardlink")


def test_if_the_first_file_is_refused_as_another_users_only_that_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As fs.protected_hardlinks refuses it: EPERM, which also a file system without hard links says."""
    source = make_wheel(tmp_path / "w", {f"demo/m{number}.py": b"" for number in range(200)})
    first = os.listdir(source / "demo")[0]
    link, stat_result = os.link, os.stat

    def refuse(name: str, new: str, **keywords: int) -> None:
        if name == first:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        link(name, new, **keywords)  # type: ignore[arg-type,unused-ignore]

    def of_root(path: str, **keywords: int) -> os.stat_result:
        found = stat_result(path, **keywords)  # type: ignore[arg-type,unused-ignore]
        if path != first:
            return found
        owner = 0 if os.geteuid() else THIRD
        return os.stat_result((*found[:4], owner, *found[5:10]))

    monkeypatch.setattr("wheel_linker._link.placing.hard_link", lambda: refuse)
    monkeypatch.setattr(os, "stat", of_root)
    report = link_wheel_files(tmp_path / "site", source, mode="hardlink")
    assert report.used == {LinkMode.HARDLINK: 201, LinkMode.COPY: 2}
