"""The project's chores: `nox -l` lists them, `python3 -m nox -s tests` runs the tests."""

from __future__ import annotations

import os
import shutil

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "tests", "docs"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
# Spelt out, because what nox derives from the classifiers depends on its version.
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15", "3.13t", "3.14t", "3.15t", "pypy3.11"]
PROCESSORS = (
    len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
)
# Each file's tests stay together: what a module makes once is made once.
SHARED_OUT = (
    # Removing what a test has made waits for the disk, and leaves a processor to one process more.
    f"--numprocesses={min(PROCESSORS + 1, 4)}",
    "--dist=loadfile",
    # The order is ours: see tests/conftest.py.
    "--no-loadscope-reorder",
)
# Tools such as tox and hatchling need newer dependencies than this library.
LOWEST = (
    "tests/install",
    "tests/cli",
    "tests/test_bad_input.py",
    "tests/test_cache_key.py",
    "tests/test_conflicts.py",
    "tests/test_filename.py",
    "tests/test_integration_installer.py",
    "--ignore=tests/cli/test_demo.py",
)
# Measured one after the other, so that a part can be measured again; its figures are combined with the others'.
COVERED = {
    "root": (
        "tests",
        "--ignore-glob=tests/[!s]*/*",
        "--ignore=tests/store",
        "--ignore=tests/systems",
        # These look at files of the project, or at a copy of the package.
        *(
            f"--ignore=tests/test_{name}.py"
            for name in ("benchmark", "documents", "gate", "packaging", "vendoring")
        ),
    ),
    "store": ("tests/store",),
    "install": ("tests/install",),
    "cli": ("tests/cli", "tests/examples"),
    "integrations": ("tests/integrations",),
}
# Per cent of lines and branches: what a run on Linux had when it was last recorded, rounded down.
FLOOR = 90
PLATFORMS = ("linux", "darwin", "win32")
EXAMPLES = ("docs/examples/build_backend/backend.py", "docs/examples/tox_plugin")
CHECKED = ("wheel_linker", "tests", "benchmarks", "docs/conf.py", "noxfile.py", *EXAMPLES)


def group(*names: str) -> tuple[str, ...]:
    """Return the requirements of some of the dependency groups in pyproject.toml."""
    return nox.project.dependency_groups(PYPROJECT, *names)


def run_tests(session: nox.Session) -> None:
    """Install the package as a user would, and run its tests."""
    # Its newest versions are compiled, with Rust, where there is no wheel of them (PyPy).
    session.install("--only-binary=hypothesis", ".[install,cli]", *group("test"))
    session.run("pytest", *SHARED_OUT, *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on the Python that runs nox; arguments go to pytest."""
    run_tests(session)


@nox.session(name="tests-all", python=PYTHONS)
def tests_all(session: nox.Session) -> None:
    """Run the tests on every supported Python; one that is not installed is skipped."""
    run_tests(session)


@nox.session(python="3.10")
def lowest(session: nox.Session) -> None:
    """Run the tests that need no other tools on the oldest Python with the lowest versions of dependencies."""
    session.install("-e", ".", *group("lowest"))
    session.run("pytest", *SHARED_OUT, *(session.posargs or LOWEST))


@nox.session(name="lowest-tools", python="3.10")
def lowest_tools(session: nox.Session) -> None:
    """Run the tests of the integrations on the oldest Python with the oldest tox, nox, build and virtualenv."""
    session.install("-e", ".[cli]", *group("lowest-tools"))
    session.run("pytest", *SHARED_OUT, *(session.posargs or ["tests/integrations"]))


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which lines and branches the tests run, processes included; arguments name parts of the tests."""
    session.install("--only-binary=hypothesis", "-e", ".[install,cli]", *group("coverage"))
    parts = session.posargs or COVERED
    if parts is COVERED:
        session.run("coverage", "erase")
    env = {"PYTHONPATH": os.path.abspath("tests")}
    for part in parts:
        # A test that fails on a busy machine is the business of another session.
        command = ("coverage", "run", "-m", "pytest", "-p", "measured", *SHARED_OUT, *COVERED[part])
        session.run(*command, env=env, success_codes=[0, 1])
    session.run("coverage", "combine", "--append", "--keep", "-q")
    session.run("coverage", "json", "-q", "-o", "docs/_build/coverage.json")
    session.run("python", "docs/generate_tested.py", "coverage", "docs/_build/coverage.json")
    session.run("coverage", "report", f"--fail-under={FLOOR}")


@nox.session
def mutation(session: nox.Session) -> None:
    """Change one thing at a time in the modules that pyproject.toml names, and see that a test of theirs notices.

    With `-- "wheel_linker._fs.paths.*"` it does so in one of them, and keeps what is known of the others.
    """
    session.install("-e", ".[install,cli]", *group("mutation"))
    shutil.rmtree("mutants", ignore_errors=True)
    session.run("mutmut", "run", *session.posargs)
    merge = ["--merge"] if session.posargs else []
    session.run("python", "docs/generate_tested.py", "mutation", "mutants", *merge)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install(*group("lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types as each operating system sees them."""
    session.install(*group("types"))
    for platform in PLATFORMS:
        session.log("types on %s", platform)
        session.run("mypy", "--platform", platform, *(session.posargs or CHECKED))


@nox.session
def completeness(session: nox.Session) -> None:
    """Check that every public name has a type; not among the default ones, since pyright fetches a part of itself."""
    session.install(".[install,cli,build,nox,pip,tox,virtualenv]", *group("completeness"))
    # Types that other packages lack are theirs.
    session.run("pyright", "--verifytypes", "wheel_linker", "--ignoreexternal", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, warnings being errors, and run its examples."""
    session.install(".[install,cli]", *group("docs"))
    out = "docs/_build"
    # From nothing: a page that was not rebuilt would keep its warnings to itself.
    shutil.rmtree(out, ignore_errors=True)
    common = ("--fail-on-warning", "--keep-going", "-q", "-d", f"{out}/doctrees")
    session.run("sphinx-build", "--nitpicky", *common, "-b", "html", "docs", f"{out}/html")
    session.run("sphinx-build", *common, "-b", "doctest", "docs", f"{out}/doctest")


@nox.session
def linkcheck(session: nox.Session) -> None:
    """Follow the links of the documentation; name those that cannot be tried from here."""
    session.install(".[install,cli]", *group("docs"))
    out = "docs/_build/linkcheck"
    shutil.rmtree(out, ignore_errors=True)
    # It counts a server that was not reached as an error: the script tells that from a page that is not there.
    builder = ("-q", "-d", "docs/_build/doctrees", "-b", "linkcheck")
    session.run("sphinx-build", *builder, "docs", out, success_codes=[0, 1])
    session.run("python", "docs/check_links.py", f"{out}/output.json")


@nox.session
def recipe(session: nox.Session) -> None:
    """Have rattler-build read conda's recipe; with `-- --build` it builds the package, from conda-forge's."""
    session.install("py-rattler-build>=0.73")
    session.run("python", "recipe/render.py")
    if "--build" in session.posargs:
        # A program of the same project, which has to be there: it comes by conda, or as a file.
        command = ("rattler-build", "build", "--recipe", "recipe/recipe.yaml", "-c", "conda-forge")
        session.run(*command, external=True)


@nox.session(venv_backend="none")
def systems(session: nox.Session) -> None:
    """Try fresh Debian systems and every interpreter there is, as root; takes hours; arguments say what to try.

    What passes goes into the documentation's table.
    """
    if not session.posargs:
        session.notify("windows", ["--table"])
    command = ("python3", "-m", "systems", "--table", *session.posargs)
    session.run(*command, env={"PYTHONPATH": "tests"}, external=True)


@nox.session
def windows(session: nox.Session) -> None:
    """Run chosen tests on a CPython for Windows under wine, as root, or --all; arguments go to pytest there.

    With --table what passes goes into the documentation's table.
    """
    session.install("pip", "pytest")
    session.run("python", "-m", "windows", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session
def bench(session: nox.Session) -> None:
    """Measure; takes more than an hour; arguments go to benchmarks/run.py."""
    session.install(".", *group("bench"))
    session.run("python", "benchmarks/run.py", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build the sdist, and from it the wheel, into dist/."""
    session.install("build")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", "dist")
