"""What real pip does by itself: whole requests that are not modelled here, and projects in editable mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_linkenv.resolve.pip_arguments import Arguments, Kind
from nox_linkenv.resolve.request import Course, Outcome, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.resolve.report import Resolved
    from nox_linkenv.resolve.request import Request

__all__ = ["delegate", "install_editable"]


def delegate(request: Request, pip: Pip, reason: str) -> Outcome:
    """Let real pip carry out *request* untouched; its result is the user's.

    Args:
        reason: why, in one clause.
    """
    pip.install(request.arguments)
    return Outcome((), Course(Source.LEFT, f"left to pip: {reason}", reason))


def install_editable(editable: Sequence[Resolved], arguments: Arguments, pip: Pip) -> None:
    """Let pip install projects in editable mode: only their build backend knows what that means."""
    paths = [value for item in editable for value in ("-e", _path(item))]
    pip.install(["--no-deps", *arguments.again(Kind.INDEX, Kind.BUILD, Kind.OUTPUT), *paths])


def _path(item: Resolved) -> str:
    path = item.path or item.url
    return f"{path}[{','.join(item.extras)}]" if item.extras else path
