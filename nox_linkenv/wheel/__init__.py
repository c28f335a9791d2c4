"""Wheels: the reader that guards everything which enters the store.

:mod:`nox_linkenv.wheel.model` is plain data and imports nothing; the reader is :mod:`nox_linkenv.wheel.reader`.

Source: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import EntryPoint, Scheme, WheelFile

if TYPE_CHECKING:
    from .reader import Wheel

__all__ = ["EntryPoint", "Scheme", "Wheel", "WheelFile"]


def __getattr__(name: str) -> object:
    """Import the reader when it is first asked for: the warm path never reads a wheel."""
    if name == "Wheel":
        from .reader import Wheel

        return Wheel
    raise AttributeError(name)
