"""What the sessions to come need is captured while the first one works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.plugins.nox.ahead import command
from nox_linkenv.store import Store
from tests.plugins.nox.tool import Project, Run
from tests.support.capabilities import require_python
from tests.support.environment import clean_environment
from tests.support.processes import left_of

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


_MATRIX: Final = """\
import glob, os, pathlib, time

import nox

nox.options.default_venv_backend = os.environ["BACKEND"]


@nox.session(python=["3.12", "3.13"])
@nox.parametrize("what", ["one", "two"])
def tests(session, what):
    session.install(*os.environ["REQUEST"].split())
    if session.python == "3.13":
        print("bytecode:", len(glob.glob(session.virtualenv.location + "/lib/*/site-packages/__pycache__/tiny.*")))
    elif what == "one":
        print("what is ahead is waited for:", wait(answered), flush=True)
    elif os.environ.get("COMPILED"):
        print("what is compiled is waited for:", wait(compiled), flush=True)
        time.sleep(1)  # until it is written down, too
    session.run("python", "-c", "import tiny; print('tiny', tiny.VERSION)")


def wait(condition):
    end = time.monotonic() + float(os.environ["PATIENCE"])
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


STORE = pathlib.Path(os.environ["LINKENV_STORE"], "v2")


def answered():
    return len(list(STORE.glob("resolutions/*/*.json"))) >= 2  # for two interpreters


def compiled():
    return any(b"python3.13/site-packages/tiny.py" in path.read_bytes() for path in STORE.glob("bytecode/**/*.pyc"))
"""


def _messages(output: str) -> dict[str, str]:
    """Return what was said of the request of each session, but for what took long."""
    parts = re.split(r"nox > Running session (.*)\n", output)
    return {
        name: re.sub(r" of .*", "", re.findall(r"linked: (.*)(?<! \.\.\.)$", text, re.MULTILINE)[0])
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_the_next_requests_are_answered_before_their_sessions(tmp_path: Path, newest: Host) -> None:
    for version in ("3.12", "3.13"):
        require_python(version)
    project = Project.make(tmp_path / "project", newest, _MATRIX)
    outcome = project.nox(Run(env={"REQUEST": "needy", "PATIENCE": "60", "COMPILED": "1"}))
    assert outcome.code == 0, outcome.output
    assert re.findall("waited for: (.*)", outcome.output) == ["True", "True"]
    assert re.findall("bytecode: (.*)", outcome.output) == ["1", "1"]
    assert outcome.output.count("tiny 1.0") == 4
    reused = "reused the resolution"
    said = _messages(outcome.output)
    assert said.pop("tests-3.12(what='one')").startswith("asked pip: this request is new")
    assert said == dict.fromkeys(["tests-3.12(what='two')", "tests-3.13(what='one')", "tests-3.13(what='two')"], reused)
    assert left_of(project.store) == []


def test_what_is_ahead_can_be_switched_off(tmp_path: Path, newest: Host) -> None:
    for version in ("3.12", "3.13"):
        require_python(version)
    project = Project.make(tmp_path / "project", newest, _MATRIX)
    sessions = ("-s", "tests-3.12(what='one')", "tests-3.13(what='one')")
    outcome = project.nox(Run(sessions, env={"REQUEST": "needy", "PATIENCE": "3", "LINKENV_AHEAD": "0"}))
    assert outcome.code == 0, outcome.output
    assert "waited for: False" in outcome.output
    assert all(line.startswith("asked pip") for line in _messages(outcome.output).values())


def test_a_build_that_writes_into_the_project_is_not_made_ahead(tmp_path: Path, newest: Host) -> None:
    """It would change what the tests of the session see which runs meanwhile."""
    for version in ("3.12", "3.13"):
        require_python(version)
    project = Project.make(tmp_path / "project", newest, _MATRIX)
    backend = (
        "import os, zipfile\n"
        "def build_wheel(directory, settings=None, metadata=None):\n"
        "    open('built', 'a').write('x')\n"
        "    with zipfile.ZipFile(os.path.join(directory, 'demo-1-py3-none-any.whl'), 'w') as wheel:\n"
        "        info = {'METADATA': 'Metadata-Version: 2.1\\nName: demo\\nVersion: 1\\nRequires-Dist: tiny\\n',\n"
        "            'WHEEL': 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'}\n"
        "        for name, text in info.items():\n"
        "            wheel.writestr('demo-1.dist-info/' + name, text)\n"
        "        wheel.writestr('demo-1.dist-info/RECORD', ''.join(f'demo-1.dist-info/{n},,\\n' for n in info))\n"
        "    return 'demo-1-py3-none-any.whl'\n"
    )
    (project.root / "backend.py").write_text(backend)
    (project.root / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    asked = "def answered():\n    return False\n"
    noxfile = re.sub(r"def answered\(\):\n.*\n", asked, _MATRIX).replace('if session.python == "3.13"', "if False")
    (project.root / "noxfile.py").write_text(noxfile.replace("return False\n\n", 'return open("built").read()\n\n', 1))
    sessions = ("-s", "tests-3.12(what='one')", "tests-3.13(what='one')")
    outcome = project.nox(Run(sessions, env={"REQUEST": ".", "PATIENCE": "5"}))
    assert outcome.code == 0, outcome.output
    assert re.findall("waited for: (.*)", outcome.output) == ["x", "xx"]


@pytest.mark.parametrize("ends", [False, True], ids=["lives", "has ended"])
def test_it_ends_with_its_host(tmp_path: Path, ends: bool) -> None:
    """What is begun is given up, and nothing else is begun, once the host has gone."""
    paths = [str(require_python(version)) for version in ("3.11", "3.12", "3.13")]
    store = Store.open(str(tmp_path / "store"))
    environ = {name: value for name, value in clean_environment().items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        command(),
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environ,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps([store.layout.root]) + "\n")
    process.stdin.write(json.dumps({"skeletons": [[path, []] for path in paths]}) + "\n")
    process.stdin.flush()

    def made() -> int:
        return len({path.name[:64] for path in (tmp_path / "store" / "v2" / "skeletons").glob("*")})

    if not ends:
        limit = time.monotonic() + 600  # it works at a low priority, so that a busy machine holds it up
        while made() < 3 and time.monotonic() < limit:
            time.sleep(0.1)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert output == ""
    assert made() <= 1 if ends else made() == 3
    assert os.listdir(store.layout.staging) == []
