"""What is wanted of an environment, lot by lot, and the notes about what it was filled with."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._log import log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

NOTES_FILE: Final = ".wheel-linker.json"
"""The file in an environment that has the notes about it."""
_FORMAT: Final = 1


class Chosen(NamedTuple):
    """A wheel of the store that was chosen."""

    digest: str
    """The SHA-256 of its file."""
    name: str
    """The normalised name of its distribution."""
    requested: bool
    """Whether it was asked for itself."""
    direct_url: Mapping[str, object] | None
    """What ``direct_url.json`` is to say (PEP 610)."""


class Lot(NamedTuple):
    """What became of requirements that were asked for together."""

    wheels: tuple[Chosen, ...] = ()
    """What is linked."""
    others: tuple[str, ...] = ()
    """The normalised names of distributions that came in another way: a package under test, an editable project."""
    editable: tuple[Sequence[str], ...] = ()
    """What pip is to be asked for, to have the editable ones: the address of each, and options for it alone."""


class Filled(NamedTuple):
    """One lot that an environment was filled with."""

    name: str
    """What it is called, such as ``deps``."""
    key: str
    """A text that is another one when something else is wanted."""
    lot: Lot


class Notes(NamedTuple):
    """What is known of an environment."""

    seeds: tuple[str, ...]
    """The names of what was there from the beginning, such as pip."""
    filled: tuple[Filled, ...]


def lot_as_json(lot: Lot) -> dict[str, Any]:
    """Return a lot as it is written."""
    return {"wheels": lot.wheels, "others": lot.others, "editable": lot.editable}


def lot_from_json(written: Mapping[str, Any]) -> Lot:
    """Return a lot as it was written.

    :raises ValueError: if it is none.
    """
    try:
        wheels = tuple(Chosen(*one) for one in written["wheels"])
        editable = tuple((str(address), str(settings)) for address, settings in written["editable"])
        return Lot(wheels, tuple(written["others"]), editable)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no lot: {written!r}") from error


def read_notes(path: str) -> Notes | None:
    """Return the notes in a file; None if there are none, or they cannot be read."""
    found = read_json(path)
    if found is None:
        return None
    try:
        filled = tuple(
            Filled(one["name"], one["key"], lot_from_json(one["lot"])) for one in found["filled"]
        )
        return Notes(tuple(found["seeds"]), filled)
    except (KeyError, TypeError, ValueError) as error:
        log("cannot read the notes %s: %s", path, error)
        return None


def write_notes(path: str, notes: Notes) -> None:
    """Write notes, in one step.

    :raises OSError: if that is refused.
    """
    filled = [
        {"name": one.name, "key": one.key, "lot": lot_as_json(one.lot)} for one in notes.filled
    ]
    write_json(path, {"seeds": list(notes.seeds), "filled": filled})


def read_json(path: str) -> dict[str, Any] | None:
    """Return what :func:`write_json` wrote; None if it is missing, or of another format."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log("cannot read %s: %s", path, error)
        return None
    return found if isinstance(found, dict) and found.get("format") == _FORMAT else None


def write_json(path: str, content: Mapping[str, Any]) -> None:
    """Write a file in one step.

    :raises OSError: if that is refused.
    """
    new = f"{path}.{os.urandom(8).hex()}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        with open(new, "x", encoding="utf-8") as file:
            json.dump({**content, "format": _FORMAT}, file)
        os.replace(new, path)
    except BaseException:
        _unlink(new)
        raise


def key_of(*parts: object) -> str:
    """Return a text that is another one if anything in the parts is."""
    from hashlib import sha256

    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def joined(lots: Sequence[Filled]) -> dict[str, Chosen]:
    """Return the wheels of several lots by name; the later one wins."""
    return {one.name: one for filled in lots for one in filled.lot.wheels}


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        log("cannot remove %s: %s", path, error)
