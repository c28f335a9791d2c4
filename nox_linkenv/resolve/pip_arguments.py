"""Reading the arguments of ``pip install`` as far as they are understood.

Only the arguments known here are modelled.  Whatever else stands among them makes the request one for real pip.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Arguments", "Kind", "parse", "without_file_names"]


class Kind(enum.Enum):
    """What an option of pip means to us."""

    REQUIREMENT_FILE = enum.auto()
    CONSTRAINT_FILE = enum.auto()
    EDITABLE = enum.auto()
    GROUP = enum.auto()
    INDEX = enum.auto()  # where distributions are looked for and how they are fetched: also wanted when fetching
    BUILD = enum.auto()  # how distributions are built: also wanted when fetching, which builds
    CHOICE = enum.auto()  # what is chosen: part of the request, not wanted when fetching
    OUTPUT = enum.auto()  # changes nothing of the result


#: Options with a value.
_VALUED: Final[dict[str, Kind]] = {
    "-r": Kind.REQUIREMENT_FILE,
    "--requirement": Kind.REQUIREMENT_FILE,
    "--requirements": Kind.REQUIREMENT_FILE,
    "-c": Kind.CONSTRAINT_FILE,
    "--constraint": Kind.CONSTRAINT_FILE,
    "--constraints": Kind.CONSTRAINT_FILE,
    "-e": Kind.EDITABLE,
    "--editable": Kind.EDITABLE,
    "--group": Kind.GROUP,
    "-i": Kind.INDEX,
    "--index-url": Kind.INDEX,
    "--pypi-url": Kind.INDEX,
    "--extra-index-url": Kind.INDEX,
    "-f": Kind.INDEX,
    "--find-links": Kind.INDEX,
    "--trusted-host": Kind.INDEX,
    "--cert": Kind.INDEX,
    "--client-cert": Kind.INDEX,
    "--proxy": Kind.INDEX,
    "--retries": Kind.INDEX,
    "--timeout": Kind.INDEX,
    "--cache-dir": Kind.INDEX,
    "--keyring-provider": Kind.INDEX,
    "--uploaded-prior-to": Kind.INDEX,
    "--use-feature": Kind.INDEX,
    "--no-binary": Kind.BUILD,
    "--only-binary": Kind.BUILD,
    "--config-settings": Kind.BUILD,
    "--config-setting": Kind.BUILD,
    "-C": Kind.BUILD,
    "--build-constraint": Kind.BUILD,
    "--upgrade-strategy": Kind.CHOICE,
    "--progress-bar": Kind.OUTPUT,
    "--root-user-action": Kind.OUTPUT,
    "--exists-action": Kind.OUTPUT,  # of what is checked out, which is never keyed
}
_FILES: Final = (Kind.REQUIREMENT_FILE, Kind.CONSTRAINT_FILE)
_BUILD_CONSTRAINT: Final = "--build-constraint"
#: Options without one.
_FLAGS: Final[dict[str, Kind]] = {
    "--no-index": Kind.INDEX,
    "--no-cache-dir": Kind.INDEX,
    "--isolated": Kind.INDEX,
    "--no-build-isolation": Kind.BUILD,
    "--use-pep517": Kind.BUILD,
    "--check-build-dependencies": Kind.BUILD,
    "--pre": Kind.INDEX,
    "--prefer-binary": Kind.INDEX,
    "-U": Kind.CHOICE,
    "--upgrade": Kind.CHOICE,
    "--no-deps": Kind.CHOICE,
    "--no-dependencies": Kind.CHOICE,
    "--force-reinstall": Kind.CHOICE,
    "-I": Kind.CHOICE,
    "--ignore-installed": Kind.CHOICE,
    "--require-hashes": Kind.CHOICE,
    "--compile": Kind.OUTPUT,
    "--no-compile": Kind.OUTPUT,
    "--no-warn-script-location": Kind.OUTPUT,
    "--no-warn-conflicts": Kind.OUTPUT,
    "--disable-pip-version-check": Kind.OUTPUT,
    "--no-input": Kind.OUTPUT,
    "--no-color": Kind.OUTPUT,
    "--no-python-version-warning": Kind.OUTPUT,
    "--require-virtualenv": Kind.OUTPUT,
    "--require-venv": Kind.OUTPUT,
    "-q": Kind.OUTPUT,
    "--quiet": Kind.OUTPUT,
    "-v": Kind.OUTPUT,
    "--verbose": Kind.OUTPUT,
}


@dataclass(slots=True, eq=False)
class Arguments:
    """The arguments of one ``pip install``, sorted by what they mean.

    Args:
        requirements: requirement specifiers, paths and URLs.
        options: (kind, option as written, its value or ``None``), in order.
    """

    requirements: list[str] = field(default_factory=list)
    options: list[tuple[Kind, str, str | None]] = field(default_factory=list)

    def names_files(self) -> bool:
        """Return whether a file of requirements or constraints is named."""
        return any(kind in _FILES or option == _BUILD_CONSTRAINT for kind, option, _ in self.options)

    def values(self, kind: Kind) -> list[str]:
        """Return the values of all options of *kind*."""
        return [value for found, _, value in self.options if found is kind and value is not None]

    def has(self, *options: str) -> bool:
        """Return whether one of *options* is given."""
        return any(option in options for _, option, _ in self.options)

    def again(self, *kinds: Kind) -> list[str]:
        """Return the options of *kinds* as arguments for another command of pip."""
        result: list[str] = []
        for kind, option, value in self.options:
            if kind in kinds:
                result.append(option)
                if value is not None:
                    result.append(value)
        return result


def parse(arguments: Sequence[str]) -> Arguments | None:
    """Return *arguments* sorted, or ``None`` when one of them is not modelled.

    The forms are those of optparse: ``--option value``, ``--option=value``, ``-o value``, ``-ovalue``, ``-qU``.
    """
    result = Arguments()
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            result.requirements.extend(rest)
            break
        if not argument.startswith("-") or argument == "-":
            result.requirements.append(argument)
            continue
        if argument.startswith("--"):
            option, separator, value = argument.partition("=")
        else:
            option, value = argument[:2], argument[2:]
            separator = value
        if option in _VALUED:
            if not separator:
                if not rest:
                    return None
                value = rest.pop(0)
            result.options.append((_VALUED[option], option, value))
        elif option in _FLAGS and not separator:
            result.options.append((_FLAGS[option], option, None))
        elif option in _FLAGS and not option.startswith("--"):
            result.options.append((_FLAGS[option], option, None))
            rest.insert(0, "-" + value)
        else:
            return None
    return result


def without_file_names(arguments: Sequence[str], replaced: Callable[[str], bool]) -> list[str]:
    """Return *arguments*, all of which are modelled, with the same in the place of all names of files.

    Args:
        replaced: tells which names of files of requirements or constraints do not count.
    """
    result: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        result.append(argument)
        if argument == "--":
            break
        if not argument.startswith("-") or argument == "-":
            continue
        long = argument.startswith("--")
        option, separator, value = argument.partition("=") if long else (argument[:2], argument[2:], argument[2:])
        if option in _VALUED:
            apart = not separator
            value = rest.pop(0) if apart else value
            if (_VALUED[option] in _FILES or option == _BUILD_CONSTRAINT) and replaced(value):
                value = "<file>"
            result[-1:] = [option, value] if apart else [f"{option}={value}" if long else option + value]
        elif not long and argument[2:]:
            result[-1] = option
            rest.insert(0, "-" + argument[2:])
    return result + rest
