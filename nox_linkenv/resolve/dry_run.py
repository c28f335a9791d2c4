"""Asking pip what it would install."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nox_linkenv.resolve.report import parse_report
from nox_linkenv.store.temporary import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.resolve.report import Resolved
    from nox_linkenv.store.layout import Layout

__all__ = ["ask", "reported"]


def ask(pip: Pip, layout: Layout) -> list[Resolved] | None:
    """Return what pip would install, ``None`` where it failed and that was allowed.

    Raises:
        ResolutionError: its report cannot be read.
        Whatever *pip* raises where pip fails.
    """
    text = reported(pip.ask, layout)
    return None if text is None else parse_report(text)


def reported(run: Callable[[Sequence[str]], bool], layout: Layout) -> str | None:
    """Return the report of pip that *run* has it write, given options which also keep it from installing.

    Returns ``None`` where *run* returns false, or pip has written none.
    """
    with temporary_directory(layout) as directory:
        report = Path(directory) / "report.json"
        if not run(["--dry-run", "--report", str(report)]) or not report.exists():
            return None
        return report.read_text(encoding="utf-8")
