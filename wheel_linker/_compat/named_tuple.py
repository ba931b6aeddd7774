"""``NamedTuple``, cheaper to make than that of ``typing``, and than ``collections.namedtuple``.

That of ``typing`` compiles the annotation of each field when a class is made, if it is a text, and both compile the
function that makes an instance. For the classes that it takes to install a wheel that is a fifth of the whole command.
Nobody needs the compiled annotations, and functions for as many fields differ in the names of these only: here they are
compiled with this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    import collections
    from types import FunctionType

    # Names that belong to the body of a class alone.
    _NOT_COPIED = frozenset({"__annotations__", "__dict__", "__module__", "__weakref__"})
    _made = tuple.__new__
    # Functions that make a tuple of one field, of two fields, and so on.
    _MAKERS = (
        lambda _cls, a: _made(_cls, (a,)),
        lambda _cls, a, b: _made(_cls, (a, b)),
        lambda _cls, a, b, c: _made(_cls, (a, b, c)),
        lambda _cls, a, b, c, d: _made(_cls, (a, b, c, d)),
        lambda _cls, a, b, c, d, e: _made(_cls, (a, b, c, d, e)),
        lambda _cls, a, b, c, d, e, f: _made(_cls, (a, b, c, d, e, f)),
        lambda _cls, a, b, c, d, e, f, g: _made(_cls, (a, b, c, d, e, f, g)),
        lambda _cls, a, b, c, d, e, f, g, h: _made(_cls, (a, b, c, d, e, f, g, h)),
        lambda _cls, a, b, c, d, e, f, g, h, i: _made(_cls, (a, b, c, d, e, f, g, h, i)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j: _made(_cls, (a, b, c, d, e, f, g, h, i, j)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k: _made(
            _cls, (a, b, c, d, e, f, g, h, i, j, k)
        ),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m: _made(
            _cls, (a, b, c, d, e, f, g, h, i, j, k, m)
        ),
    )
    # The functions use the first name; those that namedtuple makes use the second.
    _NAMESPACE = {"_made": _made, "_tuple_new": _made, "__builtins__": {}, "__name__": __name__}

    class _Maker(type):
        """Makes of a class with annotated fields, and maybe defaults and methods, a named tuple."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = body["__annotations__"]
            with_default = [field for field in fields if field in body]
            if with_default != list(fields)[len(fields) - len(with_default) :]:
                raise TypeError(f"{name} has a field without a default after one with a default")
            made = _methods(tuple(fields), {field: body[field] for field in with_default})
            made["__new__"].__qualname__ = f"{name}.__new__"
            made["__annotations__"] = made["__new__"].__annotations__ = fields
            made["__module__"] = body["__module__"]
            for key, value in body.items():
                if key not in _NOT_COPIED and key not in fields:
                    made[key] = value
            return type(name, (tuple,), made)

    class NamedTuple(metaclass=_Maker):
        """A base class, as that of ``typing``."""

    def _methods(fields: tuple[str, ...], defaults: dict[str, Any]) -> dict[str, Any]:
        """Return the body of a named tuple's class."""
        make = FunctionType(_code(fields), _NAMESPACE, "__new__", tuple(defaults.values()) or None)
        getters = {
            field: collections._tuplegetter(index, f"Alias for field number {index}")  # noqa: SLF001
            for index, field in enumerate(fields)
        }
        return {
            **getters,
            "__slots__": (),
            "__match_args__": fields,
            "_fields": fields,
            "_field_defaults": defaults,
            "__new__": make,
            "__repr__": _repr,
            "__getnewargs__": _getnewargs,
            "_make": classmethod(_make),
            "_replace": _replace,
            "_asdict": _asdict,
        }

    def _code(fields: tuple[str, ...]) -> Any:
        """Return the code that makes an instance of a tuple with these fields."""
        if not 0 < len(fields) <= len(_MAKERS):
            return collections.namedtuple("_", fields).__new__.__code__  # noqa: PYI024
        return _MAKERS[len(fields) - 1].__code__.replace(co_varnames=("_cls", *fields))

    def _make(cls: type, values: Any) -> Any:
        made = tuple.__new__(cls, values)
        if len(made) != len(cls._fields):
            raise TypeError(f"expected {len(cls._fields)} values, got {len(made)}")
        return made

    def _replace(self: Any, /, **values: Any) -> Any:
        made = self._make(map(values.pop, self._fields, self))
        if values:
            raise ValueError(f"got unexpected field names: {list(values)!r}")
        return made

    def _asdict(self: Any) -> dict[str, Any]:
        return dict(zip(self._fields, self))

    def _repr(self: Any) -> str:
        values = ", ".join(f"{field}={value!r}" for field, value in zip(self._fields, self))
        return f"{type(self).__name__}({values})"

    def _getnewargs(self: Any) -> tuple[Any, ...]:
        return tuple(self)
