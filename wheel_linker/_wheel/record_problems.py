"""What is not right about a wheel's ``RECORD``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._log import log, warn_caller
from wheel_linker.errors import RecordWarning, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

RecordProblemKind = Literal[
    "hash",
    "size",
    "no-hash",
    "missing",
    "bytecode",
    "extra",
    "absolute",
    "backslashes",
    "directory",
    "dist-info",
    "algorithm",
    "digest",
    "spelling",
    "columns",
    "unreadable",
    "bom",
    "crlf",
    "duplicate",
    "contradiction",
    "entry-twice",
]
"""How a ``RECORD`` differs from its wheel; :class:`RecordProblem` has the list with explanations."""

RecordMode = Literal["lenient", "strict"]
"""What a ``RECORD`` that is not right means: a note, or a refusal."""

_HARMLESS: Final = frozenset({"crlf", "duplicate", "spelling"})
_SHOWN: Final = 3


class RecordProblem(NamedTuple):
    """One thing in which a wheel's ``RECORD`` is not right."""

    kind: RecordProblemKind
    """What it is:

    - ``"hash"``, ``"size"``: the file has another one;
    - ``"no-hash"``: the row of a file has no hash;
    - ``"missing"``: a row of a file that is not there; ``"bytecode"`` if that is a ``.pyc`` file;
    - ``"extra"``: a file without a row;
    - ``"absolute"``, ``"backslashes"``: a path written with a slash before it, or with backslashes;
    - ``"directory"``: a row of a directory;
    - ``"dist-info"``: a path in which the wheel's ``*.dist-info`` or ``*.data`` is spelt otherwise;
    - ``"algorithm"``: a hash that is weaker than SHA-256, or unknown;
    - ``"digest"``: a hash that is not written in URL-safe base 64, but in hexadecimal digits, say;
    - ``"spelling"``: a hash with padding, or a size with something beside its digits;
    - ``"columns"``: a row of more or fewer than three columns;
    - ``"unreadable"``: what is no CSV or no UTF-8;
    - ``"bom"``, ``"crlf"``: a byte order mark, or line ends of Windows;
    - ``"duplicate"``, ``"contradiction"``: two rows of one file, which agree or do not;
    - ``"entry-twice"``: a file that is twice in the archive; the last counts.
    """
    path: str
    """The path as ``RECORD`` has it, or that of a file it lacks; empty if it is about ``RECORD`` as a whole."""
    detail: str
    """What is wrong, in words."""

    @property
    def is_harmless(self) -> bool:
        """Whether it is accepted with ``record="strict"`` as well."""
        return self.kind in _HARMLESS

    def __str__(self) -> str:
        return f"{self.path!r} {self.detail}" if self.path else f"it {self.detail}"


def described(problems: Sequence[RecordProblem]) -> str:
    """Return a few of the problems in words."""
    shown = "; ".join(map(str, problems[:_SHOWN]))
    more = len(problems) - _SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown


def warn_of_problems(
    wheel: str, problems: Sequence[RecordProblem], *, but_for: frozenset[str] = frozenset()
) -> None:
    """Give one warning of a wheel whose ``RECORD`` is not right, and log what is.

    :param wheel: what it is called.
    :param but_for: kinds that are no reason for a warning.
    """
    if not problems:
        return
    log("%s has a RECORD that is not right: %s", wheel, described(problems))
    serious = [
        problem for problem in problems if not problem.is_harmless and problem.kind not in but_for
    ]
    if serious:
        warn_caller(
            f"{printable(wheel)} is used though its RECORD is not right: {described(serious)}. To have such wheels "
            'refused, give record="strict"; to silence this, filter wheel_linker.RecordWarning',
            RecordWarning,
        )


def refuse_unknown_record(record: str) -> None:
    """Check what to do about a ``RECORD`` that is not right.

    :raises ValueError: if it is none of the accepted words.
    """
    words = get_args(RecordMode)
    if record not in words:
        raise ValueError(f"unknown record {record!r}: use one of {', '.join(words)}")
