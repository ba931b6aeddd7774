"""What was not right about a wheel's ``RECORD``, which its entry keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from wheel_linker._fs.copying import create_with
from wheel_linker._fs.reading import read_regular
from wheel_linker._wheel.record_problems import RecordProblem, RecordProblemKind
from wheel_linker.store._entry.errors import BrokenManifestError
from wheel_linker.store._entry.seal import LONGEST, sealed, unsealed
from wheel_linker.store.layout import PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker._fs.folder import Folder


def write_problems(entry: Folder, problems: Sequence[RecordProblem]) -> None:
    """Write the problems into a new entry.

    :raises OSError: if that cannot be done.
    """
    import json  # imported late, here and below: few wheels have any

    text = json.dumps(problems, ensure_ascii=False, indent=0) + "\n"
    create_with(sealed(text.encode("utf-8")), entry.prefix + PROBLEMS, entry.fd)


def read_problems(path: str) -> tuple[RecordProblem, ...]:
    """Return what was not right about a wheel's ``RECORD`` when it was unpacked.

    :param path: the file that :func:`write_problems` made, if there was something.
    :raises BrokenManifestError: if it is not what was written.
    """
    try:
        data = read_regular(path, LONGEST)
        import json

        found = json.loads(unsealed(data))
        kinds = get_args(RecordProblemKind)
        return tuple(RecordProblem(*each) for each in found if each[0] in kinds)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise BrokenManifestError(path) from error
