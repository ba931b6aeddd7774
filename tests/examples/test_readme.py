"""What the README says of installing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from examples.kit import EXAMPLES, write_wheel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(os.name == "nt", reason="the README has the path that it is elsewhere")
def test_example_of_install_wheels_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], check=True)
    write_wheel(tmp_path / "idna-3.20-py3-none-any.whl", {"idna.py": ""})
    text = (EXAMPLES.parents[1] / "README.md").read_text(encoding="utf-8")
    _, code, *_ = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(code.strip().splitlines()) <= 10
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out == "idna 3.20 replaces nothing\n"
    assert not list((tmp_path / ".venv").rglob("idna*"))
