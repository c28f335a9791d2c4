"""What is shown of work that takes long: on a real terminal, elsewhere, and where something else is shown already."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.progress import Display, Lines, Step, doing, shown
from tests.provision.tool import NOX, Site
from tests.support.index import Index, serving
from tests.support.interpreters import TARGET
from tests.support.terminal import on_terminal, screen
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOXFILE = """\
import nox

@nox.session(python="{TARGET}", venv_backend="linked")
def s(session):
    session.install(*session.posargs, silent=True)
"""
_LINKENV = (sys.executable, "-m", "nox_linkenv")
_ASKING = "linked: asking pip (resolving) ... "


@pytest.fixture
def index(here: Site) -> Iterator[Index]:
    """An index on which everything takes long enough to be seen."""
    (here.root / "made").mkdir()
    with serving(here.root / "made") as index:
        index.publish("app", "1.0", "lib")
        index.publish("lib", "2.0")
        index.metadata = True
        index.delay = 0.4
        yield index


@pytest.fixture
def project(here: Site, index: Index) -> Site:
    (here.project / "noxfile.py").write_text(_NOXFILE.replace("{TARGET}", TARGET))
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        del here.environ[name]
    here.environ.update(LINKENV_STORE=str(here.store), PIP_INDEX_URL=index.simple, PIP_NO_CACHE_DIR="1")
    here.environ["PATH"] = f"{here.interpreter.parent}{os.pathsep}{here.environ['PATH']}"
    return here


def _nox(project: Site, *requirements: str, interrupt_at: str | None = None) -> tuple[int, str]:
    command = [*NOX, "-s", f"s-{TARGET}", "--", *requirements]
    return on_terminal(command, cwd=project.project, env=project.environ, interrupt_at=interrupt_at)


def test_one_line_on_a_terminal_which_is_gone_afterwards(project: Site, index: Index) -> None:
    code, text = _nox(project, "app")
    assert code == 0, text
    assert f"\r{_ASKING}0 s" in text
    lines = screen(text)
    assert not [line for line in lines if "asking pip (" in line], lines
    (last,) = [line for line in lines if "linked: " in line and "Creating" not in line]
    assert re.fullmatch(r"nox > linked: asked pip: this request is new \(2 distributions, \d+\.\d+ s\)", last), last
    code, text = _nox(project, "app")
    assert re.search(r"linked: reused the resolution of \d+ s ago \(2 distributions, 0\.\d\d s\)", text), text
    assert "\rlinked" not in text, "the warm path shows nothing"


def test_what_pip_says_of_a_failure_has_lines_of_its_own(project: Site) -> None:
    code, text = _nox(project, "app", "missing-project")
    assert code == 1
    assert _ASKING in text
    lines = screen(text)
    assert [line for line in lines if line.startswith("ERROR: No matching distribution found for missing-project")]
    assert not [line for line in lines if "asking pip (" in line], lines


def test_an_interrupt_leaves_the_terminal_clean(project: Site, index: Index) -> None:
    index.delay = 20
    code, text = _nox(project, "app", interrupt_at=_ASKING)
    assert code != 0
    assert "\x1b[?25l" not in text, "the cursor was never hidden"
    lines = screen(text)
    assert not [line for line in lines if "asking pip (" in line], lines
    assert not [line for line in lines if "Traceback" in line], lines


def test_where_pip_is_heard_it_is_not_talked_over(project: Site) -> None:
    (project.project / "noxfile.py").write_text(_NOXFILE.replace("{TARGET}", TARGET).replace("True", "False"))
    code, text = _nox(project, "app")
    assert code == 0, text
    assert "Collecting app" in text
    assert _ASKING not in text


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_the_command_line(project: Site, arguments: tuple[str, ...]) -> None:
    command = [*_LINKENV, "create", "env", *arguments, "--python", str(project.interpreter), "--with", "app"]
    code, text = on_terminal(command, cwd=project.project, env=project.environ)
    assert code == 0, text
    if arguments:
        assert json.loads(text)["message"] == "asked pip: this request is new"
    else:
        assert _ASKING in text
        assert screen(text)[0].startswith("linked: asked pip: this request is new (2 distributions, ")


def test_tox(project: Site) -> None:
    (project.project / "tox.ini").write_text(
        "[tox]\nskipsdist = true\nenv_list = py\n[testenv]\nrunner = linked\ndeps = {env:WANTED}\n"
        f"base_python = {project.interpreter}\ncommands =\npass_env = *\n"
    )
    project.environ["TOX_DISABLED_EXTERNAL_PLUGINS"] = "tox-uv"

    def tox(wanted: str, *arguments: str) -> str:
        command = [sys.executable, "-m", "tox", *arguments]
        code, text = on_terminal(command, cwd=project.project, env={**project.environ, "WANTED": wanted})
        assert code == 0, text
        return text

    text = tox("app", "run")
    assert _ASKING in text
    assert not [line for line in screen(text) if "asking pip (" in line]
    assert _ASKING not in tox("app==1", "run", "-q", "-q")
    assert _ASKING not in tox("app>0", "run", "-vv"), "pip is heard"
    assert _ASKING not in tox("app>=1", "run-parallel"), "tox has a line of its own"


def test_how_much_has_come_of_which_wheel(project: Site, index: Index) -> None:
    big = make_wheel(index.directory, "big", "1.0", {"big.bin": random.Random(1).randbytes(900_000)})
    index.add("big", big)
    index.pause = 3.0  # it begins to come while pip still resolves, and that is shown first
    _, text = _nox(project, "big")
    shown = re.findall(r"\rlinked: (downloading wheels: .*?) \.\.\. \d+ s", text)
    assert any(
        re.fullmatch(r"downloading wheels: 0 of 1, 0\.\d MB; big 0\.\d MB of 0\.9 MB", line) for line in shown
    ), text


def test_elsewhere_a_line_of_text_on_what_takes_long(project: Site, index: Index) -> None:
    index.delay = 2
    done = subprocess.run(
        [*NOX, "-s", f"s-{TARGET}", "--", "app"], cwd=project.project, env=project.environ, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("nox > linked: asking pip (resolving) ...\n") == 1
    assert "\r" not in done.stdout


def test_a_narrow_terminal(project: Site) -> None:
    command = [*NOX, "-s", f"s-{TARGET}", "--", "app"]
    code, text = on_terminal(command, cwd=project.project, env=project.environ, columns=30)
    assert code == 0, text
    frames = re.findall(r"\r(linked: [^\r\n]*)", text)
    assert frames
    assert max(map(len, frames)) < 30


class _Noted(Lines):
    patience = 0.0


def test_each_step_is_said_once_and_inner_ones_first() -> None:
    said: list[str] = []
    display: Display = _Noted(said.append)
    with doing("nothing"), shown(display):
        with doing("one") as step:
            _wait_for(said, 1)
            step.text = "still one"
            time.sleep(0.25)
            with doing("two"), shown(None), doing("three"):
                _wait_for(said, 2)
        with doing("four"):
            _wait_for(said, 3)
    assert said == ["linked: one ...", "linked: three ...", "linked: four ..."]
    assert isinstance(step, Step)


def _wait_for(said: list[str], count: int) -> None:
    for _ in range(100):
        if len(said) >= count:
            return
        time.sleep(0.05)
    pytest.fail(f"only {said}")
