"""``python -m benchmarks.plots``: pictures of the figures on the pages of benchmarks, as SVG in ``docs/plots``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["PLOTS", "svg_of"]

_DOCS: Final = Path(__file__).parent.parent / "docs"
#: Pixels: of the whole width, before the bars, behind the longest one, of a bar, between two, above all.
_WIDTH, _LEFT, _RIGHT, _BAR, _GAP, _TOP = 720, 210, 90, 22, 8, 34
_STYLE: Final = """\
text { font: 14px system-ui, sans-serif; fill: #333 }
.title { font-weight: 600 }
.bar { fill: #9aa5b1 }
.linked { fill: #2a7f62 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .bar { fill: #6b7580 } .linked { fill: #4fb58f } }"""


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture: a row of a table, a bar for each peer.

    Attributes:
        title: what is shown, with the unit.
        page: name of the page in ``docs`` that has the table.
        section: heading or sentence on that page which the table follows.
        row: the first cell of its row.
        peers: columns to show.
    """

    title: str
    page: str
    section: str
    row: str
    peers: tuple[str, ...]


_WARM: Final = ("benchmarks.md", "## SCI: pandas scipy scikit-learn matplotlib\n")
_COLD: Final = ("benchmarks-cold.md", "# Benchmarks: a machine that has nothing\n")
#: Name of a file -> what it shows.
PLOTS: Final[Mapping[str, Plot]] = {
    "install": Plot(
        "A known request, pandas scipy scikit-learn matplotlib: seconds to install",
        *_WARM,
        "fresh, install",
        ("linked", "uv-offline", "uv"),
    ),
    "old": Plot(
        "The same when the answer is old and the index is asked: seconds to install",
        "benchmarks.md",
        "## An answer that is too old\n",
        "SCI, old",
        ("linked", "uv"),
    ),
    "import": Plot(
        "A known request, installed and imported: seconds",
        *_WARM,
        "fresh, install and import",
        ("linked", "uv-offline", "uv", "virtualenv"),
    ),
    "disk": Plot(
        "The same: MiB that a further environment takes",
        "benchmarks.md",
        "Newly allocated by the session, environment and caches, each inode once, MiB:\n",
        "fresh, install and import",
        ("linked", "uv", "virtualenv"),
    ),
    "cold-matrix": Plot(
        "The same on a machine that has nothing, Python 3.10 to 3.13: seconds of the run",
        *_COLD,
        "pandas, scipy, scikit-learn and matplotlib, installed and imported, Python 3.10 to 3.13",
        ("linked", "uv", "virtualenv"),
    ),
    "cold-small": Plot(
        "A small project on a machine that has nothing, Python 3.10 to 3.13: seconds of the run",
        *_COLD,
        "click, pytest and a project built by hatchling, Python 3.10 to 3.13",
        ("linked", "uv", "virtualenv"),
    ),
}


def svg_of(plot: Plot) -> str:
    """Return the picture of *plot*, as its page has the figures now."""
    values = _row((_DOCS / plot.page).read_text(encoding="utf-8").partition(plot.section)[2], plot)
    longest = max(values.values())
    height = _TOP + len(values) * (_BAR + _GAP)
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(plot.title)}">',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="0" y="18">{escape(plot.title)}</text>',
    ]
    for at, (peer, value) in enumerate(values.items()):
        top = _TOP + at * (_BAR + _GAP)
        length = max(value / longest * (_WIDTH - _LEFT - _RIGHT), 1)
        looks = "bar linked" if peer == "linked" else "bar"
        place = f'x="{_LEFT}" y="{top}" width="{length:.1f}" height="{_BAR}" rx="3"'
        name = "nox-linkenv" if peer == "linked" else peer.replace("-", ", ")
        lines += [
            f'<text x="{_LEFT - 10}" y="{top + 16}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{looks}" {place}/>',
            f'<text x="{_LEFT + length + 8:.1f}" y="{top + 16}">{value:.3g}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def _row(text: str, plot: Plot) -> dict[str, float]:
    """Return the figures of *plot* by peer, out of the first table in *text* that has its row."""
    header: Sequence[str] = ()
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            header = ()
        elif not header:
            header = cells
        elif cells[0] == plot.row:
            found = dict(zip(header, cells, strict=True))
            return {peer: _number(found[peer]) for peer in plot.peers}
    raise LookupError(f"{plot.page} has no row {plot.row!r} behind {plot.section!r}")


def _number(cell: str) -> float:
    found = re.match(r"\d+(\.\d+)?", cell)
    if found is None:
        raise LookupError(f"{cell!r} is no figure")
    return float(found[0])


if __name__ == "__main__":
    (_DOCS / "plots").mkdir(exist_ok=True)
    for name, plot in PLOTS.items():
        (_DOCS / "plots" / f"{name}.svg").write_text(svg_of(plot), encoding="utf-8")
