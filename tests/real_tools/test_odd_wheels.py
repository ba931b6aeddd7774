"""Odd wheels as they are published: each is installed here as pip and uv install it, and removed whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import pytest
from images import Unavailable

from real_tools.environment import CommandError
from real_tools.odd import KEPT, download, for_this_interpreter, pins
from real_tools.pictures import EXECUTABLE, THERE, Difference, differences, is_allowed
from real_tools.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from proof.plugin import Figures

    from real_tools.pictures import Record
    from real_tools.rounds import Installed

OTHERS: Final = ("pip", "uv")
HERE: Final = "hardlink"
LEAST: Final = 60
ALLOWED: Final = (
    Difference(
        ("pip",),
        (EXECUTABLE,),
        r"[^/]*/(bin|Scripts)/[^/]*",
        "pip leaves a script that is not executable in the archive as it is, as those of archives that were made on "
        "Windows; it cannot be run then.",
    ),
    Difference(
        ("uv",),
        (THERE,),
        r"[^/]*/(bin|Scripts)/easy_install-\d+\.\d+",
        "uv leaves the version of Python in the name of setuptools' launcher as it is in the wheel; pip does not.",
    ),
    Difference(
        ("pip",),
        (EXECUTABLE,),
        r"[^/]*/lib/[^/]*/site-packages/nodejs/bin/(corepack|npm|npx)",
        "Symlinks to nothing, which all unpack to empty files; pip gives these no permission to be run.",
    ),
    Difference(
        ("pip",),
        (THERE,),
        r"[^/]*/(lib/[^/]*/site-packages/xgboost-1\.6\.2\+b99[^/]*\.data(/data(/xgboost(/vcomp140\.dll)?)?)?"
        r"|xgboost(/vcomp140\.dll)?)",
        "Its *.data directory has another version in its name than its *.dist-info, and so is none of its own; pip "
        "takes every directory of such a name for one.",
    ),
)
"""What may differ in these wheels besides."""
REFUSED: Final = {
    ("flit", "uv"): 'Its Requires-Python is "3", which is no specifier; pip ignores it.',
}
"""What others do not install, by project and tool."""

pytestmark = pytest.mark.filterwarnings("ignore::wheel_linker.RecordWarning")


@pytest.fixture(scope="module")
def kept(tools: None, is_long: bool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with the wheels; in a long run whatever cannot be downloaded is a failure."""
    if not is_long:
        pytest.skip("downloads some hundred megabytes; --long does it")
    given = os.environ.get(KEPT)
    directory = Path(given) if given else tmp_path_factory.mktemp("odd")
    directory.mkdir(parents=True, exist_ok=True)
    try:
        download(pins(), directory)
    except Unavailable as error:
        pytest.fail(str(error))
    return directory


@pytest.fixture(scope="module", params=pins(), ids=lambda pin: pin.filename.removesuffix(".whl"))
def rounds(
    request: pytest.FixtureRequest, kept: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rounds]:
    """What becomes of each of them."""
    directory = tmp_path_factory.mktemp("rounds")
    wheel = for_this_interpreter(kept / request.param.filename, directory)
    yield Rounds(directory, [wheel], "environment")
    shutil.rmtree(directory)


def compared(ours: Installed, theirs: Installed, tool: str) -> Iterator[str]:
    """Yield what differs between what is installed here and by another tool, and has no good reason."""
    for path in sorted(ours.launchers | theirs.launchers):
        if ours.starts.get(path) != theirs.starts.get(path) and not is_allowed(
            path, THERE, tool, ALLOWED
        ):
            yield f"{path}: its first line differs from {tool}'s"
    # Empty directories of an archive, which nothing would remove.
    full = {path for path, entry in theirs.tree.items() if entry.content}
    full |= {parent.as_posix() for path in full for parent in PurePosixPath(path).parents}
    tree = {path: entry for path, entry in theirs.tree.items() if path in full}
    yield from differences(ours.tree, tree, tool, ours.launchers, ALLOWED)
    if ours.records.keys() != theirs.records.keys():
        yield f"{tool} has {sorted(theirs.records)}"
    for name, record in ours.records.items():
        yield from _rows_compared(record, theirs, name, tool, ours.launchers)
    assert all(one["missing"] == [] for one in ours.answers.metadata.values())
    if ours.answers.metadata != _with_nothing_missing(theirs.answers.metadata):
        yield f"metadata differ from {tool}'s"


def _with_nothing_missing(found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return metadata as they are when RECORD is right: others keep rows of files that are not there."""
    return {name: {**one, "missing": []} for name, one in found.items()}


def _rows_compared(
    record: Record, theirs: Installed, name: str, tool: str, launchers: Collection[str]
) -> list[str]:
    """Compare rows of which the other's are right, of files that it does not lose sight of."""
    wrong = {each.partition(" is ")[0] for each in theirs.wrong}
    others = {path: row for path, row in theirs.records[name].rows.items() if path not in wrong}
    rows = {path: row for path, row in record.rows.items() if path in others}
    return differences(rows, others, tool, launchers, ALLOWED)


def test_there_are_enough() -> None:
    listed = pins()
    assert len({pin.filename for pin in listed}) == len(listed) >= LEAST
    promises = Path(__file__).parents[2] / "docs" / "promises.md"
    assert f"{len(listed)} published wheels" in promises.read_text(encoding="utf-8")


def test_installed_as_by_others(rounds: Rounds, figures: Figures) -> None:
    ours = rounds.installed(HERE)
    assert ours.wrong == []
    rows = {path for record in ours.records.values() for path in record.rows}
    assert rows == {path for path, entry in ours.tree.items() if entry.content}
    for tool in OTHERS:
        if (*rounds.names, tool) in REFUSED:
            with pytest.raises(CommandError):
                rounds.installed(tool)
        else:
            assert list(compared(ours, rounds.installed(tool), tool)) == []
    figures.add("published odd wheels", wheels=1, rows=len(rows))


def test_nothing_is_left(rounds: Rounds) -> None:
    for remover in (*OTHERS, "uninstall"):
        left = rounds.left(HERE, remover)
        files = [path for path, entry in left.tree.items() if entry.content]
        assert [path for path in files if not path.endswith("/.lock")] == []
        # pip removes a directory whole if it removes every file in it, and empty ones of the environment's with it.
        lost = [path for path, entry in left.lost.items() if entry.content or remover != "pip"]
        assert lost == []
