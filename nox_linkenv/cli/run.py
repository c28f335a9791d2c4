"""``linkenv run``: a command in an environment that is gone afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nox_linkenv.cli.options import settings_of
from nox_linkenv.errors import EnvError
from nox_linkenv.provision.ephemeral import ShellPolicy, throwaway

if TYPE_CHECKING:
    import argparse

    from nox_linkenv.cli.output import Output

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "add_contents", "requested", "run"]

DESCRIPTION: Final = (
    "Run COMMAND in a throwaway environment, as in: linkenv run --python 3.12 --with pandas -- python -c 'import "
    "pandas'. The exit code is that of the command."
)
EXAMPLES: Final = {
    "linkenv run --with pandas -- python -c 'import pandas'": "run with pandas, and leave nothing",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    add_contents(parser)
    parser.add_argument("command", metavar="COMMAND", nargs="+", help="program and arguments, after --")


def add_contents(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what the environment is made of."""
    parser.add_argument("--python", metavar="SPEC", help="version or path of the interpreter (the one running linkenv)")
    parser.add_argument("--with", dest="requirements", metavar="REQ", action="append", default=[], help="a requirement")
    parser.add_argument("-r", "--requirement", metavar="FILE", action="append", default=[], help="of requirements")
    parser.add_argument("-c", "--constraint", metavar="FILE", action="append", default=[], help="of constraints")
    parser.add_argument("-e", "--editable", metavar="PATH", action="append", default=[], help="a project in place")


def requested(arguments: argparse.Namespace) -> list[str]:
    """Return those options as arguments of ``pip install``."""
    found: list[str] = []
    for option, values in (("-r", arguments.requirement), ("-e", arguments.editable)):
        for value in values:
            found += [option, value]
    found += arguments.requirements
    if found:
        for value in arguments.constraint:
            found += ["-c", value]
    return found


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Run it."""
    settings = settings_of(arguments)
    wanted = requested(arguments)
    if not wanted:
        _check_program(arguments.command[0])
    policy = ShellPolicy(quiet=output.json)
    with throwaway(settings, arguments.python, session="linkenv run", policy=policy) as environment:
        outcome = environment.install(wanted)
        for warning in () if outcome is None else outcome.warnings:
            output.warn(warning)
        code = environment.run(arguments.command)
    output.data({"exit_code": code, "message": None if outcome is None else outcome.message})
    return code


def _check_program(name: str) -> None:
    """Look for a program that an environment without packages does not bring, before one is made for nothing.

    Raises:
        EnvError: there is none.
    """
    import re
    import shutil

    if not re.match("python|pip", name) and shutil.which(name) is None:
        raise EnvError(f"There is no program {name!r}", remedy="Install what has it with --with.")
