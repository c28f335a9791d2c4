"""``linkenv wait``: until no background process works for the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nox_linkenv.cli.options import duration, opened, settings_of
from nox_linkenv.errors import StoreBusyError
from nox_linkenv.maintenance.background import wait

if TYPE_CHECKING:
    import argparse

    from nox_linkenv.cli.output import Output

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Wait until no background process works for the store, as before it is saved: after a session, one compiles "
    "what the session imported and removes what was replaced."
)
EXAMPLES: Final = {
    "linkenv wait": "until no upkeep works any more",
    "linkenv wait --timeout 30s": "for half a minute at most",
}

_PATIENCE = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("--timeout", type=duration, metavar="AGE", default=_PATIENCE, help="for how long at most (10m)")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Wait."""
    store = opened(settings_of(arguments), exactly=bool(arguments.store))
    with output.progress() as progress:
        progress("waiting for background work")
        done = wait(store, within=arguments.timeout)
    if not done:
        raise StoreBusyError(
            f"A background process still works after {arguments.timeout:g} s",
            path=store.layout.root,
            remedy="Wait longer with --timeout; it may be killed at any moment, and nothing is wrong then.",
        )
    output.data({"store": store.layout.root})
    return 0
