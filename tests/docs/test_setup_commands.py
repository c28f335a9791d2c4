"""The README's two set-up commands, from a fresh clone with an empty home directory."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import PROJECT, blocks
from tests.docs.running import run_command
from tests.support.capabilities import Capability
from tests.support.environment import clean_environment
from tests.support.interpreters import find_interpreters

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.network, pytest.mark.needs(Capability.GIT)]

COMMANDS = {block.argument: block.text for block in blocks(PROJECT / "README.md") if block.role == "setup"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of what is committed or could be: files that git ignores are left out."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        check=False,
        capture_output=True,
        text=True,
    )
    if listing.returncode != 0:
        pytest.skip("these are not the sources of a git checkout")
    target = tmp_path / "clone"
    for name in filter(None, listing.stdout.split("\0")):
        source, copy = PROJECT / name, target / name
        if source.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
            copy.chmod(source.stat().st_mode)
    return target


def run(command: str, clone: Path, **variables: str) -> str:
    home = clone.parent / "home"
    home.mkdir()
    environment = clean_environment() | {"HOME": str(home), **variables}
    environment.pop("XDG_CACHE_HOME", None)
    environment.pop("PYENV_VERSION", None)  # the commands do without
    return run_command(["bash", "-c", command], clone, environment)


def test_each_is_one_line() -> None:
    assert set(COMMANDS) == {"example", "tests"}
    assert all(command.count("\n") == 1 for command in COMMANDS.values())


def test_main_job(clone: Path) -> None:
    output = run(COMMANDS["example"], clone)
    ran = set(re.findall(r"Session science-(\S+) was successful", output))
    assert ran == {
        version for version in ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15") if version in find_interpreters()
    }, output
    assert output.splitlines().count("all imported") == len(ran)


def test_tests_are_set_up(clone: Path) -> None:
    # Collecting proves the set-up. Running would run this test again, inside itself.
    output = run(COMMANDS["tests"], clone, PYTEST_ADDOPTS="--collect-only -q")
    assert "tests/packaging/test_distribution.py" in output
