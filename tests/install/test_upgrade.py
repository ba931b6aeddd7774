"""One version in the place of another: what is new comes, and what the new one lacks goes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from wheels import snapshot, write_tree, zip_wheel

from install.kit import (
    FILES,
    check_record,
    check_recorded,
    contents_of,
    files_in,
    layout_in,
    make,
    no_litter,
    pure,
    relative,
    root_of,
)
from wheel_linker import LinkError, LinkMode
from wheel_linker.install import (
    IncompleteInstallationError,
    Layout,
    NoRecordError,
    check_environment,
    install_wheel,
    install_wheels,
    uninstall,
)
from wheel_linker.store import WheelStore

pytestmark = pytest.mark.usefixtures("way")
INFO, NEW_INFO = "demo-1.0.dist-info", "demo-2.0.dist-info"


def compiled(layout: Layout) -> None:
    """Write bytecode as interpreters and pytest do."""
    for path in ("demo/__pycache__/main", "demo/old/__pycache__/only", "__pycache__/single"):
        for tag in ("cpython-311", "cpython-311.opt-1"):
            write_tree(pure(layout), {f"{path}.{tag}.pyc": b"bytecode"})
    pytests = "demo/old/__pycache__/only.cpython-311-pytest-8.2.0.pyc"
    write_tree(pure(layout), {pytests: b"bytecode"})


@pytest.mark.parametrize("before", list(LinkMode))
def test_leaves_what_a_fresh_install_gives(
    layout: Layout, tmp_path: Path, older: Path, newer: Path, before: LinkMode, mode: LinkMode
) -> None:
    sources = snapshot(tmp_path / "cache", directory_times=True)
    install_wheel(older, layout, mode=before)
    compiled(layout)
    there = files_in(root_of(layout))
    report = install_wheel(newer, layout, mode=mode)
    check_recorded(layout, NEW_INFO)
    assert report.upgraded == ("1.0",)
    gone = relative(report.removed, root_of(layout))
    kept = files_in(root_of(layout))
    assert gone == {path for path in there - kept if "__pycache__" not in path}
    assert snapshot(tmp_path / "cache", directory_times=True) == sources
    fresh = layout_in(tmp_path / "fresh")
    install_wheel(newer, fresh, mode=mode)
    # The directories of the environment itself stay, and where bytecode will be again.
    extra = contents_of(layout).keys() - contents_of(fresh).keys()
    library = f"python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    own = {"lib64", os.path.dirname(f"lib64/{library}"), f"lib64/{library}", "include/site"}
    assert extra <= own | {f"lib/{library}/demo/__pycache__"}
    assert {path: contents_of(layout)[path] for path in contents_of(fresh)} == contents_of(fresh)


def test_downgrade_and_again(layout: Layout, older: Path, newer: Path) -> None:
    assert install_wheel(newer, layout).upgraded == ()
    assert install_wheel(older, layout).upgraded == ("2.0",)
    check_recorded(layout, INFO)
    assert install_wheel(older, layout).upgraded == ("1.0",)
    check_recorded(layout, INFO)


@pytest.mark.parametrize("first", list(LinkMode))
def test_the_same_wheel_twice(layout: Layout, older: Path, first: LinkMode, mode: LinkMode) -> None:
    source = snapshot(older, directory_times=True)
    install_wheel(older, layout, mode=first)
    there = contents_of(layout)
    report = install_wheel(older, layout, mode=mode)
    assert contents_of(layout) == there
    assert report.removed == ()
    assert snapshot(older, directory_times=True) == source


def test_what_others_claim_stays(layout: Layout, older: Path, newer: Path, tmp_path: Path) -> None:
    shared = {"demo/old/only.py": b"ONLY = 1\n", "demo-1.0.data/scripts/plain.sh": b""}
    other = {
        "demo/old/only.py": b"ONLY = 1\n",
        "other-1.0.data/scripts/plain.sh": FILES["demo-1.0.data/scripts/plain.sh"],
    }
    assert shared.keys() <= FILES.keys()
    install_wheels([older, make(tmp_path / "other", other, name="other")], layout)
    report = install_wheel(newer, layout)
    assert (pure(layout) / "demo/old/only.py").is_file()
    assert (root_of(layout) / "bin/plain.sh").is_file()
    assert not [path for path in report.removed if "only" in path or "plain" in path]
    check_recorded(layout, NEW_INFO, "other-1.0.dist-info")


def test_what_nobody_claims_stays(layout: Layout, older: Path, newer: Path) -> None:
    install_wheel(older, layout)
    mine = write_tree(pure(layout), {"demo/old/mine.txt": b"mine"}) / "demo/old/mine.txt"
    install_wheel(newer, layout)
    assert mine.is_file()
    mine.unlink()
    mine.parent.rmdir()
    check_recorded(layout, NEW_INFO)


def test_directory_in_the_place_of_a_file_and_back(
    layout: Layout, tmp_path: Path, mode: LinkMode
) -> None:
    one = make(tmp_path / "1", {"demo/x": b"file", "y/z.py": b"", "m.py": b""})
    two = make(
        tmp_path / "2", {"demo/x/a.py": b"", "y": b"file", "m/__init__.py": b""}, version="2.0"
    )
    install_wheel(one, layout, mode=mode)
    write_tree(pure(layout), {"y/__pycache__/z.cpython-311.pyc": b""})
    install_wheel(two, layout, mode=mode)
    check_recorded(layout, NEW_INFO)
    install_wheel(one, layout, mode=mode)
    check_recorded(layout, INFO)


def test_a_users_file_where_a_new_directory_goes(
    layout: Layout, tmp_path: Path, older: Path
) -> None:
    """The old version keeps working."""
    install_wheel(older, layout)
    write_tree(pure(layout), {"demo/x": b"mine"})
    before = snapshot(root_of(layout))
    two = make(tmp_path / "2", {"demo/x/a.py": b"", "demo/main.py": b"no"}, version="2.0")
    with pytest.raises(LinkError, match="remove one of the two"):
        install_wheel(two, layout)
    assert snapshot(root_of(layout)) == before


def test_several_at_once(layout: Layout, tmp_path: Path, older: Path, newer: Path) -> None:
    """Also where what one loses another one brings."""
    gains = make(tmp_path / "gains", {"demo/old/only.py": b"ONLY = 3\n"}, name="gains")
    install_wheels([older], layout)
    reports = install_wheels([newer, gains], layout, jobs=2)
    assert [report.upgraded for report in reports] == [("1.0",), ()]
    assert (pure(layout) / "demo/old/only.py").read_bytes() == b"ONLY = 3\n"
    check_recorded(layout, NEW_INFO, "gains-1.0.dist-info")


def test_name_written_otherwise(layout: Layout, tmp_path: Path) -> None:
    one = make(tmp_path / "1", {"a.py": b""}, name="De.mo_X")
    two = make(tmp_path / "2", {"b.py": b""}, name="de_mo_x", version="2.0")
    install_wheel(one, layout)
    assert install_wheel(two, layout).upgraded == ("1.0",)
    check_recorded(layout, "de_mo_x-2.0.dist-info")


def test_from_one_library_to_the_other(layout: Layout, tmp_path: Path) -> None:
    pure_wheel = make(tmp_path / "1", {"x.py": b""})
    wheel = b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\n"
    plat = make(tmp_path / "2", {"x.py": b"", f"{NEW_INFO}/WHEEL": wheel}, version="2.0")
    install_wheel(pure_wheel, layout)
    install_wheel(plat, layout)
    assert files_in(pure(layout)) == set()
    install_wheel(pure_wheel, layout)
    assert files_in(Path(layout.schemes["platlib"])) == set()
    check_recorded(layout, INFO)


@pytest.mark.parametrize(
    "entry", ["demo-0.9.egg-info", "demo-0.9-py3.11.egg-info", "demo.egg-link"]
)
def test_what_has_no_record(layout: Layout, older: Path, entry: str) -> None:
    write_tree(pure(layout), {f"{entry}/PKG-INFO" if "info" in entry else entry: b"", "x": b""})
    before = snapshot(root_of(layout))
    with pytest.raises(NoRecordError, match="demo"):
        install_wheel(older, layout)
    assert snapshot(root_of(layout)) == before


@pytest.mark.parametrize("repairs", [False, True])
def test_a_record_of_its_own_that_is_missing_is_mended(
    layout: Layout, older: Path, newer: Path, tmp_path: Path, repairs: bool
) -> None:
    """To be told to remove it with this very tool, which refuses, would lead nowhere."""
    with WheelStore(tmp_path / "store") as store:
        install_wheel(zip_wheel(older, tmp_path), layout, store=store)
        (pure(layout) / INFO / "RECORD").unlink()
        with pytest.raises(IncompleteInstallationError, match="it is missing"):
            uninstall("demo", layout)
        if repairs:
            assert [one.wheel.name for one in check_environment(layout, store).repair().installed]
            check_recorded(layout, INFO)
        else:
            assert install_wheel(newer, layout).upgraded == ("1.0",)
            check_record(layout, NEW_INFO)
            assert not (pure(layout) / INFO).exists()


def test_missing_files_do_not_matter(layout: Layout, older: Path, newer: Path) -> None:
    install_wheel(older, layout)
    only = pure(layout) / "demo/old/only.py"
    only.unlink()
    report = install_wheel(newer, layout)
    assert os.fspath(only) not in report.removed
    check_recorded(layout, NEW_INFO)


def test_dist_info_that_somebody_was_killed_over(layout: Layout, newer: Path) -> None:
    """Its RECORD is the last file that goes; an empty directory is no reason to refuse anything."""
    install_wheel(newer, layout)
    (pure(layout) / INFO).mkdir()
    install_wheel(newer, layout)
    check_recorded(layout, NEW_INFO)
    assert not (pure(layout) / INFO).exists()


def test_litter_anywhere_is_swept(layout: Layout, older: Path, tmp_path: Path) -> None:
    """Also in directories that the call has nothing to do with."""
    install_wheel(older, layout)
    for scheme in ("scripts", "data", "platlib"):
        write_tree(Path(layout.schemes[scheme]), {".wheel_linker-0123456789abcdef/0/x": b""})
    install_wheel(make(tmp_path / "plain", {"plain.py": b""}, name="plain"), layout)
    assert no_litter(root_of(layout))
    write_tree(root_of(layout), {".wheel_linker-0123456789abcdef/0/x": b""})
    uninstall("plain", layout)
    assert no_litter(root_of(layout))
    check_record(layout)
