"""Installing again, from the wheels of a store, what is not as it was installed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._api import link_options
from wheel_linker._wheel.record import NOTES
from wheel_linker.install._changes.given import own_filename
from wheel_linker.install._changes.unchanged import is_made_of
from wheel_linker.install._present.distributions import find_distributions
from wheel_linker.install.installing import InstallOptions, change
from wheel_linker.install.plan import Notes
from wheel_linker.install.report import RepairReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker._link.locks import Locks
    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.install._present.installed import InstalledDistribution
    from wheel_linker.install.layout import Layout
    from wheel_linker.mode import Modes
    from wheel_linker.store import WheelStore
    from wheel_linker.store._entry.entry import Entry

_REQUESTED: Final = NOTES[1]


def install_again(
    broken: Sequence[InstalledDistribution],
    layout: Layout,
    store: WheelStore,
    mode: Modes,
    locks: Locks | None,
) -> RepairReport:
    """Install distributions again, all of which the store has the wheel, or none.

    The errors are those of an installation.
    """
    entries = store.entries()
    found: dict[str, UnpackedWheel] = {}
    lost = []
    for one in broken:
        wheel = None if one.editable else _wheel_of(one, layout, store, entries)
        if wheel is None:
            lost.append(one)
        else:
            found[one.name] = wheel
    by_name = {one.name: one for one in broken}
    how = link_options(mode, locks, None, None, None, None)
    options = InstallOptions(lambda name: _notes(by_name[name]), "ignore", compile_bytecode=False)
    done = change(list(found.values()), layout, how, options) if found else None
    return RepairReport(tuple(done.installed) if done else (), tuple(lost))


def _notes(one: InstalledDistribution) -> Notes:
    """Return the notes that a distribution has."""
    requested = os.path.lexists(os.path.join(one.path, _REQUESTED))
    return Notes(one.installer or "wheel-linker", requested, one.direct_url)


def _wheel_of(
    one: InstalledDistribution, layout: Layout, store: WheelStore, entries: Sequence[Entry]
) -> UnpackedWheel | None:
    """Return the wheel that a distribution was installed from, by its ``RECORD``; or one of its version."""
    alike = [
        entry
        for entry in entries
        if entry.filename.name == one.name and entry.filename.has_version(one.version)
    ]
    wheels = [wheel for entry in alike if (wheel := store.find(entry.digest)) is not None]
    found = [each for each in find_distributions(layout) if each.path == one.path]
    for wheel in wheels:
        if found and is_made_of(found[0], wheel, own_filename(wheel)):
            return wheel
    return wheels[0] if len(wheels) == 1 else None
