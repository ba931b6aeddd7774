"""A helper for nox sessions: the session's environment is linked from a store of unpacked wheels."""

import contextlib
import json
import os
import shutil
from pathlib import Path

import nox

import wheel_linker.install
from wheel_linker import WheelFilename, WheelLinkerError
from wheel_linker.cache_key import environment_cache_key
from wheel_linker.install import Layout, NotInstalledError, uninstall
from wheel_linker.store import WheelStore


def install_wheels(session: nox.Session, *wheels: str | os.PathLike[str]) -> None:
    """Have these wheels in the session's environment, and none that this helper put there for another list.

    Nothing is done if they are there, and none was rebuilt since.
    """
    python = shutil.which("python", path=session.bin)
    if python is None:
        session.error(f"there is no Python in {session.bin}")
    note = Path(session.virtualenv.location, "wheels.json")
    before = json.loads(note.read_text()) if note.exists() else {"key": None, "names": []}
    try:
        key = environment_cache_key(wheels, interpreter=python)
        if key == before["key"]:
            session.log("nothing to link: no wheel has changed")
            return
        names = [WheelFilename.parse(Path(wheel).name).name for wheel in wheels]
        # Without a key: should this fail half-way, the next run begins again.
        note.write_text(json.dumps({"key": None, "names": sorted({*before["names"], *names})}))
        layout = Layout.for_python(python)
        with WheelStore(session.cache_dir / "wheels") as store:
            wheel_linker.install.install_wheels(wheels, layout, store=store)
        for name in set(before["names"]) - set(names):
            with contextlib.suppress(NotInstalledError):
                uninstall(name, layout)
    except (OSError, WheelLinkerError) as error:
        session.error(str(error))
    note.write_text(json.dumps({"key": key, "names": names}))
    session.log("linked %s", ", ".join(names))
