"""The rows of a wheel's ``RECORD`` that the ``RECORD`` of what is installed has letter by letter.

They depend on nothing but the wheel, so that a store keeps them ready.

Format: "Recording installed projects", https://packaging.python.org/specifications/recording-installed-packages/
"""

from __future__ import annotations

from binascii import b2a_base64
from io import StringIO
from operator import itemgetter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker.errors import InvalidWheelError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

NOTES: Final = ("INSTALLER", "REQUESTED", "direct_url.json")
"""What an installer writes into the ``*.dist-info``, besides ``RECORD``."""


def carried_rows(text: str, dist_info: str) -> tuple[str, list[str]]:
    """Return the rows that stay as they are, and the paths of the rows that lack a size, or a hash as well.

    Signatures of ``RECORD`` have no hash there. What is in the data directory goes elsewhere, and has other rows.

    :param text: the wheel's ``RECORD``.
    :param dist_info: the directory that it lies in.
    """
    data = f"{dist_info.removesuffix('.dist-info')}.data/"
    own = [f"{dist_info}/{name}" for name in (RECORD, *NOTES)]
    replaced = (*(f"{path}," for path in own), data)
    gone = (*replaced, *(f'"{path}' for path in (*own, data)))
    lines = [line for line in _lines(text) if line and not line.startswith(gone)]
    kept = "".join([f"{line}\n" for line in lines])
    if ",\n" not in kept:  # so in nearly every wheel; faster than a look at each row
        return kept, []
    import csv  # imported late, here and below: few wheels need it

    without = [line for line in lines if line.endswith(",")]
    kept = "".join(f"{line}\n" for line in lines if not line.endswith(","))
    return kept, [next(csv.reader([line]))[0] for line in without]


def _lines(text: str) -> Sequence[str]:
    """Return each row as it is written.

    A row that is quoted or has a CR is written anew: its path may have a line end.
    """
    if '"' not in text:
        text = text.replace("\r\n", "\n")
        if "\r" not in text:
            return text.split("\n")
    import csv

    return _quoted(csv.reader(StringIO(text, newline="")))


RECORD: Final = "RECORD"
SIGNATURES: Final = ("RECORD.jws", "RECORD.p7s")
"""What may be beside ``RECORD`` without being named in it."""
SHA256: Final = "sha256"
# "sha256 or better": MD5, SHA-1 and SHA-224 are not permitted.
ALGORITHMS: Final = {
    SHA256: 32,
    "sha384": 48,
    "sha512": 64,
    "sha3_256": 32,
    "sha3_384": 48,
    "sha3_512": 64,
    "blake2b": 64,
    "blake2s": 32,
}
"""The algorithms that a hash may be made by, each with the number of bytes of its digests."""
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_SHOWN: Final = 3


class Row(NamedTuple):
    """What must be true of one file."""

    algorithm: str
    digest: str
    """URL-safe base 64 without padding."""
    size: int | None
    """How many bytes the file has, if the row says so."""


def rows_of(entries: Iterable[tuple[str, Row | None]]) -> bytes:
    """Return the rows of a ``RECORD``, in the order of their paths; None leaves hash and size empty."""
    rows = [_columns(*entry) for entry in sorted(entries, key=itemgetter(0))]
    text = "".join([f"{path},{digest},{size}\n" for path, digest, size in rows])
    if not _is_plain(text, len(rows)):
        text = in_lines(rows)
    return text.encode("utf-8")


def _quoted(rows: Iterable[Sequence[object]]) -> list[str]:
    """Return rows as CSV has them, without the ends of their lines."""
    import csv

    lines: list[str] = []
    # Before Python 3.13, the module csv quotes of CR and LF only those that the end of a line has.
    csv.writer(SimpleNamespace(write=lines.append), lineterminator="\r\n").writerows(rows)
    return [line[: -len("\r\n")] for line in lines]


def in_lines(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV has them, each with a line feed."""
    return "".join([f"{line}\n" for line in _quoted(rows)])


def _columns(path: str, row: Row | None) -> tuple[str, str, int | str]:
    if row is None:
        return path, "", ""
    return path, f"{row.algorithm}={row.digest}", "" if row.size is None else row.size


def _is_plain(text: str, rows: int) -> bool:
    """Tell whether nothing in so many rows has to be quoted."""
    return (
        '"' not in text
        and "\r" not in text
        and text.count("\n") == rows
        and text.count(",") == 2 * rows
    )


def encoded(digest: bytes) -> str:
    """Return a digest as ``RECORD`` has it."""
    return b2a_base64(digest, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def parse_record(content: bytes) -> dict[str, Row | None]:
    """Read ``RECORD``.

    :returns: by path what is said of the file; None for one without a hash.
    :raises InvalidWheelError: if it is not UTF-8 or CSV, has two rows for a path that differ, or a hash that is
        too weak or not a hash.
    """
    import csv

    found: dict[str, Row | None] = {}
    try:
        for row in csv.reader(StringIO(content.decode("utf-8"), newline=""), strict=True):
            if row:
                path, digest, size = row
                _add(found, path, _row(path, digest, size))
    except InvalidWheelError:
        raise
    except (ValueError, csv.Error) as error:
        raise InvalidWheelError(
            f"its RECORD cannot be read ({error}); build the wheel again"
        ) from error
    return found


def _add(found: dict[str, Row | None], path: str, said: Row | None) -> None:
    if found.setdefault(path, said) != said:
        raise InvalidWheelError(f"its RECORD makes two claims of {path!r}; build the wheel again")


def _row(path: str, digest: str, size: str) -> Row | None:
    if not digest:
        return None
    algorithm, _, value = digest.partition("=")
    if algorithm not in ALGORITHMS:
        raise InvalidWheelError(
            f"its RECORD has a hash of {path!r} by {algorithm!r}, where at least sha256 is asked for; "
            "build the wheel again"
        )
    return Row(algorithm, value.rstrip("="), int(size) if size else None)


def expected_rows(
    record: Mapping[str, Row | None], files: Collection[str], dist_info: str
) -> Mapping[str, Row | None]:
    """Return what must be true of each file; None for ``RECORD`` itself and its signatures.

    :param files: the paths of all files in the archive.
    :param dist_info: the directory that ``RECORD`` lies in.
    :raises InvalidWheelError: if a file is not in ``RECORD``, or without a hash there, or in ``RECORD`` alone.
    """
    excepted = {f"{dist_info}/{name}" for name in (RECORD, *SIGNATURES)}
    missing = [path for path in record if path not in files and path not in excepted]
    if missing:
        raise _mismatch("its RECORD names what is not in it", missing)
    extra = [path for path in files if not record.get(path) and path not in excepted]
    if extra:
        raise _mismatch("it has files that its RECORD has no hash of", extra)
    return {path: None if path in excepted else record[path] for path in files}


def _mismatch(what: str, paths: list[str]) -> InvalidWheelError:
    shown = ", ".join(map(repr, sorted(paths)[:_SHOWN]))
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return InvalidWheelError(
        f"{what}: {shown}{more}; get the wheel from elsewhere, or build it again"
    )


def digest_of(algorithm: str, data: bytes | memoryview) -> str:
    """Return the hash of ``data`` as ``RECORD`` has it, without the algorithm."""
    import hashlib  # its import is slow, and not needed where nothing is unpacked

    if algorithm == SHA256:
        return encoded(hashlib.sha256(data).digest())
    return encoded(hashlib.new(algorithm, data).digest())
