"""Drawings as SVG: bars along a time axis, a line over time, and a treemap.  All of them are pure functions."""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Bar", "Cell", "Row", "line", "split", "timeline", "treemap"]

#: Units of a drawing's width; the browser scales it to the page.
WIDTH: Final = 960.0
_ROW: Final = 22.0
_LABEL: Final = 190.0
_HEAD: Final = 24.0
_MARGIN: Final = 24.0


class Bar(NamedTuple):
    """A span of time.

    Args:
        kind: class by which the style sheet knows it.
        began, ended: in seconds since any one moment.
        title: what is shown when somebody points at it.
    """

    kind: str
    began: float
    ended: float
    title: str


class Row(NamedTuple):
    """A line of a timeline: its name, and what happened."""

    name: str
    bars: tuple[Bar, ...]


class Cell(NamedTuple):
    """A part of a whole.

    Args:
        name: written into it where there is room.
        size: its share, in any unit; more than 0.
        shared: among how many; more is darker.
        title: what is shown when somebody points at it.
    """

    name: str
    size: float
    shared: int
    title: str


def timeline(rows: Sequence[Row]) -> str:
    """Return the *rows*, each with its bars, under one time axis that has seconds since the first."""
    bars = [bar for row in rows for bar in row.bars]
    if not bars:
        return ""
    start, end = min(bar.began for bar in bars), max(bar.ended for bar in bars)
    scale = (WIDTH - _LABEL - _MARGIN) / max(end - start, 1e-3)
    height = _HEAD + _ROW * len(rows)
    parts = []
    for tick in _ticks(end - start):
        x = _LABEL + tick * scale
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{_HEAD - 6}" x2="{x:.1f}" y2="{height}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{_HEAD - 10}">{tick:g} s</text>')
    for number, row in enumerate(rows):
        y = _HEAD + number * _ROW
        name = row.name if len(row.name) <= 28 else f"{row.name[:27]}…"
        parts.append(f'<text class="name" x="{_LABEL - 8}" y="{y + 15:.1f}">{escape(name)}</text>')
        for bar in row.bars:
            x, width = _LABEL + (bar.began - start) * scale, max((bar.ended - bar.began) * scale, 1.0)
            parts.append(
                f'<rect class="{bar.kind}" x="{x:.2f}" y="{y + 3:.1f}" width="{width:.2f}" height="{_ROW - 6}">'
                f"<title>{escape(bar.title)}</title></rect>"
            )
    return _svg(height, parts)


def line(points: Sequence[tuple[float, float, str]]) -> str:
    """Return a line over time.

    Args:
        points: seconds since the epoch in order, the value, and its text.
    """
    height, low, right = 180.0, 150.0, WIDTH - 20
    start, end = points[0][0], points[-1][0]
    most = max(value for _, value, _ in points) or 1.0
    span = max(end - start, 1.0)
    places = [(20 + (at - start) / span * (right - 20), low - value / most * (low - 20)) for at, value, _ in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [
        f'<line class="grid" x1="20" y1="{low}" x2="{right}" y2="{low}"/>',
        f'<polygon class="area" points="20,{low} {path} {places[-1][0]:.1f},{low}"/>',
        f'<polyline class="curve" points="{path}"/>',
        f'<text class="day" x="20" y="{low + 18}">{_day(start)}</text>',
        f'<text class="day end" x="{right}" y="{low + 18}">{_day(end)}</text>',
    ]
    for (x, y), (at, _, text) in zip(places, points, strict=True):
        title = escape(f"{_day(at)}: {text}")
        parts.append(f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>{title}</title></circle>')
    return _svg(height, parts)


def treemap(cells: Sequence[Cell], *, height: float = 420.0) -> str:
    """Return *cells* as rectangles that fill a whole, each as large as its share of it."""
    if not cells:
        return ""
    parts = []
    for cell, (x, y, width, depth) in split(sorted(cells, key=lambda cell: -cell.size), 0.0, 0.0, WIDTH, height):
        shade = min(cell.shared, 5)
        parts.append(
            f'<g><rect class="cell shared{shade}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{depth:.2f}"/>'
            f"<title>{escape(cell.title)}</title>"
        )
        room = int((width - 8) / 6.6)
        if room >= 4 and depth >= 16:
            text = cell.name if len(cell.name) <= room else f"{cell.name[: room - 1]}…"
            parts.append(f'<text class="label" x="{x + 4:.2f}" y="{y + 13:.2f}">{escape(text)}</text>')
        parts.append("</g>")
    return _svg(height, parts)


def split(
    cells: Sequence[Cell], x: float, y: float, width: float, height: float
) -> Iterator[tuple[Cell, tuple[float, float, float, float]]]:
    """Yield each of *cells* with its rectangle (x, y, width, height) in the one given.

    The cells are parted into two groups of about the same size, side by side along the longer edge, and so on.
    """
    if len(cells) <= 1:
        yield from ((cell, (x, y, width, height)) for cell in cells)
        return
    whole, first, at = sum(cell.size for cell in cells), cells[0].size, 1
    while at < len(cells) - 1 and first + cells[at].size <= whole / 2:
        first += cells[at].size
        at += 1
    share = first / whole
    if width >= height:
        yield from split(cells[:at], x, y, width * share, height)
        yield from split(cells[at:], x + width * share, y, width * (1 - share), height)
    else:
        yield from split(cells[:at], x, y, width, height * share)
        yield from split(cells[at:], x, y + height * share, width, height * (1 - share))


def _ticks(span: float) -> Iterator[float]:
    """Yield round numbers from 0 up to *span*, some five of them."""
    step = next(
        (s for power in range(-3, 9) for s in (10.0**power, 2 * 10.0**power, 5 * 10.0**power) if s * 6 > span), span
    )
    number = 0
    while number * step <= span:
        yield round(number * step, 3)
        number += 1


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))


def _svg(height: float, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img">{"".join(parts)}</svg>'
