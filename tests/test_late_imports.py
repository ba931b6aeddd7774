"""What is imported late is there before anything is changed: afterwards there may be no descriptor to import with."""

from __future__ import annotations

import json
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Final

import pytest
from install.kit import layout_in, newer_wheel, older_wheel, pure
from wheels import contents, make_wheel, write_tree, zip_wheel

from wheel_linker._log import log
from wheel_linker.install import install_wheel
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Run by an interpreter that has imported nothing. From the first change on it can import no more; at the step whose
# number is given the disk breaks.
PROGRAM: Final = """
import errno, json, os, sys
said = json.loads(sys.argv[1])

class Refuser:
    @staticmethod
    def find_spec(name, path=None, target=None):
        raise ImportError(f"{name} is imported when something has been changed")

from wheel_linker._link.journal import Journal
note, steps = Journal.note, []

def noted(journal, step):
    if not steps:
        sys.meta_path.insert(0, Refuser)
    steps.append(step)
    note(journal, step)
    if len(steps) == said["broken"]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

Journal.note = noted
from wheel_linker.errors import LinkError
try:
    exec(said["act"], said)
except LinkError as error:
    print("refused", error.errno == errno.EIO)
else:
    print("done", len(steps) > 1)
"""
LINK: Final = """
from wheel_linker import link_wheels
link_wheels(schemes["purelib"], [unpacked], mode="copy", exact={exact})
"""
LINK_FROM_STORE: Final = """
from wheel_linker import link_wheels
from wheel_linker.store import WheelStore
with WheelStore(store) as opened:
    link_wheels(schemes["purelib"], opened.add_all([archive]), mode="symlink")
"""
INSTALL: Final = """
from wheel_linker.install import Layout, {call}
from wheel_linker.store import WheelStore
with WheelStore(store) as opened:
    {call}([archive], Layout(**layout), store=opened, mode={mode!r}, check_tags=True, on_conflict="warn")
"""
UNINSTALL: Final = """
from wheel_linker.install import Layout, uninstall
uninstall("demo", Layout(**layout))
"""
ACTS: Final = {
    "link": LINK.format(exact=False),
    "mirror": LINK.format(exact=True),
    "link from a store": LINK_FROM_STORE,
    "install": INSTALL.format(call="install_wheels", mode="hardlink"),
    "install symlinks": INSTALL.format(call="install_wheels", mode="symlink"),
    "sync": INSTALL.format(call="sync_wheels", mode="auto"),
    "uninstall": UNINSTALL,
}


@pytest.mark.parametrize("broken", [0, 2], ids=["done", "undone"])
@pytest.mark.parametrize("act", ACTS)
def test_nothing_is_imported_once_something_is_changed(
    act: str, broken: int, tmp_path: Path
) -> None:
    layout = layout_in(tmp_path / "env")
    install_wheel(older_wheel(tmp_path / "cache"), layout, mode="copy")
    newer = newer_wheel(tmp_path / "cache")
    archive = zip_wheel(newer, tmp_path)
    with WheelStore(tmp_path / "store") as store:
        store.add(archive)  # unpacking it imports much
    before = contents(tmp_path / "env")
    said = {
        "act": ACTS[act],
        "broken": broken,
        "unpacked": str(newer),
        "archive": str(archive),
        "store": str(tmp_path / "store"),
        "schemes": dict(layout.schemes),
        "layout": layout._asdict(),
    }
    assert carried_out(said) == ("refused True" if broken else "done True")
    assert (contents(tmp_path / "env") == before) == bool(broken)


def test_nor_for_a_name_that_is_not_ascii(tmp_path: Path) -> None:
    """Folding it takes a module of Unicode's. Names of directories that wait to be removed are folded."""
    layout = layout_in(tmp_path / "env")
    older = make_wheel(tmp_path / "demo-1.0", {"gr\u00f6\u00dfe/__init__.py": b""})
    newer = make_wheel(tmp_path / "demo-2.0", {"shared/new.py": b""}, version="2.0")
    install_wheel(older, layout, mode="copy")
    write_tree(pure(layout), {"shared/own.py": b""})
    act = """
from wheel_linker.install import Layout, install_wheels
install_wheels([unpacked], Layout(**layout), mode="copy")
"""
    said = {"act": act, "broken": 0, "unpacked": str(newer), "layout": layout._asdict()}
    assert carried_out(said) == "done True"
    assert (pure(layout) / "shared" / "new.py").exists()


def carried_out(said: Mapping[str, object]) -> str:
    """Run the program; return what it says of the call."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(said, default=dict)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_another_thread_is_just_importing_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    # What is being imported is among the modules from the beginning, and has none of its names yet.
    monkeypatch.setitem(sys.modules, "logging", ModuleType("logging"))
    log("cannot %s", "do it")
