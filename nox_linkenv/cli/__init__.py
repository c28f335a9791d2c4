"""The command ``linkenv``.

Each of its commands is a module of the same name, with ``DESCRIPTION``, ``add_arguments(parser)`` and ``run(arguments,
output)``; only the chosen one is imported.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import TYPE_CHECKING, Final

from nox_linkenv.cli.output import Output, version
from nox_linkenv.errors import LinkenvError, SettingsError, explained

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

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
    "explain": "say which wheel, object and link mode a file of an environment came from",
    "create": "make a linked environment",
    "install": "install into a linked environment",
    "run": "run a command in an environment that is gone afterwards",
    "warm": "have and store what the sessions of a noxfile install, before they run",
    "wait": "wait until no background process works for the store",
}
_FAILED: Final = 1
_USAGE: Final = 2
_INTERRUPTED: Final = 130
_EPILOG: Final = "Exit codes: 0 all is well, 1 something failed or stays broken, 2 wrong usage, 130 interrupted."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments* (default: the process's own) and return its exit code."""
    from nox_linkenv.cli.options import told

    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        parsed = _parser(_chosen(arguments)).parse_args(arguments)
    except SystemExit as error:  # argparse has said what it had to say
        return _USAGE if error.code not in (0, None) else 0
    output = Output(json=parsed.json)
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


def _chosen(arguments: Sequence[str]) -> str | None:
    """Return the command among *arguments*: the first that is no option, because no option before it has a value."""
    return next((argument for argument in arguments if not argument.startswith("-")), None)


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    """Return the parser; what the command *chosen* takes is known to its own module, and no other one is imported."""
    parser = argparse.ArgumentParser(
        "linkenv", description="Look after the store of nox-linkenv and its environments.", epilog=_EPILOG
    )
    parser.add_argument("--version", action="version", version=f"linkenv {version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, text in _COMMANDS.items():
        if name != chosen:
            commands.add_parser(name, help=text)
            continue
        module = importlib.import_module(f"{__name__}.{name}")
        command = commands.add_parser(name, help=text, description=module.DESCRIPTION)
        command.add_argument("--json", action="store_true", help="print one JSON object")
        command.add_argument("--store", metavar="DIR", help="the store (default: the one in force here, see info)")
        command.set_defaults(run=module.run)
        module.add_arguments(command)
    return parser
