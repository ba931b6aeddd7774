"""Projects and wheels for the tools: a back end of a few lines, and a directory in place of an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from examples.kit import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

PYPROJECT: Final = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "local"
version = "1.0"
dependencies = ["wanted"]

[project.optional-dependencies]
more = ["extra"]

[dependency-groups]
dev = ["grouped"]
"""
# The least that is a build back end, for wheels and for editable ones.
BACKEND: Final = """
import os, zipfile
from base64 import urlsafe_b64encode
from hashlib import sha256

METADATA = "Metadata-Version: 2.1\\nName: local\\nVersion: 1.0\\nRequires-Dist: wanted\\n"
METADATA += "Provides-Extra: more\\nRequires-Dist: extra; extra == 'more'\\n"

def pack(directory, module):
    name = "local-1.0-py3-none-any.whl"
    files = {
        **module,
        "local-1.0.dist-info/METADATA": METADATA,
        "local-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = "local-1.0.dist-info/RECORD,,\\n"
    for path, text in files.items():
        digest = urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\\n"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as archive:
        for path, text in {**files, "local-1.0.dist-info/RECORD": record}.items():
            archive.writestr(path, text)
    return name

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with open("local.py") as file:
        return pack(wheel_directory, {"local.py": file.read()})

def build_sdist(sdist_directory, config_settings=None):
    import tarfile
    name = "local-1.0.tar.gz"
    with tarfile.open(os.path.join(sdist_directory, name), "w:gz") as archive:
        for file in ("pyproject.toml", "backend.py", "local.py"):
            archive.add(file, f"local-1.0/{file}")
    return name

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return pack(wheel_directory, {"local.pth": os.getcwd() + "\\n"})
"""
NAMES: Final = ("top-1.0", "base-1.0", "base-2.0", "wanted-1.0", "extra-1.0", "grouped-1.0")


def write_project(directory: Path) -> Path:
    """Write a project with a module, a requirement, an extra and a dependency group."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (directory / "backend.py").write_text(BACKEND, encoding="utf-8")
    (directory / "local.py").write_text("NAME = 'local'\n", encoding="utf-8")
    return directory


def write_index(directory: Path) -> Path:
    """Write wheels of which ``top`` requires an old ``base``."""
    directory.mkdir(parents=True)
    for name in NAMES:
        module, _, version = name.partition("-")
        write_wheel(
            directory / f"{name}-py3-none-any.whl",
            {f"{module}.py": f"VERSION = {version!r}\n"},
            requires=["base<2"] if module == "top" else [],
        )
    return directory
