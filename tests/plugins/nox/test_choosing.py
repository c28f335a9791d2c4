"""Every way to choose the backend, with the hook of the installed package and by import alone."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.plugins.nox.tool import Project, Run
from tests.support.capabilities import require_python
from tests.support.interpreters import OTHER, TARGET
from tests.support.seeds import seed
from tests.support.suites import usually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.shared import Host

pytestmark = pytest.mark.network  # the oldest nox is installed from the index

_NOXFILE = """\
{first}
import json, os, pathlib

import nox

{options}

@nox.session({arguments})
def s(session):
    session.install("tiny")
    session.run("python", "-c", "import tiny")
    pathlib.Path("facts").mkdir(exist_ok=True)
    linked = os.stat(next(pathlib.Path(session.virtualenv.location).rglob("tiny.py"))).st_nlink > 1
    facts = {{"backend": session.virtualenv.venv_backend, "linked": linked}}
    pathlib.Path(f"facts/{{session.name}}.json").write_text(json.dumps(facts))
"""

_OFF = {"LINKENV_NOX_HOOK": "0"}
#: No uv is found: neither by its own variable, nor on the path, nor beside nox.
_NO_UV = {"UV": "/absent/uv", "PATH": os.defpath}
_WAYS = {
    "argument": ("", 'venv_backend="linked"', Run()),
    "option": ('nox.options.default_venv_backend = "linked"', "", Run()),
    "-fb": ("", 'venv_backend="venv"', Run(("-fb", "linked"))),
    "--force-venv-backend": ("", "", Run(("--force-venv-backend", "linked"))),
    "-db": ("", "", Run(("-db", "linked"))),
    "--default-venv-backend": ("", "", Run(("--default-venv-backend", "linked"))),
    "variable": ("", "", Run(env={"NOX_DEFAULT_VENV_BACKEND": "linked"})),
    "linked|virtualenv": ("", 'venv_backend="linked|virtualenv"', Run()),
    "uv|linked": ("", 'venv_backend="uv|linked"', Run(env=_NO_UV)),
    "linked|uv in a variable": ("", "", Run(env={"NOX_DEFAULT_VENV_BACKEND": "linked|uv"})),
}
#: argparse knows each by a short name, too.
_LONG = {"--force-venv-backend", "--default-venv-backend"}
#: argparse's choices are fixed before the noxfile is read, so that an import in it comes too late for these.
_HOOK_ONLY = {"-fb", "--force-venv-backend", "-db", "--default-venv-backend"}


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, shared_dir: Path) -> Callable[..., Project]:
    """Make a project with a noxfile of these parts, without environments.

    There is one for each host: its store knows the interpreter and, soon, what pip has answered: pip is not the matter.
    """
    made: dict[str, Project] = {}

    def do(host: Host, *, first: str = "", options: str = "", arguments: str = "") -> Project:
        noxfile = _NOXFILE.format(first=first, options=options, arguments=arguments)
        if host.name not in made:
            root = tmp_path_factory.mktemp("choosing") / "project"
            made[host.name] = Project.make(root, host, noxfile, seed=seed(shared_dir, host))
        (made[host.name].root / "noxfile.py").write_text(noxfile)
        shutil.rmtree(made[host.name].envdir, ignore_errors=True)
        return made[host.name]

    return do


@pytest.mark.parametrize("way", usually(_WAYS, *(way for way in _WAYS if way not in _LONG)))
def test_chosen_without_an_import(host: Host, make: Callable[..., Project], way: str) -> None:
    options, arguments, run = _WAYS[way]
    outcome = make(host, options=options, arguments=arguments).nox(run)
    assert outcome.code == 0, outcome.output
    assert outcome.facts == {"s": {"backend": "linked", "linked": True}}


@pytest.mark.parametrize(
    "way", usually([way for way in _WAYS if way not in _HOOK_ONLY], "argument", "option", "linked|uv in a variable")
)
def test_chosen_by_import_alone(host: Host, make: Callable[..., Project], way: str) -> None:
    options, arguments, run = _WAYS[way]
    project = make(host, first="import nox_linkenv", options=options, arguments=arguments)
    outcome = project.nox(Run(run.args, env=run.env | _OFF))
    assert outcome.code == 0, outcome.output
    assert outcome.facts == {"s": {"backend": "linked", "linked": True}}


def test_import_and_hook_together(host: Host, make: Callable[..., Project]) -> None:
    project = make(host, first="import nox_linkenv", arguments='venv_backend="linked"')
    outcome = project.nox(Run())
    assert outcome.facts == {"s": {"backend": "linked", "linked": True}}, outcome.output


def test_switched_off_hook_leaves_nox_as_it_was(host: Host, make: Callable[..., Project]) -> None:
    outcome = make(host, arguments='venv_backend="linked"').nox(Run(env=_OFF))
    assert outcome.code != 0
    assert "Expected venv_backend one of" in outcome.output
    outcome = make(host).nox(Run(("-fb", "linked"), env=_OFF))
    assert outcome.code != 0
    assert "invalid choice: 'linked'" in outcome.output


def test_first_choice_is_taken(host: Host, make: Callable[..., Project]) -> None:
    outcome = make(host, arguments='venv_backend="virtualenv"').nox(Run())
    assert outcome.facts == {"s": {"backend": "virtualenv", "linked": False}}, outcome.output
    uv = shutil.which("uv", path=str(Path(host.python).parent)) or shutil.which("uv")
    if uv is not None:
        path = os.pathsep.join((str(Path(uv).parent), os.defpath))
        project = make(host, arguments='venv_backend="uv|linked"')
        outcome = project.nox(Run(env={"PATH": path}))
        assert outcome.facts["s"]["backend"] == "uv", outcome.output


def test_unknown_backend_names_ours_too(host: Host, make: Callable[..., Project]) -> None:
    outcome = make(host, arguments='venv_backend="linkde"').nox(Run())
    assert outcome.code != 0
    assert "'linked'" in outcome.output


def test_parallel(newest: Host, make: Callable[..., Project]) -> None:
    for version in (OTHER, TARGET):
        require_python(version)
    project = make(newest, arguments=f'python=["{OTHER}", "{TARGET}"], venv_backend="linked"')
    outcome = project.nox(Run(("--parallel", "2", "--allow-parallel")))
    assert outcome.code == 0, outcome.output
    last = outcome.output.splitlines()[-1]
    assert "linked: 2 environments made" in last, "one sum for both, although each was made by a process of its own"
    assert outcome.facts == {f"s-{version}": {"backend": "linked", "linked": True} for version in (OTHER, TARGET)}


@pytest.mark.parametrize("mode", usually(["fresh", "reuse"], "reuse"))
def test_script_mode(newest: Host, make: Callable[..., Project], mode: str) -> None:
    script = '# /// script\n# dependencies = ["nox", "tiny"]\n# ///\nimport tiny'
    project = make(newest, first=script, arguments='venv_backend="none"')
    noxfile = project.root / "noxfile.py"
    text = noxfile.read_text()
    body = 'def s(session):\n    print(json.dumps([tiny.VERSION, tiny.__file__, os.environ.get("NOX_SCRIPT_MODE")]))\n'
    noxfile.write_text(text[: text.index("def s(")] + body)
    told = []
    for backend in ("virtualenv", "linked"):
        shutil.rmtree(project.envdir, ignore_errors=True)
        env = {"NOX_SCRIPT_VENV_BACKEND": backend, "NOX_SCRIPT_MODE": mode, "PIP_NO_INDEX": ""}
        for _ in range(2):
            outcome = project.nox(Run(env=env))
            assert outcome.code == 0, outcome.output
            line = next(line for line in outcome.output.splitlines() if line.startswith("["))
            told.append(json.loads(line))
    assert told[2:] == told[:2]
    assert told[3][0] == "2.0"


def test_hook_is_cheap_and_harmless_outside_of_nox(host: Host, make: Callable[..., Project]) -> None:
    project = make(host)
    code = "import sys; print([name for name in sys.modules if name.startswith(('nox', 'virtualenv', 'packaging'))])"
    done = project.python("-c", code)
    assert done.stdout.strip() in {"['nox_linkenv', 'nox_linkenv._hook']", "['nox_linkenv._hook', 'nox_linkenv']"}
    assert done.stderr == ""


def test_a_nox_that_changed_under_us_is_left_as_it_was(
    host: Host, make: Callable[..., Project], tmp_path: Path
) -> None:
    """A later nox may have other modules: the hook must not break what it does not know."""
    stub = tmp_path / "stub" / "nox"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text("")
    (stub / "_options.py").write_text("CHOICES = ['virtualenv']\n")
    code = f"import sys; sys.path.insert(0, {str(stub.parent)!r}); import nox._options as o; print(o.CHOICES)"
    done = make(host).python("-c", code)
    assert done.stdout == "['virtualenv']\n", done.stderr
    assert "Traceback" not in done.stderr
    assert "linkenv" in done.stderr, "nobody was told"
