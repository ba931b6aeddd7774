"""Many threads that link into one environment, with one :class:`Locks`."""

from __future__ import annotations

import faulthandler
import threading
from typing import TYPE_CHECKING, Final

import pytest
from wheels import make_wheel

from proof.kit import MODES, files_of, litter
from wheel_linker import LinkMode, Locks, UnpackedWheel, link_wheel_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from proof.plugin import Figures

THREADS: Final = 8
WHEELS: Final = 200
ROUNDS: Final = 50
"""Shared out among the modes."""
_PACKAGES: Final = 25
_PATIENCE: Final = 120
"""Seconds for one round, after which it counts as a deadlock."""


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    """Show where the threads are if a round gets nowhere."""
    faulthandler.dump_traceback_later(_PATIENCE, repeat=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def wheels(cache: Path) -> list[UnpackedWheel]:
    """Write wheels of which each shares a package with others, and a namespace with all."""
    found = []
    for number in range(WHEELS):
        name, mark = f"w{number}", b"%03d" % number
        shared = f"shared{number % _PACKAGES}"
        files = {
            f"{shared}/__init__.py": mark,
            f"{shared}/sub/one.py": mark,
            f"{shared}/sub/two.py": mark,
            f"space/{name}.py": mark,
        }
        found.append(UnpackedWheel(make_wheel(cache / name, files, name=name)))
    return found


def link_in_threads(
    site: Path, portions: Sequence[Sequence[UnpackedWheel]], mode: LinkMode, locks: Locks
) -> None:
    """Link each portion in a thread of its own, all at the same time."""
    together = threading.Barrier(len(portions))
    failures: list[BaseException] = []

    def work(portion: Sequence[UnpackedWheel]) -> None:
        try:
            together.wait(_PATIENCE)
            for wheel in portion:
                link_wheel_files(site, wheel, mode=mode, locks=locks)
        except BaseException as error:  # noqa: BLE001 - raised by the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(portion,), daemon=True) for portion in portions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE)
        assert not thread.is_alive(), "a deadlock: see the stacks above"
    if failures:
        raise failures[0]


def check(site: Path) -> None:
    """Everything must be there, and of wheels that share a package one, as a whole."""
    found = files_of(site)
    assert litter(site) == []
    for number in range(WHEELS):
        assert found[f"space/w{number}.py"] == b"%03d" % number
        assert f"w{number}-1.0.dist-info/RECORD" in found
    for number in range(_PACKAGES):
        marks = {
            found[f"shared{number}/{name}"] for name in ("__init__.py", "sub/one.py", "sub/two.py")
        }
        assert len(marks) == 1, f"a mixture in shared{number}: {marks}"


@pytest.mark.parametrize("mode", MODES)
def test_threads(
    place_for: Callable[[LinkMode], Path], mode: LinkMode, is_long: bool, figures: Figures
) -> None:
    """No deadlock, no mixture, and nothing kept in the table of locks."""
    place = place_for(mode)
    every = wheels(place / "cache")
    # In full each thread links all the wheels, else a share.
    portions = [every[n:] + every[:n] if is_long else every[n::THREADS] for n in range(THREADS)]
    locks = Locks()
    rounds = ROUNDS if is_long else ROUNDS // len(MODES) + 1
    for round_ in range(rounds):
        site = place / f"site-{round_ % 2}"
        link_in_threads(site, portions, mode, locks)
        check(site)
        assert not locks._turns
    figures.add("threads", rounds=rounds, calls=rounds * sum(map(len, portions)))
