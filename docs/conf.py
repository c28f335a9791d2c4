"""Configuration of Sphinx for the site that ``nox -s docs`` builds of the pages as they stand in the repository.

The source directory is that of the project, so that links lead where they lead in a clone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "nox-linkenv"
author = "the nox-linkenv developers"
copyright = author  # noqa: A001  # a name of Sphinx's
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["docs/**", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sphinx = False
nitpicky = True

_ROOT: Final = Path(__file__).parent.parent
#: Captions and pages of the table of contents.  It is added here, as a directive is mere text elsewhere.
_CONTENTS: Final = {
    "Begin": ["tutorial", "how-to/nox", "how-to/tox", "how-to/pytest", "how-to/ci", "how-to/from-uv"],
    "How to": [
        "how-to/local-projects",
        "how-to/monorepos",
        "how-to/containers",
        "how-to/filesystems",
        "how-to/lock-files",
        "how-to/share",
        "how-to/cli",
        "troubleshooting",
    ],
    "Understand": ["concepts", "glossary", "reliability", "trust", "platforms"],
    "Look up": [
        "reference",
        "commands",
        "store-format",
        "architecture",
        "decisions/index",
        "/CHANGELOG",
        "/CONTRIBUTING",
        "/README",
    ],
    "Figures": [],
}


def add_contents(app: Sphinx, page: str, source: list[str]) -> None:
    """Add the table of contents to the pages that others are below of (event ``source-read``)."""
    del app
    docs = _ROOT / "docs"
    if page == root_doc:
        figures = sorted(path.stem for path in docs.glob("benchmarks*.md"))
        for caption, pages in (_CONTENTS | {"Figures": figures}).items():
            source[0] += _tree(pages, caption)
    elif page == "docs/decisions/index":
        source[0] += _tree(sorted(path.stem for path in (docs / "decisions").glob("0*.md")), "")


def _tree(pages: list[str], caption: str) -> str:
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["\n", "```{toctree}", *options, "", *pages, "```", ""])


def lead_to_the_first_page(app: Sphinx, error: Exception | None) -> None:
    """Let the address of the site lead to its first page (event ``build-finished``)."""
    if error is None and app.builder.format == "html":
        page = f"{root_doc}.html"
        text = f'<!doctype html><meta http-equiv="refresh" content="0; url={page}"><a href="{page}">{project}</a>\n'
        Path(app.outdir, "index.html").write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Connect what is above (Sphinx calls this)."""
    app.connect("source-read", add_contents)
    app.connect("build-finished", lead_to_the_first_page)
