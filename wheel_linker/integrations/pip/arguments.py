"""The arguments of ``pip install``, told apart by what they are for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# pip install --help, of pip 22.3 to 26.3. An option that is not here is taken for one without a value.
_SHORT: Final = {
    "-C": "--config-settings",
    "-I": "--ignore-installed",
    "-U": "--upgrade",
    "-c": "--constraint",
    "-e": "--editable",
    "-f": "--find-links",
    "-i": "--index-url",
    "-q": "--quiet",
    "-r": "--requirement",
    "-t": "--target",
    "-v": "--verbose",
}
# Where distributions are found, and how they are built.
FETCHING: Final = frozenset(
    {
        "--all-releases",
        "--build-constraint",
        "--cache-dir",
        "--cert",
        "--client-cert",
        "--config-settings",
        "--default-timeout",
        "--extra-index-url",
        "--find-links",
        "--global-option",
        "--index-url",
        "--keyring-provider",
        "--no-binary",
        "--only-binary",
        "--only-final",
        "--progress-bar",
        "--proxy",
        "--pypi-url",
        "--refresh-package",
        "--resume-retries",
        "--retries",
        "--timeout",
        "--trusted-host",
        "--uploaded-prior-to",
        "--use-deprecated",
        "--use-feature",
    }
)
FETCHING_FLAGS: Final = frozenset(
    {
        "--ignore-requires-python",
        "--isolated",
        "--no-build-isolation",
        "--no-cache-dir",
        "--no-index",
        "--no-input",
        "--no-proxy-env",
        "--pre",
        "--prefer-binary",
        "--quiet",
        "--use-pep517",
        "--verbose",
    }
)
# Other options with a value.
_WITH_VALUE: Final = FETCHING | {
    "--abi",
    "--constraint",
    "--editable",
    "--exists-action",
    "--group",
    "--implementation",
    "--local-log",
    "--log",
    "--log-file",
    "--platform",
    "--prefix",
    "--python-version",
    "--report",
    "--requirement",
    "--requirements-from-script",
    "--root",
    "--root-user-action",
    "--source",
    "--source-dir",
    "--source-directory",
    "--src",
    "--target",
    "--upgrade-strategy",
}
_OWN: Final = "wheels are chosen for the environment's own interpreter"
# What the command that links has options of its own for, or does in another way.
_REFUSED: Final = {
    "--abi": _OWN,
    "--implementation": _OWN,
    "--platform": _OWN,
    "--prefix": "give the environment with --python",
    "--python-version": _OWN,
    "--python": "give it before the word pip, or as --python ENVIRONMENT after it once",
    "--root": "give the environment with --python",
    "--target": "use: wheel-linker install --target DIRECTORY",
    "--user": "give the environment with --python",
}


# With it, neither variables nor the user's configuration file count. pip knows no variable that stands for it.
ISOLATED: Final = "--isolated"
_NO: Final = frozenset({"", "0", "f", "false", "n", "no", "off"})
# Whatever follows is no option.
_END: Final = "--"


class Arguments(NamedTuple):
    """The arguments of one ``pip install``."""

    all: tuple[str, ...]
    """Everything, options and values in words of their own."""
    fetching: tuple[str, ...]
    """What says where distributions are found and how they are built."""
    editable: tuple[str, ...]
    """The projects that are to be installed in place."""
    resolving: tuple[str, ...]
    """Everything but the editable projects."""
    options: tuple[tuple[str | None, str | None], ...] = ()
    """Pairs of an option's long name and its value; requirements have no name."""

    def value_of(self, option: str) -> str | None:
        """Return the last value that an option is given, by its long name; None without."""
        values = [value for name, value in self.options if name == option]
        return values[-1] if values else None

    def has(self, option: str) -> bool:
        """Tell whether an option is given, by its long name."""
        return any(name == option for name, _ in self.options)

    def is_flagged(self, option: str, settings: Mapping[str, str]) -> bool:
        """Tell whether a flag is given, here or by a setting that stands for it."""
        return self.has(option) or is_on(settings.get(option, ""))


def parse(arguments: Sequence[str]) -> Arguments:
    """Tell pip's arguments apart.

    :raises WheelLinkerError: for an option that this library cannot keep.
    """
    everything: list[str] = []
    fetching: list[str] = []
    editable: list[str] = []
    resolving: list[str] = []
    options = _options(arguments)
    for name, value in options:
        words = [word for word in (name, value) if word is not None]
        everything += words
        if name in _REFUSED:
            raise WheelLinkerError(f"pip's option {name} has no meaning here: {_REFUSED[name]}")
        if name == "--editable":
            editable.append(value or "")
            continue
        resolving += words
        if name in FETCHING or name in FETCHING_FLAGS:
            fetching += words
    return Arguments(
        tuple(everything), tuple(fetching), tuple(editable), tuple(resolving), tuple(options)
    )


def refuse_settings(settings: Mapping[str, str]) -> None:
    """Refuse settings that stand for options which cannot be kept, as :func:`parse` refuses these.

    :param settings: variables and what configuration files say, by the long names of the options.
    :raises WheelLinkerError: if there is one.
    """
    for option, advice in _REFUSED.items():
        value = settings.get(option, "")
        if is_on(value):
            variable = variable_of(option)
            of_files = f"setting {option.removeprefix('--')} in a configuration file"
            name = f"variable {variable}" if os.environ.get(variable) == value else of_files
            raise WheelLinkerError(f"pip's {name} has no meaning here: {advice}")


def variable_of(option: str) -> str:
    """Return the environment variable that stands for an option."""
    return f"PIP_{option.removeprefix('--').replace('-', '_').upper()}"


def is_on(value: str) -> bool:
    """Tell whether the value of a setting says something to pip, and not that a flag is off."""
    return value.lower() not in _NO


def _options(arguments: Sequence[str]) -> list[tuple[str | None, str | None]]:
    """Return pairs of an option's long name and its value; requirements have no name."""
    found: list[tuple[str | None, str | None]] = []
    waiting = list(reversed(arguments))
    while waiting:
        word = waiting.pop()
        if word == _END:
            found += [(None, each) for each in reversed(waiting)]
            break
        if not word.startswith("-") or word == "-":
            found.append((None, word))
            continue
        name, value = _split(word)
        if name in _WITH_VALUE and value is None:
            if not waiting:
                raise WheelLinkerError(f"pip's option {word} wants a value")
            value = waiting.pop()
        found.append((name, value))
    return found


def _split(word: str) -> tuple[str, str | None]:
    """Take ``--name=value`` and ``-nvalue`` apart."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return name, value if equals else None
    name = _SHORT.get(word[:2], word)
    rest = word[2:]
    if name in _WITH_VALUE:
        return name, rest.removeprefix("=") or None
    # Flags may stand together, as in -vvv or -qU: each of them alone would mean the same.
    return (name, None) if not rest else (word, None)
