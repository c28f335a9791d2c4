"""Saying things: tables on a terminal, plain columns elsewhere, one JSON object where that was asked for."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nox_linkenv.errors import LinkenvError

__all__ = ["Output", "version"]


class Output:
    """Where a command says what it has to say.

    Args:
        json: whether only :meth:`data` is shown.
    """

    def __init__(self, *, json: bool) -> None:
        self.json = json

    def data(self, value: Mapping[str, Any]) -> None:
        """Print the one JSON object of a command, if it was asked for."""
        if self.json:
            sys.stdout.write(json.dumps(value, indent=2) + "\n")

    def line(self, text: str = "") -> None:
        if not self.json:
            sys.stdout.write(text + "\n")

    def warn(self, text: str) -> None:
        sys.stderr.write(text + "\n")

    def error(self, error: LinkenvError) -> None:
        """Say what is wrong."""
        self.data(
            {
                "error": {
                    "kind": type(error).__name__,
                    "what": error.what,
                    "path": None if error.path is None else str(error.path),
                    "digest": error.digest,
                    "remedy": error.remedy,
                }
            }
        )
        self.warn(f"linkenv: {error}")

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
        """Print a table; the columns *right* (by position) are numbers."""
        if self.json or not rows:
            return
        widths = [max(len(row[at]) for row in [heads, *rows]) for at in range(len(heads))]
        if sys.stdout.isatty():
            from rich.console import Console
            from rich.table import Table
            from rich.text import Text

            table = Table(box=None, pad_edge=False)
            for position, head in enumerate(heads):
                table.add_column(head, justify="right" if position in right else "left", no_wrap=True)
            for row in rows:
                table.add_row(*map(Text, row))
            console = Console()
            console.width = max(console.width, sum(widths) + 2 * len(widths))  # a path is never broken
            console.print(table, soft_wrap=True)
            return
        for row in [heads, *rows]:
            cells = [
                cell.rjust(width) if at in right else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            sys.stdout.write("  ".join(cells).rstrip() + "\n")

    @contextlib.contextmanager
    def progress(self) -> Iterator[Callable[[str], None]]:
        """Show on a terminal what is being done; yields what takes that."""
        if self.json or not sys.stderr.isatty():
            yield lambda text: None
            return
        from rich.console import Console

        with Console(stderr=True).status("...") as status:
            yield lambda text: status.update(text)


def version() -> str:
    """Return the version of this package, which is loaded already; importing it by name would mean its plugins."""
    found: str = sys.modules["nox_linkenv"].__version__
    return found
