"""The one way in which a wheel is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import WheelError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["refusal"]

_REMEDY: Final = (
    "Nothing of it was stored: download or build the wheel anew, and report it to its publisher if that does not help."
)


def refusal(path: Path, what: str, *, member: str | None = None) -> WheelError:
    """Return the error to raise: *what* is wrong with *member* of the wheel at *path*, or with the whole of it."""
    where = "The wheel" if member is None else f"Member {member!r} of the wheel"
    return WheelError(f"{where} {what}", remedy=_REMEDY, path=path)
