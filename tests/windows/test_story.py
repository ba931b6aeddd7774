"""What a user does, on a Windows: link, store, install, uninstall; two processes at once, and one that is killed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from install.kit import newer_wheel, older_wheel
from store.archives import write_wheel
from wheels import contents, make_wheel, names, sample_wheel

from wheel_linker import LinkError, LinkMode, link_wheel_files
from wheel_linker.install import Layout, install_wheel, uninstall
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="Windows only")

MODES: Final = ("auto", LinkMode.CLONE, LinkMode.HARDLINK, LinkMode.COPY)
READY: Final = "ready"


def run(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a Python program, and wait until it has said that it is ready."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == READY
    return child


def end(child: subprocess.Popen[str]) -> None:
    """End it as the task manager does; nothing of it runs any more."""
    child.kill()
    child.communicate()


def environment(root: Path) -> Layout:
    """Make a virtual environment."""
    venv.create(root, with_pip=False)
    return Layout.for_python(root / "Scripts" / "python.exe")


def hidden(site: Path) -> list[str]:
    return [name for name in names(site) if name.startswith(".wheel_linker")]


LONGEST: Final = 247
"""Characters of a path of a directory that Windows takes from every program; files may have twelve more."""


@pytest.fixture
def too_long() -> Iterator[list[str]]:
    """The paths that the system was given, and may take for too long."""
    found: list[str] = []
    active = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if active and event.split(".", maxsplit=1)[0] in {"open", "os", "shutil"}:
            found.extend(
                f"{event} {path}"
                for path in arguments
                if isinstance(path, str) and len(path) > LONGEST and not path.startswith("\\\\?\\")
            )

    sys.addaudithook(watch)
    yield found
    active = False


@pytest.mark.parametrize("mode", MODES)
def test_what_is_staged_may_have_a_longer_path(
    tmp_path: Path, mode: LinkMode | str, too_long: list[str]
) -> None:
    """Wine takes paths of any length, so what is looked at is how they are given to the system."""
    above = tmp_path / ("e" * (190 - len(str(tmp_path))))
    site = above / "s"
    name = f"pkg/{'m' * 30}.py"
    assert 220 < len(str(site / name)) < LONGEST
    old = make_wheel(tmp_path / "1", {name: b"1", "pkg/sub/b.py": b"1"})
    new = make_wheel(tmp_path / "2", {name: b"22", "pkg/c.py": b"2"}, version="2.0")
    for wheel in (old, new, new):
        link_wheel_files(site, wheel, mode=mode)
    assert too_long == []
    layout = Layout.for_target(above / "t")
    with WheelStore(tmp_path / "store") as store:
        for wheel in (older_wheel(tmp_path), newer_wheel(tmp_path)):
            install_wheel(wheel, layout, mode=mode, store=store)
    uninstall("demo", layout)
    assert too_long == []


@pytest.mark.parametrize("mode", MODES)
def test_link_and_upgrade(tmp_path: Path, mode: LinkMode | str) -> None:
    """NTFS knows no clones: with a copy to fall back on, that is no error."""
    site = tmp_path / "site-packages"
    old = make_wheel(tmp_path / "1", {"pkg/a.py": b"1", "pkg/sub/b.py": b"1"})
    new = make_wheel(tmp_path / "2", {"pkg/a.py": b"22", "pkg/c.py": b"2"}, version="2.0")
    for wheel in (old, new, new):
        link_wheel_files(site, wheel, mode=mode)
    assert contents(site) == {**contents(old), **contents(new)}


def test_a_clone_that_has_to_be_one(tmp_path: Path) -> None:
    wheel = sample_wheel(tmp_path / "wheel")
    with pytest.raises(LinkError) as caught:
        link_wheel_files(tmp_path / "site", wheel, mode=(LinkMode.CLONE,))
    assert caught.value.errno is not None
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("protect", [False, True])
def test_store(tmp_path: Path, protect: bool) -> None:
    """Add, verify, link, link again over it, remove, prune: nothing stays."""
    archive = write_wheel(tmp_path / "demo-1.0-py3-none-any.whl")
    with WheelStore(tmp_path / "store", protect=protect) as store:
        stored = store.add(archive)
        assert store.verify(deep=True) == []
        assert store.verify() == []
        for _ in range(2):
            link_wheel_files(tmp_path / "site", stored, mode=LinkMode.HARDLINK)
        link_wheel_files(tmp_path / "site", stored, mode=LinkMode.COPY)
        assert hidden(tmp_path / "site") == []
        del stored
        store.remove(*store.entries())
        assert store.entries() == []
        store.prune(unused_for=0)
    for name in ("staging", "leases"):
        (directory,) = (tmp_path / "store").rglob(name)
        assert os.listdir(directory) == []


def test_install_upgrade_run_uninstall(tmp_path: Path) -> None:
    """In an environment of its own, whose scripts run."""
    layout = environment(tmp_path / "env")
    before = contents(tmp_path / "env")
    install_wheel(older_wheel(tmp_path), layout)
    script = tmp_path / "env" / "Scripts" / "demo.exe"
    done = subprocess.run([script, "x"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (7, "demo x")
    install_wheel(newer_wheel(tmp_path), layout)
    done = subprocess.run([script, "x"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (8, "DEMO x")
    uninstall("demo", layout)
    assert contents(tmp_path / "env") == before


def test_a_launcher_that_runs_is_replaced(tmp_path: Path) -> None:
    """Windows deletes no program that runs; it lets it be renamed."""
    layout = environment(tmp_path / "env")
    wait = b"import sys\n\ndef run():\n    print('ready', flush=True)\n    sys.stdin.readline()\n"
    points = b"[console_scripts]\nwaiting = waiting:run\n"
    old = make_wheel(
        tmp_path / "1",
        {"waiting.py": wait, "waiting-1.0.dist-info/entry_points.txt": points},
        name="waiting",
    )
    new = make_wheel(
        tmp_path / "2",
        {"waiting.py": wait + b"# new\n", "waiting-2.0.dist-info/entry_points.txt": points},
        name="waiting",
        version="2.0",
    )
    install_wheel(old, layout)
    script = tmp_path / "env" / "Scripts" / "waiting.exe"
    with subprocess.Popen(
        [script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == READY
        install_wheel(new, layout)
        uninstall("waiting", layout)
        assert not script.exists()
        child.communicate("\n")


def test_two_processes_into_one_environment(tmp_path: Path) -> None:
    """Of two wheels that supply one package, one ends up complete, whoever comes first."""
    wheels = [
        make_wheel(
            tmp_path / f"{n}", {f"pkg/m{k}.py": b"%d" % n for k in range(60)}, version=f"{n}.0"
        )
        for n in (1, 2)
    ]
    site = tmp_path / "site"
    code = """
        import sys
        from wheel_linker import link_wheel_files
        print("ready", flush=True)
        for line in sys.stdin:
            link_wheel_files(*sys.argv[1:], mode="copy")
            print("done", flush=True)
    """
    children = [run(code, site, wheel) for wheel in wheels]
    try:
        for _ in range(6):
            for child in children:
                assert child.stdin is not None
                child.stdin.write("go\n")
                child.stdin.flush()
            for child in children:
                assert child.stdout is not None
                assert child.stdout.readline().strip() == "done"
            found = {path.read_bytes() for path in (site / "pkg").glob("m*.py")}
            assert len(found) == 1
            assert hidden(site) == []
    finally:
        for child in children:
            end(child)


@pytest.mark.parametrize("mode", [LinkMode.COPY, LinkMode.HARDLINK])
def test_a_killed_process_is_swept(tmp_path: Path, mode: LinkMode) -> None:
    site, wheel = tmp_path / "site", sample_wheel(tmp_path / "wheel")
    code = """
        import sys, time
        from wheel_linker import link_wheel_files
        def stop(path):
            if path.name == "single.py":
                print("ready", flush=True)
                time.sleep(600)
            return False
        link_wheel_files(*sys.argv[1:3], mode=sys.argv[3], must_copy=stop)
    """
    child = run(code, site, wheel, mode.value)
    assert len(hidden(site)) == 1
    other = make_wheel(tmp_path / "other", {"x.py": b""}, name="other")
    link_wheel_files(site, other)
    assert len(hidden(site)) == 1, "its owner lives"
    end(child)
    link_wheel_files(site, other)
    assert hidden(site) == []
    assert names(site) == names(other)


def test_a_killed_owner_of_a_lease(tmp_path: Path) -> None:
    """As long as it lives its entry stays; then entry and lease go."""
    archive = write_wheel(tmp_path / "demo-1.0-py3-none-any.whl")
    code = """
        import sys, time
        from wheel_linker.store import WheelStore
        stored = WheelStore(sys.argv[1]).add(sys.argv[2])
        print("ready", flush=True)
        time.sleep(600)
    """
    root = tmp_path / "store"
    child = run(code, root, archive)
    (leases,) = root.rglob("leases")
    with WheelStore(root) as store:
        assert store.prune(unused_for=0) == []
        end(child)
        assert len(store.prune(unused_for=0)) == 1
        assert len(os.listdir(leases)) == 1
    assert os.listdir(leases) == []


def test_read_only_files_of_a_wheel(tmp_path: Path) -> None:
    """They are replaced and removed like others, and stay read-only where they came from."""
    wheel = make_wheel(tmp_path / "wheel", {"pkg/a.py": b"1"})
    original = wheel / "pkg" / "a.py"
    original.chmod(stat.S_IREAD)
    site = tmp_path / "site"
    for mode in (LinkMode.HARDLINK, LinkMode.COPY, LinkMode.HARDLINK):
        link_wheel_files(site, wheel, mode=mode)
        assert hidden(site) == []
    assert not original.stat().st_mode & stat.S_IWRITE
