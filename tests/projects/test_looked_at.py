"""Of a project that has changed where its build does not look, the build is used again; where it looks, it is not."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
import zipfile
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.projects.backend import Backend, read_build_system
from tests.parity.compare import tree_differences
from tests.projects.tool import Bench
from tests.support.backend import backend_text
from tests.support.capabilities import require_python
from tests.support.environment import clean_environment
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Looks at its project in many ways, and in each of them only at what the way names.
_BACKEND: Final = """

    import glob

    def _build(directory):
        found = [open("VALUE").read(), os.path.isfile("maybe"), sorted(glob.glob("pieces/*.txt"))]
        found += [sorted(os.listdir("listed")), [sorted(rest[1:]) for rest in os.walk("walked")]]
        try:
            os.mkdir("made")
            os.rmdir("made")
        except FileExistsError:
            found.append("made")
        return write_wheel(directory, "demo", "1.0", {"demo.py": "FOUND = %r\\n" % found})

    def build_wheel(directory, config_settings=None, metadata_directory=None):
        return _build(directory)
"""
_PYPROJECT: Final = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["hooks"]
"""
_SETUPTOOLS: Final = """\
[build-system]
requires = ["setuptools>=64"]
build-backend = "setuptools.build_meta"

[project]
name = "demo"
version = "1.0"
"""


def _write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {"hooks/backend.py": backend_text(_BACKEND), "pyproject.toml": _PYPROJECT, "VALUE": "one"}
    _write(tmp_path / "project", {**files, "pieces/a.txt": "", "listed/a": "", "walked/a/b": ""})
    return tmp_path / "project"


@pytest.fixture
def own_bench(tmp_path: Path, bench: Bench) -> Bench:
    """A store of its own: nothing is fetched."""
    return Bench(tmp_path, bench.interpreter)


def test_what_a_build_looks_at_decides(project: Path, own_bench: Bench) -> None:
    bench = own_bench
    bench.install(project, ".")
    bench.calls.clear()
    for name in ("junit.xml", "pieces/b.md", "new/a.txt", "pieces/deeper/c.txt"):
        _write(project, {name: "x"})
        assert "reused the build and reused the resolution" in bench.install(project, ".").message, name
        assert "reused the resolution" in bench.install(project, ".").message
    for name in ("VALUE", "maybe", "pieces/c.txt", "listed/b", "walked/new", "walked/a/c", "made/a"):
        _write(project, {name: "two"})
        assert "built project" in bench.install(project, ".").message, name
        linked = bench.tree()
        assert tree_differences(bench.tree_by_pip(project, "."), linked) == [], name
        bench.calls.clear()
    _write(project, {"maybe": "other content"})  # it was asked only whether it is there
    assert "reused the build" in bench.install(project, ".").message
    (project / "VALUE").unlink()
    (project / "VALUE").symlink_to("maybe")
    assert "built project" in bench.install(project, ".").message
    _write(project, {"maybe": "what the link leads to"})
    bench.install(project, ".")
    assert "what the link leads to" in next(bench.prefix.rglob("site-packages/demo.py")).read_text()
    assert bench.calls == []


@pytest.mark.network
@pytest.mark.parametrize("arguments", [["."], ["-e", "."]], ids=["wheel", "editable"])
def test_a_new_file_with_setuptools(tmp_path: Path, root: Path, bench: Bench, arguments: list[str]) -> None:
    project = tmp_path / "project"
    explicit = '\n[tool.setuptools]\npackages = ["demo"]\n'
    _write(project, {"pyproject.toml": _SETUPTOOLS + explicit, "demo/__init__.py": "", "tests/test_a.py": ""})
    bench.install(project, *arguments)
    bench.calls.clear()
    for name in ("junit.xml", "tests/test_new.py", "tests/data/a.txt", "docs/index.md", "demo/notes.rst"):
        _write(project, {name: "x"})
        assert "reused the resolution" in bench.install(project, *arguments).message, name
        assert "built" not in bench.install(project, *arguments).message, name
    for name in ("demo/new.py", "LICENSE", "MANIFEST.in"):
        _write(project, {name: ""})
        assert "built project" in bench.install(project, *arguments).message, name
    assert bench.calls == []
    linked = bench.tree()
    bench.by_pip(project, *arguments)
    assert tree_differences(bench.tree(), linked) == []


@pytest.mark.network
@pytest.mark.parametrize("arguments", [["."], ["-e", "."]], ids=["wheel", "editable"])
def test_setuptools_without_isolation(tmp_path: Path, bench: Bench, arguments: list[str]) -> None:
    project = tmp_path / "project"
    explicit = '\n[tool.setuptools]\npackages = ["demo"]\n'
    _write(project, {"pyproject.toml": _SETUPTOOLS + explicit, "demo/__init__.py": ""})
    messages = []
    for _ in range(2):
        bench.install(project, "setuptools", "wheel")
        bench.calls.clear()
        messages.append(bench.install(project, *arguments, "--no-build-isolation", fresh=False).message)
    assert "reused the resolution" in messages[1]
    assert "built" not in messages[1]
    assert bench.calls == []
    linked = bench.tree()
    bench.by_pip(project, "setuptools", "wheel")
    bench.by_pip(project, *arguments, "--no-build-isolation", fresh=False)
    assert tree_differences(bench.tree(), linked) == []


#: What the projects that are changed at random are built with.
_KINDS: Final = {
    "setuptools": {"pyproject.toml": _SETUPTOOLS},
    "explicit": {"pyproject.toml": _SETUPTOOLS + '\n[tool.setuptools]\npackages = ["demo"]\n'},
    "in place": {
        "pyproject.toml": _SETUPTOOLS
        + '\n[tool.setuptools]\npackages = ["demo", "demo.tests"]\npackage-dir = {"demo" = ""}\n',
        "tests/__init__.py": "",
    },
    "data": {
        "pyproject.toml": _SETUPTOOLS
        + '\n[tool.setuptools]\npackages = ["demo", "tests"]\n[tool.setuptools.package-data]\n"*" = ["*.txt"]\n',
        "MANIFEST.in": "graft docs\nrecursive-include demo *.md\nglobal-exclude *.cfg\n",
    },
    "setup.py": {
        "setup.py": "import glob, os\nfrom setuptools import find_packages, setup\n"
        "setup(name='demo', version='1.0', packages=find_packages(), description=repr(["
        "sorted(glob.glob('**/*.md', recursive=True)), os.path.exists('docs'), os.listdir('demo')]))\n"
    },
    "hatchling": {
        "pyproject.toml": '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "demo"\nversion = "1.0"\n'
    },
    "flit": {
        "pyproject.toml": '[build-system]\nrequires = ["flit_core>=3.4"]\nbuild-backend = "flit_core.buildapi"\n'
        '[project]\nname = "demo"\nversion = "1.0"\ndescription = "x"\n'
    },
}
_NAMES: Final = (
    "junit.xml", "README.md", "LICENSE", "NOTICE.txt", "old.cfg", "tests/test_b.py", "tests/b.py", "test/test_c.py",
    "tests/__init__.py", "tests/data/a.txt", "docs/a.md", "docs/b.txt", "demo/new.py", "demo/py.typed", "demo/a.txt",
    "demo/b.md", "demo/sub/__init__.py", "demo/sub/c.py", "demo/sub/d.txt", "other/__init__.py", "src/x.py", "more.py",
)  # fmt: skip
_STEPS: Final = 12
_SEEDS: Final = (1,)


@pytest.fixture(scope="module")
def clean_builds(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], dict[str, bytes] | None]:
    """Return what builds a project in an environment that holds what it requires; ``None`` where that fails."""
    prefix = tmp_path_factory.mktemp("oracle") / "environment"
    subprocess.run([str(require_python(TARGET)), "-m", "venv", str(prefix)], check=True, env=clean_environment())
    command = [str(prefix / "bin" / "python"), "-m", "pip", "install", "-q", "setuptools", "hatchling", "flit_core"]
    subprocess.run(command, check=True, env=clean_environment())

    def build(project: Path) -> dict[str, bytes] | None:
        kept = project.with_name("kept")
        project.rename(kept)
        try:
            shutil.copytree(kept, project, symlinks=True)
            environ = {**clean_environment(), "PYTHONNOUSERSITE": "1"}
            backend = Backend(str(project), read_build_system(str(project)), command[0], environ, {})
            with tempfile.TemporaryDirectory() as directory:
                try:
                    path = backend.build(directory, editable=False)
                except Exception:  # noqa: BLE001 - pip is to fail, too
                    return None
                with zipfile.ZipFile(path) as wheel:
                    return {name: wheel.read(name) for name in wheel.namelist() if not name.endswith(("RECORD", "/"))}
        finally:
            shutil.rmtree(project)
            kept.rename(project)

    return build


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("seed", _SEEDS)
def test_any_change_of_the_tree(
    bench: Bench, tmp_path: Path, clean_builds: Callable[[Path], dict[str, bytes] | None], kind: str, seed: int
) -> None:
    """What is installed is what a clean build makes at that moment, whatever came and went before."""
    chance = random.Random(f"{kind} {seed}")
    project = tmp_path / "project"
    _write(project, {**_KINDS[kind], "demo/__init__.py": '"""Demo."""\n', "tests/test_a.py": ""})
    done: list[str] = []
    reused = 0
    for _ in range(_STEPS):
        name = chance.choice(_NAMES)
        done.append(name)
        path = project / name
        if path.exists() and chance.random() < 0.6:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        else:
            _write(project, {name: chance.choice(["", "# one\n", "# two\n"])})
        clean = clean_builds(project)
        if clean is None:
            with pytest.raises(Exception, match=r"(?s)error"):
                bench.install(project, "--no-deps", ".")
            continue
        message = bench.install(project, "--no-deps", ".").message
        reused += "reused the build" in message
        assert _installed(bench) == clean, (seed, done, message)
    assert reused > 0 or kind in ("hatchling", "setup.py", "data")


def _installed(bench: Bench) -> dict[str, bytes]:
    (record,) = bench.prefix.glob("lib/*/site-packages/demo-*.dist-info/RECORD")
    own = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", ".pyc")
    names = [line.split(",")[0] for line in record.read_text().splitlines()]
    return {name: (record.parent.parent / name).read_bytes() for name in names if not name.endswith(own)}
