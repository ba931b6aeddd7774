"""The library's own base class of named tuples, which must make what that of ``typing`` makes."""

from __future__ import annotations

import inspect
import pickle
import types
import typing

import pytest

from wheel_linker._compat.named_tuple import NamedTuple


class Ours(NamedTuple):
    """Has everything that a class may have."""

    name: str
    sizes: tuple[int, ...] = ()
    """With a default."""

    @property
    def many(self) -> bool:
        """Whether there are several."""
        return len(self.sizes) > 1

    @classmethod
    def of(cls, name: str) -> Ours:
        """Make one."""
        return cls(name)

    def __str__(self) -> str:
        return f"<{self.name}>"


class Theirs(typing.NamedTuple):
    """Has the same fields."""

    name: str
    sizes: tuple[int, ...] = ()


class Derived(Ours):
    """May have attributes."""

    label = "derived"


def test_is_a_tuple_with_names() -> None:
    made = Ours("a", (1, 2))
    assert tuple(made) == ("a", (1, 2))
    assert (made.name, made.sizes, made.many) == ("a", (1, 2), True)
    assert made._replace(name="b") == ("b", (1, 2))
    assert pickle.loads(pickle.dumps(made)) == made
    assert (str(made), repr(made)) == ("<a>", "Ours(name='a', sizes=(1, 2))")


def test_has_defaults_and_methods() -> None:
    assert Ours.of("a") == Ours("a") == ("a", ())
    assert not Ours.of("a").many
    assert Ours.__doc__ == "Has everything that a class may have."


def test_is_like_that_of_typing() -> None:
    assert Ours._fields == Theirs._fields
    assert Ours._field_defaults == Theirs._field_defaults
    assert Ours.__module__ == Theirs.__module__
    assert Ours.__mro__[1:] == Theirs.__mro__[1:] == (tuple, object)
    assert list(inspect.signature(Ours).parameters) == list(inspect.signature(Theirs).parameters)
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Theirs)
    assert not hasattr(Ours("a"), "__dict__")


def test_may_be_inherited_from() -> None:
    made = Derived("a")
    assert (made, made.label) == (("a", ()), "derived")
    assert isinstance(made, Ours)


def test_refuses_a_field_without_a_default_after_one_with_it() -> None:
    body = {
        "__module__": __name__,
        "__annotations__": {"first": "int", "second": "int"},
        "first": 1,
    }
    with pytest.raises(TypeError, match="without a default"):
        types.new_class("Wrong", (NamedTuple,), exec_body=lambda namespace: namespace.update(body))
