"""``linkenv doctor``: trying what can stand in the way, and saying what to do about it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from nox_linkenv.cli.checks import Severity, examine
from nox_linkenv.cli.options import settings_of

if TYPE_CHECKING:
    import argparse

    from nox_linkenv.cli.output import Output

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Try what can stand in the way of linking between the store and DIR, and say what to do about each. Exit code "
    "1 when something does not work; what works with less than links is a warning."
)
EXAMPLES: Final = {
    "linkenv doctor": "for the current directory",
    "linkenv doctor path/to/project": "for environments in another one",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("directory", metavar="DIR", nargs="?", default=".", help="where environments are (here)")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Examine."""
    results = examine(settings_of(arguments), os.path.realpath(arguments.directory))
    output.data(
        {
            "checks": [
                {"name": result.name, "severity": result.severity.value, "found": result.found, "remedy": result.remedy}
                for result in results
            ]
        }
    )
    output.table(["check", "", "found"], [[result.name, result.severity.value, result.found] for result in results])
    for result in results:
        if result.remedy is not None:
            output.line()
            output.line(f"{result.name}: {result.remedy}")
    return 1 if any(result.severity is Severity.ERROR for result in results) else 0
