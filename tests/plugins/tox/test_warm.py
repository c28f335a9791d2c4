"""The second run of the same thing starts no pip: counted by the log that every pip writes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.plugins.tox.tool import Project, Run, ini
from tests.support.seeds import seed, sow
from tests.support.suites import usually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.shared import Host

_BACKENDS: Final = {
    "setuptools": ("setuptools>=64", "setuptools.build_meta"),
    "flit": ("flit_core>=3.4", "flit_core.buildapi"),
    "hatchling": ("hatchling", "hatchling.build"),
}
_REAL: Final = """\
[build-system]
requires = ["{}"]
build-backend = "{}"
[project]
name = "demo"
version = "1.0"
description = "x"
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """Runs of tox in fresh checkouts, with one store.

    Attributes:
        project: of the first checkout.
        log: that every pip writes.
    """

    project: Project
    log: Path

    def run(self, config: str, env: dict[str, str] | None = None, *, root: Path | None = None) -> tuple[str, bool]:
        """Return the output of a run in a checkout without environments, and whether any pip was started."""
        here = Project(root or self.project.root, self.project.host, self.project.store)
        shutil.rmtree(here.root / ".tox", ignore_errors=True)
        self.log.unlink(missing_ok=True)
        told = here.tox(Run(("run", "-vv"), config=config, env={"PIP_LOG": str(self.log), **(env or {})}))
        assert told.code == 0, told.output
        return told.output, self.log.exists()


@pytest.fixture
def counted(project: Project, tmp_path: Path) -> Counted:
    return Counted(project, tmp_path / "pip.log")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, shared_dir: Path, newest: Host) -> Counted:
    """A project that is built with real backends; what they require is fetched once for all."""
    base = tmp_path_factory.mktemp("real")
    (base / "project" / "src" / "demo").mkdir(parents=True)
    (base / "project" / "src" / "demo" / "__init__.py").write_text('"""Demo."""\n')
    return Counted(Project(base / "project", newest, sow(seed(shared_dir, newest), base / "store")), base / "pip.log")


@pytest.mark.slow
@pytest.mark.parametrize("package", ["wheel", "sdist", "editable"])
@pytest.mark.parametrize("backend", _BACKENDS)
def test_real_backends(real: Counted, backend: str, package: str) -> None:
    (real.project.root / "pyproject.toml").write_text(_REAL.format(*_BACKENDS[backend]))
    config = ini(f'package = {package}\ncommands = python -c "import demo"', tox="")
    index = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": ""}
    for name in ("build", "src/demo.egg-info", "dist"):
        shutil.rmtree(real.project.root / name, ignore_errors=True)
    real.run(config, index)
    for name in ("build", "src/demo.egg-info", "dist"):
        shutil.rmtree(real.project.root / name, ignore_errors=True)
    output, pip = real.run(config, index)
    assert not pip, output


@pytest.mark.parametrize("package", usually(["wheel", "sdist", "editable"], "sdist", "editable"))
def test_packages(counted: Counted, package: str) -> None:
    config = ini(f"package = {package}\ncommands = demo", tox="")
    assert counted.run(config)[1]
    output, pip = counted.run(config)
    assert not pip, output


_LINES: Final = [
    "deps = ./local",  # tox has another PYTHONHASHSEED in each run
    "deps = -r more.txt",
    "deps = tiny\ninstall_command = python -m pip install {opts} {packages}",
    "deps = tiny\ninstall_command = python3 -m pip install {opts} {packages}",
    "deps =\n    -c{env_dir}/../../constraints.txt\n    tiny",
    "deps = tiny\nset_env = PIP_CONSTRAINT={toxinidir}/constraints.txt",
]


@pytest.mark.parametrize("lines", usually(_LINES, *(_LINES[at] for at in (0, 1, 3))))
def test_dependencies(counted: Counted, lines: str) -> None:
    root = counted.project.root
    (root / "local").mkdir()
    for name in ("pyproject.toml", "backend.py", "demo.py"):
        shutil.copy(root / name, root / "local" / name)
    (root / "more.txt").write_text("-e ./local[extra]\n")
    variables = {"PYTHONHASHSEED": "", "LINKENV_SPARES": "1"}
    first, pip = counted.run(ini(lines), variables)
    assert pip, first
    output, pip = counted.run(ini(lines), variables)
    assert not pip, output


def test_what_constraints_say(counted: Counted, tmp_path: Path) -> None:
    """A file with another name in each run, and a second checkout at another path."""
    wheels = {"PIP_FIND_LINKS": shutil.copytree(counted.project.root / "wheels", tmp_path / "wheels").as_posix()}
    config = ini("deps =\n    -r requirements.txt\n    other\nset_env = PIP_CONSTRAINT={env:RANDOM}\npass_env = RANDOM")
    for number in range(2):
        (tmp_path / f"random{number}.txt").write_text("tiny<2\n")
    output, pip = counted.run(config, wheels | {"RANDOM": str(tmp_path / "random0.txt")})
    assert pip
    output, pip = counted.run(config, wheels | {"RANDOM": str(tmp_path / "random1.txt")})
    assert not pip, output
    second = shutil.copytree(counted.project.root, tmp_path / "second", ignore=shutil.ignore_patterns(".tox"))
    output, pip = counted.run(config, wheels | {"RANDOM": str(tmp_path / "random0.txt")}, root=second)
    assert not pip, output
    (tmp_path / "random2.txt").write_text("tiny==1.0\n")
    output, pip = counted.run(config, wheels | {"RANDOM": str(tmp_path / "random2.txt")})
    assert f"asked pip: {tmp_path}/random2.txt changed" in output
