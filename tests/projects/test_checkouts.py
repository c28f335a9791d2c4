"""Two checkouts of one project share what was built and answered; each has what pip makes of it, path by path."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import pytest

from tests.parity.compare import tree_differences
from tests.projects.tool import Bench, git, make_project
from tests.support.backend import IN_TREE, backend_text
from tests.support.capabilities import require_python
from tests.support.interpreters import TARGET
from tests.support.wheelwriter import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

_DECLARATIVE: Final = ("flit", "hatchling", "pdm", "poetry", "setuptools", "uv")
_EXACT: Final = """
[tool.hatch.build]
dev-mode-exact = true
"""


@pytest.fixture
def here(tmp_path: Path, root: Path) -> Bench:
    """A bench with a store of its own, which begins as the one that all tests fill."""
    bench = Bench(tmp_path, require_python(TARGET))
    if (root / "store").exists():
        shutil.copytree(root / "store", tmp_path / "store", symlinks=True)
    return bench


def _same_as_by_pip(bench: Bench, project: Path, *arguments: str) -> list[str]:
    """Return where the environment of *bench* differs from what pip makes of a fresh one."""
    linked = bench.tree()
    return tree_differences(bench.tree_by_pip(project, *arguments), linked)


@pytest.mark.network
@pytest.mark.parametrize(
    ("backend", "arguments"),
    [
        pytest.param(backend, words, id=f"{backend} {' '.join(words)}", marks=() if often else pytest.mark.slow)
        for backend in _DECLARATIVE
        for words in (["."], ["-e", "."], ["-r", "local.txt"])
        for often in [(backend, words[0]) in (("flit", "-e"), ("setuptools", "-r"))]
        # poetry-core asks git, which may be configured above the checkout
        if (backend, words) != ("poetry", ["."])
    ],
)
def test_a_second_checkout_builds_nothing_and_asks_nobody(
    here: Bench, tmp_path: Path, hooks: list[str], backend: str, arguments: list[str]
) -> None:
    first = make_project(tmp_path / "first", backend)
    (first / "local.txt").write_text("-e .[test]\n")
    here.install(first, *arguments)
    leavings = shutil.ignore_patterns("*.egg-info", "build", ".pdm-build")
    second = shutil.copytree(first, tmp_path / "further" / "down" / "second", ignore=leavings)
    here.calls.clear()
    hooks.clear()
    outcome = here.install(second, *arguments)
    assert (here.calls, hooks) == ([], []), outcome.message
    assert outcome.message.startswith("reused the build and reused the resolution")
    assert here.run("demo") == "one\n"
    assert here.install(second, *arguments).message.startswith("reused the resolution")
    assert _same_as_by_pip(here, second, *arguments) == []


@pytest.mark.network
@pytest.mark.parametrize("backend", ["hatch-vcs", pytest.param("setuptools-scm", marks=pytest.mark.slow)])
def test_a_requirements_file_may_name_a_project_with_a_version_of_its_commits(
    here: Bench, tmp_path: Path, hooks: list[str], backend: str
) -> None:
    """Pip makes the metadata itself to answer; what it reads of one repository for that is no matter of the other."""
    origin = make_project(tmp_path / "origin", backend)
    (origin / "more").mkdir()
    (origin / "local.txt").write_text("-e .[test]\n")
    (origin / "more" / "all.txt").write_text("-r ../local.txt\n")
    git(origin, "add", ".")
    git(origin, "commit", "-q", "-m", "two")
    git(origin, "tag", "v1.1")
    for at, place in enumerate((tmp_path / "first", tmp_path / "down" / "second")):
        git(tmp_path, "clone", "-q", str(origin), str(place))
        here.calls.clear()
        hooks.clear()
        outcome = here.install(place, "-r", "more/all.txt")
        assert (here.calls, hooks) == ([] if at else ["ask"], ["build_editable"]), outcome.message
        assert "Version: 1.1" in here.run("python", "-m", "pip", "show", "demo")
        assert _same_as_by_pip(here, place, "-r", "more/all.txt") == []
    git(place, "commit", "-q", "--allow-empty", "-m", "three")
    here.calls.clear()
    here.install(place, "-r", "more/all.txt")
    assert here.calls == ["ask"]
    assert "Version: 1.1\n" not in here.run("python", "-m", "pip", "show", "demo")


def test_metadata_that_are_not_those_of_the_wheel_count_by_what_they_are_made_of(here: Bench, tmp_path: Path) -> None:
    hooks = """

    def prepare_metadata_for_build_wheel(directory, config_settings=None):
        with open(os.path.join(os.path.dirname(os.getcwd()), "requires.txt")) as stream:
            return write_info(directory, "demo", "1.0", more="Requires-Dist: " + stream.read() + "\\n")

    def build_wheel(directory, config_settings=None, metadata_directory=None):
        return write_wheel(directory, "demo", "1.0", {"demo.py": ""})
    """
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in ("one", "two"):
        write_wheel(str(wheels), name, "1.0", {f"{name}.py": ""})
    arguments = ["--no-index", "--find-links", str(wheels), "-r", "local.txt"]
    for place, requires in (("a/one", "one"), ("b/two", "two"), ("b/two", "one")):
        project = tmp_path / place
        project.mkdir(parents=True, exist_ok=True)
        (project / "pyproject.toml").write_text(IN_TREE)
        (project / "backend.py").write_text(backend_text(hooks))
        (project / "local.txt").write_text(".\n")
        (project.parent / "requires.txt").write_text(requires)
        here.install(project, *arguments)
        listed = here.run("python", "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check")
        assert f"\n{requires}==" in f"\n{listed}"
        assert _same_as_by_pip(here, project, *arguments) == []


@pytest.mark.network
def test_what_lies_above_counts(here: Bench, tmp_path: Path, hooks: list[str]) -> None:
    """Hatchling looks upwards for what is to be ignored."""
    first = make_project(tmp_path / "first", "hatchling")
    here.install(first, ".")
    above = tmp_path / "above"
    second = shutil.copytree(first, above / "second")
    (above / ".hgignore").write_text("syntax: glob\ndata.txt\n")
    hooks.clear()
    here.install(second, ".")
    assert hooks == ["build_wheel"]
    assert _same_as_by_pip(here, second, ".") == []
    third = shutil.copytree(first, tmp_path / "others" / "third")
    hooks.clear()
    here.install(third, ".")
    assert hooks == []
    (tmp_path / "others" / ".hgignore").write_text("syntax: glob\ndata.txt\n")
    hooks.clear()
    here.install(third, ".")
    assert hooks == ["build_wheel"], "it was not there when it was put in the place of the first"


@pytest.mark.network
def test_an_editable_that_names_its_place_elsewhere_is_built(here: Bench, tmp_path: Path, hooks: list[str]) -> None:
    first = make_project(tmp_path / "first", "hatchling")
    with (first / "pyproject.toml").open("a") as stream:
        stream.write(_EXACT)
    here.install(first, "-e", ".")
    second = shutil.copytree(first, tmp_path / "second")
    hooks.clear()
    here.install(second, "-e", ".")
    assert hooks == ["build_editable"]
    assert _same_as_by_pip(here, second, "-e", ".") == []


def test_code_of_the_project_may_read_where_it_is(here: Bench, tmp_path: Path) -> None:
    """What its build makes is asked for in each checkout; pip's answer holds as long as its metadata are the same."""
    hooks = """

    def build_wheel(directory, config_settings=None, metadata_directory=None):
        place = os.path.basename(os.getcwd())
        version = "1.0" if place != "third" else "3.0"
        return write_wheel(directory, "demo", version, {"demo.py": f"PLACE = {place!r}\\n"})
    """
    for place, asks in (("first", True), ("second", False), ("third", True)):
        project = tmp_path / place
        project.mkdir()
        (project / "pyproject.toml").write_text(IN_TREE)
        (project / "backend.py").write_text(backend_text(hooks))
        here.calls.clear()
        here.install(project, ".")
        assert here.run("python", "-c", "import demo; print(demo.PLACE)") == f"{place}\n"
        assert bool(here.calls) is asks
    assert "Version: 3.0" in here.run("python", "-m", "pip", "show", "demo")
