"""What becomes of each mode on file systems beyond the usual four; the documentation's table comes from here."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
from wheels import make_wheel, write_tree

from proof import kit, processes
from proof.plugin import Row
from proof.situations import (
    SITUATIONS,
    Maker,
    Place,
    Situation,
    linux_only,
    plain_wheel,
    within,
)
from wheel_linker import AUTO, LinkError, LinkMode, LinkReport, link_wheel_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filesystems import FileSystems

    from proof.plugin import Figures

pytestmark = linux_only

_STRICT: Final = " (strict)"
ASKED: Final[dict[str, tuple[LinkMode, ...]]] = {
    **{mode.value: (mode, LinkMode.COPY) for mode in LinkMode if mode is not LinkMode.COPY},
    "copy": (LinkMode.COPY,),
    "auto": AUTO,
    **{mode.value + _STRICT: (mode,) for mode in LinkMode if mode is not LinkMode.COPY},
}


class Outcome(NamedTuple):
    """What became of one call."""

    resulted: str
    """The mode, and how many files ended in another one; nothing if it failed."""
    error: str
    """Why the first mode was not the one, or why it failed."""


@pytest.fixture
def maker(filesystems: FileSystems) -> Iterator[Maker]:
    """What makes the places; a test is skipped, or fails, where they cannot be had."""
    with Maker(filesystems) as made:
        yield made


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: str(situation.name))
def test_what_becomes_of_each_mode(situation: Situation, maker: Maker, figures: Figures) -> None:
    place = situation.make(maker)
    outcomes = _outcomes(place)
    for asked, (resulted, error) in outcomes.items():
        figures.rows.append(Row(situation.name, asked, resulted, error))
    figures.add("odd file systems", situations=1, calls=len(outcomes))
    assert outcomes == {asked: _expected(situation, chain) for asked, chain in ASKED.items()}


def _outcomes(place: Place) -> dict[str, Outcome]:
    """Link in every way, and see that nothing is left of what failed and the wheel stays as it is."""
    before = kit.exact(place.wheel)
    outcomes = _in_every_way(place) if place.user is None else _as_user(place, place.user)
    assert kit.exact(place.wheel) == before
    assert kit.litter(place.wheel) == kit.litter(place.writable) == []
    return outcomes


def _in_every_way(place: Place) -> dict[str, Outcome]:
    return {asked: _outcome(place, asked) for asked in ASKED}


def _outcome(place: Place, asked: str) -> Outcome:
    site = kit.overlapping(place.writable / "site")
    seen = site if place.seen is None else place.seen / "site"
    try:
        return _outcome_in(site, seen, place.wheel, ASKED[asked])
    finally:
        shutil.rmtree(site)


def _outcome_in(site: Path, seen: Path, wheel: Path, chain: tuple[LinkMode, ...]) -> Outcome:
    before = kit.exact(site)
    report = _linked(seen, wheel, chain)
    if isinstance(report, LinkError):
        assert kit.exact(site) == before
        assert os.fspath(seen) in str(report)
        return Outcome("", _name(report.errno))
    assert kit.is_within(kit.files_of(wheel), kit.files_of(site))
    assert kit.litter(site) == []
    return _of_report(report)


def _linked(site: Path, wheel: Path, chain: tuple[LinkMode, ...]) -> LinkReport | LinkError:
    try:
        return link_wheel_files(site, wheel, mode=chain)
    except LinkError as error:
        return error


def _as_user(place: Place, user: int) -> dict[str, Outcome]:
    """Do it in a child process that has become another user for good."""
    answer = place.writable / "answer.json"

    def work() -> None:
        _become(user)
        answer.write_text(json.dumps(_in_every_way(place)), encoding="utf-8")

    # What is imported late is loaded while the interpreter's own files can still be read.
    _outcome(place._replace(writable=place.wheel.parent), "auto")
    assert processes.in_child(work) == 0
    read: dict[str, list[str]] = json.loads(answer.read_text(encoding="utf-8"))
    return {asked: Outcome(*outcome) for asked, outcome in read.items()}


def _become(user: int) -> None:
    if sys.platform != "win32":
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)


def _of_report(report: LinkReport) -> Outcome:
    # RECORD is copied where the others are links, which is no fallback.
    forced = report.mode in {LinkMode.HARDLINK, LinkMode.SYMLINK}
    others = report.used.get(LinkMode.COPY, 0) - forced if report.mode is not LinkMode.COPY else 0
    errors = {fallback.tried: _name(fallback.error.errno) for fallback in report.fallbacks}
    return Outcome(_in_words(report.mode, others), _listed(errors))


def _expected(situation: Situation, chain: tuple[LinkMode, ...]) -> Outcome:
    """Walk the chain by the contract's rules, as data of the situation has it."""
    errors: dict[LinkMode, str] = {}
    for mode in chain:
        refused = situation.refused.get(mode)
        if refused is not None:
            errors[mode] = _name(refused)
            if refused in {errno.ENOSPC, errno.EROFS} or mode is chain[-1]:
                return Outcome("", errors[mode])
            continue
        once = situation.refused_once.get(mode)
        if once is not None:
            errors[mode] = _name(once)
            if mode is chain[-1]:
                return Outcome("", errors[mode])
        return Outcome(_in_words(mode, int(once is not None)), _listed(errors))
    raise AssertionError("every chain has a last mode")


def _in_words(mode: LinkMode, others: int) -> str:
    return f"{mode}, {others} copied" if others else str(mode)


def _listed(errors: dict[LinkMode, str]) -> str:
    return ", ".join(f"{mode}: {error}" for mode, error in errors.items())


def _name(number: int | None) -> str:
    """Return an error's name, of two the one that Linux documents."""
    assert number is not None
    return "EOPNOTSUPP" if number == errno.EOPNOTSUPP else errno.errorcode[number]


def test_a_wheel_with_symlinks_needs_a_file_system_that_has_them(
    maker: Maker, tmp_path: Path
) -> None:
    """They are recreated in every mode; what takes their place would not be what the wheel says."""
    site = kit.overlapping(within("exfat")(maker).writable / "site")
    wheel = make_wheel(tmp_path / "wheel", {"demo/one.py": b""}, links={"demo/two.py": "one.py"})
    before = kit.exact(site), kit.exact(wheel)
    for mode in LinkMode:
        with pytest.raises(LinkError, match=r"two\.py") as caught:
            link_wheel_files(site, wheel, mode=mode)
        assert caught.value.errno == errno.ENOSYS
        assert (kit.exact(site), kit.exact(wheel)) == before


@pytest.mark.parametrize("name", ["exfat", "ntfs"])
def test_litter_is_swept_where_open_files_stay_when_they_are_removed(
    name: str, maker: Maker
) -> None:
    """FUSE, as NFS, gives a file that is removed while it is open another name in the same directory."""
    place = within(name)(maker)
    site = place.writable / "site"
    write_tree(site / f"{kit.PRIVATE}of-the-dead", {"owner": b"", "0/demo/one.py": b""})
    link_wheel_files(site, place.wheel)
    assert kit.litter(site) == []


class TestMountsInside:
    """Something is mounted below ``site_packages``: nothing can be renamed into it, and nothing over it."""

    @pytest.fixture
    def site(self, maker: Maker) -> Path:
        return kit.overlapping(maker.directory("tmpfs") / "site")

    @pytest.fixture
    def wheel(self, maker: Maker) -> Path:
        return plain_wheel(maker.directory("ext4"))

    @pytest.fixture(params=["empty", "filled", "compiled", "bound"])
    def package(self, request: pytest.FixtureRequest, maker: Maker, site: Path) -> Path:
        """The package's directory is another file system, or another place of the same one."""
        point = site / "demo"
        other = kit.overlapping(site.parent / "other") / "demo"
        if request.param == "filled":
            shutil.rmtree(other / "__pycache__")
            shutil.rmtree(other / "sub/__pycache__")
        if request.param == "bound":
            return maker.mounted(point, "--bind", str(other))
        maker.mounted(point, "-t", "tmpfs", "-o", "size=8m", "tmpfs")
        if request.param != "empty":
            shutil.copytree(other, point, dirs_exist_ok=True)
        return point

    @pytest.mark.parametrize("mode", LinkMode)
    @pytest.mark.usefixtures("package")
    def test_a_package_that_is_a_mount_point_is_refused(
        self, site: Path, wheel: Path, mode: LinkMode, figures: Figures
    ) -> None:
        self._assert_refused(site, wheel, mode, errno.EXDEV, figures)

    @pytest.mark.parametrize("mode", LinkMode)
    def test_a_file_that_is_a_mount_point_is_refused(
        self,
        maker: Maker,
        site: Path,
        wheel: Path,
        mode: LinkMode,
        figures: Figures,
    ) -> None:
        maker.mounted(site / "single.py", "--bind", str(wheel / "single.py"))
        self._assert_refused(site, wheel, mode, errno.EBUSY, figures)

    @pytest.mark.parametrize("mode", LinkMode)
    def test_the_directory_itself_may_be_a_mount_point(
        self, maker: Maker, wheel: Path, mode: LinkMode
    ) -> None:
        site = kit.overlapping(maker.tmpfs("size=8m"))
        link_wheel_files(site, wheel, mode=mode)
        assert kit.is_within(kit.files_of(wheel), kit.files_of(site))

    @pytest.mark.parametrize("mode", LinkMode)
    @pytest.mark.usefixtures("package")
    def test_a_mount_that_the_wheel_does_not_write_to_is_no_matter(
        self, site: Path, maker: Maker, mode: LinkMode
    ) -> None:
        wheel = make_wheel(maker.directory("ext4") / "other", {"new/one.py": b""}, name="new")
        link_wheel_files(site, wheel, mode=mode)
        assert (site / "new/one.py").exists()

    @staticmethod
    def _assert_refused(
        site: Path, wheel: Path, mode: LinkMode, number: int, figures: Figures
    ) -> None:
        before = kit.exact(site), kit.exact(wheel)
        with pytest.raises(LinkError) as caught:
            link_wheel_files(site, wheel, mode=mode)
        assert caught.value.errno == number
        assert caught.value.destination is not None
        assert caught.value.destination.startswith(os.fspath(site))
        assert (kit.exact(site), kit.exact(wheel)) == before
        figures.add("odd file systems", mounts_inside=1)
