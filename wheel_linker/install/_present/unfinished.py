"""The sign that a distribution is being changed: a row of its ``RECORD`` for a file that never is there.

A process that is killed cannot take it away. As long as it is there, the other rows tell what may have to go, and not
that all of it is there. Other tools take it for a file that is missing.
"""

from __future__ import annotations

from typing import Final

from wheel_linker._wheel.record import rows_of

_NAME: Final = "UNFINISHED"
# A path with a comma is quoted.
_ENDS: Final = (f"/{_NAME},,".encode(), f'/{_NAME}",,'.encode())


def is_unfinished(record: bytes) -> bool:
    """Tell whether somebody is about to change what a ``RECORD`` is of, or was killed over it."""
    return record.rstrip().endswith(_ENDS)


def unfinished(record: bytes, coming: bytes, info: str) -> bytes:
    """Return a distribution's ``RECORD`` with the sign.

    :param coming: the rows of what may come into its place.
    :param info: the name of its ``*.dist-info``.
    """
    sign = rows_of([(f"{info}/{_NAME}", None)])
    parts = [part.rstrip(b"\r\n") for part in (record, coming, sign)]
    return b"\n".join([*filter(None, parts), b""])
