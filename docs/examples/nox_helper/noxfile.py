"""A session whose environment is filled by the helper beside this file."""

import sys
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))

from nox_wheels import install_wheels


@nox.session(venv_backend="venv", venv_params=["--without-pip"], reuse_venv=True)
def greet(session: nox.Session) -> None:
    install_wheels(session, *sorted(Path("wheels").glob("*.whl")))
    session.run("hello")
