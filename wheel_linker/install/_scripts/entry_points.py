"""The scripts that ``entry_points.txt`` asks for.

They are read as :mod:`importlib.metadata` reads them, which is more generous than the specification: this library does
not judge what is in other sections, or what is no entry point at all. Format: "Entry points",
https://packaging.python.org/specifications/entry-points/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker.errors import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SECTIONS: Final[dict[str, Literal["console", "gui"]]] = {
    "console_scripts": "console",
    "gui_scripts": "gui",
}
"""The sections that ask for scripts, in the order in which installers make these."""
_COMMENTS: Final = ("#", ";")
# MODULE:OBJECT, and maybe extras, which the specification lets an installer ignore; a comment may follow a space.
_VALUE: Final = (
    r"(\w+(?:\.\w+)*)\s*:\s*(\w+(?:\.\w+)*)\s*(?:\[[^\[\]]*\]\s*)?(?:(?<=[\s\]])[#;].*)?"
)


class EntryPoint(NamedTuple):
    """One script."""

    name: str
    module: str
    attribute: str
    section: Literal["console", "gui"]


def script_entry_points(text: str) -> list[EntryPoint]:
    """Return the entry points that ask for scripts; of several with one name in a section the last.

    :raises ValueError: if one of them is not MODULE:OBJECT.
    """
    found: dict[tuple[str, str], EntryPoint] = {}
    for section, name, value in _pairs(text):
        if section in SECTIONS:
            module, attribute = _parts_of(value)
            if not module:
                said = f"{shortened(name)!r} is {shortened(value)!r}"
                raise ValueError(f"{said}, which is not MODULE:OBJECT")
            found[section, name] = EntryPoint(name, module, attribute, SECTIONS[section])
    order = list(SECTIONS)
    return [found[key] for key in sorted(found, key=lambda key: order.index(key[0]))]


def _parts_of(value: str) -> tuple[str, str]:
    """Return the module and the object that a value names; nothing if it is not MODULE:OBJECT."""
    module, _, attribute = value.partition(":")
    # Most values are like this. The pattern for the others takes longer to be compiled than these values to be read.
    if value.isascii() and all(map(str.isidentifier, (*module.split("."), *attribute.split(".")))):
        return module, attribute
    import re

    match = re.fullmatch(_VALUE, value)
    return (match[1], match[2]) if match else ("", "")


def _pairs(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the section, the name and the value of each entry; lines before the first section are passed over.

    :raises ValueError: if there is a name without a value, which pip and uv refuse in every section.
    """
    section = ""
    # A value that goes on in other lines is put together at the end: it may have as many as it likes.
    entries: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith(_COMMENTS):
            continue
        if stripped.startswith("[") and stripped.endswith("]"):
            yield from _joined(section, entries)
            entries.clear()
            section = stripped[1:-1]
        elif entries and line[0].isspace() and "=" not in line:
            # A value that goes on, as ConfigParser has it.
            entries[-1][1].append(stripped)
        elif section:
            name, _, value = map(str.strip, stripped.partition("="))
            if not value:
                raise ValueError(f"{shortened(name)!r} has no value")
            entries.append((name, [value]))
    yield from _joined(section, entries)


def _joined(
    section: str, entries: Iterable[tuple[str, list[str]]]
) -> Iterator[tuple[str, str, str]]:
    for name, parts in entries:
        yield section, name, " ".join(parts)
