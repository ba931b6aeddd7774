"""Facts of the machine that figures depend on; neither its name nor its paths."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

from benchmarks import commands

DISTRIBUTIONS = ("uv", "installer", "isal", "pip", "tox", "tox-uv", "virtualenv")


def first_line(*command: str) -> str:
    """What a program says of its version; empty when it is not there."""
    try:
        return commands.run(command).splitlines()[0]
    except (OSError, commands.CommandError, IndexError):
        return ""


def version_of(distribution: str) -> str:
    """The version of an installed distribution; empty when there is none."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def processor() -> str:
    """The processor's name, where Linux tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else ""


def usable_processors() -> int:
    """How many processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def library() -> str:
    """The library's version, and the commit where there is a checkout; changed files are told."""
    git = ("git", "-C", str(commands.PROJECT))
    commit = first_line(*git, "rev-parse", "--short", "HEAD")
    changed = first_line(*git, "status", "--porcelain", "--", "wheel_linker")
    state = f"{commit}, changed" if changed else commit
    return f"{version_of('wheel-linker')} ({state})" if commit else version_of("wheel-linker")


def memory() -> str:
    """How much memory there is."""
    if not hasattr(os, "sysconf"):
        return ""
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB"


def facts() -> dict[str, str]:
    """Name to value, unknown ones left out."""
    found = {
        "kernel": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": processor(),
        "processors usable": str(usable_processors()),
        "memory": memory(),
        "wheel_linker": library(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "C compiler": first_line("cc", "--version"),
        "cp": first_line("cp", "--version"),
        **{name: version_of(name) for name in DISTRIBUTIONS},
    }
    return {name: value for name, value in found.items() if value}
