"""The library under another name, as pip's `_vendor` has its libraries."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import installer
import packaging.markers
import pytest
from wheels import make_wheel

import wheel_linker

PACKAGE: Final = Path(wheel_linker.__file__).parent
VENDORED: Final = ("wheel_linker", "packaging", "installer")
# The application must not be imported into a helper process: it may bring anything along.
APPLICATION: Final = """
import sys
if sys.flags.isolated:
    raise ImportError("the application does not belong into a helper process")
"""
HAS_HELPERS: Final = (
    sys.platform == "linux"
    and sys.implementation.name == "cpython"
    and getattr(sys, "_is_gil_enabled", lambda: True)()
)
GUIDE: Final = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "vendor-it.md"
PACK_AND_INSTALL: Final = """
import os, sys
from other._vendor.wheel_linker import pack_wheel
from other._vendor.wheel_linker.install import Layout, install_wheels
from other._vendor.wheel_linker.store import WheelStore

place = sys.argv[1]
wheel = pack_wheel(os.path.join(place, "hello-1.0"), place)
target = os.path.join(place, "target")
with WheelStore(os.path.join(place, "store")) as store:
    (report,) = install_wheels([wheel], Layout.for_target(target), store=store)
print(report.wheel.name, report.wheel.version)
print(os.path.exists(os.path.join(target, "hello.py")))
"""
LINK: Final = """
import sys
from other._vendor.wheel_linker import link_wheels
from other._vendor.wheel_linker._link import staging
from other._vendor.wheel_linker._link.helper import process, starting

starting.ENTRIES_PER_HELPER = 1
staging._ENTRIES_PER_UNIT = 4
is_ready = process._is_ready

def noted(helper):
    ready = is_ready(helper)
    print("helper", ready)
    return ready

process._is_ready = noted
(report,) = link_wheels("site-packages", [sys.argv[1]], mode="copy", jobs=2)
print(report.files)
print(*(name for name in sys.modules if name.partition(".")[0] == "wheel_linker"))
"""


def vendor(package: Path, vendored: Path) -> None:
    """Copy a package and rewrite its imports of what is vendored, which is all that pip's `vendoring` does, too."""
    names = "|".join(VENDORED)
    from_import = re.compile(rf"^(\s*from )((?:{names})[. ])", re.MULTILINE)
    plain_import = re.compile(rf"^(\s*)import ((?:{names}))(?= as |$)", re.MULTILINE)
    for path in package.rglob("*.py"):
        target = vendored / package.name / path.relative_to(package)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = from_import.sub(r"\1other._vendor.\2", path.read_text(encoding="utf-8"))
        text = plain_import.sub(r"\1from other._vendor import \2", text)
        target.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an application, `other`, which has the library in `other._vendor`."""
    directory = tmp_path_factory.mktemp("application")
    vendored = directory / "other" / "_vendor"
    for package in (PACKAGE, Path(packaging.__file__).parent, Path(installer.__file__).parent):
        vendor(package, vendored)
    for package in (vendored.parent, vendored):
        (package / "__init__.py").write_text(APPLICATION, encoding="utf-8")
    return directory


def run(application: Path, code: str, *arguments: str) -> list[str]:
    """Run code that finds the application and no installed package, the library itself least of all."""
    find = f"import sys; sys.path.insert(0, {os.fspath(application)!r})\n"
    done = subprocess.run(
        [sys.executable, "-S", "-c", find + code, *arguments],
        cwd=application,
        env={name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_links_with_helper_processes(application: Path, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "hello-1.0", {f"hello/m{n}.py": b"" for n in range(40)})
    *helpers, files, own_name = run(application, LINK, os.fspath(wheel))
    assert int(files) >= 40
    assert len(list((application / "site-packages/hello").iterdir())) == 40
    # Nothing came from a library of the usual name.
    assert own_name == ""
    assert helpers == (["helper True"] if HAS_HELPERS else [])


def test_a_warning_points_to_the_application(application: Path) -> None:
    (application / "other" / "linking.py").write_text(
        "from other._vendor.wheel_linker import _log\n\ndef link(): _log.warn_caller('slow', UserWarning)\n",
        encoding="utf-8",
    )
    code = "import warnings, other.linking\nwith warnings.catch_warnings(record=True) as seen: other.linking.link()\n"
    (where,) = run(application, code + "print(seen[0].filename)")
    assert Path(where) == application / "other" / "linking.py"


def test_it_asks_an_interpreter(application: Path) -> None:
    code = (
        "import sys\nfrom other._vendor.wheel_linker.install.interpreter import describe\n"
        "print(describe(sys.executable).environment['python_full_version'])"
    )
    (version,) = run(application, code)
    assert version == packaging.markers.default_environment()["python_full_version"]


def test_vendoring_can_rewrite_each_import() -> None:
    # `import wheel_linker.store` binds the name `wheel_linker`, which a vendored library does not have.
    dotted = re.compile(rf"^\s*import (?:{'|'.join(VENDORED)})\.", re.MULTILINE)
    found = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if dotted.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_imports_become_what_the_guide_shows(tmp_path: Path) -> None:
    rows = re.findall(
        r"^\| `(.*import.*)` \| `(.*)` \|$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(rows) == 3
    package = tmp_path / "package"
    package.mkdir()
    (package / "a.py").write_text("".join(f"{was}\n" for was, _ in rows), encoding="utf-8")
    vendor(package, tmp_path / "vendored")
    became = (tmp_path / "vendored" / "package" / "a.py").read_text(encoding="utf-8")
    assert became == "".join(f"{to}\n" for _, to in rows).replace("yours.", "other.")


def test_what_the_guide_leaves_out_is_not_needed(application: Path, tmp_path: Path) -> None:
    sentence = (
        GUIDE.read_text(encoding="utf-8").partition("## Leave out\n\n")[2].partition(" are ")[0]
    )
    left_out = re.findall(r"`(\w+)(?:\.py)?`", sentence)
    assert len(left_out) == 3
    smaller = shutil.copytree(application / "other", tmp_path / "smaller" / "other")
    vendored = smaller / "_vendor" / "wheel_linker"
    for name in left_out:
        if (vendored / name).is_dir():
            shutil.rmtree(vendored / name)
        else:
            (vendored / f"{name}.py").unlink()
    make_wheel(tmp_path / "hello-1.0", {"hello.py": b"GREETING = 'hello'"})
    assert run(tmp_path / "smaller", PACK_AND_INSTALL, os.fspath(tmp_path)) == ["demo 1.0", "True"]
