"""The command ``linkenv``.

Each of its commands is a module of the same name, with ``_`` where Python allows no other, that has ``DESCRIPTION``,
``EXAMPLES``, ``add_arguments(parser)`` and ``run(arguments, output)``; only the chosen one is imported.
"""

from __future__ import annotations

import argparse
import importlib
import keyword
import os
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from nox_linkenv.cli.output import Color, Output, version
from nox_linkenv.errors import LinkenvError, SettingsError, explained

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["commands", "main", "make_parser", "module_of", "parse"]

#: The commands, in the order in which they are listed.
_COMMANDS: Final = {
    "info": "show the store, the link mode that would be used here, and the settings in force",
    "du": "show what environments take on the disk, and what they share",
    "envs": "list the known environments: interpreter, last use, size, and whether each is intact",
    "clean": "remove throwaway environments",
    "prune": "remove from the store what has not been used for longest",
    "verify": "compare what is stored with what it has to be",
    "doctor": "find out why files are copied, or why nothing works, and what to do about it",
    "stats": "show what was done for sessions, the time that saved, and why pip was asked",
    "why": "say why a session was not warm, and what to do about it",
    "report": "show a run, or the last weeks, as a page with pictures, in Markdown, or as a table",
    "explain": "say which wheel, object and link mode a file of an environment came from",
    "create": "make a linked environment",
    "install": "install into a linked environment",
    "run": "run a command in an environment that is gone afterwards",
    "lock": "write a lock file (PEP 751) for each environment, of what pip has answered",
    "warm": "have and store what the sessions of a noxfile install, before they run",
    "completion": "print what makes a shell complete commands and options",
    "export": "write what was used of the store into one archive, for other machines",
    "import": "take an archive into the store",
    "remote": "look after the store that is shared between machines: check, push, prune, key",
    "cache-key": "print a key of what the requests of this project depend on, to save an archive under",
    "wait": "wait until no background process works for the store",
}
#: Characters of a line of help.
_WIDTH: Final = 78
_FAILED: Final = 1
_USAGE: Final = 2
_INTERRUPTED: Final = 130
#: Common options that have a value.
_VALUED: Final = ("--store", "--color")
_EPILOG: Final = "Exit codes: 0 all is well, 1 something failed or stays broken, 2 wrong usage, 130 interrupted."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments* (default: the process's own) and return its exit code."""
    from nox_linkenv.cli.options import told

    if "_ARGCOMPLETE" in os.environ:
        _complete()
    try:
        parsed = parse(sys.argv[1:] if arguments is None else arguments)
    except SystemExit as error:  # argparse has said what it had to say
        return _USAGE if error.code not in (0, None) else 0
    output = Output(json=parsed.json, color=Color(parsed.color))
    if any(name.startswith("LINKENV_") for name in os.environ):
        from nox_linkenv.config import misspelt_variables

        for line in misspelt_variables():
            output.warn(f"linkenv: {line}")
    try:
        code: int = parsed.run(parsed, output)
        for line in told():
            output.warn(f"linkenv: {line}")
        sys.stdout.flush()
    except LinkenvError as error:
        output.error(error)
        return _USAGE if isinstance(error, SettingsError) else _FAILED
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return _INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except OSError as error:
        output.error(explained(error))
        return _FAILED
    return code


def commands() -> Mapping[str, str]:
    """Return what each command does, by its name."""
    return _COMMANDS


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what *arguments* say.

    Raises:
        SystemExit: help was asked for, or they say nothing that can be done; the user has been told.
    """
    ordered = _ordered(arguments)
    return make_parser(_chosen(ordered)).parse_args(ordered)


def _complete() -> NoReturn:
    """Answer a shell that completes a command line, and end."""
    import argcomplete

    words = os.environ.get("COMP_LINE", "").split()
    chosen = _chosen(_ordered(words[1:]))
    parser = make_parser(chosen if chosen in _COMMANDS else None)
    argcomplete.autocomplete(parser, always_complete_options="long")
    sys.exit(_USAGE)  # what was asked could not be read: argcomplete ends the process itself


def _ordered(arguments: Sequence[str]) -> list[str]:
    """Return *arguments* with the common options behind the command, where they may also stand before it."""
    at = 0
    while at < len(arguments) and (arguments[at] == "--json" or arguments[at].partition("=")[0] in _VALUED):
        at += 2 if arguments[at] in _VALUED else 1
    return [*arguments[at : at + 1], *arguments[:at], *arguments[at + 1 :]]


def _chosen(arguments: Sequence[str]) -> str | None:
    """Return the command among *arguments*: the first that is no option."""
    return next((argument for argument in arguments if not argument.startswith("-")), None)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors name what may be meant."""

    suggest_on_error: bool  # what Python 3.14 and newer do for a part of the errors, of their own accord from 3.15 on

    def error(self, message: str) -> NoReturn:
        words = message.split()
        known: list[str] = []
        if message.startswith("unrecognized arguments: "):
            known = [option for action in self._every_action() for option in action.option_strings]
        elif "invalid choice: " in message and message.startswith("argument COMMAND"):
            message = message.partition(" (")[0].replace("argument COMMAND: invalid choice: ", "there is no command ")
            known = list(_COMMANDS)
        if known:
            from nox_linkenv.config import similar_to

            unknown = next((word for word in words if word.startswith("--")), message.rpartition(" ")[2]).strip("'")
            message += similar_to(unknown.partition("=")[0], known)
        super().error(message)

    def _every_action(self) -> list[argparse.Action]:
        """Return the actions of this parser and of its command's."""
        actions = list(self._actions)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                actions += [one for parser in action.choices.values() for one in parser._actions]
        return actions


def module_of(command: str) -> str:
    """Return the name of the module of *command*, which has ``_`` where Python allows no other."""
    return f"{__name__}.{command.replace('-', '_')}{'_' * keyword.iskeyword(command)}"


def make_parser(chosen: str | None) -> argparse.ArgumentParser:
    """Return the parser; what the command *chosen* takes is known to its own module, and no other one is imported."""
    parser = _Parser(
        "linkenv",
        description="Look after the store of nox-linkenv and its environments.",
        epilog=f"'linkenv COMMAND --help' says more, with examples. {_EPILOG}",
    )
    parser.suggest_on_error = False
    parser.add_argument("--version", action="version", version=f"linkenv {version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, text in _COMMANDS.items():
        if name != chosen:
            commands.add_parser(name, help=text)
            continue
        module = importlib.import_module(module_of(name))
        command = commands.add_parser(
            name,
            help=text,
            description=_filled(module.DESCRIPTION),
            epilog=_examples(module.EXAMPLES),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        common = command.add_argument_group("common options")
        common.add_argument("--json", action="store_true", help="print one JSON object")
        common.add_argument("--store", metavar="DIR", help="the store (default: the one in force here, see info)")
        common.add_argument(
            "--color",
            choices=[choice.value for choice in Color],
            default=Color.AUTO.value,
            help="colours: on a terminal (auto, the default), always or never; the variables NO_COLOR and FORCE_COLOR"
            " count with auto",
        )
        command.set_defaults(run=module.run)
        module.add_arguments(command)
    return parser


def _filled(text: str) -> str:
    import textwrap

    return textwrap.fill(text, _WIDTH)


def _examples(examples: Mapping[str, str]) -> str:
    """Return what stands below the options: *examples* of command lines with what each does, and exit codes."""
    width = max(map(len, examples))
    lines = [f"  {line:{width}}  {text}" for line, text in examples.items()]
    return "\n".join(["examples:", *lines, "", _filled(_EPILOG)])
