"""Installing, upgrading and uninstalling, with every system call spoilt in turn, and killed at every step."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from install.kit import check_record, check_recorded, files_in, layout_in, make, no_litter, root_of

from proof.faults import Spoiler, interrupt_after, interrupt_before
from proof.kit import MODES
from proof.scene import Scene, survive_errors, survive_interrupts, survive_kills
from wheel_linker import LinkMode
from wheel_linker._fs import folder
from wheel_linker.install import install_wheel, uninstall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proof.faults import Fault
    from proof.plugin import Figures

pytestmark = pytest.mark.skipif(os.name != "posix", reason="spoils POSIX calls")

NUMBERS: Final = (errno.EIO, errno.ENOSPC)
INTERRUPTS: Final = (interrupt_before, interrupt_after)
CALLS: Final = ("install", "upgrade", "uninstall")
PORTABLE: Final = "hardlink by path"
WAYS: Final = (*MODES, PORTABLE)
STRIDE: Final = 19
"""By default every nineteenth call is spoilt, from another one on for each mode and fault; in full, all are."""

OLD_INFO: Final = "demo-1.0.dist-info"
NEW_INFO: Final = "demo-2.0.dist-info"


def wheel_of(cache: Path, version: int) -> Path:
    """Write a small wheel with something in most schemes, of which the other version lacks some."""
    name = f"demo-{version}.0"
    points = f"[console_scripts]\ndemo{version} = demo:run\n".encode()
    files = {
        "demo/__init__.py": b"VERSION = %d\n" % version,
        f"demo/v{version}/only.py": b"",
        f"{'demo/turns' if version == 1 else 'demo/turns/module'}.py": b"",
        "demo.pth": b"# %d\n" % version,
        f"{name}.data/scripts/tool": b"#!python\n# %d\n" % version,
        f"{name}.data/data/share/page{version}": b"",
        f"{name}.data/headers/demo.h": b"%d" % version,
        f"{name}.dist-info/entry_points.txt": points,
        f"{name}.dist-info/licenses/LICENSE": b"",
    }
    return make(cache / name, files, version=f"{version}.0")


class Installing(Scene):
    """An environment in the state before a call."""

    def __init__(self, place: Path, call: str, mode: LinkMode) -> None:
        self._call = call
        self._mode = mode
        self._cache = place / "cache"
        self._wheels = {version: wheel_of(self._cache, version) for version in (1, 2)}
        self.layout = layout_in(place / "env")
        root = root_of(self.layout)
        self._model = place / "model"
        self._prepare(root)
        super().__init__(root, self._cache)

    def _prepare(self, root: Path) -> None:
        """Write the model of the state before: a neighbour that shares a directory, and bytecode."""
        other = make(self._cache.with_name("other"), {"demo/other.py": b""}, name="other")
        install_wheel(other, self.layout, mode=LinkMode.COPY)
        if self._call != "install":
            install_wheel(self._wheels[1], self.layout, mode=self._mode)
            library = Path(self.layout.schemes["purelib"])
            (library / "demo/v1/__pycache__").mkdir()
            (library / "demo/v1/__pycache__/only.cpython-311.pyc").write_bytes(b"bytecode")
        root.rename(self._model)

    def restore(self) -> None:
        """Make the environment anew."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self._model, self.root, symlinks=True, copy_function=_link)

    def act(self) -> None:
        """Make the call."""
        if self._call == "uninstall":
            uninstall("demo", self.layout)
        else:
            wheel = self._wheels[1 if self._call == "install" else 2]
            install_wheel(wheel, self.layout, mode=self._mode)

    def check_after_kill(self) -> None:
        """The new dist-info is there only if all it names is; and the next call makes everything good."""
        expected = {"install": (OLD_INFO,), "upgrade": (NEW_INFO,), "uninstall": ()}[self._call]
        for info in expected:
            if (Path(self.layout.schemes["purelib"]) / info).is_dir():
                check_record(self.layout, info)
        again = self._call == "uninstall"
        if again and "demo" not in {path.name.partition("-")[0] for path in self._infos()}:
            # It was through but for its litter, which any call sweeps.
            install_wheel(self._wheels[1], self.layout, mode=self._mode)
        self.act()
        assert no_litter(self.root)
        check_recorded(self.layout, "other-1.0.dist-info", *expected)

    def _infos(self) -> Iterator[Path]:
        return Path(self.layout.schemes["purelib"]).glob("*.dist-info")


def _link(source: str, target: str) -> None:
    os.link(source, target, follow_symlinks=False)


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=WAYS)
def scene(
    request: pytest.FixtureRequest,
    place_for: Callable[[LinkMode], Path],
    call: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Installing:
    """Each call in each mode, and by paths as on Windows."""
    mode = LinkMode.HARDLINK if request.param == PORTABLE else LinkMode(request.param)
    made = Installing(place_for(mode), call, mode)
    if request.param == PORTABLE:
        monkeypatch.setattr(folder, "BY_DESCRIPTOR", False)
    return made


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_errors(
    scene: Installing, spoiler: Spoiler, steps: Iterator[int], number: int, figures: Figures
) -> None:
    """An error is raised and everything undone, or it did not matter."""
    survive_errors(scene, spoiler, number, steps, figures, "install, fault injection")


@pytest.mark.parametrize("fault", INTERRUPTS)
def test_interrupts(
    scene: Installing, spoiler: Spoiler, steps: Iterator[int], fault: Fault, figures: Figures
) -> None:
    """An interrupt is raised and everything undone; or, at the very end, everything done."""
    survive_interrupts(scene, spoiler, fault, steps, figures, "install, interrupts")


def test_kills(
    scene: Installing, spoiler: Spoiler, steps: Iterator[int], figures: Figures, call: str
) -> None:
    """The next call makes everything good, wherever a process was killed."""
    kills = survive_kills(scene, spoiler, steps, scene.check_after_kill)
    assert files_in(scene.root)
    figures.add("install, kills", **{f"while_{call}ing".replace("eing", "ing"): kills})
