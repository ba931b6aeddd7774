"""What a wheel is called, and where it lies unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker.errors import InvalidWheelError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.version import Version


_DIST_INFO = ".dist-info"


class WheelFilename:
    """The parts of a wheel's file name that matter to an environment.

    Equal file names are equal objects; ``str()`` gives the file name back.

    :ivar name: the normalised name of the project (PEP 503).
    :ivar version: its version, a :class:`packaging.version.Version`.
    """

    __slots__ = ("_text", "name", "version")

    name: str
    version: Version

    def __init__(self, text: str, name: str, version: Version) -> None:
        self._text = text
        self.name = name
        self.version = version

    @classmethod
    def parse(cls, text: str) -> WheelFilename:
        """Take a wheel's file name apart, such as ``foo_bar-1.0-py3-none-any.whl``.

        :raises InvalidWheelError: if it is not one by the `binary distribution format`__.

        __ https://packaging.python.org/en/latest/specifications/binary-distribution-format/
        """
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename
        from packaging.version import InvalidVersion

        try:
            name, version, _, _ = parse_wheel_filename(text)
        except (InvalidWheelFilename, InvalidVersion) as error:  # the latter until packaging 22.0
            raise InvalidWheelError(
                f"{text!r} is not the file name of a wheel ({error}): "
                "it has the form NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl"
            ) from error
        return cls(text, name, version)

    @classmethod
    def from_dist_info(cls, directory: str, tags: Iterable[str] = ()) -> WheelFilename:
        """Derive it from the name of a ``*.dist-info`` directory and the tags of its ``WHEEL`` file.

        :param directory: such as ``foo_bar-1.0.dist-info``.
        :param tags: such as ``py3-none-any``, or a compressed set; without any, ``str()`` has no tags either.
        :raises InvalidWheelError: if the directory's name is not NAME-VERSION.dist-info.
        """
        from packaging.version import InvalidVersion, Version

        stem = directory[: -len(_DIST_INFO)] if directory.endswith(_DIST_INFO) else ""
        name, _, version = stem.partition("-")
        try:
            parsed = Version(version)
        except InvalidVersion:
            parsed = None
        if not name or parsed is None:
            raise InvalidWheelError(
                f"{directory!r} does not name a distribution: it has the form NAME-VERSION.dist-info; "
                "give the wheel's file name"
            )
        text = "-".join([stem, *_compressed(tags)]) + ".whl"
        return cls(text, normalised(name), parsed)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, WheelFilename) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> tuple[object, ...]:
        return (WheelFilename, (self._text, self.name, self.version))


def normalised(name: str) -> str:
    """Return a project's name as PEP 503 has it."""
    # Without the import cost of packaging.utils, which brings logging and subprocess.
    return "-".join(
        part for part in name.replace("_", "-").replace(".", "-").lower().split("-") if part
    )


def _compressed(tags: Iterable[str]) -> list[str]:
    """Return the three parts of the compressed tag set that stands for ``tags`` (PEP 425)."""
    columns = list(zip(*(tag.split("-") for tag in tags if tag.count("-") == 2)))
    return [".".join(dict.fromkeys(column)) for column in columns]
