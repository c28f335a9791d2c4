"""Saying things: tables on a terminal, plain columns elsewhere, one JSON object where that was asked for."""

from __future__ import annotations

import contextlib
import enum
import json
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nox_linkenv.errors import LinkenvError

__all__ = ["Color", "Output", "Style", "version"]


class Style(enum.Enum):
    """What a word is to look like; the value is what a terminal is told (ECMA-48, SGR)."""

    GOOD = "32"
    DOUBT = "33"
    BAD = "1;31"
    STRONG = "1"


class Color(enum.Enum):
    """Where there are colours; ``AUTO`` is on a terminal, unless the variables say otherwise."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"

    def on(self, stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
        """Return whether *stream* is to have colours.

        Source: https://no-color.org and https://force-color.org: both count where they are not empty.
        """
        if self is not Color.AUTO:
            return self is Color.ALWAYS
        if environ.get("NO_COLOR"):
            return False
        return bool(environ.get("FORCE_COLOR")) or (stream.isatty() and environ.get("TERM") != "dumb")


class Output:
    """Where a command says what it has to say.

    Args:
        json: whether only :meth:`data` is shown.
        color: where there are colours.
    """

    def __init__(self, *, json: bool, color: Color = Color.AUTO) -> None:
        self.json = json
        self.color = color

    def painted(self, text: str, style: Style, stream: TextIO | None = None) -> str:
        """Return *text* as it is written in a line of *stream* (standard output) in this *style*."""
        on = self.color.on(sys.stdout if stream is None else stream) and not self.json
        return f"\x1b[{style.value}m{text}\x1b[0m" if on else text

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
        self.warn(f"{self.painted('linkenv:', Style.BAD, sys.stderr)} {error}")

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
        """Print a table; the columns *right* (by position) are numbers."""
        if self.json or not rows:
            return
        widths = [max(len(row[at]) for row in [heads, *rows]) for at in range(len(heads))]
        if self.color.on(sys.stdout) or sys.stdout.isatty():
            from rich.console import Console, ConsoleDimensions
            from rich.table import Table
            from rich.text import Text

            table = Table(box=None, pad_edge=False)
            for position, head in enumerate(heads):
                table.add_column(head, justify="right" if position in right else "left", no_wrap=True)
            for row in rows:
                table.add_row(*map(Text, row))
            colored = self.color.on(sys.stdout)
            console = Console(no_color=not colored, force_terminal=colored or None)
            if colored and console.color_system is None:  # as on a terminal that calls itself dumb
                console = Console(force_terminal=True, color_system="standard")
            width, height = console.size
            console.size = ConsoleDimensions(max(width, sum(widths) + 2 * len(widths)), height)  # no path is broken
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

        with Console(stderr=True, no_color=not self.color.on(sys.stderr)).status("...") as status:
            yield lambda text: status.update(text)


def version() -> str:
    """Return the version of this package, which is loaded already; importing it by name would mean its plugins."""
    found: str = sys.modules["nox_linkenv"].__version__
    return found
