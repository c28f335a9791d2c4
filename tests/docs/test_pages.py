"""Every page is reachable, every link leads somewhere, every block is valid in its language."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import tomli
import yaml

from nox_linkenv.projects.surroundings import HARMLESS, HARMLESS_PREFIXES, TOOLS
from tests.docs.pages import PROJECT, Block, anchors, blocks, links, pages

if TYPE_CHECKING:
    from pathlib import Path

PAGES = pages()
BLOCKS = [block for page in PAGES for block in blocks(page)]


def name_of(item: Path | Block) -> str:
    return item.name if isinstance(item, Block) else str(item.relative_to(PROJECT))


def target_of(page: Path, link: str) -> tuple[Path, str]:
    path, _, anchor = link.partition("#")
    return ((page.parent / path).resolve() if path else page), anchor


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for link in links(page):
        if link.startswith(("https://", "mailto:")):
            continue
        target, anchor = target_of(page, link)
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert not dead


def test_every_page_is_reachable_from_the_readme() -> None:
    reached: set[Path] = set()
    queue = [PROJECT / "README.md"]
    while queue:
        page = queue.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        queue += [target_of(page, link)[0] for link in links(page) if not link.startswith("https://")]
    assert set(PAGES) <= reached


@pytest.mark.parametrize("block", BLOCKS, ids=name_of)
def test_block_is_valid(block: Block) -> None:
    match block.language:
        case "python":
            compile(block.text, block.name, "exec")
        case "toml":
            tomli.loads(block.text)
        case "yaml":
            assert yaml.safe_load(block.text)
        case "ini":
            configparser.ConfigParser().read_string(block.text)
        case "sh":
            checked = subprocess.run(["bash", "-n"], input=block.text, check=False, capture_output=True, text=True)
            assert checked.returncode == 0, checked.stderr
        case "json":
            assert json.loads(block.text)
        case "dockerfile":
            lines = re.findall(r"^RUN (?:--mount=\S+ )?(.*)$", block.text, re.MULTILINE)
            checked = subprocess.run(
                ["bash", "-n"], input="\n".join(lines), check=False, capture_output=True, text=True
            )
            assert (bool(lines), checked.returncode) == (True, 0), checked.stderr
        case "groovy":
            assert block.text.count("{") == block.text.count("}")
            (lines,) = re.findall(r"sh '''\n(.*?)'''", block.text, re.DOTALL)
            checked = subprocess.run(["bash", "-n"], input=lines, check=False, capture_output=True, text=True)
            assert checked.returncode == 0, checked.stderr
        case "text":
            pass
        case other:
            pytest.fail(f"{block.name}: a block in {other!r} is checked by nobody")


def test_what_builds_read_is_listed() -> None:
    page = (PROJECT / "docs" / "how-to" / "local-projects.md").read_text().partition("## What builds read")[2]
    assert set(re.findall(r"`([\w+-]+)`", page)) >= {*HARMLESS, *HARMLESS_PREFIXES, *TOOLS}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tests_that_a_page_names_are_there(page: Path) -> None:
    """What is said to be shown by a test is shown by one."""
    named = set(re.findall(r"`(tests/[\w/.]+?)(?:::\w+)?`", page.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not (PROJECT / name).exists()] == []
