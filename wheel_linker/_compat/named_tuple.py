"""``NamedTuple``, as cheap as ``collections.namedtuple``.

That of ``typing`` compiles the annotation of each field when a class is made, if it is a text. For the classes that it
takes to install a wheel that is a fifth of the whole command. Nobody needs the compiled annotations.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    # What namedtuple makes itself, and what belongs to the body of a class alone.
    _NOT_COPIED = frozenset({"__annotations__", "__dict__", "__module__", "__weakref__"})

    class _Maker(type):
        """Makes of a class with annotated fields, and maybe defaults and methods, a named tuple."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = body["__annotations__"]
            with_default = [field for field in fields if field in body]
            if with_default != list(fields)[len(fields) - len(with_default) :]:
                raise TypeError(f"{name} has a field without a default after one with a default")
            defaults = [body[field] for field in with_default]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])  # noqa: PYI024
            made.__annotations__ = made.__new__.__annotations__ = fields
            for key, value in body.items():
                if key not in _NOT_COPIED and key not in fields:
                    setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_Maker):
        """A base class, as that of ``typing``."""
