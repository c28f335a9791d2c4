"""The noxfiles of the documentation are run by a real nox, in a small project, with one interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import Block, blocks, pages
from tests.docs.running import run_block
from tests.support.seeds import sow
from tests.support.shared import once

if TYPE_CHECKING:
    from pathlib import Path

RUN = [block for page in pages() for block in blocks(page) if block.role == "run"]

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "shopping"
version = "1.0"
dependencies = ["packaging"]

[project.optional-dependencies]
test = ["pytest"]

[dependency-groups]
test = ["pytest"]
"""
TEST = """
from shopping import newest

def test_newest() -> None:
    assert newest("1.10", "1.9") == "1.10"
"""
MODULE = """
from packaging.version import Version

def newest(*versions: str) -> str:
    return max(versions, key=Version)
"""


@pytest.fixture
def shopping(tmp_path: Path) -> Path:
    """A project with a dependency, a test and a requirements file: what the examples' sessions work on."""
    project = tmp_path / "shopping"
    (project / "tests").mkdir(parents=True)
    (project / "shopping").mkdir()
    (project / "pyproject.toml").write_text(PYPROJECT)
    (project / "shopping" / "__init__.py").write_text(MODULE)
    (project / "tests" / "test_shopping.py").write_text(TEST)
    (project / "requirements.txt").write_text("packaging\npytest\n")
    (project / "constraints.txt").write_text("packaging<26\n")
    return project


@pytest.fixture(scope="session")
def shelf(shared_dir: Path, own_seed: Path) -> Path:
    """The store of all examples but the first: what they have in common is fetched once."""
    return once(shared_dir / "examples", lambda place: sow(own_seed, place))


def test_there_are_examples() -> None:
    assert any(block.page.name == "README.md" for block in RUN)
    assert any(block.page.parent.name == "how-to" for block in RUN)


@pytest.mark.network
@pytest.mark.parametrize("block", RUN, ids=lambda block: block.name)
def test_example_runs(block: Block, shopping: Path, clean_env: dict[str, str], shelf: Path) -> None:
    assert block.language == "python"
    if block is not RUN[0]:  # the first one begins with no store at all, as its reader does
        clean_env["LINKENV_STORE"] = str(shelf)
    (shopping / "noxfile.py").write_text(block.text)
    output = run_block(block, "nox", shopping, clean_env)
    assert "was successful" in output, output
    assert "Session" in output
    assert "skipped" not in output, output
