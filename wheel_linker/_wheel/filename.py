"""What a wheel is called: its file name, taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker.errors import InvalidWheelError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.version import Version


_DIST_INFO = ".dist-info"
# How many parts a file name has, without a build number and with one.
_PARTS = (5, 6)
# Characters: names of files have no more, and Python reads a number of so many digits.
_SHORT = 255


class WheelFilename:
    """The parts of a wheel's file name that matter to an environment.

    Equal file names are equal objects; ``str()`` gives the file name back.

    :ivar name: the normalised name of the project (PEP 503).
    """

    __slots__ = ("_text", "_version", "name")

    name: str

    def __init__(self, text: str, name: str, version: Version | str) -> None:
        self._text = text
        self.name = name
        # The version stays a text until somebody asks for it: to import packaging takes longer than to install a small
        # wheel.
        self._version = version

    @property
    def version(self) -> Version:
        """Its version, a :class:`packaging.version.Version`."""
        if isinstance(self._version, str):
            from packaging.version import Version

            self._version = Version(self._version)
        return self._version

    @property
    def version_text(self) -> str:
        """Its version in normal form, as ``str()`` gives it."""
        return str(self._version)

    def has_version(self, text: str) -> bool:
        """Tell whether a text is its version: ``1.0`` and ``1.0.0``, for example, are the same one.

        :param text: a version, however it is written; one that is no version is another one.
        """
        if text == self.version_text:
            return True
        from packaging.version import Version

        try:
            return Version(text) == self.version
        except ValueError:  # InvalidVersion, or more digits than Python reads
            return False

    def is_release_of(self, other: WheelFilename) -> bool:
        """Tell whether two wheels are of the same project, and in the same version.

        :param other: the file name of the other wheel.
        """
        return self.name == other.name and self.has_version(other.version_text)

    @classmethod
    def parse(cls, text: str) -> WheelFilename:
        """Take a wheel's file name apart.

        :param text: such as ``foo_bar-1.0-py3-none-any.whl``.
        :returns: its parts.
        :raises InvalidWheelError: if it is not one by the `binary distribution format`__.

        __ https://packaging.python.org/en/latest/specifications/binary-distribution-format/
        """
        from packaging.utils import parse_wheel_filename

        try:
            name, version, _, _ = parse_wheel_filename(text)
        except (
            ValueError
        ) as error:  # InvalidWheelFilename, InvalidVersion, or more digits than Python reads
            raise _not_one(text, error) from error
        if not text.isprintable():
            raise _not_one(text, "a character of it is not printed as what it is")
        return cls(text, name, version)

    @classmethod
    def from_dist_info(cls, directory: str, tags: Iterable[str] = ()) -> WheelFilename:
        """Derive it from the name of a ``*.dist-info`` directory and the tags of its ``WHEEL`` file.

        :param directory: such as ``foo_bar-1.0.dist-info``.
        :param tags: such as ``py3-none-any``, or a compressed set; without any, ``str()`` has no tags either.
        :raises InvalidWheelError: if the directory's name is not NAME-VERSION.dist-info.
        """
        stem = directory[: -len(_DIST_INFO)] if directory.endswith(_DIST_INFO) else ""
        name, _, version = stem.partition("-")
        parsed = _checked(version)
        if not name or parsed is None or not stem.isprintable():
            raise InvalidWheelError(
                f"{directory!r} does not name a distribution: it has the form NAME-VERSION.dist-info; "
                "give the wheel's file name"
            )
        text = "-".join([stem, *_compressed(tags)]) + ".whl"
        return cls(text, normalised(name), parsed)

    @classmethod
    def known(cls, text: str) -> WheelFilename:
        """Take apart a file name that was checked before, without the imports that checking takes.

        :param text: the file name.
        :returns: its parts.
        :raises InvalidWheelError: if its version cannot be read all the same.
        """
        name, version, _ = text.split("-", 2)
        parsed = cls.from_dist_info(f"{name}-{version}{_DIST_INFO}")
        return cls(text, parsed.name, parsed.version_text)

    def tags(self) -> list[str]:
        """Return its compatibility tags (PEP 425), such as ``py3-none-any``; none if its file name has none."""
        parts = self._text.lower().removesuffix(".whl").split("-")
        if len(parts) not in _PARTS:
            return []
        pythons, abis, platforms = (part.split(".") for part in parts[-3:])
        return [f"{one}-{abi}-{other}" for one in pythons for abi in abis for other in platforms]

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, WheelFilename) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> tuple[object, ...]:
        return (WheelFilename, (self._text, self.name, self._version))


def _checked(version: str) -> Version | str | None:
    """Return a version, or None if the text is none.

    It stays a text if no parser is needed to see that it is in normal form.
    """
    if len(version) <= _SHORT and all(
        part.isascii() and part.isdecimal() and _is_normal(part) for part in version.split(".")
    ):
        return version
    from packaging.version import Version

    try:
        return Version(version)
    except ValueError:  # InvalidVersion, or more digits than Python reads
        return None


def _is_normal(number: str) -> bool:
    return number[0] != "0" or number == "0"


def normalised(name: str) -> str:
    """Return a project's name as PEP 503 has it."""
    # The function of packaging.utils is not used, because its import takes logging and subprocess along.
    return "-".join(
        part for part in name.replace("_", "-").replace(".", "-").lower().split("-") if part
    )


def _compressed(tags: Iterable[str]) -> list[str]:
    """Return the three parts of the compressed tag set that stands for ``tags`` (PEP 425)."""
    columns = list(zip(*(tag.split("-") for tag in tags if tag.count("-") == 2)))
    return [".".join(dict.fromkeys(column)) for column in columns]


def _not_one(text: str, reason: object) -> InvalidWheelError:
    return InvalidWheelError(
        f"{text!r} is not the file name of a wheel ({reason}): "
        "it has the form NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl"
    )
