"""``linkenv install``: installing into an environment of the store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from nox_linkenv.cli.options import settings_of
from nox_linkenv.env.activation import activated
from nox_linkenv.errors import EnvError
from nox_linkenv.provision.environment import Environment
from nox_linkenv.provision.ephemeral import ShellPolicy, Throwaway

if TYPE_CHECKING:
    import argparse

    from nox_linkenv.cli.output import Output

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Install into the linked environment ENV what the arguments of pip install ask for, as in: linkenv install "
    ".venv -- pandas -c constraints.txt"
)
EXAMPLES: Final = {
    "linkenv install venv -- scipy -c constraints.txt": "as pip install scipy -c constraints.txt in it",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("env", metavar="ENV", help="directory of the environment")
    parser.add_argument("arguments", metavar="ARGUMENT", nargs="+", help="of pip install, after --")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Install."""
    prefix = os.path.realpath(arguments.env)
    policy = ShellPolicy(quiet=output.json)
    linked = Environment(prefix, settings_of(arguments), session=os.path.basename(prefix), policy=policy)
    if linked.receipt is None:
        raise EnvError(
            "This is no finished environment of nox-linkenv", path=prefix, remedy="Make it with linkenv create."
        )
    environment = Throwaway(linked, activated(prefix))
    outcome = environment.install(arguments.arguments)
    assert outcome is not None
    environment.end()
    output.data(
        {
            "path": prefix,
            "installed": [list(entry) for entry in outcome.installed],
            "message": outcome.message,
            "warnings": list(outcome.warnings),
        }
    )
    for warning in outcome.warnings:
        output.warn(warning)
    for name, version in sorted(outcome.installed):
        output.line(f"{name} {version}")
    output.line(f"linked: {outcome.summary()}")
    return 0
