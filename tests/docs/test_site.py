"""What the site of the documentation shows; ``nox -s docs`` builds it, and finds pages that nothing leads to."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from benchmarks.plots import PLOTS, svg_of
from tests.docs.pages import PROJECT


@pytest.mark.parametrize("name", PLOTS)
def test_pictures_show_the_figures_of_the_pages(name: str) -> None:
    """``python -m benchmarks.plots`` draws them again."""
    drawn = (PROJECT / "docs" / "plots" / f"{name}.svg").read_text()
    assert drawn == svg_of(PLOTS[name])
    bars = [
        float(bar.get("width", "")) for bar in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}rect")
    ]
    assert len(bars) == len(PLOTS[name].peers)
    assert max(bars) == 420
    assert len(PLOTS[name].title) <= 88, "it is cut off at the right"
    assert f"plots/{name}.svg" in (PROJECT / "docs" / "index.md").read_text()
