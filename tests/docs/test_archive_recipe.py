"""The recipes and the actions for CI, word for word: a job, then one on an empty machine without a network."""

from __future__ import annotations

import itertools
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

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

    from tests.support.reliability import Reliability

__all__ = ["_plain_process", "here", "make_site"]


class _Step(NamedTuple):
    run: str
    environ: Mapping[str, str] = {}


#: What the table of benchmarks-ci.md calls them.
_RECIPES: Final = {
    "recipe": "GitHub, steps",
    "actions": "GitHub, actions",
    "gitlab": "GitLab",
    "jenkins": "Jenkins, agent that is gone",
}


def _documents() -> list[dict[str, Any]]:
    """Return what the YAML of the page says."""
    page = PROJECT / "docs/how-to/ci.md"
    return [yaml.safe_load(block.text) for block in blocks(page) if block.language == "yaml"]


def _recipe() -> list[_Step]:
    """Return the steps for GitHub that run something."""
    jobs = [job for workflow in _documents() for job in workflow.get("jobs", {}).values()]
    return [_Step(step["run"]) for job in jobs for step in job["steps"] if "run" in step]


def _gitlab() -> list[_Step]:
    """Return the lines for GitLab, which its runner has one shell run, one after the other."""
    (job,) = [document["tests"] for document in _documents() if "tests" in document]
    assert job["cache"]["paths"] == ["linkenv.archive"]
    assert job["variables"]["LINKENV_STORE"].startswith("$CI_PROJECT_DIR/")
    return [_Step("\n".join(line for line in job["script"] if not line.startswith("pip install")))]


def _jenkins() -> list[list[_Step]]:
    """Return what each pipeline for Jenkins has its shell run, but what makes an environment and installs into it."""
    texts = [block.text for block in blocks(PROJECT / "docs/how-to/ci.md") if block.language == "groovy"]
    found = []
    for text in texts:
        lines = re.findall(r"sh '''\n(.*?)'''", text, re.DOTALL)
        kept = [line.strip() for line in lines[0].splitlines() if not re.search(r"pip install|-m venv|/activate", line)]
        found.append([_Step("\n".join(kept))])
    return found


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


NOXFILE: Final = f"""\
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
    (place / "noxfile.py").write_text(NOXFILE)
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
    if any("GITHUB_OUTPUT" in step.run for step in steps):
        assert re.search("^key=.", (place / "output").read_text(), re.MULTILINE)
    return said, place / "linkenv.archive"


@pytest.mark.root
@pytest.mark.needs(Capability.ZSTD)
@pytest.mark.parametrize(
    "steps",
    [_recipe(), [*_action("restore"), _Step("nox"), *_action("save")], _gitlab(), _jenkins()[1]],
    ids=["recipe", "actions", "gitlab", "jenkins"],
)
def test_a_second_job_is_warm_without_a_network(
    here: Site, steps: Sequence[_Step], request: pytest.FixtureRequest, reliability: Reliability
) -> None:
    assert any("linkenv import" in step.run for step in steps)
    put_wheel(here.wheels, "one", one__py="VALUE = 1\n")
    here.environ["PATH"] = f"{here.interpreter.parent}{os.pathsep}{here.environ['PATH']}"
    times = [time.perf_counter()]
    first, archive = _job(here, "first", None, steps)
    times.append(time.perf_counter())
    assert "asked pip: this request is new" in first
    content = archive.read_bytes()
    second, again = _job(here, "second", archive, steps, "unshare", "-n")
    times.append(time.perf_counter())
    cold, warm = (f"{end - begin:.1f} s" for begin, end in itertools.pairwise(times))
    reliability("recipes", (_RECIPES[request.node.callspec.id], f"{len(content) / 1e6:.1f} MB", cold, warm))
    assert "reused the resolution of" in second
    assert "asked pip" not in second
    assert "value 1" in second
    assert abs(again.stat().st_size - len(content)) < 2000, "it does not grow with each run"


def test_an_agent_that_stays_needs_no_archive(here: Site, reliability: Reliability) -> None:
    """Jenkins' first recipe: the second build, in another workspace, finds the store of the first one."""
    put_wheel(here.wheels, "one", one__py="VALUE = 1\n")
    here.environ["PATH"] = f"{here.interpreter.parent}{os.pathsep}{here.environ['PATH']}"
    size = re.search(r"LINKENV_MAX_SIZE = '(.*)'", (PROJECT / "docs/how-to/ci.md").read_text())
    assert size is not None
    step = _Step(_jenkins()[0][0].run, {"LINKENV_STORE": str(here.root / "home-store"), "LINKENV_MAX_SIZE": size[1]})
    times = [time.perf_counter()]
    first, _ = _job(here, "first", None, [step])
    times.append(time.perf_counter())
    second, _ = _job(here, "second", None, [step])
    times.append(time.perf_counter())
    cold, warm = (f"{end - begin:.1f} s" for begin, end in itertools.pairwise(times))
    reliability("recipes", ("Jenkins, agent that stays", "nothing is saved", cold, warm))
    assert "asked pip: this request is new" in first
    assert "reused the resolution of" in second
    assert "asked pip" not in second


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
