"""The package of an environment: at another path in each run, with other dates in it, and the same all the same."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.plugins.tox.tool import ORACLE, PEER, Run, ini
from tests.support.index import serving
from tests.support.suites import usually

if TYPE_CHECKING:
    from tests.plugins.tox.tool import Project

_PYTHON = "python -c \"import demo; print('VERSION', getattr(demo, 'VERSION', 0))\""


def _config(package: str) -> str:
    return ini(f"package = {package}\ncommands = {_PYTHON}", tox="")


def _dated(project: Project) -> None:
    """Have the backend write the time of the build into what it builds."""
    backend = project.root / "backend.py"
    backend.write_text(backend.read_text().replace('"dated": False', '"dated": True'))


def _direct_url(project: Project) -> dict[str, object]:
    (path,) = project.root.glob(".tox/py/lib/*/site-packages/demo-1.0.dist-info/direct_url.json")
    found: dict[str, object] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize(
    ("again", "package"),
    usually(
        [(again, package) for again in ((), ("-r",)) for package in ("wheel", "editable")],
        ((), "wheel"),
        (("-r",), "editable"),
    ),
)
def test_a_package_that_is_the_same_asks_nobody(project: Project, again: tuple[str, ...], package: str) -> None:
    _dated(project)
    run = Run(("run", *again, "-vv"), config=_config(package))
    first = project.tox(run)
    assert first.code == 0, first.output
    url = _direct_url(project)["url"]
    for _ in range(2):
        told = project.tox(run)
        assert told.code == 0, told.output
        assert "asked pip" not in told.output
        assert "left to pip" not in told.output
        assert "Successfully installed demo-1.0" in told.output
        found = _direct_url(project)
        assert found["url"] != url, "it names the archive at hand"
        url = found["url"]
        record = next(project.root.glob(".tox/py/lib/*/site-packages/demo-1.0.dist-info/RECORD")).read_text()
        check = project.root / ".tox" / "py" / "bin" / "python"
        assert record.count("direct_url.json") == 1
        assert check.exists()
    if package == "wheel":
        (project.root / "demo.py").write_text("VERSION = 7\n")
        told = project.tox(run)
        assert "took the wheels at hand" in told.output
        assert "asked pip" not in told.output
        assert "VERSION 7" in told.output


@pytest.mark.parametrize("package", usually(["wheel", "editable", "sdist"], "editable"))
def test_what_is_written_is_what_pip_writes(project: Project, package: str) -> None:
    """The second run, which asks nobody, leaves the metadata that real pip leaves in its second run."""
    found = []
    for runner in (ORACLE, PEER):
        project.renew()
        for _ in range(2):
            told = project.tox(Run(config=_config(package)), runner)
            assert told.code == 0, told.output
        (info,) = project.root.glob(".tox/py/lib/*/site-packages/demo-1.0.dist-info")
        rows = [row for row in (info / "RECORD").read_text().splitlines() if "__pycache__" not in row]
        files = {
            path.name: path.read_text() for path in sorted(info.iterdir()) if path.name not in {"RECORD", "INSTALLER"}
        }
        found.append((files, [row for row in rows if "INSTALLER" not in row and "direct_url" not in row]))
        assert sum("direct_url.json,sha256=" in row for row in rows) == 1
    oracle, peer = found
    assert json.loads(peer[0].pop("direct_url.json")).keys() == json.loads(oracle[0].pop("direct_url.json")).keys()
    assert peer == oracle


def test_an_old_answer_to_an_sdist_is_renewed(project: Project) -> None:
    """Each time it is packed anew, and the index is asked whether all is as it was: pip is not."""
    with serving(project.root / "wheels") as index:
        for wheel in sorted((project.root / "wheels").glob("*.whl")):
            index.add(wheel.name.partition("-")[0], wheel)
        env = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": index.simple, "LINKENV_RESOLUTION_AGE": "1"}
        run = Run(("run", "-r", "-vv"), config=_config("sdist"), env=env)
        first = project.tox(run)
        assert first.code == 0, first.output
        time.sleep(1.1)  # all answers are old then, also on a fast machine
        index.requests.clear()
        told = project.tox(run)
        assert told.code == 0, told.output
        assert "asked pip" not in told.output
        assert "left to pip" not in told.output
        assert "renewed the resolution" in told.output
        assert sorted(index.pages) == ["needy", "tiny"]
        assert all(not path.startswith("/files/") for _, path in index.requests)
        index.publish("tiny", "2.5")
        (project.root / "demo.py").write_text("VERSION = 7\n")
        changed = project.tox(run)
        assert "VERSION 7" in changed.output
        assert "built demo-1.0.tar.gz, as nothing else is to be installed" in changed.output


_COMMANDS = [
    ("python -m pip install {opts} {packages}", "linked: reused the resolution"),
    ("python3 -I -m pip install --no-deps {opts} {packages}", "linked: reused the resolution"),
    ("pip install -U {packages}", "linked: reused the resolution"),
    ("python -c pass {packages}", "left to the install_command, which does not begin as pip's install does here"),
    (
        "python -m pip --isolated install --no-index --find-links wheels {packages}",
        "left to the install_command, which does not begin as pip's install does here",
    ),
]


@pytest.mark.parametrize(("command", "expected"), usually(_COMMANDS, *(_COMMANDS[at] for at in (1, 2, 4))))
def test_an_install_command_that_is_pips_is_answered(project: Project, command: str, expected: str) -> None:
    config = ini(f"deps = tiny\ninstall_command = {command}", runner="linked")
    first = project.tox(Run(("run", "-r", "-vv"), config=config))
    again = project.tox(Run(("run", "-r", "-vv"), config=config))
    assert (first.code, again.code) == (0, 0), again.output
    assert expected in again.output
    assert again.installed == first.installed
    assert ("tiny-2.0.dist-info" in again.installed[".tox/py"]) is ("install" in command)
