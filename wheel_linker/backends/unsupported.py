"""The backend of platforms without a call that clones."""

from __future__ import annotations

from wheel_linker._compat.override import override
from wheel_linker.backends.protocol import Backend, refuse


class UnsupportedBackend(Backend):
    """Refuses every call with ENOTSUP, so that the fallback chain moves on."""

    @override
    def clone_file(
        self,
        source: str,
        destination: str,
        *,
        source_dir: int | None = None,
        destination_dir: int | None = None,
    ) -> None:
        """Refuse.

        :raises OSError: ENOTSUP, always.
        """
        refuse(source, destination)
