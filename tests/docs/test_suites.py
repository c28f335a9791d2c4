"""The test suites of the documentation are run by a real pytest, in a small project with a release before it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.docs.pages import Block, blocks, pages
from tests.docs.running import run_block
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

SUITES = [block for page in pages() for block in blocks(page) if block.role == "suite"]

_PYPROJECT: Final = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "shopping"
version = "1.0"

[project.scripts]
shopping = "shopping:main"
"""
_MODULE: Final = """
import argparse
from importlib.metadata import entry_points, version
from pathlib import Path

def main():
    parser = argparse.ArgumentParser("shopping")
    parser.add_argument("--version", action="version", version=f"shopping {version('shopping')}")
    parser.add_argument("command", choices=["add", "show", "payments"])
    parser.add_argument("what", nargs="*")
    arguments = parser.parse_args()
    if arguments.command == "add":
        with open("list.txt", "a") as stream:
            stream.writelines(f"{what}\\n" for what in arguments.what)
    elif arguments.command == "show":
        print(Path("list.txt").read_text(), end="")
    else:
        for found in entry_points(group="shopping.payments"):
            print(found.name)
"""


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the index has: the release before, and what builds the project."""
    wheels = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "download", "-q", "-d", str(wheels), "hatchling"]
    subprocess.run(command, check=True)
    files = {"shopping/__init__.py": _MODULE.encode()}
    make_wheel(wheels, "shopping", "0.9", files, entry_points="[console_scripts]\nshopping = shopping:main\n")
    return wheels


def test_there_are_suites() -> None:
    assert len(SUITES) >= 3


@pytest.mark.network
@pytest.mark.parametrize(
    "block",
    [pytest.param(block, marks=pytest.mark.slow if at else ()) for at, block in enumerate(SUITES)],
    ids=lambda block: block.name,
)
def test_suite_passes(block: Block, tmp_path: Path, wheels: Path, clean_env: dict[str, str]) -> None:
    project = tmp_path / "shopping"
    (project / "shopping").mkdir(parents=True)
    (project / "pyproject.toml").write_text(_PYPROJECT)
    (project / "shopping" / "__init__.py").write_text(_MODULE)
    (project / "tests").mkdir()
    (project / "tests" / "test_example.py").write_text(block.text)
    environ = clean_env | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    output = run_block(block, "pytest", project, environ)
    assert " passed" in output
    assert "skipped" not in output, output
