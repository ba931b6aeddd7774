"""What pip is told apart from its arguments: by variables, and by its configuration files."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from wheel_linker.errors import WheelLinkerError
from wheel_linker.integrations.pip.arguments import FETCHING, FETCHING_FLAGS, ISOLATED, is_on

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_FILE: Final = "PIP_CONFIG_FILE"
_PREFIX: Final = "PIP_"
# Variables that stand for no option of `pip install`, or for one that this library gives itself.
_OTHERS: Final = frozenset({_FILE, "PIP_PYTHON", "PIP_VERSION", "PIP_HELP"})
_NAME: Final = "pip.ini" if os.name == "nt" else "pip.conf"
_EVERYWHERE: Final = "global"
_INSTALL: Final = "install"
_SEVERAL: Final = frozenset(
    {
        "--build-constraint",
        "--extra-index-url",
        "--find-links",
        "--global-option",
        "--trusted-host",
        "--use-deprecated",
        "--use-feature",
    }
)
# pip sets what such a flag takes away to the value that it is given: "no-build-isolation = false" has no isolation.
_REVERSED: Final = frozenset({"--no-build-isolation"})
# They say how much pip tells.
_TELLING: Final = frozenset({"--quiet", "--verbose"})


def settings_of(python: str, *, isolated: bool = False) -> dict[str, str]:
    """Return the settings that hold for ``pip install``, by the long names of the options that they stand for.

    :param python: the environment's interpreter, beside which there may be a configuration file.
    :param isolated: whether pip is told to heed neither variables nor the user's file.
    :raises WheelLinkerError: if a configuration file cannot be read.
    """
    read = _configured(python, isolated=isolated)
    found = {**read.get(_EVERYWHERE, {}), **read.get(_INSTALL, {})}
    if not isolated:
        found.update(_variables())
    found.pop("--python", None)
    return found


def fetching_settings(python: str, given: Sequence[str] = ()) -> list[str]:
    """Return what configuration files say to ``pip install`` alone, as arguments of another command of pip's.

    :param python: as for :func:`settings_of`.
    :param given: the arguments that this command has.
    :raises WheelLinkerError: as :func:`settings_of`.
    """
    isolated = ISOLATED in given
    told = {} if isolated else _variables()
    words: list[str] = []
    for option, value in _configured(python, isolated=isolated).get(_INSTALL, {}).items():
        if option not in told:
            words += _words(option, value)
    return words


def _words(option: str, value: str) -> Iterator[str]:
    """Yield the arguments that say the same as a setting, if it is about fetching and building."""
    if option in _SEVERAL:
        yield from (f"{option}={one}" for one in value.split())
    elif option in FETCHING:
        yield f"{option}={value}"
    elif option in FETCHING_FLAGS - _TELLING and is_on(value) != (option in _REVERSED):
        yield option


def _variables() -> dict[str, str]:
    """Return the settings that are variables."""
    return {
        _option(name.removeprefix(_PREFIX)): value
        for name, value in os.environ.items()
        if name.startswith(_PREFIX) and name not in _OTHERS and value
    }


def _option(key: str) -> str:
    return "--" + key.lower().replace("_", "-").removeprefix("--")


def _configured(python: str, *, isolated: bool) -> dict[str, dict[str, str]]:
    """Return what configuration files say, by section; the later file wins, as with pip."""
    there = [path for path in _files(python, isolated=isolated) if os.path.exists(path)]
    found: dict[str, dict[str, str]] = {}
    for path in there:
        for section, settings in _read(path).items():
            found.setdefault(section, {}).update(settings)
    # An empty value is none. pip drops it when files are joined, so that it hides what an earlier file says.
    return {
        section: {option: value for option, value in settings.items() if value}
        for section, settings in found.items()
    }


def _read(path: str) -> Mapping[str, Mapping[str, str]]:
    import configparser
    import locale

    parser = configparser.RawConfigParser()
    parser.optionxform = _option  # type: ignore[method-assign, assignment]
    encoding = locale.getpreferredencoding(do_setlocale=False)
    try:
        with open(path, encoding=encoding) as file:
            parser.read_file(file)
        return {section: dict(parser.items(section)) for section in parser.sections()}
    except (OSError, ValueError, configparser.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise WheelLinkerError(f"cannot read pip's configuration {path!r}: {reason}") from error


def _files(python: str, *, isolated: bool) -> Iterator[str]:
    """Yield the paths of the configuration files that there may be, those first that others overrule."""
    named = os.environ.get(_FILE)
    if named == os.devnull:
        return
    for directory in _of_the_machine():
        yield os.path.join(directory, _NAME)
    if not isolated and not (named and os.path.exists(named)):
        for directory in _of_the_user():
            yield os.path.join(directory, _NAME)
    beside = os.path.dirname(python)
    if os.name == "nt" and os.path.basename(beside).lower() != "scripts":
        yield os.path.join(beside, _NAME)
    else:
        yield os.path.join(os.path.dirname(beside), _NAME)
    if named:
        yield named


def _of_the_machine() -> list[str]:
    if os.name == "nt":
        return [os.path.join(os.environ.get("PROGRAMDATA", r"C:\ProgramData"), "pip")]
    if sys.platform == "darwin":
        return ["/Library/Application Support/pip"]
    shared = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    return [*(os.path.join(one, "pip") for one in shared.split(os.pathsep)), "/etc"]


def _of_the_user() -> list[str]:
    home = os.path.expanduser("~")
    if os.name == "nt":
        roaming = os.environ.get("APPDATA") or os.path.join(home, "AppData", "Roaming")
        return [os.path.join(home, "pip"), os.path.join(roaming, "pip")]
    own = os.path.join(home, ".config", "pip")
    if sys.platform == "darwin":
        support = os.path.join(home, "Library", "Application Support", "pip")
        own = support if os.path.isdir(support) else own
    elif os.environ.get("XDG_CONFIG_HOME"):
        own = os.path.join(os.environ["XDG_CONFIG_HOME"], "pip")
    return [os.path.join(home, ".pip"), own]
