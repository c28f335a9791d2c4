"""The two ways in which a wheel is not stored: refused, or left to pip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import UnsupportedWheelError, WheelError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["refusal", "unsupported"]

_REMEDY: Final = (
    "Nothing of it was stored: download or build the wheel anew, and report it to its publisher if that does not help."
)
_LEFT: Final = "Let pip install it, which does, or says why it cannot."


def refusal(path: Path, what: str, *, member: str | None = None) -> WheelError:
    """Return the error to raise: *what* is wrong with *member* of the wheel at *path*, or with the whole of it.

    For what is not safe, or not what it says: readers would see different things in it, or its content is another.
    """
    return WheelError(_sentence(what, member), remedy=_REMEDY, path=path)


def unsupported(path: Path, what: str, *, member: str | None = None) -> UnsupportedWheelError:
    """Return the error to raise where *what* is odd in a way that is pip's business.

    pip may install such a wheel, and does no harm with it, or it refuses it in its own words.
    """
    return UnsupportedWheelError(_sentence(what, member), remedy=_LEFT, path=path)


def _sentence(what: str, member: str | None) -> str:
    where = "The wheel" if member is None else f"Member {member!r} of the wheel"
    return f"{where} {what}"
