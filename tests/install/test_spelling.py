"""Distributions whose files differ in spelling only, on a file system that takes these for one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from install.kit import files_in, make
from wheel_linker import LinkError, PackageConflictError
from wheel_linker.install import (
    Layout,
    check_environment,
    install_wheel,
    install_wheels,
    sync_wheels,
    uninstall,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ONE = {"Pkg/shared.py": b"1\n", "Pkg/one.py": b"\n", "Top.py": b"1\n"}
TWO = {"pkg/shared.py": b"22\n", "pkg/two.py": b"\n", "top.py": b"22\n"}
STAYS = {"pkg/shared.py", "pkg/two.py", "top.py"}


@pytest.fixture
def folding(on_filesystem: Callable[[str], Path]) -> Layout:
    """An environment where case is folded."""
    return Layout.for_target(on_filesystem("exfat") / "env")


@pytest.fixture
def wheels(tmp_path: Path) -> list[Path]:
    """Two wheels with the same files, spelt otherwise."""
    return [make(tmp_path / "one", ONE, name="one"), make(tmp_path / "two", TWO, name="two")]


def site(layout: Layout) -> Path:
    return Path(layout.schemes["purelib"])


def test_conflict_with_what_is_installed(folding: Layout, wheels: list[Path]) -> None:
    install_wheel(wheels[0], folding, mode="copy")
    with pytest.raises(PackageConflictError) as caught:
        install_wheels(wheels[1:], folding, mode="copy", on_conflict="error")
    assert {one.path for one in caught.value.conflicts} == {"pkg/shared.py", "top.py"}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("upgraded", [True, False])
def test_what_is_anothers_stays(
    folding: Layout, wheels: list[Path], tmp_path: Path, together: bool, upgraded: bool
) -> None:
    for call in [wheels] if together else [wheels[:1], wheels[1:]]:
        install_wheels(call, folding, mode="copy")
    if upgraded:
        newer = make(tmp_path / "newer", {"one.py": b""}, name="one", version="2.0")
        install_wheel(newer, folding, mode="copy")
    else:
        uninstall("one", folding)
    for path in STAYS:
        assert (site(folding) / path).read_bytes() == TWO[path]
    assert not (site(folding) / "pkg/one.py").exists()
    uninstall("two", folding)
    assert {path for path in files_in(site(folding)) if path[:3] != "one"} == set()


def test_what_was_just_written_by_another_spelling_stays(
    folding: Layout, wheels: list[Path]
) -> None:
    """FUSE knows for a second what was seen by one spelling, whatever was written by the other since."""
    install_wheels(wheels, folding, mode="copy")
    seen = [(site(folding) / path).stat().st_size for path in ONE if path != "Pkg/one.py"]
    for path in STAYS:
        (site(folding) / path).write_bytes(b"longer than before\n")
    uninstall("one", folding)
    assert seen == [3, 3]
    for path in STAYS:
        assert (site(folding) / path).read_bytes() == b"longer than before\n"


def test_sync_leaves_what_stays(folding: Layout, wheels: list[Path]) -> None:
    install_wheels(wheels, folding, mode="copy")
    sync_wheels(wheels[1:], folding, mode="copy")
    assert {path.lower() for path in files_in(site(folding)) if "-" not in path} == STAYS


def test_an_upgrade_takes_the_new_spelling(
    folding: Layout, wheels: list[Path], tmp_path: Path
) -> None:
    install_wheel(wheels[0], folding, mode="copy")
    files = {"pkg/shared.py": b"3\n", "pkg/Sub/x.py": b"", "top.py": b"3\n"}
    install_wheel(make(tmp_path / "n", files, name="one", version="2.0"), folding, mode="copy")
    assert {path for path in files_in(site(folding)) if "-" not in path} == set(files)
    again = {"pkg/shared.py": b"3\n", "pkg/sub/x.py": b"", "top.py": b"3\n"}
    install_wheel(make(tmp_path / "a", again, name="one", version="3.0"), folding, mode="copy")
    assert {path for path in files_in(site(folding)) if "-" not in path} == set(again)


def test_of_the_dist_info_itself(folding: Layout, tmp_path: Path) -> None:
    """As two builds of one version by different back ends have it."""
    notes = {"Demo-1.0.dist-info/old.txt": b"", "Demo-1.0.dist-info/LICENSE": b"1\n"}
    install_wheel(
        make(tmp_path / "1", {"x.py": b"1\n", **notes}, name="Demo"), folding, mode="copy"
    )
    newer = {"x.py": b"2\n", "demo-1.0.dist-info/LICENSE": b"2\n"}
    (report,) = install_wheels([make(tmp_path / "2", newer, name="demo")], folding, mode="copy")
    assert report.upgraded == ("1.0",)
    assert check_environment(folding).files == ()
    assert (site(folding) / "demo-1.0.dist-info/LICENSE").read_bytes() == b"2\n"
    assert not (site(folding) / "demo-1.0.dist-info/old.txt").exists()
    uninstall("demo", folding)
    assert files_in(site(folding)) == set()


@pytest.mark.parametrize("place", ["scripts", "data/share", "headers"])
def test_conflicts_beside_the_roots(folding: Layout, tmp_path: Path, place: str) -> None:
    wheels = [
        make(tmp_path / name, {f"{name}-1.0.data/{place}/{file}": name.encode()}, name=name)
        for name, file in (("one", "Tool"), ("two", "tool"))
    ]
    if place == "headers":  # in a directory for each distribution
        install_wheels(wheels, folding, mode="copy", on_conflict="error")
        return
    with pytest.raises(PackageConflictError):
        install_wheels(wheels, folding, mode="copy", on_conflict="error")
    assert files_in(site(folding)) == set()


def test_a_failed_upgrade_leaves_the_old_spelling(
    folding: Layout, wheels: list[Path], tmp_path: Path
) -> None:
    install_wheel(wheels[0], folding, mode="copy")
    (site(folding) / "zzz").write_bytes(b"")
    before = files_in(site(folding))
    files = {"pkg/shared.py": b"3\n", "top.py": b"3\n", "zzz/x.py": b""}
    newer = make(tmp_path / "n", files, name="one", version="2.0")
    with pytest.raises(LinkError, match="there is a file"):
        install_wheel(newer, folding, mode="copy")
    assert files_in(site(folding)) == before


def test_a_check_knows_what_is_recorded(folding: Layout, tmp_path: Path) -> None:
    install_wheel(make(tmp_path / "n", {"Pkg/__init__.py": b"", "Pkg/X.py": b""}), folding)
    (site(folding) / "Pkg").rename(site(folding) / "other")
    (site(folding) / "other").rename(site(folding) / "pkg")
    (site(folding) / "pkg/X.py").rename(site(folding) / "pkg/other")
    (site(folding) / "pkg/other").rename(site(folding) / "pkg/x.py")
    assert check_environment(folding).files == ()


def test_case_alone_is_no_conflict_elsewhere(tmp_path: Path, wheels: list[Path]) -> None:
    if (tmp_path / "ONE").exists():
        pytest.skip("names are folded here")
    layout = Layout.for_target(tmp_path / "env")
    install_wheels(wheels[:1], layout)
    install_wheels(wheels[1:], layout, on_conflict="error")
    uninstall("one", layout)
    assert {path for path in files_in(site(layout)) if "-" not in path} == STAYS
