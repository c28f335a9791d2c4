"""``linkenv report``: its drawings are true to size, its page needs nothing from elsewhere, and a browser shows it."""

from __future__ import annotations

import re
import struct
import subprocess
import time
import zlib
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.cli.pages.drawing import Bar, Cell, Row, line, split, timeline, treemap
from nox_linkenv.store import Store
from nox_linkenv.store.journal import Installed, Made, Session, Size, append
from tests.cli.tool import answer, linkenv, say
from tests.provision.tool import Site, put_wheel
from tests.support.capabilities import Capability

if TYPE_CHECKING:
    from pathlib import Path


def _fill(here: Site) -> None:
    """Make two environments that share a package, and note two runs."""
    put_wheel(here.wheels, "shared", shared__py="x = 1\n" * 9000)
    put_wheel(here.wheels, "alone", alone__py="x = 1\n" * 3000)
    here.place("one").session(["shared"])
    here.place("two").session(["shared", "alone"])
    store, now = Store.open(here.store), time.time()
    hit = Installed("reused", None, 0.2, 1, 1.2, 54_000, 0)
    miss = Installed("asked pip", "r.txt changed", 2.0, 1, 1.9, 54_000, 0, ("r.txt changed",))
    entries: list[Session | Size] = [Size(now - 86_400 * day, {"objects": 10_000 * (9 - day)}) for day in (7, 3, 1)]
    for run, (name, install) in enumerate((("old", hit), ("<b>&tests|3", hit), ("lint", miss))):
        made = Made("linked", None, 0.5, 1000, 0)
        began = now - 1000 + 10 * run
        project = str(here.project) if run else "/elsewhere"
        entries.append(Session(f"r{min(run, 1)}", "nox", project, name, f"/e{run}", began, began + 4, made, (install,)))
    append(store.layout, entries, now=now, days=90.0)


def test_a_treemap_is_true_to_size_and_leaves_no_room() -> None:
    cells = [Cell(str(number), float(number**2 + 1), 1, "") for number in range(40)]
    whole = sum(cell.size for cell in cells)
    rectangles = list(split(cells, 0.0, 0.0, 800.0, 500.0))
    assert [cell for cell, _ in rectangles] == cells
    for cell, (x, y, width, height) in rectangles:
        assert width * height == pytest.approx(cell.size / whole * 400_000)
        assert x >= 0
        assert y >= 0
        assert x + width <= 800.001
        assert y + height <= 500.001
    for at, (_, (x, y, width, height)) in enumerate(rectangles):
        for _, (left, top, wide, high) in rectangles[at + 1 :]:
            apart = x + width <= left + 1e-6 or left + wide <= x + 1e-6
            assert apart or y + height <= top + 1e-6 or top + high <= y + 1e-6, "they do not overlap"
    assert treemap([]) == ""


def test_bars_are_as_long_as_what_they_stand_for() -> None:
    bars = (Bar("made", 5.0, 6.0, "a"), Bar("ran", 6.0, 9.0, "b & c"))
    drawn = timeline([Row("x<y", bars), Row("z", (Bar("pip", 9.0, 15.0, ""),))])
    widths = [float(width) for width in re.findall(r'width="([\d.]+)" height="16', drawn)]
    assert [round(width / widths[0], 1) for width in widths] == [1, 3, 6]
    assert "x&lt;y" in drawn
    assert "b &amp; c" in drawn
    assert timeline([]) == ""
    assert line([(1.0, 0.0, "nothing")]).count("<circle") == 1


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.values: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.values += [value or "" for _, value in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(here: Site, tmp_path: Path) -> None:
    _fill(here)
    place = tmp_path / "page.html"
    said = say(here, "report", "--html", str(place))
    assert said == f"2 sessions: {place}\n", "those of the last run in this project"
    text = place.read_text(encoding="utf-8")
    page = _Page(text)
    assert page.open == []
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "b"})
    assert not any("://" in value or value.startswith(("javascript:", "//")) for value in page.values)
    assert "&lt;b&gt;&amp;tests|3" in text
    assert re.search(r"shared 1.0, 54\.\d kB, in 2 environments", text)
    assert re.search(r"alone 1.0, 18\.\d kB, in 1 environment:", text)
    assert "asked pip, 2.0 s: r.txt changed" in text
    assert "old" not in re.findall(r'class="name"[^>]*>([^<]*)<', text)
    assert text.count("<circle") == 4, "three days, and now"
    say(here, "report", "--since", "1h", "--html", str(place))
    assert any(name.startswith("old, ") for name in re.findall(r'class="name"[^>]*>([^<]*)<', place.read_text()))


def test_other_forms(here: Site, tmp_path: Path) -> None:
    error = linkenv(here, "report", code=1).stderr
    assert "Nothing is known" in error
    _fill(here)
    found = answer(here, "report")["sessions"]
    assert [(one["making"], one["installing"], one["running"]) for one in found] == [(0.5, 0.2, 3.3), (0.5, 2.0, 1.5)]
    assert re.search(r"lint +linked +0.50 s +2.0 s +1.5 s +1 +1: r.txt changed", say(here, "report"))
    said = say(here, "report", "--github-summary")
    assert "| session | environment | making |" in said
    assert "| <b>&tests\\|3 | linked | 0.50 s | 0.20 s |" in said
    assert "1.0 s less than pip ran for the same answer." in said
    place = tmp_path / "summary.md"
    place.write_text("before\n")
    assert linkenv(here, "report", "--github-summary", GITHUB_STEP_SUMMARY=str(place)).stdout == ""
    assert place.read_text() == f"before\n{said}\n"
    assert "No such file" in linkenv(here, "report", "--html", str(tmp_path / "no" / "p.html"), code=1).stderr


@pytest.mark.slow
@pytest.mark.needs(Capability.BROWSER)
def test_a_browser_shows_it(here: Site, tmp_path: Path) -> None:
    _fill(here)
    place, picture = tmp_path / "page.html", tmp_path / "picture.png"
    say(here, "report", "--html", str(place))
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1000,1500",
        f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}", place.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, check=True, timeout=300)
    colors = _colors(picture.read_bytes())
    for name, color in (("making", "3b6fd4"), ("installing", "e08a2c"), ("by pip", "c93c3c"), ("running", "a9b4c4")):
        assert colors.get(bytes.fromhex(color), 0) > 200, f"{name} is to be seen"
    assert len(colors) > 100, "text is"


def _colors(data: bytes) -> dict[bytes, int]:
    """Return how many pixels of a PNG with 8 bits a sample have each colour (PNG specification, 9.2)."""
    width, _, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert depth == 8
    size = {2: 3, 6: 4}[kind]
    packed, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        packed += data[at + 8 : at + 8 + length] if data[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + length
    raw, stride = zlib.decompress(packed), width * size
    above, found = bytearray(stride), dict[bytes, int]()
    for start in range(0, len(raw), stride + 1):
        row, method = bytearray(raw[start + 1 : start + 1 + stride]), raw[start]
        for at in range(stride) if method else ():
            left = row[at - size] if at >= size else 0
            corner = above[at - size] if at >= size else 0
            guess = (0, left, above[at], (left + above[at]) // 2, _nearest(left, above[at], corner))[method]
            row[at] = (row[at] + guess) & 255
        for at in range(0, stride, size):
            color = bytes(row[at : at + 3])
            found[color] = found.get(color, 0) + 1
        above = row
    return found


def _nearest(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))
