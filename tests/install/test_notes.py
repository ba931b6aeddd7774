"""What an installer notes: INSTALLER, REQUESTED and direct_url.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from install.kit import check_record, check_recorded, make, pure, rows
from wheel_linker.install import Layout, install_wheel, install_wheels

INFO = "demo-1.0.dist-info"
URL = {"url": "file:///caf\u00e9/demo", "dir_info": {"editable": True}}


@pytest.mark.parametrize("requested", [False, True])
@pytest.mark.parametrize("url", [None, URL])
def test_notes(layout: Layout, older: Path, requested: bool, url: dict[str, object] | None) -> None:
    install_wheel(older, layout, installer="tool", requested=requested, direct_url=url)
    info = pure(layout) / INFO
    assert (info / "INSTALLER").read_bytes() == b"tool\n"
    assert (info / "REQUESTED").exists() == requested
    assert (f"{INFO}/REQUESTED" in rows(layout)) == requested
    if url is None:
        assert not (info / "direct_url.json").exists()
    else:
        assert json.loads((info / "direct_url.json").read_bytes()) == url
    check_record(layout)


def test_installing_again_changes_them(layout: Layout, older: Path) -> None:
    install_wheel(older, layout, requested=True, direct_url=URL)
    report = install_wheel(older, layout)
    assert sorted(Path(path).name for path in report.removed) == ["REQUESTED", "direct_url.json"]
    check_recorded(layout, INFO)


def test_of_many(layout: Layout, tmp_path: Path) -> None:
    wheels = [make(tmp_path / name, {}, name=name) for name in ("one", "two_x", "three")]
    install_wheels(wheels, layout, requested={"One", "two.X"}, direct_urls={"Three": URL})
    noted = {path.parent.name for path in pure(layout).glob("*/REQUESTED")}
    assert noted == {"one-1.0.dist-info", "two_x-1.0.dist-info"}
    assert [path.parent.name for path in pure(layout).glob("*/direct_url.json")] == [
        "three-1.0.dist-info"
    ]
    install_wheels(wheels, layout, requested=True)
    assert len(list(pure(layout).glob("*/REQUESTED"))) == 3
