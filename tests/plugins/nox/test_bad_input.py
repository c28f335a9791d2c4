"""Bad input ends in one clear message and the right status, with nothing half-made behind."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.parity.inodes import damaged_objects, objects
from tests.parity.wheels import write_wheel
from tests.plugins.nox.mounts import mounted, remount
from tests.plugins.nox.tool import Outcome, Project, Run
from tests.support.capabilities import Capability
from tests.support.seeds import sow
from tests.support.suites import usually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.oracle import Oracle
    from tests.support.shared import Host

pytestmark = pytest.mark.network  # the oldest nox is installed from the index

_NOXFILE = """\
import os

import nox

nox.options.default_venv_backend = os.environ["BACKEND"]


@nox.session
def s(session):
    session.install(*os.environ.get("WANTED", "tiny").split())
    session.run("python", "-c", "import tiny; print(tiny.VERSION)")


@nox.session
def other(session):
    session.log("the other session goes on")
"""


@pytest.fixture
def project(host: Host, tmp_path: Path) -> Project:
    """A project whose store is not there yet."""
    return Project.make(tmp_path / "project", host, _NOXFILE)


@pytest.fixture
def seeded_project(host: Host, steady_path: Path, oracle: Oracle, seeded: Path) -> Project:
    """A project whose store knows the interpreter, to be compared with the oracle."""
    return Project.make(steady_path / "project", host, _NOXFILE, oracle=oracle, seed=seeded)


def _one_clear_message(outcome: Outcome, *words: str) -> str:
    """Check that exactly one line of nox's own holds *words*, that there is no traceback, and return it.

    That virtualenv makes the environment instead of the store is another thing, and told on its own line.
    """
    assert outcome.code == 1, outcome.output
    assert outcome.report["s"][0] == "failed"
    assert "Traceback" not in outcome.output, outcome.output
    told = [line for line in outcome.output.splitlines() if "virtualenv makes the environment" not in line]
    lines = [line for line in told if all(word in line for word in words)]
    assert len(lines) == 1, outcome.output
    assert "Session s failed." in outcome.output
    return lines[0]


def _left_in_staging(store: Path) -> list[Path]:
    """Return what stays in the staging directory once work in the background has had time to end."""
    deadline = time.monotonic() + 60
    while left := [path for path in (store / "v2" / "staging").rglob("*") if path.is_file()]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return left


_WANTED = [
    "absent-distribution",
    "tiny==1.0 tiny==2.0",
    "needy tiny==2.0",
    "-r absent.txt",
    "wheels/absent-1-py3-none-any.whl",
]


@pytest.mark.parametrize("wanted", usually(_WANTED, "needy tiny==2.0", "-r absent.txt"))
def test_as_pip_has_it(seeded_project: Project, wanted: str) -> None:
    failed, _, again = seeded_project.same_on_both(
        Run(env={"WANTED": wanted}), Run(("-r", "-s", "s")), Run(("-r", "-s", "s"), env={"WANTED": wanted})
    )
    assert failed.report == {"s": ("failed", None), "other": ("success", None)}
    assert failed.errors
    assert again.report == {"s": ("failed", None)}
    assert damaged_objects(seeded_project.store) == []
    assert _left_in_staging(seeded_project.store) == []


def test_no_network(seeded_project: Project) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        env = {
            "PIP_INDEX_URL": f"http://127.0.0.1:{closed.getsockname()[1]}/simple",
            "PIP_RETRIES": "0",
            "PIP_NO_INDEX": "",
            "PIP_FIND_LINKS": "",
        }
        failed = seeded_project.same_on_both(Run(("-s", "s"), env={**env, "WANTED": "absent-distribution"}))[0]
    assert failed.code == 1
    assert failed.errors


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
def test_store_that_cannot_be_written(project: Project) -> None:
    with mounted(project.store, "ro,size=1m"):
        outcome = project.nox(Run(("-s", "s")))
        _one_clear_message(outcome, str(project.store))
        assert list(project.store.iterdir()) == []
    assert project.nox(Run(("-r", "-s", "s"))).code == 0, "the next run takes over something half-made"


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
def test_store_that_cannot_be_written_serves_what_it_has(project: Project, seeded: Path) -> None:
    with mounted(project.store, "size=200m"):
        sow(seeded, project.store)
        assert project.nox(Run(("-s", "s"))).code == 0
        remount(project.store, "ro")
        own = project.root / "cache"
        env = {"XDG_CACHE_HOME": str(own)}
        outcome = project.nox(Run(("-s", "s"), env=env))
        assert outcome.code == 0, outcome.output
        assert project.nox(Run(("-r", "-s", "s"), env={**env, "WANTED": "tiny"})).code == 0
        assert not list(own.glob("nox-linkenv/v2/wheels/*/*")), "what is there is not fetched again"
        missing = project.nox(Run(("-s", "s"), env={**env, "WANTED": "needy"}))
        assert missing.code == 0, missing.output
        assert list(own.glob("nox-linkenv/v2/wheels/*/*")), "what it lacks is added to the user's own"


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
@pytest.mark.parametrize("size", usually(["64k", "4m", "16m"], "64k", "16m"))
def test_full_store(project: Project, size: str) -> None:
    big = project.root / "wheels"
    _write_big_wheel(big)
    run = Run(("-s", "s"), env={"WANTED": "tiny big-dist", "LINKENV_SPARES": "1"})
    with mounted(project.store, f"size={size}"):
        _one_clear_message(project.nox(run), str(project.store), "space")
        if (project.store / "v2" / "objects").is_dir():
            assert not damaged_objects(project.store) or not objects(project.store)
        assert _left_in_staging(project.store) == []
        remount(project.store, "size=200m")
        outcome = project.nox(Run(("-r", "-s", "s"), env=run.env))
        assert outcome.code == 0, outcome.output
        assert damaged_objects(project.store) == []


@pytest.mark.parametrize("options", [(), pytest.param(("-r",), marks=pytest.mark.slow)])
def test_store_of_a_newer_format(project: Project, options: tuple[str, ...]) -> None:
    project.store.mkdir()
    description = project.store / "linkenv-store.json"
    description.write_text(json.dumps({"format": 99}))
    outcome = project.nox(Run((*options, "-s", "s")))
    message = _one_clear_message(outcome, str(project.store), "99")
    assert "pgrade" in message
    assert [path.name for path in project.store.iterdir()] == [description.name]
    assert not (project.envdir / "s").exists()


def test_store_that_is_a_file(project: Project) -> None:
    project.store.write_text("in the way")
    _one_clear_message(project.nox(Run(("-s", "s"))), str(project.store))
    assert project.store.read_text() == "in the way"


def test_setting_that_is_none(project: Project) -> None:
    _one_clear_message(project.nox(Run(("-s", "s"), env={"LINKENV_LINK_MODE": "glue"})), "LINKENV_LINK_MODE", "glue")


def test_setting_that_is_none_where_the_interpreter_is_looked_for_first(project: Project) -> None:
    outcome = project.nox(Run(("-s", "s", "--force-python", "3.12"), env={"LINKENV_LINK_MODE": "glue"}))
    assert outcome.code == 1
    assert "Traceback" not in outcome.output, outcome.output
    assert outcome.output.count("glue") == 1


def test_missing_interpreter(seeded_project: Project) -> None:
    noxfile = seeded_project.root / "noxfile.py"
    noxfile.write_text(noxfile.read_text().replace("@nox.session\ndef s", '@nox.session(python="3.99")\ndef s'))
    run = Run(("-s", "s", "--error-on-missing-interpreters"))
    outcome = seeded_project.same_on_both(run)[0]
    assert outcome.report["s"][0] == "failed"
    assert not (seeded_project.envdir / "s").exists()


def _write_big_wheel(folder: Path) -> None:
    block = b"\0" * (1 << 20)
    files = {f"big/{number}.bin": bytes([number]) + block for number in range(20)}
    write_wheel(folder, "big_dist", "1.0", files)
