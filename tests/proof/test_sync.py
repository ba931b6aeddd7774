"""Bringing an environment into step, and foretelling it, with calls spoilt, processes killed, and two at once."""

from __future__ import annotations

import errno
import functools
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from install.kit import check_record, check_recorded, files_in, layout_in, make, no_litter, root_of

from proof.faults import Spoiler, error, interrupt_after, interrupt_before
from proof.kit import exact
from proof.processes import finish, start
from proof.scene import Scene, survive_errors, survive_interrupts, survive_kills
from proof.test_install import wheel_of
from wheel_linker import LinkMode, WheelLinkerError
from wheel_linker._fs import folder
from wheel_linker.install import (
    check_environment,
    install_wheels,
    installed,
    installing,
    interpreter,
    plan_sync,
    plan_uninstall,
    sync_wheels,
    uninstall,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from proof.faults import Fault
    from proof.plugin import Figures

pytestmark = pytest.mark.skipif(os.name != "posix", reason="spoils POSIX calls, forks")

NUMBERS: Final = (errno.EIO, errno.ENOSPC)
INTERRUPTS: Final = (interrupt_before, interrupt_after)
WAYS: Final = ("by descriptor", "by path")
STRIDE: Final = 23
"""By default every so manyth call is spoilt, from another one on for each test; in full, all are."""
ROUNDS: Final = 10
"""How often two processes meet; in full, ten times as often."""
KEPT: Final = "other-1.0.dist-info"
OLD: Final = (KEPT, "demo-1.0.dist-info", "stays-1.0.dist-info", "goes-1.0.dist-info")


class Syncing(Scene):
    """An environment of which one distribution stays, one is upgraded, one goes, one is kept, and one comes."""

    def __init__(self, place: Path) -> None:
        cache = place / "cache"
        demo = [wheel_of(cache, version) for version in (1, 2)]
        stays, goes, comes = (
            make(cache / name, {f"{name}/__init__.py": b"", f"space/{name}.py": b""}, name=name)
            for name in ("stays", "goes", "comes")
        )
        self.old = [demo[0], stays, goes]
        self.new = [demo[1], stays, comes]
        self.layout = layout_in(place / "env")
        root = root_of(self.layout)
        self._model = place / "model"
        other = make(cache / "other", {"demo/other.py": b""}, name="other")
        self.sync([other, *self.old])
        root.rename(self._model)
        super().__init__(root, cache)

    def restore(self) -> None:
        """Make the environment anew."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self._model, self.root, symlinks=True, copy_function=_link)

    def act(self) -> None:
        """Bring it into step."""
        self.sync(self.new)

    def sync(self, wheels: Sequence[Path], *, dry_run: bool = False) -> None:
        """Have the environment hold some wheels, and what is kept."""
        sync_wheels(
            wheels, self.layout, keep=["other"], mode=LinkMode.HARDLINK, jobs=1, dry_run=dry_run
        )

    def check_old(self) -> None:
        """All of the old state must be there, and nothing else."""
        check_recorded(self.layout, *OLD)

    def check_new(self) -> None:
        """All of the new state must be there, and nothing else."""
        check_recorded(
            self.layout, KEPT, "demo-2.0.dist-info", "stays-1.0.dist-info", "comes-1.0.dist-info"
        )

    def check_that_what_is_broken_says_so(self) -> None:
        """What is not reported as incomplete must be complete."""
        incomplete = {one.path for one in check_environment(self.layout).incomplete}
        for one in installed(self.layout):
            if one.path not in incomplete:
                check_record(self.layout, os.path.basename(one.path))

    def check_but_for_what_came(self, *infos: str) -> None:
        """All of these must be there, and nothing else; what is new belongs to nobody until it has all come."""
        root = root_of(self.layout)
        recorded = set[str]().union(*(check_record(self.layout, info) for info in infos))
        came = {
            name
            for name in files_in(root)
            if Path(name).name == "comes.py" or "comes" in Path(name).parent.name
        }
        assert files_in(root) - came == recorded


def _link(source: str, target: str) -> None:
    os.link(source, target, follow_symlinks=False)


def by_sync(scene: Syncing) -> None:
    """Go back by the same call with the old wheels."""
    scene.sync(scene.old)
    scene.check_but_for_what_came(*OLD)


def by_install(scene: Syncing) -> None:
    """Go back by installing what was there."""
    install_wheels(scene.old, scene.layout, mode=LinkMode.HARDLINK, jobs=1)
    uninstall([one.name for one in installed(scene.layout) if one.name == "comes"], scene.layout)
    scene.check_but_for_what_came(*OLD)


def by_uninstall(scene: Syncing) -> None:
    """Remove what was to change."""
    names = {one.name for one in installed(scene.layout)}
    uninstall(names - {"other", "stays"}, scene.layout)
    scene.check_but_for_what_came(KEPT, "stays-1.0.dist-info")


@pytest.fixture(params=WAYS)
def scene(
    request: pytest.FixtureRequest,
    place_for: Callable[[LinkMode], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Syncing:
    made = Syncing(place_for(LinkMode.HARDLINK))
    if request.param == "by path":
        monkeypatch.setattr(folder, "BY_DESCRIPTOR", False)
    return made


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_errors(
    scene: Syncing, spoiler: Spoiler, steps: Iterator[int], number: int, figures: Figures
) -> None:
    """An error is raised and everything undone, or it did not matter."""
    survive_errors(scene, spoiler, number, steps, figures, "sync, fault injection")


@pytest.mark.parametrize("fault", INTERRUPTS)
def test_interrupts(
    scene: Syncing, spoiler: Spoiler, steps: Iterator[int], fault: Fault, figures: Figures
) -> None:
    """An interrupt is raised and everything undone; or, at the very end, everything done."""
    survive_interrupts(scene, spoiler, fault, steps, figures, "sync, interrupts")


def test_kills(scene: Syncing, spoiler: Spoiler, steps: Iterator[int], figures: Figures) -> None:
    """The same call makes everything good, wherever a process was killed, and leaves no litter even if all is done."""

    def check() -> None:
        scene.act()
        assert no_litter(scene.root)
        scene.check_new()

    figures.add("sync, kills", kills=survive_kills(scene, spoiler, steps, check))


@pytest.fixture
def asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the interpreter for its tags once: they stay the same, and asking takes longer than a kill."""
    monkeypatch.setattr(interpreter, "describe", functools.cache(interpreter.describe))


@pytest.mark.usefixtures("asked_once")
@pytest.mark.parametrize("back", [by_sync, by_install, by_uninstall])
def test_kills_and_the_way_back(
    scene: Syncing,
    spoiler: Spoiler,
    steps: Iterator[int],
    back: Callable[[Syncing], None],
    monkeypatch: pytest.MonkeyPatch,
    figures: Figures,
) -> None:
    """What a kill has left half changed is taken for whole by nobody, and another call than that one mends it, too."""
    first = _calls_before_the_commit(scene, spoiler, monkeypatch)

    def check() -> None:
        scene.check_that_what_is_broken_says_so()
        back(scene)
        assert no_litter(scene.root)

    closer = (first + (step + 2) // 3 for step in steps)
    kills = survive_kills(scene, spoiler, closer, check)
    figures.add("sync, kills", kills_and_another_call=kills)


def _calls_before_the_commit(
    scene: Syncing, spoiler: Spoiler, monkeypatch: pytest.MonkeyPatch
) -> int:
    """Return how many calls there are before anything changes."""
    found: list[int] = []
    commit: Callable[..., object] = vars(installing)["_commit"]

    def counted(*arguments: object, **more: object) -> object:
        found.append(spoiler.calls)
        return commit(*arguments, **more)

    with monkeypatch.context() as patch, spoiler.spoiling(0, None):
        patch.setattr(installing, "_commit", counted)
        scene.act()
    return found[0]


def test_dry_run_changes_nothing_whatever_fails(
    scene: Syncing, spoiler: Spoiler, steps: Iterator[int], figures: Figures
) -> None:
    before = exact(scene.root)
    points = 0
    for step in steps:
        with spoiler.spoiling(step, error(errno.EIO)), suppress(OSError, WheelLinkerError):
            scene.sync(scene.new, dry_run=True)
        assert exact(scene.root) == before, spoiler.spoilt
        if not spoiler.spoilt:
            break
        points += 1
    assert points
    scene.check_source()
    figures.add("sync, dry runs", points=points)


def test_two_processes_end_with_one_of_both(
    scene: Syncing, is_long: bool, figures: Figures
) -> None:
    """Whoever comes last decides everything."""
    for _ in range(ROUNDS * (10 if is_long else 1)):
        children = [
            start(lambda: scene.sync(scene.old)),
            start(lambda: scene.sync(scene.new)),
        ]
        assert [finish(child) for child in children] == [0, 0]
        assert no_litter(scene.root)
        found = {path.name for path in Path(scene.layout.schemes["purelib"]).glob("*.dist-info")}
        (scene.check_new if "demo-2.0.dist-info" in found else scene.check_old)()
        figures.add("sync, two processes", rounds=1)
    scene.check_source()


def test_looks_while_another_process_changes_everything(
    scene: Syncing, is_long: bool, figures: Figures
) -> None:
    """Each sees all of the old state, or all of the new one."""
    states = [{"demo": "1.0", "goes": "1.0"}, {"demo": "2.0", "comes": "1.0"}]

    going_on = scene.root.with_name("going on")
    going_on.touch()

    def change() -> None:
        while going_on.exists():
            scene.act()
            scene.sync(scene.old)

    child = start(change)
    try:
        for _ in range(ROUNDS * (20 if is_long else 4)):
            plan = plan_sync([], scene.layout, keep=["other", "stays"])
            assert {one.name: one.version for one in plan.removed} in states
            (demo,) = plan_uninstall("demo", scene.layout).removed
            assert demo.version in {"1.0", "2.0"}
            scene.sync(scene.new, dry_run=True)
            assert uninstall("demo", scene.layout, dry_run=True).name == "demo"
            figures.add("sync, dry runs", while_another_process_changes=1)
    finally:
        going_on.unlink()
        status = finish(child)
    assert status == 0
