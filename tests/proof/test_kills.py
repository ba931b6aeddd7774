"""Processes that are killed, stopped, or at work at the same time."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from proof.faults import Spoiler, kill
from proof.kit import MODES
from proof.processes import finish, in_child, send, start, was_killed
from proof.upgrade import NEW, OLD, Upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from proof.plugin import Figures
    from wheel_linker import LinkMode

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")

KILLS = 300
"""For each mode, in full; a fifth of them by default."""
STRIDE = 8
"""By default a process is killed before every eighth call, in full before each."""
ROUNDS = 100
"""With two processes at work; for each mode, in full; half of them by default."""
STOPS = 12
"""Of a process in the middle of its work; for each mode."""


@pytest.fixture(params=MODES)
def upgrade(request: pytest.FixtureRequest, place_for: Callable[[LinkMode], Path]) -> Upgrade:
    """An upgrade in each mode."""
    return Upgrade(place_for(request.param), request.param)


@pytest.fixture
def chance() -> random.Random:
    """Moments that are as random as processes make them anyway."""
    return random.Random(3)


@contextmanager
def reader(upgrade: Upgrade, current: Path) -> Iterator[None]:
    """Have another process read and import what is in the directory that the symlink ``current`` points to."""

    def read() -> None:
        while current.is_symlink():
            site = current.resolve()
            upgrade.look(site)
            upgrade.try_import(site)

    child = start(read)
    status = None
    try:
        yield
    finally:
        current.unlink()
        status = finish(child)
    assert status == 0, "the reader saw what it should not; see its traceback"


def show(current: Path, site: Path) -> None:
    """Point the reader to a directory."""
    new = current.with_name("next")
    new.symlink_to(site)
    new.replace(current)


def duration(upgrade: Upgrade, *, installed: bool) -> float:
    """Return how long an upgrade takes in another process, in seconds."""
    site = upgrade.site(installed=installed)
    begin = time.perf_counter()
    assert in_child(partial(upgrade.link, site)) == 0
    return time.perf_counter() - begin


def kill_at(child: int, delay: float) -> bool:
    """Kill a process after a while; tell whether it was still at work."""
    time.sleep(delay)
    send(child, "SIGKILL")
    return was_killed(finish(child))


def test_kill_at_random_moments(
    upgrade: Upgrade, tmp_path: Path, chance: random.Random, is_long: bool, figures: Figures
) -> None:
    """Each time every file is whole, and the next call completes and sweeps."""
    wanted = KILLS if is_long else KILLS // 5
    durations = {installed: duration(upgrade, installed=installed) for installed in (False, True)}
    current = tmp_path / "current"
    show(current, upgrade.site(installed=False))
    kills = sweeps = 0
    with reader(upgrade, current):
        while kills < wanted:
            installed = chance.random() < 0.6
            site = upgrade.site(installed=installed)
            show(current, site)
            # Up to three in the same place: what the first one leaves behind is in the way of the others.
            for _ in range(chance.randint(1, 3)):
                child = start(partial(upgrade.link, site))
                kills += kill_at(child, chance.uniform(0, durations[installed]))
                upgrade.check_after_kill(site, installed=installed)
            upgrade.link(site)
            upgrade.check_complete(site)
            sweeps += 1
    upgrade.check_source()
    figures.add("kills", at_random_moments=kills, completed_by_the_next_call=sweeps)


@pytest.mark.parametrize("installed", [False, True])
def test_kill_at_every_step(
    upgrade: Upgrade,
    installed: bool,
    is_long: bool,
    figures: Figures,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same before one system call after the other."""
    spoiler = Spoiler(monkeypatch)

    def killed_before(step: int, site: Path) -> bool:
        def link() -> None:
            with spoiler.spoiling(step, kill):
                upgrade.link(site)

        return was_killed(in_child(link))

    kills = 0
    for step in itertools.count(1, 1 if is_long else STRIDE):
        site = upgrade.site(installed=installed)
        killed = killed_before(step, site)
        upgrade.check_after_kill(site, installed=installed)
        upgrade.link(site)
        upgrade.check_complete(site)
        shutil.rmtree(site)
        if not killed:
            break
        kills += 1
    assert kills
    upgrade.check_source()
    figures.add("kills", at_chosen_steps=kills)


def test_two_processes_at_once(
    upgrade: Upgrade, chance: random.Random, is_long: bool, figures: Figures
) -> None:
    """Two versions into the same directory: one wins, everywhere."""
    longest = duration(upgrade, installed=False)
    rounds = ROUNDS if is_long else ROUNDS // 2
    for _ in range(rounds):
        site = upgrade.site(installed=False)
        if chance.random() < 0.3:
            site.rmdir()  # made by whoever comes first
        delays = [0.0, chance.uniform(0, longest)]
        chance.shuffle(delays)

        def link(version: int, delay: float, site: Path = site) -> None:
            time.sleep(delay)
            upgrade.link(site, version)

        children = [start(partial(link, *some)) for some in zip((OLD, NEW), delays)]
        assert [finish(child) for child in children] == [0, 0]
        upgrade.check_one_version(site)
        shutil.rmtree(site)
    upgrade.check_source()
    figures.add("two processes at once", rounds=rounds)


def test_a_stopped_process_loses_nothing(
    upgrade: Upgrade, chance: random.Random, figures: Figures
) -> None:
    """Its private directory is not swept by another, however long it takes."""
    longest = duration(upgrade, installed=False)
    stops = 0
    for _ in range(STOPS):
        site = upgrade.site(installed=False)
        stopped = start(partial(upgrade.link, site, OLD))
        time.sleep(chance.uniform(0, longest))
        send(stopped, "SIGSTOP")
        other = start(partial(upgrade.link, site, NEW))
        # If it was stopped while it holds the directory's lock, the other one waits.
        time.sleep(2 * longest)
        send(stopped, "SIGCONT")
        assert (finish(stopped), finish(other)) == (0, 0)
        upgrade.check_one_version(site)
        shutil.rmtree(site)
        stops += 1
    figures.add("two processes at once", stops_of_one=stops)
