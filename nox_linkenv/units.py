"""Numbers for people: the same units wherever one is shown."""

from __future__ import annotations

import time

__all__ = ["ago", "bytes_", "seconds_"]


def bytes_(number: int) -> str:
    """Return a number of bytes: decimal units, as ``df -H`` has them."""
    value = float(abs(number))
    sign = "-" if number < 0 else ""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{sign}{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{sign}{value:.1f} {unit}"
        value /= 1000
    return f"{sign}{value:.1f} TB"


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
