"""Whether wheels are for an environment's interpreter, by their tags and ``Requires-Python``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wheel_linker.errors import InvalidWheelError
from wheel_linker.install.metadata import read_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.install.interpreter import Interpreter
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.plan import Plan

# Python reads no number of more than 4,300 digits, and none of a version has as many as these.
_MOST_DIGITS: Final = 9


def refuse_incompatible(
    plans: Sequence[Plan], given: Sequence[UnpackedWheel], layout: Layout
) -> None:
    """Refuse wheels that are for other interpreters.

    :param given: the wheels, which are held; the interpreter's answer is kept in the store that one is from.
    :raises InvalidWheelError: if one is.
    :raises LinkError: if the interpreter cannot be asked.
    """
    plans = [plan for plan in plans if not _is_for_all(plan, layout)]
    if not plans:
        return
    from wheel_linker.install.asking import kept_with
    from wheel_linker.install.interpreter import describe

    interpreter = describe(layout.python, kept_in=kept_with(given))
    tags = set(interpreter.tags)
    for plan in plans:
        _check_tags(plan, tags, layout)
        _check_python(plan, interpreter, layout)


def _is_for_all(plan: Plan, layout: Layout) -> bool:
    """Tell of most wheels that they are for the interpreter, without asking it, and without importing ``packaging``."""
    return _is_universal(str(plan.wheel.name)) and _is_newer(layout, _wanted_python(plan))


def _is_universal(filename: str) -> bool:
    """Tell by its file name whether a wheel is for every Python 3."""
    pythons, _, platforms = filename.rpartition("-none-")
    return platforms == "any.whl" and "py3" in pythons.rpartition("-")[2].split(".")


def _is_newer(layout: Layout, wanted: str) -> bool:
    """Tell whether it takes no more than a Python of an older minor version, as in ``>=3.9``, or nothing at all."""
    oldest = wanted.removeprefix(">=").strip().split(".")
    return not wanted or (
        wanted.startswith(">=")
        and all(part.isdecimal() and len(part) <= _MOST_DIGITS for part in oldest)
        and layout.version > tuple(map(int, oldest[:2]))
    )


def _wanted_python(plan: Plan) -> str:
    said = read_fields(plan.wheel.tree, plan.metadata.dist_info, "requires-python")
    return said.get("requires-python", "")


def _check_tags(plan: Plan, supported: set[str], layout: Layout) -> None:
    if _is_universal(str(plan.wheel.name)):
        return
    # An unpacked wheel may have none, if its WHEEL lists none.
    tags = plan.wheel.name.tags()
    if tags and supported.isdisjoint(tags):
        said = ", ".join(sorted(tags))
        raise InvalidWheelError(
            f"cannot install {_called(plan)}: its tags are {said}, and {layout.python!r} "
            f"({_version(layout)}) supports none of them; get the wheel for this interpreter and platform"
        )


def _check_python(plan: Plan, interpreter: Interpreter, layout: Layout) -> None:
    text = _wanted_python(plan)
    if _is_newer(layout, text):
        return
    from packaging.specifiers import SpecifierSet

    version = interpreter.environment.get("python_full_version", _version(layout)).rstrip("+")
    try:
        wanted = SpecifierSet(text)
        fits = wanted.contains(version, prereleases=True)
    except ValueError:  # InvalidSpecifier, or thousands of digits
        return  # pip takes it for a wish that nobody can fulfil or break
    if not fits:
        raise InvalidWheelError(
            f"cannot install {_called(plan)}: it requires Python {wanted}, and {layout.python!r} is {version}; "
            "choose another version of either"
        )


def _called(plan: Plan) -> str:
    file = plan.wheel.tree.file
    return str(plan.wheel.name) if file is None else repr(file)


def _version(layout: Layout) -> str:
    return ".".join(map(str, layout.version))
