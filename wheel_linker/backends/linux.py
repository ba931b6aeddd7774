"""Cloning on Linux: the FICLONE ioctl, for btrfs, XFS, bcachefs, OCFS2, ZFS, overlayfs above those, NFS 4.2, SMB."""

from __future__ import annotations

import sys
from typing import Final

from wheel_linker._compat.override import override
from wheel_linker._fs.copying import create_from
from wheel_linker.backends.protocol import Backend

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

# <linux/fs.h>: _IOW(0x94, 9, int); the few machines that encode it differently have it from Python 3.13 on.
_FICLONE: Final = getattr(fcntl, "FICLONE", 0x40049409)


class LinuxBackend(Backend):
    """Clones single files by the ioctl FICLONE, ioctl_ficlone(2), which releases the interpreter's lock."""

    @override
    def clone_file(
        self,
        source: str,
        destination: str,
        *,
        source_dir: int | None = None,
        destination_dir: int | None = None,
    ) -> None:
        """Create ``destination`` and let it share all blocks of ``source``.

        :raises OSError: EOPNOTSUPP, EXDEV, EINVAL and others as in ioctl_ficlone(2); FileExistsError.
        """
        create_from(share_blocks, source, destination, source_dir, destination_dir)


def share_blocks(new: int, original: int, _size: int) -> None:
    """Let a new file share all blocks of another. The errors are those of :meth:`LinuxBackend.clone_file`."""
    if sys.platform != "win32":
        fcntl.ioctl(new, _FICLONE, original)
