"""The recipe for continuous integration, word for word: a job, then one on an empty machine without a network."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.docs.pages import PROJECT, blocks
from tests.docs.running import run_command
from tests.provision.conftest import _plain_process, here, make_site
from tests.provision.tool import Site, put_wheel
from tests.support.capabilities import Capability
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["_plain_process", "here", "make_site"]

_WORKFLOWS: Final[list[dict[str, Any]]] = [
    yaml.safe_load(block.text) for block in blocks(PROJECT / "docs/how-to/ci.md") if block.language == "yaml"
]
_STEPS: Final[list[str]] = [
    step["run"]
    for workflow in _WORKFLOWS
    for job in workflow.get("jobs", {}).values()
    for step in job["steps"]
    if "run" in step
]
_NOXFILE: Final = f"""\
import nox

@nox.session(python="{TARGET}", venv_backend="linked")
def tests(session):
    session.install("one")
    session.run("python", "-c", "import one; print('value', one.VALUE)")
"""


def _job(site: Site, checkout: str, archive: Path | None, *before: str) -> tuple[str, Path]:
    """Run the steps of a job on an empty machine, but those that install; return what they say and the archive."""
    place = site.root / checkout
    place.mkdir()
    (place / "noxfile.py").write_text(_NOXFILE)
    if archive is not None:
        (place / "linkenv.archive").write_bytes(archive.read_bytes())
    environ = {
        **site.environ,
        "LINKENV_STORE": str(site.root / f"store-{checkout}"),
        "GITHUB_OUTPUT": str(place / "output"),
        "CI": "true",
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), site.environ["PATH"]]),
    }
    said = ""
    for step in _STEPS:
        if not step.startswith("pip install"):
            said += run_command([*before, "bash", "-e", "-c", step], place, environ)
    assert (place / "output").read_text().startswith("key=")
    return said, place / "linkenv.archive"


@pytest.mark.root
@pytest.mark.needs(Capability.ZSTD)
def test_a_second_job_is_warm_without_a_network(here: Site) -> None:
    assert any("linkenv import" in step for step in _STEPS)
    put_wheel(here.wheels, "one", one__py="VALUE = 1\n")
    here.environ["PATH"] = f"{here.interpreter.parent}{os.pathsep}{here.environ['PATH']}"
    first, archive = _job(here, "first", None)
    assert "asked pip: this request is new" in first
    content = archive.read_bytes()
    second, again = _job(here, "second", archive, "unshare", "-n")
    assert "reused the resolution of" in second
    assert "asked pip" not in second
    assert "value 1" in second
    assert abs(again.stat().st_size - len(content)) < 2000, "it does not grow with each run"
