"""Numbers for people: the same units wherever one is shown or read."""

from __future__ import annotations

import re
import time
from typing import Final

__all__ = ["ago", "bytes_", "bytes_of", "count_of", "seconds_"]

_BYTES: Final = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY: Final = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def bytes_(number: int) -> str:
    """Return a number of bytes: decimal units, as ``df -H`` has them."""
    value = float(abs(number))
    sign = "-" if number < 0 else ""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{sign}{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{sign}{value:.1f} {unit}"
        value /= 1000
    return f"{sign}{value:.1f} TB"


def count_of(number: int, what: str) -> str:
    """Return how many there are of *what*, a word whose plural has an ``s``."""
    return f"{number} {what}{'s' * (number != 1)}"


def bytes_of(text: str) -> int:
    """Return the bytes of a size such as ``5GB``, ``500M`` or ``2GiB``.

    Raises:
        ValueError: it is none; a bare number may mean anything.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?)b?|b)", text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is not a size with its unit, such as 5GB, 500M or 2GiB")
    if found[2] is None:
        return int(float(found[1]))
    return int(float(found[1]) * (_BINARY if found[3] else _BYTES)[found[2]])


def seconds_(number: float) -> str:
    """Return a span of seconds, such as ``0.04 s``, ``12.3 s``, ``4 min 05 s`` or ``2 h 10 min``."""
    value = abs(number)
    sign = "-" if number < 0 else ""
    if value < 1:
        return f"{sign}{value:.2f} s"
    if value < 100:
        return f"{sign}{value:.1f} s"
    if round(value) < 6000:
        return f"{sign}{round(value) // 60} min {round(value) % 60:02} s"
    return f"{sign}{round(value / 60) // 60} h {round(value / 60) % 60:02} min"


def ago(moment: float, now: float | None = None) -> str:
    """Return in words how long ago *moment* (seconds since the epoch) was."""
    seconds = max(0.0, (time.time() if now is None else now) - moment)
    for limit, unit, each in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{round(seconds / each)} {unit} ago"
    return f"{round(seconds / 86_400)} d ago"
