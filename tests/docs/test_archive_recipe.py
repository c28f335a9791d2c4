"""The recipe and the actions for CI, word for word: a job, then one on an empty machine without a network."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
import yaml

from tests.docs.pages import PROJECT, blocks
from tests.docs.running import run_command
from tests.provision.conftest import _plain_process, here, make_site
from tests.provision.tool import Site, put_wheel
from tests.support.capabilities import Capability
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["_plain_process", "here", "make_site"]


class _Step(NamedTuple):
    run: str
    environ: Mapping[str, str] = {}


def _recipe() -> list[_Step]:
    """Return the steps of the page that run something."""
    workflows = [
        yaml.safe_load(block.text) for block in blocks(PROJECT / "docs/how-to/ci.md") if block.language == "yaml"
    ]
    return [
        _Step(step["run"])
        for workflow in workflows
        for job in workflow.get("jobs", {}).values()
        for step in job["steps"]
        if "run" in step
    ]


def _action(name: str, **values: str) -> list[_Step]:
    """Return the steps of an action that run something, with its inputs as they are by default, or *values*."""
    action = yaml.safe_load((PROJECT / "action" / name / "action.yml").read_text())
    values = {f"inputs.{key}": value["default"] for key, value in action["inputs"].items()} | values
    steps = []
    for step in action["runs"]["steps"]:
        assert step.get("shell", "bash") == "bash"
        environ = {key: values.get(value[3:-2].strip(), "") for key, value in step.get("env", {}).items()}
        if "run" in step:
            steps.append(_Step(step["run"], environ))
    return steps


_NOXFILE: Final = f"""\
import nox

@nox.session(python="{TARGET}", venv_backend="linked")
def tests(session):
    session.install("one")
    session.run("python", "-c", "import one; print('value', one.VALUE)")
"""


def _job(site: Site, checkout: str, archive: Path | None, steps: Sequence[_Step], *before: str) -> tuple[str, Path]:
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
        "RUNNER_TEMP": str(place),
        "CI": "true",
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), site.environ["PATH"]]),
    }
    said = ""
    for step in steps:
        if not step.run.startswith("pip install"):
            said += run_command([*before, "bash", "-e", "-c", step.run], place, {**environ, **step.environ})
    assert re.search("^key=.", (place / "output").read_text(), re.MULTILINE)
    return said, place / "linkenv.archive"


@pytest.mark.root
@pytest.mark.needs(Capability.ZSTD)
@pytest.mark.parametrize(
    "steps", [_recipe(), [*_action("restore"), _Step("nox"), *_action("save")]], ids=["recipe", "actions"]
)
def test_a_second_job_is_warm_without_a_network(here: Site, steps: Sequence[_Step]) -> None:
    assert any("linkenv import" in step.run for step in steps)
    put_wheel(here.wheels, "one", one__py="VALUE = 1\n")
    here.environ["PATH"] = f"{here.interpreter.parent}{os.pathsep}{here.environ['PATH']}"
    first, archive = _job(here, "first", None, steps)
    assert "asked pip: this request is new" in first
    content = archive.read_bytes()
    second, again = _job(here, "second", archive, steps, "unshare", "-n")
    assert "reused the resolution of" in second
    assert "asked pip" not in second
    assert "value 1" in second
    assert abs(again.stat().st_size - len(content)) < 2000, "it does not grow with each run"


@pytest.mark.parametrize(
    ("forks", "origin", "saves"),
    [("false", "", True), ("false", "me/it", True), ("false", "other/it", False), ("true", "other/it", True)],
    ids=["no pull request", "of a branch", "of a fork", "of a fork, as told"],
)
def test_pull_requests_from_forks_save_nothing(tmp_path: Path, forks: str, origin: str, saves: bool) -> None:
    """Whoever opens one could put anything into what other runs start from."""
    event = {"github.event.pull_request.head.repo.full_name": origin, "github.repository": "me/it"}
    decides, *_ = _action("save", **{"inputs.forks": forks, **event})
    output = tmp_path / "output"
    output.touch()
    environ = {**os.environ, "GITHUB_OUTPUT": str(output), **decides.environ}
    run_command(["bash", "-e", "-c", decides.run], tmp_path, environ)
    assert (output.read_text() == "save=true\n") is saves
    action = yaml.safe_load((PROJECT / "action" / "save" / "action.yml").read_text())
    assert [step.get("if") for step in action["runs"]["steps"]] == [None, *["steps.may.outputs.save == 'true'"] * 2]
