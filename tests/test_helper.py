"""Helper processes: with them everything is as it is without, whatever becomes of them."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from proof.kit import litter, package
from proof.processes import finish, send, start, was_killed
from wheels import POSIX_BYTES, contents, make_wheel, names, snapshot, zip_wheel

from wheel_linker import (
    LinkError,
    LinkMode,
    LinkReport,
    UnpackedWheel,
    _threads,
    link_wheel_files,
    link_wheels,
)
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.stage import PREFIX, Stage, sweep
from wheel_linker._link import pipeline, staging
from wheel_linker._link.helper import process as helper_process
from wheel_linker._link.helper import starting
from wheel_linker._link.helper.process import Helper
from wheel_linker._link.units import Unit, Visit
from wheel_linker.backends import default_backend
from wheel_linker.install import Layout, install_wheels
from wheel_linker.install._changes import planning
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Sequence

    from wheel_linker._link.helper.program import Answer, Order
    from wheel_linker._wheel.progress import Progress

if sys.platform == "win32":
    pytest.skip("helper processes are for Linux", allow_module_level=True)

COPY, HARDLINK, SYMLINK, CLONE = (
    LinkMode.COPY,
    LinkMode.HARDLINK,
    LinkMode.SYMLINK,
    LinkMode.CLONE,
)
PATIENCE = 20
"""Seconds that a test waits for another process before it fails."""

# Said without asking the library: where it wrongly thinks that there are none, these tests have to fail.
WITH_LOCK = getattr(sys, "_is_gil_enabled", lambda: True)()
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or sys.implementation.name != "cpython" or not WITH_LOCK,
    reason="helper processes are for CPython on Linux, with the interpreter's lock",
)


def test_they_are_available() -> None:
    """Moved or renamed modules would switch them off without a word."""
    assert starting.how_many(10**6, default_backend()) > 0


class Witness:
    """Sees what helper processes are asked, and answer."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.answers: list[Answer] = []
        self.before: Callable[[Helper], None] | None = None
        """Called before each order."""
        self.enough = threading.Event()
        self.wanted = 3
        self.is_helped = False
        self.has_begun = False


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have helper processes for any number of files, if they come in time."""
    monkeypatch.setattr(starting, "ENTRIES_PER_HELPER", 1)
    monkeypatch.setattr(staging, "_ENTRIES_PER_UNIT", 4)


@pytest.fixture
def witness(eager: None, monkeypatch: pytest.MonkeyPatch) -> Witness:
    """Have a helper process for any number of files, and the calling thread wait until it has done something."""
    seen = Witness()
    place_by_helper = Helper.place

    def place(helper: Helper, order: Order) -> Answer:
        try:
            if seen.before is not None:
                seen.before(helper)
            seen.orders.append(order)
            answer = place_by_helper(helper, order)
            seen.answers.append(answer)
        finally:
            if len(seen.orders) >= seen.wanted or len(seen.answers) < len(seen.orders):
                seen.enough.set()
        return answer

    def patient(place_here: Callable[..., Any]) -> Callable[..., Any]:
        def place(piece: Unit | Visit, stage: Folder, progress: Progress) -> Any:
            if threading.current_thread() is threading.main_thread() and seen.is_helped:
                # The first visit finds what there is for others to do.
                if seen.has_begun or isinstance(piece, Unit):
                    assert seen.enough.wait(PATIENCE), "no helper process has done anything"
                seen.has_begun = True
            return place_here(piece, stage, progress)

        return place

    def run(*arguments: Any, others: Any = None, **options: Any) -> None:
        seen.is_helped, seen.has_begun = others is not None, False
        really_run(*arguments, others=others, **options)

    really_run = _threads.run
    monkeypatch.setattr(staging, "run", run)
    monkeypatch.setattr(Helper, "place", place)
    for piece in (Unit, Visit):
        monkeypatch.setattr(piece, "place", patient(piece.place))
    return seen


@pytest.fixture
def ready(eager: None, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether helper processes that were started turned out to be of use."""
    answers: list[bool] = []
    is_ready = helper_process._is_ready

    def noted(process: subprocess.Popen[bytes]) -> bool:
        answers.append(is_ready(process))
        return answers[-1]

    monkeypatch.setattr(helper_process, "_is_ready", noted)
    return answers


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Fail a test that leaves a process or a descriptor."""
    before = descriptors()
    yield
    assert descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def descriptors() -> list[str]:
    """Return what this process has open of pipes and directories of the library's own."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            target = str(path.readlink())
        except FileNotFoundError:
            continue  # that of the directory itself, as it was listed
        if target.startswith("pipe:") or PREFIX in target:
            found.append(target)
    return sorted(found)


def picture(tree: Path) -> dict[str, tuple[object, ...]]:
    """Return kind, content and permission bits of everything."""
    return {path: entry[:3] for path, entry in snapshot(tree).items()}


def many(root: Path, number: int = 6) -> list[Path]:
    """Write packages with a little of everything, the later ones over the earlier, and one large one."""
    small = [package(root / str(version), version) for version in range(number)]
    files = {f"large/d{index % 12}/m{index}.py": b"%d" % index for index in range(200)}
    return [*small, make_wheel(root / "large", files, name="large")]


def told(report: LinkReport) -> tuple[object, ...]:
    """Return what a report says, its errors as far as they can be compared.

    Two that work on one wheel may both be at their first file when it is refused.
    """
    falls = {(fall.tried, fall.used, fall.error.errno) for fall in report.fallbacks}
    return (*report._replace(fallbacks=()), falls)


class Linked(NamedTuple):
    """What became of a destination."""

    tree: dict[str, tuple[object, ...]]
    reports: list[tuple[object, ...]]


def linked(site: Path, wheels: list[Path], mode: tuple[LinkMode, ...], jobs: int) -> Linked:
    site.mkdir()
    reports = link_wheels(site, wheels, mode=mode, jobs=jobs)
    return Linked(picture(site), [told(report) for report in reports])


@pytest.mark.parametrize("jobs", [2, 4])
@pytest.mark.parametrize("mode", [COPY, HARDLINK, SYMLINK, CLONE])
def test_the_result_is_the_same(
    on_filesystem: Callable[[str], Path], witness: Witness, mode: LinkMode, jobs: int
) -> None:
    place = on_filesystem("xfs")
    wheels = many(place / "cache")
    before = snapshot(place / "cache", directory_times=True)
    alone = linked(place / "alone", wheels, (mode,), 1)
    assert witness.orders == []
    helped = linked(place / "helped", wheels, (mode,), jobs)
    assert {order.mode for order in witness.orders} == {mode.value}
    assert all(answer.complete for answer in witness.answers)
    assert helped == alone
    assert snapshot(place / "cache", directory_times=True) == before


def test_what_is_refused_falls_back_as_without(
    on_filesystem: Callable[[str], Path], tmp_path: Path, witness: Witness
) -> None:
    """Hard links from one file system to another: refused at the first file of each wheel."""
    wheels = many(tmp_path / "cache")
    place = on_filesystem("tmpfs")
    alone = linked(place / "alone", wheels, (HARDLINK, COPY), 1)
    helped = linked(place / "helped", wheels, (HARDLINK, COPY), 2)
    assert any(not answer.complete and answer.files == 0 for answer in witness.answers)
    assert [report[1:] for report in helped.reports] == [report[1:] for report in alone.reports]
    assert helped.tree == alone.tree


def test_one_file_that_is_refused_falls_back_alone(
    on_filesystem: Callable[[str], Path], witness: Witness
) -> None:
    """A file has all the links that ext4 lets it have."""
    place = on_filesystem("ext4")
    files = {f"one/d{index % 10}/m{index // 10}.py": b"%d" % index for index in range(50)}
    wheel = make_wheel(place / "cache", files, name="one")
    (place / "links").mkdir()
    for index in range(64_999):
        os.link(wheel / "one/d5/m3.py", place / "links" / str(index))
    witness.wanted = 8
    (report,) = link_wheels(place / "site", [wheel], mode=(HARDLINK, COPY), jobs=2)
    (refused,) = [index for index, answer in enumerate(witness.answers) if not answer.complete]
    done, files_done, *_ = witness.answers[refused]
    parts, tried = witness.orders[refused].directories[done]
    assert (parts, tried[files_done]) == (("one", "d5"), "m3.py")
    assert report.used == {HARDLINK: 51, COPY: 2}
    (fall,) = report.fallbacks
    assert (fall.path, fall.error.errno) == ("one/d5/m3.py", errno.EMLINK)
    assert contents(place / "site") == contents(wheel)


def test_a_full_disk_is_an_error(
    make_small_tmpfs: Callable[[str], Path], tmp_path: Path, witness: Witness
) -> None:
    place = make_small_tmpfs("size=1m")
    files = {f"large/d{index % 12}/m{index}.bin": bytes(20_000) for index in range(200)}
    wheel = make_wheel(tmp_path / "cache", files, name="large")
    with pytest.raises(LinkError) as caught:
        link_wheel_files(place / "site", wheel, mode=COPY, jobs=2)
    assert caught.value.errno == errno.ENOSPC
    assert any(not answer.complete for answer in witness.answers)
    assert names(place) == set()


def test_what_is_not_simple_is_placed_here(tmp_path: Path, witness: Witness) -> None:
    """Files that need a copy, as the caller says, RECORD, and symlinks of the wheel's own."""
    wheels = [package(tmp_path / "cache", 1), *many(tmp_path / "more", 1)]
    site = tmp_path / "site"
    witness.wanted = 5
    link_wheels(site, wheels, mode=HARDLINK, jobs=2)
    placed = [each for order in witness.orders for each in order.directories]
    assert placed
    assert not any("RECORD" in files for _, files in placed)
    assert (site / "demo/alias.py").is_symlink()
    link_wheel_files(tmp_path / "other", wheels[0], mode=HARDLINK, jobs=2, must_copy=_is_script)
    assert (tmp_path / "other/demo/tool.sh").stat().st_nlink == 1
    assert (tmp_path / "other/demo/m1.py").stat().st_nlink == 2


def _is_script(path: object) -> bool:
    return str(path).endswith(".sh")


@pytest.mark.skipif(not POSIX_BYTES, reason="file names are text there")
def test_names_that_are_no_text(tmp_path: Path, witness: Witness) -> None:
    name = os.fsdecode(b"\xff\xfe.py")
    files = {f"odd/d{index}/{name}": b"%d" % index for index in range(40)}
    wheel = make_wheel(tmp_path / "cache", files, name="odd")
    link_wheel_files(tmp_path / "site", wheel, mode=HARDLINK, jobs=2)
    assert contents(tmp_path / "site") == contents(wheel)
    assert any(name in files for order in witness.orders for _, files in order.directories)


def test_progress_counts_every_file(tmp_path: Path, witness: Witness) -> None:
    wheels = many(tmp_path / "cache")
    done: list[int] = []
    reports = link_wheels(tmp_path / "site", wheels, mode=HARDLINK, jobs=2, progress=done.append)
    assert witness.answers
    assert sum(done) == sum(report.files for report in reports)


def test_a_file_that_is_gone_is_named(tmp_path: Path, witness: Witness) -> None:
    from store.archives import NAME, with_record, write_archive

    info = "demo-1.0.dist-info"
    files = {f"demo/d{index}/m{index}.py": b"%d" % index for index in range(60)}
    wheel = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files |= {f"{info}/METADATA": b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"}
    files |= {f"{info}/WHEEL": wheel}
    archive = write_archive(tmp_path / NAME, with_record(files))
    witness.wanted = 1
    with WheelStore(tmp_path / "store") as store:
        stored = store.add(archive)
        for path in sorted(Path(stored.path).rglob("m*.py")):
            path.unlink()
        with pytest.raises(LinkError, match=r"demo/d\d+/m\d+\.py") as caught:
            link_wheels(tmp_path / "site", [stored], mode=HARDLINK, jobs=2)
    assert caught.value.errno == errno.ENOENT
    assert [each[:3] for each in witness.answers] == [(0, 0, False)] * len(witness.answers)
    assert not (tmp_path / "site").exists()


def test_another_directory_in_the_place_of_a_wheel(tmp_path: Path, witness: Witness) -> None:
    wheels = many(tmp_path / "cache")
    other = tmp_path / "other"
    shutil.copytree(wheels[-1], other)  # of the same names

    def swap(_: Helper) -> None:
        if other.exists():
            wheels[-1].rename(tmp_path / "away")
            other.rename(wheels[-1])

    witness.before = swap
    witness.wanted = 1
    with pytest.raises(LinkError, match="another directory took the place"):
        link_wheels(tmp_path / "site", wheels[-1:], mode=HARDLINK, jobs=2)
    assert witness.answers[0][:3] == (0, 0, False)
    assert not (tmp_path / "site").exists()


def test_a_helper_that_is_killed(site: Path, tmp_path: Path, witness: Witness) -> None:
    wheels = many(tmp_path / "cache")
    before = snapshot(site, directory_times=True)

    def kill(helper: Helper) -> None:
        if len(witness.answers) == 1:
            helper._process.kill()
            helper._process.wait()

    witness.before = kill
    with pytest.raises(LinkError, match=r"helper process .* try again, with jobs=1"):
        link_wheels(site, wheels, mode=HARDLINK, jobs=2)
    assert len(witness.answers) == 1
    assert names(site) == set()
    assert set(snapshot(site)) == set(before)


@pytest.mark.timeout(PATIENCE)
def test_it_ends_though_its_input_is_open(site: Path, tmp_path: Path, witness: Witness) -> None:
    """As in a process that another thread of the caller's has forked meanwhile."""
    kept: list[int] = []

    def keep(helper: Helper) -> None:
        assert helper._process.stdin is not None
        if not kept:
            kept.append(os.dup(helper._process.stdin.fileno()))

    witness.before = keep
    try:
        link_wheels(site, many(tmp_path / "cache"), mode=HARDLINK, jobs=2)
    finally:
        os.close(kept[0])


def test_an_interrupt_ends_it(site: Path, tmp_path: Path, witness: Witness) -> None:
    wheels = many(tmp_path / "cache")

    def interrupt(_: int) -> None:
        if witness.answers and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        link_wheels(site, wheels, mode=HARDLINK, jobs=2, progress=interrupt)
    assert names(site) == set()


def test_ctrl_c_in_a_terminal_is_for_the_parent(
    site: Path, tmp_path: Path, witness: Witness
) -> None:
    """A terminal sends it to the whole process group, of which the helper is none."""
    groups: list[int] = []
    witness.before = lambda helper: groups.append(os.getpgid(helper._process.pid))
    link_wheels(site, many(tmp_path / "cache"), mode=HARDLINK, jobs=2)
    assert groups
    assert os.getpgrp() not in groups


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize(
    "program",
    [
        "missing",
        "exit 3",
        "echo no Python",
        "exec sleep 60",
        "kill -9 $$",
        "printf 'i\\1\\0\\0\\0'",
    ],
)
def test_an_interpreter_that_cannot_be_started(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready: list[bool], program: str
) -> None:
    executable = str(tmp_path / "python-missing")
    if program != "missing":
        executable = script(tmp_path / "python", program)
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setattr(helper_process, "_MILLISECONDS_TO_START", 300)
    wheels = many(tmp_path / "cache")
    reports = link_wheels(site, wheels, mode=HARDLINK, jobs=2)
    assert sum(report.used[HARDLINK] for report in reports) > 300
    assert contents(site)["large/d1/m1.py"] == b"1"
    assert ready == ([] if program == "missing" else [False])


def test_another_python_is_not_used(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready: list[bool]
) -> None:
    """One that would take names for other bytes, or writes marshal differently."""
    monkeypatch.setattr(helper_process, "interpreter", lambda: ("9.9", "utf-16", "strict"))
    link_wheels(site, many(tmp_path / "cache"), mode=HARDLINK, jobs=2)
    assert contents(site)["large/d1/m1.py"] == b"1"
    assert ready == [False]


def _not_to_be_called(*_: object) -> None:
    raise AssertionError("a helper process was started")


class OwnBackend:
    """A caller's way to clone, which is none."""

    clones_directories = False

    def clone_file(self, source: str, destination: str, **_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), source, None, destination)

    clone_directory = clone_file


@pytest.mark.usefixtures("eager")
class TestWhereThereIsNone:
    @pytest.fixture(autouse=True)
    def none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(helper_process, "_start", _not_to_be_called)

    def test_with_one_job(self, site: Path, tmp_path: Path) -> None:
        link_wheels(site, many(tmp_path / "cache"), mode=HARDLINK, jobs=1)

    def test_with_a_backend_of_the_callers(self, site: Path, tmp_path: Path) -> None:
        backend = OwnBackend()
        link_wheels(site, many(tmp_path / "cache"), mode="auto", jobs=2, backend=backend)

    def test_by_path(self, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("wheel_linker._fs.folder.BY_DESCRIPTOR", False)
        link_wheels(site, many(tmp_path / "cache"), mode=HARDLINK, jobs=2)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("executable", None),
            ("executable", "/usr/sbin/uwsgi"),
            ("frozen", True),
            ("platform", "darwin"),
            ("_is_gil_enabled", lambda: False),
        ],
    )
    def test_where_it_would_be_wrong(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: object
    ) -> None:
        backend = default_backend()
        assert starting.how_many(1, backend)
        monkeypatch.setattr(sys, name, value, raising=False)
        assert not starting.how_many(1, backend)

    def test_in_an_archive(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(
            helper_process,
            "__file__",
            str(tmp_path / "app.pyz/wheel_linker/_link/helper/process.py"),
        )
        assert not starting.how_many(1, default_backend())


def test_not_where_its_directory_has_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program could not find it by its name; tests/test_vendoring.py has those that can."""
    monkeypatch.setattr(helper_process, "_LIBRARY", "tool._vendor.linker")
    assert not starting.how_many(10**6, default_backend())


def test_more_for_more_files() -> None:
    """Each takes a while to start."""
    numbers = [starting.how_many(files, default_backend()) for files in (7_999, 8_000, 51_890)]
    assert numbers == [0, 1, 6]


@pytest.mark.parametrize("wheels", [6, 36])
def test_not_for_few_files(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheels: int
) -> None:
    """Many small wheels are few files."""
    monkeypatch.setattr(helper_process, "_start", _not_to_be_called)
    link_wheels(site, many(tmp_path / "cache", wheels), mode=HARDLINK, jobs=2)


@pytest.mark.usefixtures("eager")
def test_a_stage_is_in_use_as_long_as_a_helper_works_in_it(site: Path) -> None:
    """Its parent may have been killed: a sweep must not remove what it is writing to."""
    with Folder.open(str(site)) as folder:
        stage = Stage(folder)
        stage.make()
        with helper_process.helper_in(stage) as helper:
            assert helper is not None
            stage._unlock()  # as the system does for a parent that dies
            sweep(folder)
            assert len(litter(site)) == 1
        sweep(folder)
        assert litter(site) == []
        stage.remove()


def helpers_at(site: Path) -> list[int]:
    """Return the helper processes with a stage in ``site``."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                line = process.joinpath("cmdline").read_bytes()
            except OSError:
                continue  # it has ended meanwhile
            if b"helper.program" in line and os.fsencode(site / PREFIX) in line:
                found.append(int(process.name))
    return found


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("stopped", [False, True])
def test_it_ends_with_its_parent(
    site: Path, tmp_path: Path, witness: Witness, stopped: bool
) -> None:
    """Whether it was at work or waiting; what litter there is the next call removes."""
    wheels = many(tmp_path / "cache")
    pipe = os.pipe()

    def tell(helper: Helper) -> None:
        if stopped and len(witness.answers) == 1:
            os.kill(helper._process.pid, signal.SIGSTOP)
            os.write(pipe[1], b"x")

    def at_work(_: int) -> None:
        if witness.answers and not stopped:
            os.write(pipe[1], b"x")
            time.sleep(PATIENCE)

    witness.before = tell
    witness.wanted = 5
    parent = start(lambda: link_wheels(site, wheels, mode=HARDLINK, jobs=2, progress=at_work))
    os.read(pipe[0], 1)
    assert helpers_at(site)
    send(parent, "SIGKILL")
    assert was_killed(finish(parent))
    for end in pipe:
        os.close(end)
    witness.before = None
    if stopped:
        link_wheels(site, wheels, mode=HARDLINK, jobs=1)
        assert len(litter(site)) == 1  # its helper lives, and will go on
        for process in helpers_at(site):
            os.kill(process, signal.SIGCONT)
    wait_for(lambda: not helpers_at(site))

    def is_swept() -> bool:
        link_wheels(site, wheels, mode=HARDLINK, jobs=1)
        return litter(site) == []

    # A process that ends has no command line any more an instant before it lets go of its locks.
    wait_for(is_swept)


def test_an_interrupt_ends_a_call_whose_helper_stands_still(
    site: Path, tmp_path: Path, witness: Witness
) -> None:
    wheels = many(tmp_path / "cache")
    stopped, done = threading.Event(), threading.Event()
    late: list[bool] = []

    def stop(helper: Helper) -> None:
        os.kill(helper._process.pid, signal.SIGSTOP)
        stopped.set()

    def interrupt() -> None:
        stopped.wait(PATIENCE)
        time.sleep(0.2)
        signal.pthread_kill(main, signal.SIGINT)
        if not done.wait(PATIENCE):
            late.append(True)
            for process in helpers_at(site):
                os.kill(process, signal.SIGKILL)

    witness.before = stop
    witness.wanted = 1
    main = threading.get_ident()
    thread = threading.Thread(target=interrupt)
    # The background jobs of a shell ignore SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            link_wheels(site, wheels, mode=HARDLINK, jobs=2)
        done.set()
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert not late
    assert os.listdir(site) == []
    assert helpers_at(site) == []


def test_installing(tmp_path: Path, witness: Witness) -> None:
    """What is installed is what a single thread installs, ``RECORD`` included."""
    wheels = [UnpackedWheel(path) for path in many(tmp_path / "cache", 1)]
    alone, helped = tmp_path / "alone", tmp_path / "helped"
    install_wheels(wheels, Layout.for_target(alone), mode=HARDLINK, jobs=1)
    assert witness.orders == []
    install_wheels(wheels, Layout.for_target(helped), mode=HARDLINK, jobs=2)
    assert witness.orders
    assert picture(helped) == picture(alone)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("do", ["link", "install", "compile"])
def test_files_of_a_store_are_placed_while_later_wheels_are_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, do: str
) -> None:
    """The second wheel waits for a helper process, which nobody would start before that wheel was read."""
    placed = threading.Event()
    looked_at: list[object] = []
    module, function = (pipeline, "scan_wheel") if do == "link" else (planning, "plan")
    place_by_helper, look = Helper.place, getattr(module, function)

    def place(helper: Helper, order: Order) -> Answer:
        try:
            return place_by_helper(helper, order)
        finally:
            placed.set()

    def patiently(wheel: UnpackedWheel, *arguments: Any, **options: Any) -> Any:
        looked_at.append(wheel)
        assert len(looked_at) < 2 or placed.wait(PATIENCE), "all is read before a file is placed"
        return look(wheel, *arguments, **options)

    monkeypatch.setattr(Helper, "place", place)
    files = {f"large/d{index}/m.py": b"%d" % index for index in range(40)}
    with WheelStore(tmp_path / "store") as store:
        wheels = [
            store.add(zip_wheel(make_wheel(tmp_path / name, content, name=name), tmp_path))
            for name, content in {"large": files, "small": {"small.py": b""}}.items()
        ]
        alone, helped = tmp_path / "alone", tmp_path / "helped"
        for site in (alone, helped):
            site.mkdir()
        _put(do, wheels, alone, jobs=1)
        assert not placed.is_set()
        monkeypatch.setattr(module, function, patiently)
        _put(do, wheels, helped, jobs=2)
    assert placed.is_set()
    assert len(looked_at) == len(wheels)
    assert picture(helped) == picture(alone)


def _put(do: str, wheels: Sequence[Any], site: Path, jobs: int) -> None:
    if do == "link":
        link_wheels(site, wheels, mode=HARDLINK, jobs=jobs)
    else:
        compiled = do == "compile"
        layout = Layout.for_target(site)
        install_wheels(wheels, layout, mode=HARDLINK, jobs=jobs, compile_bytecode=compiled)


def test_one_that_stands_still_at_the_end_is_killed(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller waited for it for ever before."""
    monkeypatch.setattr(helper_process, "_MILLISECONDS_TO_END", 200)
    with Folder.open(os.fspath(site)) as folder:
        stage = Stage(folder)
        stage.make()
        begin = time.monotonic()
        with helper_process.helper_in(stage) as helper:
            assert helper is not None
            process = helper._process
            os.kill(process.pid, signal.SIGSTOP)
            # Else the test would not end where the call does not.
            rescue = threading.Timer(PATIENCE, process.send_signal, [signal.SIGCONT])
            rescue.start()
        rescue.cancel()
        assert process.returncode == -signal.SIGKILL
        assert time.monotonic() - begin < PATIENCE
        stage.remove()
