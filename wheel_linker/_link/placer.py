"""Placing the files of one wheel, directory by directory, in the mode that works."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs import sharing
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.sharing import NotSharedError, is_owned
from wheel_linker._fs.timestamps import as_written
from wheel_linker._link.fallback import Cause, Ladder, classify
from wheel_linker._link.placing import Loops
from wheel_linker._link.report import Fallbacks, LinkReport, Tally
from wheel_linker._wheel.order import is_path_configuration
from wheel_linker._wheel.tree import NotAsUnpackedError, is_metadata
from wheel_linker.errors import VANISHED, LinkError
from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheel_linker._link.options import MustCopy
    from wheel_linker._link.report import Fallback
    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.tree import Directory, Tree
    from wheel_linker.backends import Backend

_RECORD: Final = "RECORD"
# A bundle of macOS, of which some files cannot be hard-linked.
_BUNDLE: Final = f".app{os.sep}"
_MAY_BE_COPIED: Final = {errno.EPERM: "allow the mode 'copy' after it"}


class _Way(NamedTuple):
    """Where the files of one directory come from and go to, and how."""

    directory: Directory
    source: Folder
    target: Folder
    loops: Loops


class Placer:
    """Places files of one wheel, and keeps what is learnt of its modes.

    Threads may share it, each with directories of its own.

    :ivar tree: the wheel; what of it was left to be read is in it when everything is placed.
    :ivar chain: the modes to try.
    :ivar backend: how to clone.
    :ivar name: what the wheel is called, for those who follow the progress.
    :ivar keeps_times: the parameter of that name.

    :param tree: the wheel.
    :param chain: the modes to try.
    :param backend: how to clone.
    :param must_copy: the caller's files that need a private copy, besides RECORD.
    :param destination: the path of ``site_packages``, for messages.
    :param native: the modes to try for native libraries and executables, if these are others.
    :param name: what the wheel is called.
    :param keeps_times: whether copies and clones of Python sources get the times of these, which their bytecode names.
    """

    def __init__(
        self,
        tree: Tree,
        chain: tuple[LinkMode, ...],
        backend: Backend,
        must_copy: MustCopy | None,
        destination: str,
        native: tuple[LinkMode, ...] | None = None,
        name: str = "",
        *,
        keeps_times: bool = False,
    ) -> None:
        self.tree = tree
        self.name = name
        self.chain = chain
        self._found: list[Directory] = []
        self._ladder = Ladder(chain)
        # A file that will be edited must not share its inode, whatever mode the others end in.
        self._private = Ladder(tuple(dict.fromkeys(map(_unshared, chain))))
        self._native = None if native in (None, chain) else Ladder(native)
        self._must_copy = must_copy
        self._destination = destination
        self.backend = backend
        self._fallbacks = Fallbacks()
        self._used = Tally(self._fallbacks)
        self._used_natively = Tally(self._fallbacks)
        self._forced = Tally(None)
        self.keeps_times = keeps_times
        # Threads may append to a list without a lock, in every interpreter.
        self._executables: list[int] = []
        self._loops = Loops(backend, trusted=tree.trusted, keeps_times=keeps_times)
        exclusive = tree.unpacked is not None and tree.unpacked.exclusive
        # For files whose owners and bits have been looked at already.
        self._loops_seen = (
            Loops(backend, trusted=True, keeps_times=keeps_times) if exclusive else self._loops
        )

    def place(self, directory: Directory, source: Folder, target: Folder) -> None:
        """Place the files of one directory into ``target``, where none of their names is taken.

        :raises NotAsUnpackedError: if one of them is not as it should be.
        :raises LinkError: if a file can be placed by no mode of the chain.
        """
        sizes = self.sizes_of(directory)
        seen = sizes is not None and self._look_at(directory, sizes, source)
        way = _Way(directory, source, target, self._loops_seen if seen else self._loops)
        names: Sequence[str] = directory.files
        if self._has_private(directory):
            names = self._place_private(way)
        if self._native is not None:
            names = self._place_native(names, self._native, way)
        if names:
            self._place(names, self._ladder, self._used, way)
        for name, link_target in directory.links:
            self._recreate(name, link_target, source, target)

    @property
    def mode(self) -> LinkMode:
        """The mode that the next file is tried with."""
        return self._ladder.mode

    def is_simple(self, directory: Directory) -> bool:
        """Tell whether a directory has files only, all of them to be placed in the same mode."""
        return self._native is None and not directory.links and not self._has_private(directory)

    def note_found(self, directories: Iterable[Directory]) -> None:
        """Take note of directories that were read."""
        self._found.extend(directories)

    def sizes_of(self, directory: Directory) -> list[int] | None:
        """Return the sizes that the files of a directory should have, if they have to be looked at."""
        if self.tree.unpacked is None or is_metadata(directory):
            return None
        return directory.sizes

    def note_looked_at(self, executables: int) -> None:
        """Take note of files that are as they should be, so many of them executable."""
        self._executables.append(executables)

    def _look_at(self, directory: Directory, sizes: Sequence[int], source: Folder) -> bool:
        """Look at the files of a directory; tell whether each may have a second name."""
        assert self.tree.unpacked is not None
        seen = as_written(source, directory.files, sizes, self.tree.unpacked.stamp)
        if seen is None:
            raise self.changed()
        self.note_looked_at(seen.executables)
        return seen.shareable

    def changed(self) -> NotAsUnpackedError:
        """Return the error that says that files of the wheel are not as they should be."""
        return NotAsUnpackedError(f"files of {self.tree.called!r} are not as they were unpacked")

    def note_placed_all(self) -> None:
        """Take note that all files have been placed, and the wheel been read to its end.

        :raises NotAsUnpackedError: if not as many of them are executable as were.
        :raises InvalidWheelError: if a symlink leads out of it.
        """
        unpacked = self.tree.unpacked
        if unpacked is not None and sum(self._executables) < unpacked.executables:
            raise self.changed()
        if not self.tree.is_read:
            from wheel_linker._wheel.scan import refuse_escaping_links  # loaded already

            self.tree = self.tree.read(self._found)
            refuse_escaping_links(self.tree)

    def note_placed(self, mode: LinkMode, files: int) -> None:
        """Count files that were placed elsewhere."""
        if files:
            self._ladder.placed(mode)
            self._used.add(mode, files)

    def try_whole(self, source: str, target: Folder, name: str) -> bool:
        """Clone the whole wheel in one call, where that is asked for and the backend can.

        :param source: the path of the wheel's root.
        :returns: whether ``name`` now is such a clone in ``target``; if not, nothing is there.
        :raises LinkError: if the reason is none that placing single files could mend.
        """
        if self._ladder.mode is not LinkMode.CLONE or not self.backend.clones_directories:
            return False
        if self.tree.unpacked is not None or not self.tree.files:
            # Files that have to be looked at are placed one by one. A tree without files may stand for a wheel of which
            # nothing is wanted, and then nothing may be cloned.
            return False
        try:
            if sharing.HAS_FLAGS and self._has_flags():
                return False
            if self._native is not None and self._has_native():
                return False
            self.backend.clone_directory(source, os.path.join(target.path, name))
        except OSError as error:
            if classify(error) is Cause.FATAL:
                raise self._error(error, LinkMode.CLONE, source, self._destination) from error
            # The loop over single files finds out which file was refused, and what the chain has for it.
            return False
        links = sum(len(directory.links) for directory in self.tree.directories)
        self._used.add(LinkMode.CLONE, self.tree.files - links)
        self._forced.add(LinkMode.SYMLINK, links)
        return True

    def report(self, wheel: WheelFilename, replaced: Sequence[str]) -> LinkReport:
        """Sum up what was done."""
        used, apart, forced = self._used.sums(), self._used_natively.sums(), self._forced.sums()
        total = {mode: used[mode] + apart[mode] + forced[mode] for mode in used}
        mode = max(self.chain, key=lambda mode: (used[mode], mode is self._ladder.mode))
        return LinkReport(
            wheel=wheel,
            requested=self.chain,
            mode=mode,
            files=self.tree.files,
            used={mode: count for mode, count in total.items() if count},
            fallbacks=self.fallbacks(),
            fallback_count=_others(used, self._ladder) + _others(apart, self._native),
            replaced=tuple(sorted(replaced)),
        )

    def fallbacks(self) -> tuple[Fallback, ...]:
        """Return the first few refusals for each mode and cause."""
        return self._fallbacks.noted()

    def _has_private(self, directory: Directory) -> bool:
        """Tell whether files of a directory may need a copy of their own."""
        if self._must_copy is not None or directory.has_record():
            return True
        # A hidden ``*.pth`` file is not read, and a flag that one environment sets would hide it in all.
        return sharing.HAS_FLAGS and not directory.parts

    def _has_flags(self) -> bool:
        """Tell whether anything in the wheel has flags that a clone of the whole would have too."""
        for directory in self.tree.directories:
            path = os.path.join(self.tree.path, *directory.parts)
            for name in ("", *directory.files):
                if sharing.harmful(os.lstat(os.path.join(path, name))):
                    return True
        return False

    def _has_native(self) -> bool:
        """Tell whether any file of the wheel is native."""
        from wheel_linker._wheel.native import is_native  # few calls have modes for these

        for directory in self.tree.directories:
            path = os.path.join(self.tree.path, *directory.parts)
            folder = Folder.by_path(path)
            if any(is_native(folder, name) for name in directory.files):
                return True
        return False

    def _place_native(
        self,
        names: Sequence[str],
        ladder: Ladder,
        way: _Way,
    ) -> Sequence[str]:
        """Place native files in their own mode; return the names of the others."""
        from wheel_linker._wheel.native import is_native  # few calls have modes for these

        native: list[str] = []
        others: list[str] = []
        for name in names:
            (native if is_native(way.source, name) else others).append(name)
        self._place(native, ladder, self._used_natively, way)
        return others

    def _place_private(self, way: _Way) -> list[str]:
        """Place the files that need a copy of their own; return the names of the others."""
        directory = way.directory
        copied = self._asked_to_copy(directory)
        copied.add(_RECORD)
        if sharing.HAS_FLAGS and not directory.parts:
            copied.update(filter(is_path_configuration, directory.files))
        private = [name for name in directory.files if name in copied]
        self._place(private, self._private, self._forced, way)
        return [name for name in directory.files if name not in copied]

    def _asked_to_copy(self, directory: Directory) -> set[str]:
        """Return the names of those files of a directory that the caller wants to be copies."""
        must_copy = self._must_copy
        if must_copy is None:
            return set()
        from pathlib import PurePosixPath  # to import it takes longer than to link a small wheel

        from wheel_linker._link.options import ask  # loaded already

        parent = PurePosixPath(*directory.parts)
        return {
            name for name in directory.files if name != _RECORD and ask(must_copy, parent / name)
        }

    def _place(
        self,
        names: Sequence[str],
        ladder: Ladder,
        tally: Tally,
        way: _Way,
    ) -> None:
        directory, source, target, loops = way
        while names:
            mode = ladder.mode
            done, error = loops[mode](names, source, target)
            if done:
                ladder.placed(mode)
                tally.add(mode, done)
            if error is None:
                return
            refusals = [(mode, error)]
            used = self._fall_back(refusals, ladder, names[done], way)
            tally.add_refused(directory.path_of(names[done]), refusals, used)
            names = names[done + 1 :]

    def _fall_back(
        self,
        refusals: list[tuple[LinkMode, OSError]],
        ladder: Ladder,
        name: str,
        way: _Way,
    ) -> LinkMode:
        """Try the rest of the chain for one file; return the mode that worked, note those that did not."""
        directory, source, target, loops = way
        while True:
            refused, error = refusals[-1]
            mode = ladder.refused(refused, self._cause(refused, error, source, name))
            if mode is None:
                destination = os.path.join(self._destination, *directory.parts, name)
                original = os.path.join(source.path, name)
                raise self._error(error, refused, original, destination) from error
            _, following = loops[mode]((name,), source, target)
            if following is None:
                ladder.placed(mode)
                return mode
            refusals.append((mode, following))

    def _cause(self, mode: LinkMode, error: OSError, source: Folder, name: str) -> Cause:
        """Tell whether a refusal is about one file only.

        link(2) says EPERM of a file that is another's (fs.protected_hardlinks), or in a bundle of macOS, as well as
        of a file system that knows no hard links.
        """
        if isinstance(error, NotSharedError):
            return Cause.NOT_THIS_FILE
        cause = classify(error)
        if mode is LinkMode.SYMLINK and error.errno == errno.ENAMETOOLONG:
            # XFS takes targets of 1,024 bytes. If it is the name that is too long, the copy is refused as well.
            return Cause.NOT_THIS_FILE
        if (
            cause is Cause.NOT_SUPPORTED
            and mode is LinkMode.HARDLINK
            and error.errno == errno.EPERM
        ):
            status = source.lstat(name)
            if _BUNDLE in source.path or (status is not None and not is_owned(status)):
                return Cause.NOT_THIS_FILE
        return cause

    def _recreate(self, name: str, link_target: str, source: Folder, target: Folder) -> None:
        """Make one of the wheel's own symlinks again, as it is."""
        try:
            is_directory = os.name == "nt" and os.path.isdir(os.path.join(source.path, name))
            os.symlink(link_target, target.prefix + name, is_directory, dir_fd=target.fd)
        except OSError as error:
            original = os.path.join(source.path, name)
            raise self._error(
                error, LinkMode.SYMLINK, original, os.path.join(target.path, name)
            ) from error
        self._forced.add(LinkMode.SYMLINK, 1)

    def _error(self, error: OSError, mode: LinkMode, source: str, destination: str) -> LinkError:
        doing = f"{mode} {source!r} to {destination!r}"
        return LinkError.from_os_error(
            error,
            doing,
            source=source,
            destination=destination,
            mode=mode,
            advice=_MAY_BE_COPIED if isinstance(error, NotSharedError) else VANISHED,
        )


def _others(counts: dict[LinkMode, int], ladder: Ladder | None) -> int:
    """Return how many files ended in another mode than the first."""
    return 0 if ladder is None else sum(counts.values()) - counts[ladder.modes[0]]


def _unshared(mode: LinkMode) -> LinkMode:
    return LinkMode.COPY if mode in (LinkMode.HARDLINK, LinkMode.SYMLINK) else mode
