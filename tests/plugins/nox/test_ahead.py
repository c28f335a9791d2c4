"""What the sessions to come need is captured while the first one works."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.env.interpreter.isolated import module_command
from nox_linkenv.plugins.nox.ahead import _NEEDED
from nox_linkenv.store import Store
from tests.plugins.nox.tool import Project, Run
from tests.support.capabilities import require_python
from tests.support.environment import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.shared import Host

#: The first session goes on until the skeleton of the second is stored, or for a minute.
_NOXFILE: Final = """\
import glob, json, os, pathlib, time

import nox

nox.options.default_venv_backend = os.environ["BACKEND"]


def note(name, **facts):
    pathlib.Path("facts").mkdir(exist_ok=True)
    pathlib.Path(f"facts/{name}.json").write_text(json.dumps(facts))


def skeletons():
    # An index of bytecode stands beside each.
    return len({os.path.basename(path)[:64] for path in glob.glob(os.environ["LINKENV_STORE"] + "/v2/skeletons/*")})


@nox.session(python="3.12")
def first(session):
    end = time.monotonic() + 60
    while skeletons() < 2 and time.monotonic() < end:
        time.sleep(0.1)
    note("first", skeletons=skeletons())


@nox.session(python="3.13")
def second(session):
    session.install("tiny")
    version = session.run("python", "-c", "import sys, tiny; print(sys.version_info[:2], tiny.VERSION)", silent=True)
    note("second", version=version.strip(), skeletons=skeletons())


@nox.session(python="3.9", venv_backend="virtualenv")
def other(session):
    note("other", skeletons=skeletons())
"""


def test_the_next_skeleton_is_there_before_its_session(tmp_path: Path, newest: Host) -> None:
    for version in ("3.12", "3.13", "3.9"):
        require_python(version)
    project = Project.make(tmp_path / "project", newest, _NOXFILE)
    outcome = project.nox(Run(env={"PYTHONWARNINGS": "default::ResourceWarning"}))
    assert outcome.code == 0, outcome.output
    assert "ResourceWarning" not in outcome.output
    assert outcome.facts == {
        "first": {"skeletons": 2},
        "second": {"version": "(3, 13) 2.0", "skeletons": 2},
        "other": {"skeletons": 2},
    }, outcome.output


def test_nothing_is_captured_for_a_single_session(tmp_path: Path, newest: Host) -> None:
    require_python("3.13")
    project = Project.make(tmp_path / "project", newest, _NOXFILE)
    outcome = project.nox(Run(("-s", "second-3.13")))
    assert outcome.facts == {"second": {"version": "(3, 13) 2.0", "skeletons": 1}}, outcome.output


@pytest.mark.parametrize("ends", [False, True], ids=["lives", "has ended"])
def test_it_ends_with_its_host(tmp_path: Path, ends: bool) -> None:
    """One that is begun is made whole; no other one is begun once the host has gone."""
    paths = [str(require_python(version)) for version in ("3.11", "3.12", "3.13")]
    store = Store.open(str(tmp_path / "store"))
    environ = {name: value for name, value in clean_environment().items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        module_command("nox_linkenv.plugins.nox.ahead", _NEEDED),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environ,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps([[store.layout.root], [[path, []] for path in paths]]) + "\n")
    process.stdin.flush()

    def made() -> int:
        return len({path.name[:64] for path in (tmp_path / "store" / "v2" / "skeletons").glob("*")})

    if not ends:
        limit = time.monotonic() + 120
        while made() < 3 and time.monotonic() < limit:
            time.sleep(0.1)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert output == ""
    assert made() <= 1 if ends else made() == 3
    assert os.listdir(store.layout.staging) == []
