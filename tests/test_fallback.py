"""Guarantee 7: falling back is per cause, and visible."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filesystems import CLONING
from standins import ScriptedBackend, windows_error
from wheels import contents, make_wheel, names, sample_wheel, snapshot

from wheel_linker import AUTO, LinkError, LinkMode, link_wheel_files, link_wheels
from wheel_linker._link.fallback import Attempt, Cause, classify

if TYPE_CHECKING:
    from collections.abc import Callable

    from filesystems import FileSystems

CLONE, COPY, HARDLINK, SYMLINK = LinkMode.CLONE, LinkMode.COPY, LinkMode.HARDLINK, LinkMode.SYMLINK
NOT_SUPPORTED = sorted(
    {
        errno.EXDEV,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        errno.ENOSYS,
        errno.ENOTTY,
        errno.EINVAL,
        errno.EPERM,
        errno.EACCES,
    }
)
NOT_THIS_FILE = [errno.EMLINK, errno.ETXTBSY, errno.EAGAIN]
FATAL = [
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.ENOENT,
    errno.EMFILE,
    errno.ENOMEM,
    errno.EEXIST,
]
FILES = {f"package/m{number}.py": b"%d" % number for number in range(12)}


def refusal(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def code(number: int) -> str:
    return errno.errorcode[number]


@pytest.fixture
def twelve(tmp_path: Path) -> Path:
    """A wheel of twelve files, and three of its dist-info."""
    return make_wheel(tmp_path / "cache" / "twelve", FILES)


class TestClassification:
    @pytest.mark.parametrize("number", NOT_SUPPORTED, ids=code)
    def test_not_supported_here(self, number: int) -> None:
        assert classify(refusal(number)) is Cause.NOT_SUPPORTED

    @pytest.mark.parametrize("number", NOT_THIS_FILE, ids=code)
    def test_not_for_this_file(self, number: int) -> None:
        assert classify(refusal(number)) is Cause.NOT_THIS_FILE

    def test_every_other_number_is_fatal(self) -> None:
        others = set(errno.errorcode) - set(NOT_SUPPORTED) - set(NOT_THIS_FILE)
        assert {classify(refusal(number)) for number in others} == {Cause.FATAL}
        assert set(FATAL) <= others
        assert classify(OSError("without a number")) is Cause.FATAL

    @pytest.mark.parametrize(
        ("numbers", "cause"),
        [((1, 17, 50, 1314), Cause.NOT_SUPPORTED), ((347, 396, 1142), Cause.NOT_THIS_FILE)],
    )
    def test_windows_numbers_go_first(self, numbers: tuple[int, ...], cause: Cause) -> None:
        for number, translated in itertools.product(
            numbers, (errno.EINVAL, errno.ENOENT, errno.EIO)
        ):
            assert classify(windows_error(number, translated)) is cause


class TestAttempt:
    """The three states of one mode."""

    @pytest.mark.parametrize(
        ("state", "answer", "following"),
        [
            (Attempt.UNTRIED, None, Attempt.WORKING),
            (Attempt.UNTRIED, Cause.NOT_SUPPORTED, Attempt.FALLEN_BACK),
            (Attempt.UNTRIED, Cause.NOT_THIS_FILE, Attempt.UNTRIED),
            (Attempt.WORKING, None, Attempt.WORKING),
            (Attempt.WORKING, Cause.NOT_SUPPORTED, Attempt.WORKING),
            (Attempt.WORKING, Cause.NOT_THIS_FILE, Attempt.WORKING),
            (Attempt.FALLEN_BACK, None, Attempt.FALLEN_BACK),
            (Attempt.FALLEN_BACK, Cause.NOT_SUPPORTED, Attempt.FALLEN_BACK),
            (Attempt.FALLEN_BACK, Cause.NOT_THIS_FILE, Attempt.FALLEN_BACK),
        ],
    )
    def test_each_step(self, state: Attempt, answer: Cause | None, following: Attempt) -> None:
        assert state.after(answer) is following


class TestScripted:
    """Refusals at chosen files, through a backend that fails as it is told."""

    @pytest.mark.parametrize("number", NOT_SUPPORTED, ids=code)
    def test_at_the_first_file_it_is_for_the_whole_wheel(
        self, site: Path, twelve: Path, number: int
    ) -> None:
        backend = ScriptedBackend(always=refusal(number))
        report = link_wheel_files(site, twelve, mode=AUTO, backend=backend)
        assert len(backend.tried) <= 2  # RECORD may have been tried on its own
        assert report.mode is HARDLINK
        assert report.used == {HARDLINK: 14, COPY: 1}
        assert contents(site) == contents(twelve)

    @pytest.mark.parametrize("number", NOT_SUPPORTED, ids=code)
    def test_later_it_is_for_that_file(self, site: Path, twelve: Path, number: int) -> None:
        backend = ScriptedBackend(by_call=lambda call: refusal(number) if call == 5 else None)
        report = link_wheel_files(site, twelve, mode=(CLONE, SYMLINK), backend=backend)
        assert len(backend.tried) == 15
        assert report.mode is CLONE
        assert (report.used[CLONE], report.fallback_count) == (14, 1)
        (fall,) = report.fallbacks
        assert (fall.tried, fall.used, fall.error.errno) == (CLONE, SYMLINK, number)
        assert (site / fall.path).is_symlink()

    @pytest.mark.parametrize("number", NOT_THIS_FILE, ids=code)
    @pytest.mark.parametrize("bad", [{0}, {0, 1, 2}, {7}, set(range(0, 15, 2))], ids=str)
    def test_not_for_this_file_keeps_the_mode(
        self, site: Path, twelve: Path, number: int, bad: set[int]
    ) -> None:
        backend = ScriptedBackend(by_call=lambda call: refusal(number) if call in bad else None)
        report = link_wheel_files(site, twelve, mode="clone", backend=backend)
        assert len(backend.tried) == 15
        assert report.used == {CLONE: 15 - len(bad), COPY: len(bad)}
        assert contents(site) == contents(twelve)

    @pytest.mark.parametrize("number", FATAL, ids=code)
    @pytest.mark.parametrize("call", [0, 6])
    def test_a_fault_is_an_error_at_once(
        self, site: Path, twelve: Path, number: int, call: int
    ) -> None:
        backend = ScriptedBackend(by_call=lambda now: refusal(number) if now == call else None)
        with pytest.raises(LinkError) as caught:
            link_wheel_files(site, twelve, mode=AUTO, backend=backend)
        assert len(backend.tried) == call + 1
        assert (caught.value.errno, caught.value.mode) == (number, CLONE)
        assert names(site) == set()

    @pytest.mark.parametrize("number", [errno.EXDEV, errno.EMLINK], ids=code)
    def test_strict_never_falls_back(self, site: Path, twelve: Path, number: int) -> None:
        backend = ScriptedBackend(by_name={"m7.py": refusal(number)})
        with pytest.raises(LinkError, match=r"m7\.py.*") as caught:
            link_wheel_files(site, twelve, mode=[CLONE], backend=backend)
        assert (caught.value.errno, caught.value.mode) == (number, CLONE)
        assert names(site) == set()

    def test_details_are_few_but_counted(self, site: Path, tmp_path: Path) -> None:
        source = make_wheel(tmp_path / "many", {f"m{number}.py": b"" for number in range(200)})
        backend = ScriptedBackend(
            by_call=lambda call: (
                refusal((errno.EMLINK, errno.EAGAIN)[call % 2]) if call % 3 else None
            )
        )
        report = link_wheel_files(site, source, mode="clone", backend=backend)
        # RECORD is refused too, but gets a copy in any case.
        assert report.fallback_count - sum(1 for call in range(203) if call % 3) in (0, -1)
        assert 2 <= len(report.fallbacks) <= 20
        assert {fall.error.errno for fall in report.fallbacks} == {errno.EMLINK, errno.EAGAIN}

    def test_each_wheel_tries_anew(self, site: Path, tmp_path: Path) -> None:
        sources = [
            make_wheel(tmp_path / f"w{n}", {f"m{n}.py": b""}, name=f"w{n}") for n in range(3)
        ]
        backend = ScriptedBackend(by_name={"m1.py": refusal(errno.EXDEV)})
        reports = link_wheels(site, sources, mode="clone", backend=backend, jobs=1)
        assert [report.mode for report in reports][::2] == [CLONE, CLONE]

    @pytest.mark.parametrize("jobs", [2, 4])
    def test_with_threads(self, site: Path, tmp_path: Path, jobs: int) -> None:
        files = {f"p{number % 40}/m{number}.py": b"%d" % number for number in range(1200)}
        source = make_wheel(tmp_path / "w", files)
        backend = ScriptedBackend(always=refusal(errno.EOPNOTSUPP))
        report = link_wheel_files(site, source, mode="clone", backend=backend, jobs=jobs)
        assert report.used == {COPY: 1203}
        assert report.fallback_count >= 1202
        assert len(backend.tried) <= 2 * jobs
        assert contents(site) == contents(source)


class TestReal:
    """Refusals of the system."""

    @pytest.mark.parametrize("mode", [CLONE, HARDLINK])
    @pytest.mark.parametrize("strict", [False, True])
    def test_another_device(
        self, on_filesystem: Callable[[str], Path], tmp_path: Path, mode: LinkMode, strict: bool
    ) -> None:
        source = sample_wheel(on_filesystem("xfs") / "cache")
        target = tmp_path / "site"
        if strict:
            with pytest.raises(LinkError) as caught:
                link_wheel_files(target, source, mode=(mode,))
            assert (caught.value.errno, caught.value.mode) == (errno.EXDEV, mode)
            assert not target.exists()
        else:
            report = link_wheel_files(target, source, mode=mode)
            assert report.mode is COPY
            assert {fall.error.errno for fall in report.fallbacks} == {errno.EXDEV}
            assert contents(target) == contents(source)

    @pytest.mark.parametrize("place", ["ext4", "tmpfs", *CLONING], indirect=True)
    def test_auto_saves_space_where_it_can(
        self, place: Path, request: pytest.FixtureRequest
    ) -> None:
        name = request.node.callspec.params["place"]
        report = link_wheel_files(place / "site", sample_wheel(place / "cache"), mode="auto")
        assert report.mode is (CLONE if name in CLONING else HARDLINK)

    @pytest.mark.parametrize("place", ["ext4"], indirect=True)
    def test_the_files_that_have_too_many_links_are_copied(self, place: Path) -> None:
        source = make_wheel(place / "w", {"popular.py": b"popular", "rare.py": b"rare"})
        (place / "links").mkdir()
        for number in range(64_999):
            os.link(source / "popular.py", place / "links" / str(number))
        report = link_wheel_files(place / "site", source, mode="hardlink")
        assert report.mode is HARDLINK
        (fall,) = report.fallbacks
        assert (fall.path, fall.used, fall.error.errno) == ("popular.py", COPY, errno.EMLINK)
        assert contents(place / "site") == contents(source)

    def test_if_the_copy_fails_too_its_own_error_is_raised(
        self, make_small_tmpfs: Callable[[str], Path], tmp_path: Path
    ) -> None:
        source = make_wheel(tmp_path / "w", {"big.bin": b"x" * 3_000_000})
        target = make_small_tmpfs("size=1m")
        with pytest.raises(LinkError) as caught:
            link_wheel_files(target, source, mode=AUTO)
        assert (caught.value.errno, caught.value.mode) == (errno.ENOSPC, COPY)
        assert caught.value.__cause__ is not None
        assert "big.bin" in str(caught.value)

    def test_a_read_only_destination_is_an_error_at_once(
        self,
        filesystems: FileSystems,
        on_filesystem: Callable[[str], Path],
        tmp_path: Path,
        wheel: Path,
    ) -> None:
        if sys.platform != "linux" or os.geteuid() != 0:
            pytest.skip("needs a read-only mount")
        real = on_filesystem("tmpfs")
        view = filesystems.read_only(real, f"ro-{tmp_path.name}")
        with pytest.raises(LinkError) as caught:
            link_wheel_files(view, wheel)
        assert caught.value.errno == errno.EROFS
        assert names(real) == set()


WARNED = """
import errno, os, sys, warnings
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from standins import ScriptedBackend
from wheel_linker import LinkFallbackWarning, link_wheels
warnings.simplefilter("always")
site, wheel = map(Path, sys.argv[1:3])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for number in (errno.EXDEV, errno.EXDEV, errno.EPERM, errno.EXDEV):
        backend = ScriptedBackend(always=OSError(number, os.strerror(number)))
        link_wheels(site, [wheel] * 3, mode="clone", backend=backend, jobs=3)
for warning in caught:
    print(warning.category.__name__, Path(warning.filename).name, str(warning.message), sep="|")
"""


class TestWarning:
    def test_once_per_process_mode_and_cause(self, site: Path, wheel: Path) -> None:
        command = [sys.executable, "-c", WARNED, *map(str, (site, wheel, Path(__file__).parent))]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = [line.split("|") for line in done.stdout.splitlines()]
        assert [line[0] for line in lines] == ["LinkFallbackWarning"] * 2
        assert {line[1] for line in lines} == {"<string>"}  # the caller's, not the library's
        for _, _, message in lines:
            assert "clone" in message
            assert "copy" in message
            assert "LinkFallbackWarning" in message
        assert done.stderr == ""

    def test_an_error_filter_leaves_site_packages_alone(
        self, site: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from wheel_linker import LinkFallbackWarning
        from wheel_linker._link import fallback

        monkeypatch.setattr(fallback, "_warned", set())
        before = snapshot(site)
        backend = ScriptedBackend(always=refusal(errno.EXDEV))
        with warnings.catch_warnings():
            warnings.simplefilter("error", LinkFallbackWarning)
            for _ in range(2):
                with pytest.raises(LinkFallbackWarning):
                    link_wheel_files(site, wheel, mode="clone", backend=backend)
        assert snapshot(site) == before

    def test_none_of_what_was_asked_for(
        self, site: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where nothing clones, "auto" stands for hard links; a copy is worth a word."""
        from wheel_linker import LinkFallbackWarning
        from wheel_linker._link import fallback

        monkeypatch.setattr(fallback, "_warned", set())
        backend = ScriptedBackend(always=refusal(errno.EOPNOTSUPP))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            report = link_wheel_files(site, wheel, mode="auto", backend=backend)
        assert report.mode is LinkMode.HARDLINK
        assert report.fallbacks[0].used is LinkMode.HARDLINK
        monkeypatch.setattr(
            os, "link", lambda *_, **__: (_ for _ in ()).throw(refusal(errno.EXDEV))
        )
        with pytest.warns(LinkFallbackWarning, match="used copy instead"):
            link_wheel_files(site.parent / "other", wheel, mode="auto", backend=backend)

    def test_no_fallback_no_warning(self, site: Path, wheel: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            report = link_wheel_files(site, wheel, mode="copy")
        assert report.fallbacks == ()
