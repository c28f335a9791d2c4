"""pip is asked about wheels that were built already; what it installs and notes is as if it had been the projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.parity.compare import tree_differences
from tests.projects.tool import Bench, make_project
from tests.support.suites import usually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.network


_FORMS: Final = [
    ["./sub dïr/project[test]"],
    ["-e", "sub dïr/project [test]"],
    ["-e", "./sub dïr/../link"],
    ["iniconfig<2.1", "-e", "{here}/link[test]", "--no-deps"],
    ["-c", "constraints.txt", "link/", "pathspec"],
]


@pytest.mark.parametrize("arguments", usually(_FORMS, _FORMS[0], _FORMS[2], _FORMS[4]))
def test_paths_of_every_form(tmp_path: Path, bench: Bench, arguments: list[str]) -> None:
    make_project(tmp_path / "sub dïr" / "project", "hatchling")
    (tmp_path / "link").symlink_to("sub dïr/project")
    (tmp_path / "constraints.txt").write_text("pathspec<1\niniconfig<2\n")
    arguments = [argument.format(here=tmp_path) for argument in arguments]
    bench.calls.clear()
    outcome = bench.install(tmp_path, *arguments)
    assert outcome.message.startswith("asked pip"), outcome.message
    assert set(bench.calls) == {"fetch"}
    linked = bench.tree()
    bench.by_pip(tmp_path, *arguments)
    assert tree_differences(bench.tree(), linked) == []


def test_projects_that_need_each_other(tmp_path: Path, bench: Bench) -> None:
    """None of the names is on the index in these versions."""
    for name, needs in (("a", "nox-linkenv-b==7"), ("b", "nox-linkenv-a==7")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"nox_linkenv_{name}.py").write_text("")
        (tmp_path / name / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
            f'[project]\nname = "nox-linkenv-{name}"\nversion = "7"\ndescription = "x"\ndependencies = ["{needs}"]\n'
        )
    bench.calls.clear()
    bench.install(tmp_path, "./a", "-e", "./b")
    assert "ask" not in bench.calls
    linked = bench.tree()
    bench.by_pip(tmp_path, "./a", "-e", "./b")
    assert tree_differences(bench.tree(), linked) == []


def test_what_is_installed_already(tmp_path: Path, bench: Bench) -> None:
    """A wheel of the installed version would be left out; a directory is installed anew."""
    project = make_project(tmp_path / "project", "flit")
    bench.install(project, ".")
    (project / "src" / "demo" / "__init__.py").write_text('def main() -> None:\n    print("two")\n')
    bench.install(project, "-e", ".", fresh=False)
    linked = bench.tree()
    bench.by_pip(project, ".")
    bench.by_pip(project, "-e", ".", fresh=False)
    assert tree_differences(bench.tree(), linked) == []
