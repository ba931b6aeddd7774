"""Requirements resolved by pip, and their wheels: from the store by their SHA-256, else fetched or built by pip."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._wheel.filename import normalised
from wheel_linker.integrations.pip.running import PipError, run_pip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.integrations.pip.running import RunPip
    from wheel_linker.store import StoredWheel, WheelStore

_WHEEL: Final = ".whl"
_SHA256: Final = "sha256"
_PREFIX: Final = "wheel_linker-pip-"


class Project(NamedTuple):
    """A project that pip installs in place."""

    address: str
    """Its directory, or the address of a repository."""
    settings: str = ""
    """As those of :class:`Resolved`."""


class Resolved(NamedTuple):
    """One distribution that pip chose."""

    name: str
    """Its normalised name."""
    version: str
    """Its version, as its metadata has it."""
    url: str
    """Where pip takes it from."""
    sha256: str | None
    """The digest of that file; None for directories and version control."""
    requested: bool
    """Whether it was asked for itself."""
    direct_url: Mapping[str, object] | None
    """What ``direct_url.json`` says (PEP 610), if it was asked for by its address."""
    editable: bool
    """Whether it is a project to be installed in place, which is left to pip."""
    settings: str = ""
    """The options that a file of requirements has for it alone, but for hashes."""

    @property
    def is_wheel(self) -> bool:
        """Whether it is a wheel already."""
        return urlsplit(self.url).path.endswith(_WHEEL)

    def requirement(self) -> str:
        """Return a line that requires just this, by its address, for :command:`pip wheel`."""
        address, fragments = self.url, []
        origin = self.direct_url or {}
        repository = origin.get("vcs_info")
        if isinstance(repository, dict):
            # pip's report has spaces of the repository's path as they are, and reads none in an address.
            address = address.replace(" ", "%20")
            address = f"{repository['vcs']}+{address}@{repository['commit_id']}"
        elif self.sha256 is not None:
            # pip checks the digest, and keeps a wheel that it has built under a name that has it.
            fragments.append(f"{_SHA256}={self.sha256}")
        if "subdirectory" in origin:
            fragments.append(f"subdirectory={origin['subdirectory']}")
        return f"{self.name} @ {'#'.join([address, *(['&'.join(fragments)] if fragments else [])])}"


def gather(
    requirements: Iterable[str],
    *,
    python: str | os.PathLike[str],
    requirement_files: Iterable[str | os.PathLike[str]] = (),
    constraints: Iterable[str | os.PathLike[str]] = (),
    pip_args: Sequence[str] = (),
    wheel_dir: str | os.PathLike[str] | None = None,
) -> list[Path]:
    """Have pip resolve requirements, and fetch or build the wheels of all that is needed.

    :param requirements: as on pip's command line, such as ``rich>=13`` or ``./project[extra]``.
    :param python: the interpreter that the wheels are for; it needs no pip.
    :param requirement_files: as for ``pip install -r``.
    :param constraints: as for ``pip install -c``.
    :param pip_args: further arguments of ``pip wheel``, such as ``["--index-url", ...]``.
    :param wheel_dir: where the wheel files go; by default a new temporary directory, which the caller removes.
    :returns: the wheel files that are needed, by name. Others that ``wheel_dir`` held before are not among them.
    :raises PipError: if pip fails; what it said went to standard error.
    """
    arguments = [*_arguments(requirements, requirement_files, constraints), *pip_args]
    target = Path(mkdtemp(prefix="wheels-")) if wheel_dir is None else Path(os.fspath(wheel_dir))
    # The wheels come into a directory of their own first, since pip does not tell which of them were there before.
    with TemporaryDirectory(prefix=_PREFIX) as fresh:
        _wheel("find and build wheels", python, [*arguments, "--wheel-dir", fresh])
        target.mkdir(parents=True, exist_ok=True)
        return [_moved(path, target) for path in sorted(Path(fresh).glob(f"*{_WHEEL}"))]


def resolve(
    requirements: Iterable[str],
    *,
    python: str | os.PathLike[str],
    requirement_files: Iterable[str | os.PathLike[str]] = (),
    constraints: Iterable[str | os.PathLike[str]] = (),
    pip_args: Sequence[str] = (),
    ignore_installed: bool = True,
    report: str | os.PathLike[str] | None = None,
    run: RunPip | None = None,
) -> list[Resolved]:
    """Have pip choose what satisfies requirements, without installing anything.

    :param requirements: as for :func:`gather`.
    :param python: as for :func:`gather`.
    :param requirement_files: as for :func:`gather`.
    :param constraints: as for :func:`gather`.
    :param pip_args: further arguments of ``pip install``, such as ``["--index-url", ...]``.
    :param ignore_installed: whether what the environment has already is chosen as well.
    :param report: the file for pip's report, as ``pip install --report`` writes it; by default it is not kept.
    :param run: runs pip's command line, and returns what it ended with; by default a subprocess whose output goes to
        standard error.
    :returns: what would be installed, each after what it requires.
    :raises PipError: if pip fails; what it said went to standard error.
    """
    with TemporaryDirectory(prefix=_PREFIX) as directory:
        path = os.path.join(directory, "report.json") if report is None else os.fsdecode(report)
        options = ["--dry-run", "--quiet"]
        if ignore_installed:
            options.append("--ignore-installed")
        given = _arguments(requirements, requirement_files, constraints)
        # pip takes the last of several reports.
        command = ["install", *options, *given, *pip_args, "--report", path]
        run_pip("resolve the requirements", python, command, run)
        with open(path, encoding="utf-8") as file:
            return [_resolved(item) for item in json.load(file)["install"]]


def resolve_lines(
    lines: Sequence[str], *, python: str | os.PathLike[str], run: RunPip | None = None
) -> list[Resolved]:
    """Have pip say what lines of a requirements file stand for, without what these require.

    :param lines: of a requirements file.
    :param run: as for :func:`resolve`.
    :raises PipError: if pip fails.
    """
    with TemporaryDirectory(prefix=_PREFIX) as directory:
        file = _written(lines, directory)
        return resolve([], python=python, pip_args=["--no-deps", "-r", file], run=run)


def obtain(
    requirements: Iterable[str],
    *,
    python: str | os.PathLike[str],
    store: WheelStore,
    requirement_files: Iterable[str | os.PathLike[str]] = (),
    constraints: Iterable[str | os.PathLike[str]] = (),
    pip_args: Sequence[str] = (),
) -> list[UnpackedWheel]:
    """Have pip resolve requirements, and return unpacked wheels of all that is needed.

    What the store has, by the SHA-256 that pip names, is not fetched again.

    :param requirements: as for :func:`gather`.
    :param python: as for :func:`gather`.
    :param store: where wheels are looked for, and kept.
    :param requirement_files: as for :func:`gather`.
    :param constraints: as for :func:`gather`.
    :param pip_args: as for :func:`resolve`.
    :returns: unpacked wheels, each after what it requires.
    :raises PipError: if pip fails, or a requirement is editable.
    :raises InvalidWheelError: as :meth:`~wheel_linker.store.WheelStore.add`.
    :raises LinkError: as :meth:`~wheel_linker.store.WheelStore.add`.
    """
    from wheel_linker.integrations.pip.named_files import editable_beside_hashes, options_of

    named = _arguments((), requirement_files, constraints)
    line = editable_beside_hashes(named)
    if line is not None:
        raise PipError(
            f"{line!r} cannot stand beside hashes, since pip has no single file to check:"
            " move it to a file of its own, and install that by: wheel-linker pip install -r FILE"
        )
    given = [*named, *pip_args]
    chosen = resolve(requirements, python=python, pip_args=given)
    for one in chosen:
        if one.editable:
            files = "".join(f" {word}" for word in named)
            raise PipError(
                f"{one.name!r} is to be editable, and has no wheel:"
                f" install it by: wheel-linker pip install{files}"
            )
    index, options = index_options(pip_args), options_of(given)
    chosen = with_settings(chosen, given)
    return list(wheels_of(chosen, python=python, store=store, index=index, options=options))


def with_settings(
    chosen: Sequence[Resolved], given: Sequence[str], directory: str = os.curdir
) -> list[Resolved]:
    """Return what pip chose with the options that files of requirements name for it.

    :param given: arguments of pip.
    :param directory: what paths are relative to.
    """
    from wheel_linker.integrations.pip.of_requirements import settings_for

    found = settings_for([(one.name, one.url) for one in chosen], given, directory)
    return [one._replace(settings=settings) for one, settings in zip(chosen, found)]


def project_of(chosen: Resolved) -> Project:
    """Return what :command:`pip install --editable` is to be given for a project to be installed in place."""
    address = chosen.requirement().partition(" @ ")[2]
    if not address.startswith("file:"):
        address = f"{address}{'&' if '#' in address else '#'}egg={chosen.name}"
        return Project(address, chosen.settings)
    below = str((chosen.direct_url or {}).get("subdirectory", ""))
    return Project(os.path.join(_path(chosen.url), below), chosen.settings)


def wheels_of(
    chosen: Sequence[Resolved],
    *,
    python: str | os.PathLike[str],
    store: WheelStore,
    index: Sequence[str] = (),
    options: Sequence[str] = (),
    run: RunPip | None = None,
) -> list[StoredWheel]:
    """Return unpacked wheels of what pip chose, in the same order.

    :param index: the arguments of pip's that say where distributions are found.
    :param options: lines of a requirements file that say so.
    :param run: as for :func:`resolve`.
    :raises PipError: if pip cannot fetch or build one.
    """
    found: dict[str, StoredWheel] = {}
    missing = []
    for one in chosen:
        wheel = store.find(one.sha256) if one.is_wheel and one.sha256 else None
        if wheel is None:
            missing.append(one)
        else:
            found[one.name] = wheel
    found.update(_fetched(missing, python, store, index, options, run))
    return [found[one.name] for one in chosen]


def _fetched(
    missing: Sequence[Resolved],
    python: str | os.PathLike[str],
    store: WheelStore,
    index: Sequence[str],
    options: Sequence[str],
    run: RunPip | None,
) -> dict[str, StoredWheel]:
    """Have pip fetch and build wheels, and add them to the store; return them by name."""
    paths = {
        one.name: _path(one.url) for one in missing if one.is_wheel and one.url.startswith("file:")
    }
    with TemporaryDirectory(prefix=_PREFIX) as directory:
        lines = [f"{one.requirement()} {one.settings}" for one in missing if one.name not in paths]
        if lines:
            whole = [*options, *lines]
            paths.update(fetch_wheels(whole, python=python, into=directory, index=index, run=run))
        names = [one.name for one in missing]
        lacking = [name for name in names if name not in paths]
        if lacking:
            raise PipError(f"pip fetched no wheel of {', '.join(lacking)}")
        return dict(zip(names, store.add_all([paths[name] for name in names])))


def fetch_wheels(
    lines: Sequence[str],
    *,
    python: str | os.PathLike[str],
    into: str,
    index: Sequence[str] = (),
    run: RunPip | None = None,
) -> dict[str, str]:
    """Have pip fetch or build wheels of exactly these requirements, without what they require.

    :param lines: of a requirements file.
    :param into: an empty directory for the wheel files.
    :param run: as for :func:`resolve`.
    :returns: the paths of the wheel files by the normalised names of their distributions.
    :raises PipError: if pip fails.
    """
    from wheel_linker.integrations.pip.settings import fetching_settings

    file = _written(lines, into)
    given = [*fetching_settings(os.fsdecode(python), index), *index]
    _wheel("fetch wheels", python, ["--no-deps", "--wheel-dir", into, "-r", file, *given], run)
    wheels = (name for name in os.listdir(into) if name.endswith(_WHEEL))
    return {normalised(name.split("-", 1)[0]): os.path.join(into, name) for name in wheels}


def install_editable(
    projects: Sequence[Project],
    *,
    python: str | os.PathLike[str],
    index: Sequence[str] = (),
    options: Sequence[str] = (),
    run: RunPip | None = None,
) -> None:
    """Have pip itself install projects in place: there are no wheels of them that could be linked.

    :param projects: as :meth:`Resolved.project` names them.
    :param index: as for :func:`wheels_of`.
    :param options: as for :func:`wheels_of`.
    :param run: as for :func:`resolve`.
    :raises PipError: if pip fails.
    """
    from shlex import quote

    with TemporaryDirectory(prefix=_PREFIX) as directory:
        words = [f"--editable={one.address}" for one in projects if not one.settings]
        lines = [f"-e {quote(one.address)} {one.settings}" for one in projects if one.settings]
        if options or lines:
            words += ["-r", _written([*options, *lines], directory)]
        command = ["install", "--no-deps", *words, *index]
        run_pip("install the editable projects", python, command, run)


def _written(lines: Iterable[str], directory: str) -> str:
    """Write a file of requirements, and return its path."""
    path = os.path.join(directory, "requirements.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([*lines, ""]))
    return path


def index_options(pip_args: Sequence[str]) -> list[str]:
    """Return those of pip's arguments that say where distributions are found, and how they are built."""
    from wheel_linker.integrations.pip.arguments import parse

    return list(parse(pip_args).fetching)


def _wheel(
    doing: str,
    python: str | os.PathLike[str],
    arguments: Sequence[str],
    run: RunPip | None = None,
) -> None:
    run_pip(doing, python, ["wheel", *arguments], run)


def _arguments(
    requirements: Iterable[str],
    requirement_files: Iterable[str | os.PathLike[str]],
    constraints: Iterable[str | os.PathLike[str]],
) -> list[str]:
    arguments = list(requirements)
    for file in requirement_files:
        arguments += ["-r", os.fsdecode(file)]
    for file in constraints:
        arguments += ["-c", os.fsdecode(file)]
    return arguments


def _resolved(item: Mapping[str, object]) -> Resolved:
    metadata, origin = item["metadata"], item["download_info"]
    assert isinstance(metadata, dict)
    assert isinstance(origin, dict)
    directory = origin.get("dir_info", {})
    archive = origin.get("archive_info", {})
    direct = bool(item.get("is_direct"))
    return Resolved(
        name=normalised(metadata["name"]),
        version=metadata["version"],
        url=origin["url"],
        sha256=archive.get("hashes", {}).get(_SHA256) or _of_old_pip(archive.get("hash")),
        requested=bool(item.get("requested")),
        direct_url=origin if direct else None,
        editable=bool(directory.get("editable")),
    )


def _of_old_pip(text: str | None) -> str | None:
    """Return a SHA-256 from ``sha256=...``, which is all that pip before 23.1 says."""
    algorithm, _, digest = (text or "").partition("=")
    return digest if algorithm == _SHA256 else None


def _path(url: str) -> str:
    from urllib.request import url2pathname  # with it come ssl and http

    return url2pathname(urlsplit(url).path)


def _moved(path: Path, target: Path) -> Path:
    import shutil

    return Path(shutil.move(os.fspath(path), os.fspath(target / path.name)))
