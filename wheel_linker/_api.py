"""The public calls, and what they accept; how they are answered is loaded when they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._wheel.conflicts import refuse_unknown
from wheel_linker._wheel.unpacked import listed, unpacked

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from wheel_linker._archive.limits import Limits
    from wheel_linker._link.locks import Locks
    from wheel_linker._link.options import Exclude, LinkOptions, MustCopy
    from wheel_linker._link.report import LinkReport
    from wheel_linker._wheel.conflicts import OnConflict
    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.record_problems import RecordMode
    from wheel_linker._wheel.unpacked import UnpackedWheel, WheelLike
    from wheel_linker.backends import Backend
    from wheel_linker.mode import LinkMode, Modes


def link_wheel_files(
    site_packages: str | os.PathLike[str],
    wheel: WheelLike,
    *,
    mode: Modes = None,
    locks: Locks | None = None,
    filename: str | WheelFilename | None = None,
    must_copy: MustCopy | None = None,
    jobs: int = 1,
    progress: Callable[[int], object] | None = None,
    backend: Backend | None = None,
    native_mode: Modes = None,
    exclude: Exclude = None,
    exact: bool = False,
) -> LinkReport:
    """Put the files of one unpacked wheel into ``site_packages``, all of them or none.

    :param site_packages: the directory to link into; made with its parents if missing.
    :param wheel: the root of an unpacked wheel, as a path or an :class:`UnpackedWheel`.
    :param mode: one mode, a fallback chain, ``"auto"`` (:data:`AUTO`), or None for the platform's default.
    :param locks: what threads that link into the same environment share; by default a call has its own.
    :param filename: the wheel's file name; by default the wheel's own, or as its one ``*.dist-info`` says.
    :param must_copy: called with each file's path relative to the wheel: whether it will be edited after
        linking, and so needs a copy of its own where others are hard links or symlinks. Files named
        ``RECORD`` always get one. An exception that it raises ends the call, and is what that raises; so with
        ``exclude``.
    :param jobs: how many threads, the caller's included, work on the files. On Linux, if there are thousands of
        files, each of the other threads leaves its work to a helper process.
    :param progress: called with the number of files finished since the last call, in whichever thread
        finished them, one call at a time; a :class:`ProgressBar` is told the total and more. An exception that it
        raises ends the call, and ``site_packages`` is as it was before. It must not be an :exc:`OSError`.
    :param backend: how to clone; the platform's own by default.
    :param native_mode: as ``mode``, for native libraries and files that are executable; None for no difference. macOS
        checks the signature of such a file once for each inode: a clone is checked anew, and a hard link is not.
    :param exclude: what is left out: shell patterns, each compared with the path relative to the wheel and with the
        name alone (``*`` stands for slashes, too), or what is called with each such path, of files, symlinks and
        directories. Of a directory that is left out, everything is. What is there already of these stays.
        ``site_packages`` itself may lie in such a directory of the wheel, unless a backend clones whole directories.
    :param exact: whether ``site_packages`` ends as a mirror of the wheel: everything else that is there is removed, in
        the same all-or-nothing step, whoever put it there. What ``exclude`` names stays.
    :returns: what became of the files.
    :raises InvalidWheelError: if it is no unpacked wheel, holds what has no place in an environment, or its
        name is neither given nor found. Nothing has been touched then.
    :raises LinkError: if the file system refuses something. ``site_packages`` is as it was before then. That is a
        :exc:`LockTimeoutError` if another thread or process changes the directory for longer than ``locks`` waits.
    :raises ValueError: for an unknown mode, an empty chain, or fewer than one job.
    """
    given = unpacked(wheel)
    if filename is not None:
        given = given.renamed(filename)
    from wheel_linker._link.pipeline import link

    how = link_options(mode, locks, must_copy, jobs, progress, backend, native_mode, exclude, exact)
    return link(site_packages, [given], how)[0]


def link_wheels(
    site_packages: str | os.PathLike[str],
    wheels: Iterable[WheelLike],
    *,
    mode: Modes = None,
    locks: Locks | None = None,
    must_copy: MustCopy | None = None,
    jobs: int | None = None,
    on_conflict: OnConflict = "ignore",
    progress: Callable[[int], object] | None = None,
    backend: Backend | None = None,
    native_mode: Modes = None,
    exclude: Exclude = None,
    exact: bool = False,
) -> list[LinkReport]:
    """Put the files of many unpacked wheels into ``site_packages``: all wheels completely, or none.

    Where two wheels supply the same path the later one wins, whatever the number of threads.

    :param site_packages: the directory to link into; made with its parents if missing.
    :param wheels: the roots of unpacked wheels, as paths or :class:`UnpackedWheel`.
    :param mode: as for :func:`link_wheel_files`.
    :param locks: what threads that link into the same environment share.
    :param must_copy: as for :func:`link_wheel_files`.
    :param jobs: how many threads, the caller's included; by default as many as this process may use CPUs. Helper
        processes as for :func:`link_wheel_files`.
    :param on_conflict: what to do if wheels supply the same path with different contents: ``"ignore"``,
        ``"warn"`` (one :class:`PackageConflictWarning` for each) or ``"error"``.
    :param progress: as for :func:`link_wheel_files`.
    :param backend: how to clone; the platform's own by default.
    :param native_mode: as for :func:`link_wheel_files`.
    :param exclude: as for :func:`link_wheel_files`. What is left out of a wheel is in conflict with nothing.
    :param exact: as for :func:`link_wheel_files`, with all of the wheels.
    :returns: what became of each wheel, in the order given.
    :raises PackageConflictError: if ``on_conflict`` is ``"error"`` and there are conflicts. Nothing has been
        touched then.
    :raises InvalidWheelError: as for :func:`link_wheel_files`.
    :raises LinkError: if the file system refuses something. ``site_packages`` is as it was before then. That is a
        :exc:`LockTimeoutError` if another thread or process changes the directory for longer than ``locks`` waits.
    :raises ValueError: for an unknown mode, an empty chain, fewer than one job, or an unknown ``on_conflict``.
    """
    refuse_unknown(on_conflict)
    from wheel_linker._link.pipeline import link

    how = link_options(mode, locks, must_copy, jobs, progress, backend, native_mode, exclude, exact)
    return link(site_packages, [unpacked(wheel) for wheel in listed(wheels)], how, on_conflict)


def supported_modes(
    source: str | os.PathLike[str], destination: str | os.PathLike[str]
) -> dict[LinkMode, OSError | None]:
    """Try every mode between exactly this pair of directories, and leave nothing behind.

    A throw-away file is made in ``source``, and linked in each mode into a private directory in ``destination``. If
    ``source`` is not writable, the first file found in it is linked instead.

    :param source: where files would be linked from, such as a cache.
    :param destination: where they would be linked to, such as ``site-packages``.
    :returns: for each mode None if it works, else the error.
    :raises LinkError: if one of the two is no directory, nothing can be written to ``destination``, or ``source`` is
        not writable and has no file.
    """
    from wheel_linker._link.probe import probe

    return probe(source, destination)


def link_options(
    mode: Modes,
    locks: Locks | None,
    must_copy: MustCopy | None,
    jobs: int | None,
    progress: Callable[[int], object] | None,
    backend: Backend | None,
    native_mode: Modes = None,
    exclude: Exclude = None,
    exact: bool = False,
) -> LinkOptions:
    """Return what a call is asked for, from its arguments.

    :raises ValueError: for an unknown mode, an empty chain, or fewer than one job.
    """
    # Imported late, like the pipeline itself: importing the library costs an embedder little until it links.
    from wheel_linker._link.locks import Locks
    from wheel_linker._link.options import LinkOptions, excluding
    from wheel_linker._threads import refuse_no_jobs, usable_cpus
    from wheel_linker._wheel.progress import Progress
    from wheel_linker.backends import default_backend
    from wheel_linker.mode import fallback_chain

    refuse_no_jobs(jobs)
    return LinkOptions(
        chain=fallback_chain(mode),
        locks=Locks() if locks is None else locks,
        must_copy=must_copy,
        jobs=usable_cpus() if jobs is None else jobs,
        progress=Progress.of(progress),
        backend=default_backend() if backend is None else backend,
        native=None if native_mode is None else fallback_chain(native_mode),
        exclude=excluding(exclude),
        exact=exact,
    )


def write_record(tree: str | os.PathLike[str]) -> str:
    """Write the ``RECORD`` of an unpacked wheel anew, from the files that it has.

    Every file gets a row with its SHA-256 and size. Only ``RECORD`` itself has neither, and its signatures have no row
    (`recording installed projects`__). A ``RECORD`` that is there is replaced, not written to.

    __ https://packaging.python.org/en/latest/specifications/recording-installed-packages/

    :param tree: the root of an unpacked wheel.
    :returns: the path of ``RECORD``.
    :raises InvalidWheelError: if it is no unpacked wheel, or a symlink in it does not lead to a file.
    :raises LinkError: if a file cannot be read, or ``RECORD`` not be written. It is as it was then.
    """
    from wheel_linker._archive import packing

    return packing.write_record(tree)


def pack_wheel(
    tree: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    timestamp: float | None = None,
) -> str:
    """Make a ``.whl`` file of an unpacked wheel, with a ``RECORD`` of what it has; the same files make the same bytes.

    Entries are in the order of their paths with ``*.dist-info`` last. They have the mode 0644 or, if executable, 0755,
    and all of them the same time. A symlink is packed as the file that it leads to, and signatures of the old
    ``RECORD`` are left out. The bytes are the same wherever zlib compresses alike.

    :param tree: the root of an unpacked wheel; it is only read.
    :param to: a directory, made if missing, or the path of the ``.whl`` file; one that is there is replaced.
    :param timestamp: the time of all entries in seconds since the epoch, such as ``SOURCE_DATE_EPOCH`` asks for; by
        default the beginning of 1980, as are earlier ones.
    :returns: the path of the file.
    :raises InvalidWheelError: if it is no unpacked wheel, a symlink in it does not lead to a file, or its ``WHEEL``
        does not say for which Pythons it is and ``to`` is a directory.
    :raises LinkError: if a file cannot be read, or the wheel not be written. Nothing is left then.
    :raises ValueError: for a ``timestamp`` that is infinite, or no number.
    """
    from wheel_linker._archive import packing

    return packing.pack(tree, to, timestamp)


def unpack_wheel(
    wheel_file: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    record: RecordMode = "lenient",
    limits: Limits | None = None,
    jobs: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> UnpackedWheel:
    """Unpack a ``.whl`` file into a directory, safely, and whole or not at all.

    A :class:`~wheel_linker.store.WheelStore` unpacks wheels that are needed more than once, or by several processes.

    :param wheel_file: the ``.whl`` file.
    :param to: the directory, which is made; one that is there has to be empty.
    :param sha256: the SHA-256 that the file must have, in hexadecimal digits.
    :param record: what a ``RECORD`` that is not right means, as for :meth:`~wheel_linker.store.WheelStore.add`.
    :param limits: what the wheel may unpack to.
    :param jobs: how many threads, the caller's included; by default as many as this process may use CPUs.
    :param progress: as for :func:`link_wheel_files`, but called when files have been unpacked.
    :returns: the unpacked wheel.
    :raises InvalidWheelError: as for :meth:`~wheel_linker.store.WheelStore.add`. There is nothing at ``to`` then.
    :raises LinkError: if the file cannot be read, there is something at ``to``, or it cannot be written.
    :raises ValueError: if ``record`` is another word, or for fewer than one job.
    """
    from wheel_linker._archive.extracting import extract
    from wheel_linker._threads import refuse_no_jobs
    from wheel_linker._wheel.record_problems import refuse_unknown_record

    refuse_unknown_record(record)
    refuse_no_jobs(jobs)
    strict = record == "strict"
    return extract(
        wheel_file, to, sha256=sha256, strict=strict, limits=limits, jobs=jobs, progress=progress
    )
