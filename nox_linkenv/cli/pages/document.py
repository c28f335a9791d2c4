"""The page: one file of HTML that needs nothing from elsewhere, no script, and no network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["page", "section", "table"]

_STYLE: Final = """\
:root { color-scheme: light dark; --ink: #1d2430; --soft: #667085; --ground: #fff; --rule: #d5dae2;
  --made: #3b6fd4; --installed: #e08a2c; --ran: #a9b4c4; --pip: #c93c3c; --share: 59, 111, 212; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa5b5; --ground: #14181f; --rule: #343c49;
  --made: #6f9bf0; --installed: #f0a860; --ran: #55606f; --pip: #ef7070; --share: 111, 155, 240; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 1000px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
p { color: var(--soft); margin: .2rem 0 .6rem; }
svg { width: 100%; height: auto; display: block; } svg text { font: 11px system-ui, sans-serif; fill: var(--ink); }
.name { text-anchor: end; } .tick { text-anchor: middle; fill: var(--soft); } .day { fill: var(--soft); }
.end { text-anchor: end; } .grid { stroke: var(--rule); }
.made { fill: var(--made); } .installed { fill: var(--installed); }
.pip { fill: var(--pip); } .ran { fill: var(--ran); }
.area { fill: rgba(var(--share), .18); } .curve { fill: none; stroke: var(--made); stroke-width: 2; }
.point { fill: var(--made); }
.cell { stroke: var(--ground); stroke-width: 1.5; fill: rgba(var(--share), .16); }
.shared2 { fill: rgba(var(--share), .32); } .shared3 { fill: rgba(var(--share), .46); }
.shared4 { fill: rgba(var(--share), .6); } .shared5 { fill: rgba(var(--share), .74); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
.number { text-align: right; white-space: nowrap; }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 .9em; }
"""


def page(title: str, subtitle: str, sections: Sequence[str]) -> str:
    """Return the whole document."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(subtitle)}</p>\n{''.join(sections)}</body>\n</html>\n"
    )


def section(title: str, text: str, content: str, *, keys: Sequence[tuple[str, str]] = ()) -> str:
    """Return a part of the page.

    Args:
        content: HTML.
        keys: classes of bars, and what each stands for.
    """
    legend = "".join(
        f'<svg class="key" viewBox="0 0 1 1"><rect class="{kind}" width="1" height="1"/></svg>{escape(words)}'
        for kind, words in keys
    )
    return f"<section>\n<h2>{escape(title)}</h2>\n<p>{escape(text)}{legend}</p>\n{content}\n</section>\n"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Return a table; the columns *right* (by position) are numbers."""

    def cells(kind: str, row: Sequence[str]) -> str:
        marks = ['class="number"' if at in right else "" for at in range(len(row))]
        return "".join(f"<{kind} {mark}>{escape(text)}</{kind}>" for mark, text in zip(marks, row, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>\n" for row in rows)
    return f"<table>\n<tr>{cells('th', heads)}</tr>\n{body}</table>"
