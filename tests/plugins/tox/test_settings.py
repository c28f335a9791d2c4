"""The keys ``linkenv_*``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugins.tox.tool import Run, ini
from tests.support.suites import usually

if TYPE_CHECKING:
    from tests.plugins.tox.tool import Project

_KEYS = ("store", "link_mode", "resolution_age", "offline", "bytecode", "spares", "verify")


def test_listed_with_the_values_in_force(project: Project) -> None:
    env = {"LINKENV_RESOLUTION_AGE": "5", "LINKENV_OFFLINE": "1"}
    config = ini("linkenv_offline = false\nlinkenv_link_mode = copy", runner="linked")
    told = project.tox(Run(("config", "-e", "py"), config=config, env=env))
    found = dict(line.split(" = ") for line in told.output.splitlines() if line.startswith("linkenv_"))
    assert {f"linkenv_{name}" for name in _KEYS} <= found.keys()
    assert found["linkenv_store"] == str(project.store)
    assert found["linkenv_link_mode"] == "copy"
    assert found["linkenv_resolution_age"] == "5.0"
    assert found["linkenv_offline"] == "False", "what tox.ini says is nearer than a variable"


def test_table_in_pyproject(project: Project) -> None:
    with (project.root / "pyproject.toml").open("a") as stream:
        stream.write("[tool.linkenv]\nresolution-age = 11\n")
    told = project.tox(Run(("config", "-e", "py", "-k", "linkenv_resolution_age"), config=ini(runner="linked")))
    assert "linkenv_resolution_age = 11.0" in told.output


_WRONG = [
    ("linkenv_link_mode = hard", "linkenv_link_mode cannot be 'hard'. It is"),
    ("linkenv_resolution_age = -1", "linkenv_resolution_age cannot be -1.0. It is a number of seconds"),
    ("linkenv_resolution_age = soon", "could not convert string to float"),
    ("linkenv_offline = perhaps", "'perhaps' cannot be transformed to bool"),
]


@pytest.mark.parametrize(("line", "says"), usually(_WRONG, _WRONG[0], _WRONG[2]))
def test_wrong_value(project: Project, line: str, says: str) -> None:
    told = project.tox(Run(config=ini(f"deps = tiny\n{line}", runner="linked")))
    assert told.code == 1, told.output
    assert says in told.output
    assert "Traceback" not in told.output
    assert "py: FAIL code 1" in told.output


def test_wrong_setting_elsewhere(project: Project) -> None:
    told = project.tox(Run(config=ini("deps = tiny", runner="linked"), env={"LINKENV_SPARES": "many"}))
    assert told.code == 1, told.output
    assert "py: failed with LINKENV_SPARES cannot set spares to 'many'. It is true or false." in told.output


def test_store_beside_the_configuration(project: Project) -> None:
    config = ini("deps = tiny\nlinkenv_store = cache/store\nlinkenv_link_mode = copy", runner="linked")
    told = project.tox(Run(config=config))
    assert told.code == 0, told.output
    assert (project.root / "cache/store/v2/objects").is_dir()
    module = next((project.root / ".tox/py").glob("lib/python*/site-packages/tiny.py"))
    assert module.stat().st_nlink == 1


def test_offline(project: Project) -> None:
    told = project.tox(Run(config=ini("deps = tiny==2.0\nlinkenv_offline = true", runner="linked")))
    assert told.code == 1, told.output
    assert "ERROR: Offline, and no resolution of this request is remembered" in told.output
    assert "py: exit 1" in told.output


def test_misspelt_names_are_told(project: Project) -> None:
    config = ini("skip_install = true\ncommands = python -c pass\nlinkenv_linkmode = copy", runner="linked")
    told = project.tox(Run(config=config, env={"LINKENV_STROE": "/x"}))
    assert told.code == 0, told.output
    assert "The key linkenv_linkmode sets nothing; linkenv_link_mode may be meant." in told.output
    assert told.output.count("The variable LINKENV_STROE sets nothing; LINKENV_STORE may be meant.") == 1
