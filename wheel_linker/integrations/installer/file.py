"""A file of an unpacked wheel, as a stream that knows where it comes from."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from wheel_linker._compat.override import override

if TYPE_CHECKING:
    from wheel_linker._fs.folder import Parts
    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.record import Row
    from wheel_linker._wheel.tree import Tree


class UnpackedFile(io.RawIOBase):
    """A stream of the content of one file; it is opened when it is first read from, and so never if it is linked.

    :ivar name: the file's absolute path.
    :ivar filename: what the wheel is called.
    :ivar tree: the wheel.
    :ivar parts: the names that lead to the file from the wheel's root.
    :ivar row: what the wheel's ``RECORD`` says of it; None if that has no hash, or another size than the file.
    :ivar size: how many bytes it has.
    :ivar executable: whether anybody may execute it.
    """

    def __init__(
        self,
        filename: WheelFilename,
        tree: Tree,
        parts: Parts,
        path: str,
        row: Row | None,
        size: int,
        executable: bool,
    ) -> None:
        super().__init__()
        self.name = path
        self.filename = filename
        self.tree = tree
        self.parts = parts
        self.row = row
        self.size = size
        self.executable = executable
        self._file: io.FileIO | None = None

    @override
    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    @override
    def seekable(self) -> bool:
        """Say that it can be read again."""
        return True

    @override
    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        """Fill a buffer with what comes next; return how many bytes that were."""
        return self._opened().readinto(buffer)

    @override
    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to another position; return it."""
        return self._opened().seek(offset, whence)

    @override
    def tell(self) -> int:
        """Return the position."""
        return self._opened().tell()

    @override
    def fileno(self) -> int:
        """Return the descriptor of the file, which is opened for that."""
        return self._opened().fileno()

    @override
    def close(self) -> None:
        """Close the file, if it was opened."""
        if self._file is not None:
            self._file.close()
        super().close()

    def _opened(self) -> io.FileIO:
        if self.closed:
            raise ValueError(f"the stream of {self.name!r} is closed")
        if self._file is None:
            self._file = io.FileIO(self.name)
        return self._file
