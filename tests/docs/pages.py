"""Reading the project's markdown: code blocks, the comments that say how to run them, headings and links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["PROJECT", "Block", "anchors", "blocks", "links", "pages"]

PROJECT: Final = Path(__file__).parents[2]

_FENCE: Final = re.compile(
    r"(?:^<!-- (?P<role>[a-z]+): (?P<argument>[^\n]*?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>[a-z]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_LINK: Final = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; *role* and *argument* come from a comment ``<!-- role: argument -->`` on the line before."""

    page: Path
    line: int
    language: str
    text: str
    role: str | None
    argument: str | None

    @property
    def name(self) -> str:
        """Where the block stands, for test names."""
        return f"{self.page.relative_to(PROJECT)}:{self.line}"


def pages() -> list[Path]:
    """Return every page of the documentation."""
    top = [PROJECT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING")]
    return [*top, *sorted((PROJECT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start()) + 1,
            language=found["language"],
            text="".join(line.removeprefix(found["indent"]) for line in found["text"].splitlines(keepends=True)),
            role=found["role"],
            argument=found["argument"],
        )
        for found in _FENCE.finditer(text)
    ]


def _without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))


def links(page: Path) -> list[str]:
    """Return the targets of the links on a page, code aside."""
    return _LINK.findall(_without_code(page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, made as GitHub makes them."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-") for heading in headings}
