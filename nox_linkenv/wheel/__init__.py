"""Wheels: the reader that guards everything which enters the store.

Source: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

from .model import EntryPoint, Scheme, WheelFile
from .reader import Wheel

__all__ = ["EntryPoint", "Scheme", "Wheel", "WheelFile"]
