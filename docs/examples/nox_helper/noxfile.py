"""A session whose environment is linked from a store of unpacked wheels."""

from pathlib import Path

import nox

from wheel_linker.integrations.nox import install


@nox.session(venv_backend="venv", venv_params=["--without-pip"], reuse_venv=True)
def greet(session: nox.Session) -> None:
    wheels = sorted(map(str, Path("wheels").glob("*.whl")))
    install(session, *wheels, store=session.cache_dir / "wheels")
    session.run("hello")
