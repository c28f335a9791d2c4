"""``linkenv wait``: until no background process works for the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_linkenv.cli.options import Commands, command, duration, opened, settings_of
from nox_linkenv.errors import StoreBusyError

if TYPE_CHECKING:
    import argparse

    from nox_linkenv.cli.output import Output

__all__ = ["add"]

_PATIENCE = 600.0


def add(commands: Commands) -> None:
    """Add the subcommand."""
    parser = command(
        commands,
        "wait",
        "wait until no background process works for the store",
        run,
        description="Wait until no background process works for the store, as before it is saved: after a session, one"
        " compiles what the session imported and removes what was replaced.",
    )
    parser.add_argument("--timeout", type=duration, metavar="AGE", default=_PATIENCE, help="for how long at most (10m)")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Wait."""
    from nox_linkenv.maintenance.background import wait

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
