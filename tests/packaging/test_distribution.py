"""What is in the wheel and the sdist, and what an installation puts into site-packages.

The file at the top of site-packages registers the nox backend, so every way to an installation must carry it.
"""

from __future__ import annotations

import configparser
import email.parser
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.environment import clean_environment

PROJECT = Path(__file__).parents[2]
_LINE = (
    'import os; os.environ.get("LINKENV_NOX_HOOK") == "0" or '
    r'exec("try: import nox_linkenv._hook as h\nexcept ImportError: pass\nelse: h.install()")'
)
HOOKS = {
    "nox_linkenv.pth": f"{_LINE}\n",
}
SOURCES = (
    ".ci",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "benchmarks",
    "docs",
    "examples",
    "nox_linkenv",
    "nox_linkenv.pth",
    "noxfile.py",
    "pyproject.toml",
    "tests",
    "tox.ini",
)

pytestmark = pytest.mark.network


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env or clean_environment(), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def copy_of_project(target: Path) -> Path:
    """Copy the sources, so that building neither sees nor leaves anything in the checkout."""
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache", "*.pyc")
    target.mkdir()
    for name in SOURCES:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignored)
        elif source.exists():
            shutil.copy(source, target / name)
    return target


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_project(tmp_path_factory.mktemp("packaging") / "project")


@pytest.fixture(scope="module")
def sdist(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "build", "--sdist", "--outdir", out, cwd=project)
    (archive,) = out.iterdir()
    return archive


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", out, cwd=project)
    (archive,) = out.iterdir()
    return archive


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def new_environment(path: Path) -> Path:
    """Make an empty environment and return its interpreter."""
    run(sys.executable, "-m", "virtualenv", "-q", path, cwd=path.parent)
    return path / "bin" / "python"


def site_packages(python: Path) -> Path:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(run(python, "-c", code, cwd=python.parent).strip())


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} - {"__pycache__"}


def hook_state(python: Path, **variables: str) -> bool:
    """Tell whether an interpreter has loaded the hook by the time its own program starts."""
    code = "import json, sys; print(json.dumps('nox_linkenv._hook' in sys.modules))"
    state = json.loads(run(python, "-c", code, cwd=python.parent, env=clean_environment() | variables))
    assert isinstance(state, bool)
    return state


def test_wheel_carries_the_hook_at_its_root(wheel: Path) -> None:
    files = contents(wheel)
    assert {name: files[name].decode() for name in HOOKS} == HOOKS
    tops = {name.partition("/")[0] for name in files}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"nox_linkenv", *HOOKS}
    assert "nox_linkenv/py.typed" in files


def test_wheel_is_pure_and_described(wheel: Path) -> None:
    files = contents(wheel)
    (name,) = (name for name in files if name.endswith(".dist-info/METADATA"))
    metadata = email.parser.BytesParser().parsebytes(files[name])
    assert wheel.name.endswith("-py3-none-any.whl")
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata.get_all("Provides-Extra", [])) == {"archive", "lock", "remote", "tox", "pytest"}
    required = {line.partition(";")[0].partition(">")[0] for line in metadata.get_all("Requires-Dist", [])}
    assert {"nox", "virtualenv", "installer", "filelock"} <= required
    plain = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert not [line for line in plain if line.startswith(("tox", "pytest", "uv"))]
    assert any(name.endswith("/licenses/LICENSE") for name in files)


def test_entry_points_name_what_exists(wheel: Path) -> None:
    files = contents(wheel)
    for name in (name for name in files if name.endswith(".dist-info/entry_points.txt")):
        parser = configparser.ConfigParser(delimiters=("=",))
        parser.read_string(files[name].decode())
        for section in parser.sections():
            for value in parser[section].values():
                module = value.partition(":")[0].replace(".", "/")
                assert {f"{module}.py", f"{module}/__init__.py"} & set(files), value


def test_sdist_builds_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "out", cwd=source)
    (again,) = (tmp_path / "out").iterdir()
    assert contents(again) == contents(wheel)


def test_sdist_carries_tests_and_docs(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"tests/conftest.py", "docs/index.md", "examples/noxfile.py", "noxfile.py", "tox.ini", ".ci/run"} <= names
    assert not [name for name in names if name.endswith(".pyc")]


@pytest.mark.parametrize("way", ["wheel", "editable"])
def test_installation_registers_itself_and_leaves_nothing(way: str, project: Path, wheel: Path, tmp_path: Path) -> None:
    python = new_environment(tmp_path / "env")
    site = site_packages(python)
    before = names_in(site)
    what = [str(wheel)] if way == "wheel" else ["-e", str(project)]
    # Without the dependencies: an interpreter that starts must not need them.
    run(python, "-m", "pip", "install", "-q", "--no-deps", *what, cwd=tmp_path)
    assert {name: (site / name).read_text() for name in HOOKS} == HOOKS
    assert hook_state(python)
    place = run(python, "-c", "import nox_linkenv; print(nox_linkenv.__file__)", cwd=tmp_path).strip()
    assert Path(place).is_relative_to(site if way == "wheel" else project)
    run(python, "-m", "pip", "uninstall", "-q", "-y", "nox-linkenv", cwd=tmp_path)
    assert names_in(site) == before
    assert not hook_state(python)


def test_interpreter_start_loads_nothing_else(wheel: Path, tmp_path: Path) -> None:
    """The hook and its package, once: what else is loaded is what makes the start of every interpreter slow."""
    python = new_environment(tmp_path / "env")
    code = (
        "import json, sys; print(json.dumps([list(sys.modules), [getattr(f, '__name__', '') for f in sys.meta_path]]))"
    )
    # What the interpreter itself loads to read a file of this kind, such as the codec, is loaded before.
    (site_packages(python) / "other.pth").write_text("# nothing\n")
    before, finders = json.loads(run(python, "-W", "error", "-c", code, cwd=tmp_path))
    run(python, "-m", "pip", "install", "-q", "--no-deps", str(wheel), cwd=tmp_path)
    loaded, more = json.loads(run(python, "-W", "error", "-c", code, cwd=tmp_path))
    assert sorted(set(loaded) - set(before)) == ["nox_linkenv", "nox_linkenv._hook"]
    assert more == ["_Finder", *finders]


@pytest.mark.parametrize("present", [True, False], ids=["with its package", "left behind"])
def test_the_pth_file_says_nothing(present: bool, tmp_path: Path) -> None:
    """An uninstall that leaves it behind must not make every start of Python print an error."""
    (tmp_path / "nox_linkenv.pth").write_bytes((PROJECT / "nox_linkenv.pth").read_bytes())
    path = [str(PROJECT)] if present else []
    code = (
        f"import site, sys; sys.path[:0] = {path!r}; site.addsitedir({str(tmp_path)!r});"
        " print('nox_linkenv._hook' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{present}\n", "")
