"""The command ``linkenv``: one module for each subcommand, with ``add(subparsers)`` and ``run(arguments, output)``."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Final

from nox_linkenv.errors import LinkenvError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_FAILED: Final = 1
_USAGE: Final = 2
_INTERRUPTED: Final = 130
_EPILOG: Final = "Exit codes: 0 all is well, 1 something failed or stays broken, 2 wrong usage, 130 interrupted."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments* (default: the process's own) and return its exit code."""
    from nox_linkenv.cli.output import Output

    try:
        parsed = _parser().parse_args(arguments)
    except SystemExit as error:  # argparse has said what it had to say
        return _USAGE if error.code not in (0, None) else 0
    output = Output(json=parsed.json)
    if any(name.startswith("LINKENV_") for name in os.environ):
        from nox_linkenv.config import misspelt_variables

        for line in misspelt_variables():
            output.warn(f"linkenv: {line}")
    try:
        code: int = parsed.run(parsed, output)
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
    return code


def _parser() -> argparse.ArgumentParser:
    from nox_linkenv.cli import clean, create, doctor, du, envs, explain, info, install, prune, run, verify, wait
    from nox_linkenv.cli.options import version

    parser = argparse.ArgumentParser(
        "linkenv", description="Look after the store of nox-linkenv and its environments.", epilog=_EPILOG
    )
    parser.add_argument("--version", action="version", version=f"linkenv {version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (info, du, envs, clean, prune, verify, doctor, explain, create, install, run, wait):
        module.add(commands)
    return parser
