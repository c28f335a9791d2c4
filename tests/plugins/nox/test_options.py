"""nox's options and variables act on a linked environment as on a virtualenv."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.plugins.nox.tool import Outcome, Project, Run
from tests.support.capabilities import require_python
from tests.support.interpreters import OTHER, TARGET
from tests.support.seeds import seed
from tests.support.suites import usually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.oracle import Oracle
    from tests.support.shared import Host

pytestmark = pytest.mark.network  # the oldest nox is installed from the index

_NOXFILE = """\
import json, os, pathlib

import nox

nox.options.default_venv_backend = os.environ["BACKEND"]
PYTHON = os.environ.get("PYTHON") or None


@nox.session(python=PYTHON)
def first(session):
    session.install(*os.environ.get("WANTED", "tiny==1.0").split())
    version = session.run("python", "-V", silent=True, log=False)
    session.log("after the installation")
    pathlib.Path("facts").mkdir(exist_ok=True)
    root = pathlib.Path(session.virtualenv.location)
    listed = sorted(path.name.removesuffix(".dist-info") for path in root.glob("lib/*/site-packages/*.dist-info"))
    facts = {"listed": listed, "reused": session.virtualenv._reused, "location": str(root), "version": version}
    pathlib.Path("facts/first.json").write_text(json.dumps(facts))
"""


@pytest.fixture
def project(host: Host, steady_path: Path, oracle: Oracle, seeded: Path) -> Project:
    return Project.make(steady_path / "project", host, _NOXFILE, oracle=oracle, seed=seeded)


def _reused(outcomes: list[Outcome]) -> list[bool]:
    return [outcome.facts["first"]["reused"] for outcome in outcomes]


def _listed(outcome: Outcome, *names: str) -> list[str]:
    return [name for name in outcome.facts["first"]["listed"] if name.partition("-")[0] in names]


def test_fresh_by_default(project: Project) -> None:
    outcomes = project.same_on_both(Run(env={"WANTED": "needy"}), Run())
    assert _reused(outcomes) == [False, False]
    assert _listed(outcomes[1], "needy", "tiny") == ["tiny-1.0"]


def test_reuse_keeps_what_is_there(project: Project) -> None:
    outcomes = project.same_on_both(Run(env={"WANTED": "needy"}), Run(("-r",), env={"WANTED": "tiny"}), Run(("-N",)))
    assert _reused(outcomes) == [False, True, False]
    assert _listed(outcomes[1], "needy", "tiny") == ["needy-1.0", "tiny-1.0"]
    assert _listed(outcomes[2], "needy", "tiny") == ["tiny-1.0"]


def test_an_environment_with_an_edited_file_is_not_reused(project: Project) -> None:
    assert project.nox(Run(), "linked").code == 0
    (file,) = project.root.glob(".nox/first/lib/*/site-packages/tiny.py")
    before = file.read_bytes()
    with file.open("ab") as stream:
        stream.write(b"# edited")
    found = project.nox(Run(("-R",)), "linked")
    assert found.facts["first"]["reused"], "nobody has looked yet"
    assert "edited a file of an installed package" in found.output
    again = project.nox(Run(("-R",)), "linked")
    assert "first is made anew: " in again.output
    assert not again.facts["first"]["reused"]
    assert file.read_bytes() == before
    assert project.nox(Run(("-R",)), "linked").facts["first"]["reused"]


def test_reuse_without_install(project: Project) -> None:
    outcomes = project.same_on_both(Run(), Run(("-R",), env={"WANTED": "absent-distribution"}))
    assert _reused(outcomes) == [False, True]


def test_no_install_has_no_meaning_for_a_fresh_environment(project: Project) -> None:
    assert _listed(project.same_on_both(Run(("--no-install",)))[0], "tiny") == ["tiny-1.0"]


def test_install_only(project: Project) -> None:
    outcomes = project.same_on_both(Run(("--install-only",)), Run(("-R",)))
    assert outcomes[0].facts["first"]["version"] is None
    assert _listed(outcomes[1], "tiny") == ["tiny-1.0"]


def test_upgrade_and_downgrade_in_a_reused_environment(project: Project) -> None:
    wishes = ("tiny==1.0", "-U tiny", "needy", "--force-reinstall tiny==1.0")
    outcomes = project.same_on_both(*(Run(("-r",), env={"WANTED": wish}) for wish in wishes))
    seen = [_listed(outcome, "tiny") for outcome in outcomes]
    assert seen == [["tiny-1.0"], ["tiny-2.0"], ["tiny-1.0"], ["tiny-1.0"]]


def _stale(envs: Path) -> None:
    """Let the environment look as if it had been made from an interpreter that is gone."""
    config = envs / "first" / "pyvenv.cfg"
    lines = [line for line in config.read_text().splitlines() if not line.startswith("base-prefix")]
    config.write_text("\n".join([*lines, "base-prefix = /absent"]) + "\n")


@pytest.mark.parametrize("check", usually(["", "1"], "1"))
def test_staleness_check(project: Project, check: str) -> None:
    env = {"NOX_ENABLE_STALENESS_CHECK": check}
    outcomes = project.same_on_both(Run(env=env), Run(("-r",), env=env), Run(("-r",), env=env, before=_stale))
    assert _reused(outcomes) == [False, True, not check]


@pytest.mark.parametrize("check", usually(["", "1"], ""))
def test_another_interpreter_under_reuse(project: Project, check: str) -> None:
    for version in (OTHER, TARGET):
        require_python(version)
    env = {"NOX_ENABLE_STALENESS_CHECK": check}
    outcomes = project.same_on_both(*(Run(("-r",), env={**env, "PYTHON": version}) for version in (OTHER, TARGET)))
    assert outcomes[0].facts["first"]["version"].startswith(f"Python {OTHER}")


def _break_links(envs: Path) -> None:
    python = envs / "first" / "bin" / "python"
    python.unlink()
    python.symlink_to("/absent/python")


def _make_conda(envs: Path) -> None:
    (envs / "first" / "conda-meta").mkdir()


def _make_uv(envs: Path) -> None:
    (envs / "first" / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.5.0\nversion_info = 3.12.0\n")


def _make_empty(envs: Path) -> None:
    shutil.rmtree(envs / "first")
    (envs / "first").mkdir()


_DAMAGES = [_break_links, _make_conda, _make_uv, _make_empty]


@pytest.mark.parametrize("damage", usually(_DAMAGES, _break_links, _make_conda))
def test_what_is_no_virtualenv_is_not_reused(project: Project, damage: Callable[[Path], None]) -> None:
    outcomes = project.same_on_both(Run(env={"WANTED": "needy"}), Run(("-r",), before=damage))
    if damage is _make_uv or damage is _make_conda:  # the others pass for a virtualenv with some nox
        assert _reused(outcomes) == [False, False]
        assert _listed(outcomes[1], "needy", "tiny") == ["tiny-1.0"]


_SWITCHES = [("virtualenv", ""), ("venv", ""), ("uv", ""), ("", "virtualenv")]


@pytest.mark.parametrize(("first", "second"), usually(_SWITCHES, ("uv", ""), ("", "virtualenv")))
def test_switching_backends_under_reuse(project: Project, first: str, second: str) -> None:
    runs = (Run(backend=first), Run(("-r",), backend=second), Run(("-r",), backend=second, env={"WANTED": "needy"}))
    outcomes = project.same_on_both(*runs)
    assert _listed(outcomes[2], "tiny", "needy") == ["needy-1.0", "tiny-1.0"]


def test_envdir(project: Project) -> None:
    outcomes = project.same_on_both(Run(("--envdir", "elsewhere/envs")))
    assert outcomes[0].facts["first"]["location"] == str(project.root / "elsewhere" / "envs" / "first")
    assert not project.envdir.exists()


def test_list(project: Project) -> None:
    shutil.rmtree(project.store)
    outcomes = project.same_on_both(Run(("--list",)))
    assert outcomes[0].code == 0
    assert not project.store.exists(), "nothing was asked of the store"


@pytest.mark.parametrize("python", usually(["3.99", "/absent/python", "python3.99"], "/absent/python"))
def test_missing_interpreter_is_skipped_or_an_error(project: Project, python: str) -> None:
    env = {"PYTHON": python}
    runs = (Run(env=env), Run(("--error-on-missing-interpreters",), env=env), Run(env={**env, "CI": "1"}))
    outcomes = project.same_on_both(*runs)
    assert [outcome.report["first"][0] for outcome in outcomes] == ["skipped", "failed", "failed"]
    assert not (project.envdir / "first").exists()


@pytest.mark.parametrize("choice", usually(["auto", "never", "always"], "auto"))
def test_download_python(newest: Host, steady_path: Path, oracle: Oracle, shared_dir: Path, choice: str) -> None:
    require_python(TARGET)
    seeded = seed(shared_dir, newest)
    project = Project.make(steady_path / "project", newest, _NOXFILE, oracle=oracle, seed=seeded)
    args = ("--download-python", choice)
    outcomes = project.same_on_both(Run(args, env={"PYTHON": "3.99"}), Run(args, env={"PYTHON": TARGET}))
    assert outcomes[0].report["first"][0] == "skipped"


@pytest.mark.parametrize("wanted", usually(["tiny", "absent-distribution"], "absent-distribution"))
def test_silent_unless_verbose(project: Project, wanted: str) -> None:
    env = {"WANTED": wanted}
    quiet_pair, verbose_pair = project.on_both(Run(env=env), Run(("-v",), env=env))
    assert quiet_pair[1].text == quiet_pair[0].text
    assert verbose_pair[1].code == verbose_pair[0].code
    for outcome in verbose_pair:
        assert ("Successfully installed tiny-2.0" in outcome.output) == (wanted == "tiny")


def test_external_programs_can_be_errors(project: Project) -> None:
    project.same_on_both(Run(("--error-on-external-run",)))


def test_where_virtualenv_makes_the_environment_requests_are_remembered(host: Host, tmp_path: Path) -> None:
    """A script's first line differs with such a path: no stored skeleton fits there."""
    project = Project.make(tmp_path / "plätze", host, _NOXFILE)
    outcomes = [project.nox(Run()) for _ in range(2)]
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes[0].output
    assert "linked: asked pip" in outcomes[0].output
    assert "linked: reused the resolution" in outcomes[1].output
    assert not (project.envdir / "first" / "include" / "site").exists()
