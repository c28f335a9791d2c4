"""``linkenv create``: a linked environment at a place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from nox_linkenv.cli.options import settings_of
from nox_linkenv.cli.run import add_contents, requested
from nox_linkenv.env.receipt import DIRECTORY
from nox_linkenv.errors import EnvError
from nox_linkenv.provision.ephemeral import ShellPolicy, Throwaway
from nox_linkenv.store.directories import is_directory

if TYPE_CHECKING:
    import argparse

    from nox_linkenv.cli.output import Output

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Make a linked environment at ENV, with what the options name installed in it. An environment of nox-linkenv "
    "that stands there is replaced; anything else is only with --force."
)
EXAMPLES: Final = {
    "linkenv create --python 3.12 --with pandas venv": "an environment in venv, with pandas",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("env", metavar="ENV", help="directory of the environment")
    parser.add_argument("--force", action="store_true", help="replace whatever stands there")
    add_contents(parser)


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Make it."""
    settings = settings_of(arguments)
    prefix = os.path.realpath(arguments.env)
    occupied = os.path.lexists(prefix) and (not os.path.isdir(prefix) or bool(os.listdir(prefix)))
    if occupied and not arguments.force and not is_directory(f"{prefix}/{DIRECTORY}"):
        raise EnvError("Something else stands there", path=prefix, remedy="Name another place, or use --force.")
    policy = ShellPolicy(quiet=output.json)
    environment = Throwaway.make(prefix, settings, arguments.python, session=os.path.basename(prefix), policy=policy)
    outcome = environment.install(requested(arguments))
    environment.end()
    receipt = environment.linked.receipt
    output.data(
        {
            "path": prefix,
            "python": None if receipt is None else receipt.facts.version,
            "installed": [] if outcome is None else [list(entry) for entry in outcome.installed],
            "message": None if outcome is None else outcome.message,
            "warnings": [] if outcome is None else list(outcome.warnings),
        }
    )
    for warning in () if outcome is None else outcome.warnings:
        output.warn(warning)
    if outcome is not None:
        output.line(f"linked: {outcome.summary()}")
    output.line(prefix)
    return 0
