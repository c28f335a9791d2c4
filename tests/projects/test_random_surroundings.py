"""Whatever changes around a project, in any order: what is installed is what a clean build makes at that moment.

Each run takes its steps at random from a seed, which is a part of the test's name: a failure can be repeated, and a
seed that has once found something is to be kept in the list.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tarfile
import tempfile
import textwrap
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest
import tomli

from nox_linkenv.projects.backend import Backend, read_build_system
from tests.projects.tool import BACKENDS, Bench, git, make_project
from tests.support.capabilities import require_python
from tests.support.environment import clean_environment
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.slow]

#: Steps of each kind of project, fewer where each takes seconds: 300 in all.
_STEPS: Final = 27
_FEWER: Final = {"scikit-build-core": 10, "meson-python": 10, "sdist": 10}
_SEEDS: Final = (1,)
#: Reads by chance what the steps change, one thing only where another has a certain value.
_READER: Final = """
import os, shutil, subprocess

def read():
    found = [os.environ.get("FLAVOUR", "none")]
    if found == ["b"]:
        found.append(os.environ.get("ACME_ARCH_LIST"))
    program = {{"1": "quux-config", "2": "pg_config"}}.get(os.environ.get("QUUX"))
    if program and shutil.which(program):
        found.append(subprocess.run([program], capture_output=True, text=True).stdout.strip())
    elif shutil.which("quux-config"):
        found.append("there")
    try:
        with open({outside!r} + "/VERSION") as stream:
            found.append(stream.read())
    except OSError:
        found.append(str(os.path.isdir({outside!r} + "/more")))
    found += sorted(os.listdir({outside!r}))
    return found
"""
_SYSTEM: Final = """
[build-system]
requires = [{requires}]
build-backend = "{backend}"
{more}
[project]
name = "demo"
{version}
requires-python = ">=3.8"
"""


def _system(requires: str, backend: str, rest: str, *, more: str = "", dynamic: str = "description") -> str:
    version = 'dynamic = ["version"]' if dynamic == "version" else f'version = "1.0"\ndynamic = ["{dynamic}"]'
    version = 'version = "1.0"' if not dynamic else version
    return _SYSTEM.format(requires=requires, backend=backend, more=more, version=version) + rest


#: Name of a backend -> the files that make its build read something; of the others, only variables of theirs count.
_READING: Final[Mapping[str, Mapping[str, str]]] = {
    "setuptools": {
        "pyproject.toml": _system(
            '"setuptools>=64"',
            "setuptools.build_meta",
            '[tool.setuptools.dynamic]\nversion = {attr = "demo.v.VERSION"}\n',
            dynamic="version",
        ),
        "src/demo/v.py": "import os, zlib\n{reader}\nVERSION = '1.%d' % zlib.crc32(repr(read()).encode())\n",
    },
    "setup.py": {
        "setup.py": "from setuptools import setup\n{reader}\nsetup(name='demo', version='1.0',"
        " package_dir={{'': 'src'}}, packages=['demo'], description=repr(read()))\n"
    },
    "extension": {
        "setup.py": "from setuptools import Extension, setup\n{reader}\nsetup(package_dir={{'': 'src'}},"
        " packages=['demo'], ext_modules=[Extension('demo._speed', ['src/demo/_speed.c'],"
        " define_macros=[('READ', '\"' + '_'.join(map(str, read())) + '\"')])])\n",
        "src/demo/_speed.c": (
            "#include <Python.h>\nconst char *read_then = READ;\n"
            'static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "_speed", NULL, -1, NULL}};\n'
            "PyMODINIT_FUNC PyInit__speed(void) {{ return PyModule_Create(&module); }}\n"
        ),
    },
    "hatchling": {
        "pyproject.toml": _system(
            '"hatchling"',
            "hatchling.build",
            '[tool.hatch.metadata.hooks.custom]\n[tool.hatch.build.targets.wheel]\npackages = ["src/demo"]\n',
        ),
        "hatch_build.py": "from hatchling.metadata.plugin.interface import MetadataHookInterface\n{reader}\n"
        "class Hook(MetadataHookInterface):\n    def update(self, metadata):\n"
        "        metadata['description'] = repr(read())\n",
    },
    "poetry": {
        "pyproject.toml": BACKENDS["poetry"]["pyproject.toml"] + '[tool.poetry.build]\nscript = "build.py"\n',
        "build.py": "{reader}\nwith open('src/demo/read.txt', 'w') as stream:\n    print(read(), file=stream)\n",
    },
    "pdm": {
        "pyproject.toml": _system(
            '"pdm-backend"', "pdm.backend", '[tool.pdm.version]\nsource = "call"\ngetter = "v:get"\n', dynamic="version"
        ),
        "v.py": "import zlib\n{reader}\ndef get():\n    return '1.%d' % zlib.crc32(repr(read()).encode())\n",
    },
    "scikit-build-core": {
        "CMakeLists.txt": BACKENDS["scikit-build-core"]["CMakeLists.txt"]
        + """
find_program(QUUX quux-config)
set(SAID "none")
if(EXISTS "{outside}/VERSION")
  file(STRINGS "{outside}/VERSION" SAID)
endif()
file(WRITE ${{CMAKE_CURRENT_BINARY_DIR}}/read.txt "$ENV{{FLAVOUR}} $ENV{{ACME_ARCH_LIST}} ${{QUUX}} ${{SAID}}")
install(FILES ${{CMAKE_CURRENT_BINARY_DIR}}/read.txt DESTINATION demo)
"""
    },
    "meson-python": {
        "meson.build": BACKENDS["meson-python"]["meson.build"]
        + """
said = run_command(python, 'reader.py', check: true).stdout().strip()
quux = find_program('pg_config', required: false)
if quux.found()
  said = said + run_command(quux, check: true).stdout().strip()
endif
configure_file(output: 'read.txt', configuration: {{'x': said}}, input: 'read.in', install: true,
               install_dir: python.get_install_dir(pure: false) / 'demo')
""",
        "read.in": "@x@\n",
        "reader.py": "{reader}\nprint(read())\n",
    },
}
#: Variables that backends read themselves, and values of them.
_VARIABLES: Final = {
    "FLAVOUR": ("a", "b", "c"),
    "ACME_ARCH_LIST": ("1", "2"),
    "QUUX": ("", "1", "2"),
    "SETUPTOOLS_SCM_PRETEND_VERSION": ("2.0", "3.0"),
    "NOBODY_READS_IT": ("1", "2"),
    "CFLAGS": ("-O1", "-O2 -DX"),
    "HATCH_BUILD_NO_HOOKS": ("true", "false"),
    "SOURCE_DATE_EPOCH": ("1600000000", "1700000000"),
}


@dataclass
class _World:
    """The project, what lies around it, and the seeded chance that changes all of it."""

    base: Path
    backend: str
    chance: random.Random
    environ: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        for path in (self.outside, self.programs):
            path.mkdir()
        self.project = make_project(self.base / "project", self.backend)
        reader = _READER.format(outside=str(self.outside))
        for name, text in _READING.get(self.backend, {}).items():
            path = self.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            plain = "{reader}" not in text and "{{" not in text
            path.write_text(text if plain else text.format(reader=reader, outside=self.outside))

    @property
    def outside(self) -> Path:
        return self.base / "outside"

    @property
    def programs(self) -> Path:
        return self.base / "programs"

    def change(self) -> str:
        """Change something, or nothing; return what."""
        self.count += 1
        what = self.chance.choice(["variable", "variable", "variable", "program", "file", "file", "tree", "nothing"])
        getattr(self, f"_{what}")()
        return what

    def _variable(self) -> None:
        name = self.chance.choice(list(_VARIABLES))
        value = self.chance.choice([None, *_VARIABLES[name]])
        if value is None:
            self.environ.pop(name, None)
        else:
            self.environ[name] = value

    def _program(self) -> None:
        path = self.programs / self.chance.choice(["quux-config", "pg_config"])
        if path.exists() and self.chance.random() < 0.3:
            path.unlink()
        else:
            path.write_text(f"#!/bin/sh\necho {self.chance.choice('xyz')}\n")
            path.chmod(0o755)
            os.utime(path, (1_700_000_000, 1_700_000_000))

    def _file(self) -> None:
        path = self.outside / self.chance.choice(["VERSION", "more", "other"])
        if path.exists() and self.chance.random() < 0.4:
            path.rmdir() if path.is_dir() else path.unlink()
        elif path.name == "more":
            path.mkdir(exist_ok=True)
        else:
            path.write_text(self.chance.choice("mn"))
            os.utime(path, (1_700_000_000, 1_700_000_000))

    def _tree(self) -> None:
        (self.project / "src" / "demo" / "__init__.py").write_text(
            f'def main() -> None:\n    print("{self.chance.choice("pq")}")\n'
        )
        if (self.project / ".git").exists():
            git(self.project, "commit", "-q", "-a", "--allow-empty", "-m", "next")
            git(self.project, "tag", "-f", f"v{1 + self.count}.0")

    def _nothing(self) -> None:
        pass

    @property
    def state(self) -> str:
        """All that has been changed, as a text."""
        files = [
            path for place in (self.programs, self.outside, self.project / "src" / "demo") for path in place.iterdir()
        ]
        contents = [(str(path), path.read_text() if path.is_file() else "") for path in sorted(files)]
        return repr((self.count if (self.project / ".git").exists() else 0, sorted(self.environ.items()), contents))


@dataclass
class _Oracle:
    """Makes clean builds: calls the backend in an environment that holds what it requires.

    Attributes:
        wheels: what was made, by the state of the world.  setuptools makes its wheel also of what it has left before.
    """

    python: Path
    wheels: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def wheel(self, world: _World, environ: Mapping[str, str]) -> dict[str, bytes]:
        """Return what a clean build of the project makes, as it is now."""
        leaves = "setup" in world.backend or world.backend == "extension"
        if not leaves and world.state in self.wheels:
            return self.wheels[world.state]
        kept = world.base / "kept"
        world.project.rename(kept)  # it is built where it lies: its path may be in what comes of it
        try:
            shutil.copytree(kept, world.project, symlinks=True)
            made = self._build(world, environ)
        finally:
            shutil.rmtree(world.project)
            kept.rename(world.project)
        self.wheels[world.state] = made
        return made

    def _build(self, world: _World, environ: Mapping[str, str]) -> dict[str, bytes]:
        system = read_build_system(str(world.project))
        path = f"{self.python.parent}:{environ['PATH']}"
        environ = {**environ, "PATH": path, "PYTHONNOUSERSITE": "1"}
        backend = Backend(str(world.project), system, str(self.python), environ, {})
        backend.requires(editable=False)
        with (
            tempfile.TemporaryDirectory() as directory,
            zipfile.ZipFile(backend.build(directory, editable=False)) as wheel,
        ):
            return {name: wheel.read(name) for name in wheel.namelist() if not name.endswith(("RECORD", "/"))}


def _installed(bench: Bench) -> dict[str, bytes]:
    (record,) = bench.prefix.glob("lib/*/site-packages/demo-*.dist-info/RECORD")
    own = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", ".pyc")
    names = [line.split(",")[0] for line in record.read_text().splitlines()]
    return {
        name: (record.parent.parent / name).read_bytes()
        for name in names
        if not name.endswith(own) and not name.startswith("../")
    }


def _sdist(world: _World) -> Path:
    archive = world.base / "demo-1.0.tar.gz"
    (world.project / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    with tarfile.open(archive, "w:gz", compresslevel=1) as writer:
        writer.add(world.project, "demo-1.0")
    return archive


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], _Oracle]:
    """Return what makes an oracle for a backend; some share the environment."""
    base = tmp_path_factory.mktemp("oracles")

    def make(backend: str) -> _Oracle:
        # Where it is there, setuptools-scm has a say in every build with setuptools.
        alone = backend == "setuptools-scm"
        prefix = base / ("alone" if alone else "shared")
        python = prefix / "bin" / "python"
        if not prefix.exists():
            subprocess.run(
                [str(require_python(TARGET)), "-m", "venv", str(prefix)], check=True, env=clean_environment()
            )
            texts = [BACKENDS[name].get("pyproject.toml") for name in BACKENDS if (name == "setuptools-scm") == alone]
            requires = {name for text in texts if text for name in _requires(text)}
            command = [str(python), "-m", "pip", "install", "-q", "wheel", "ninja", "cmake", *sorted(requires)]
            subprocess.run(command, check=True, env=clean_environment(), capture_output=True)
        return _Oracle(python)

    return make


def _requires(text: str) -> list[str]:
    return list(tomli.loads(textwrap.dedent(text))["build-system"]["requires"])


@pytest.mark.parametrize("backend", [*BACKENDS, "sdist"])
@pytest.mark.parametrize("seed", _SEEDS)
def test_nothing_is_stale(
    root: Path, tmp_path: Path, oracle: Callable[[str], _Oracle], backend: str, seed: int
) -> None:
    world = _World(tmp_path, "setup.py" if backend == "sdist" else backend, random.Random(f"{backend} {seed}"))
    bench = Bench(root, require_python(TARGET), {"resolution_age": 10.0**6})
    clean_builds = oracle(backend)
    done: list[str] = []
    reused = 0
    for _ in range(_FEWER.get(backend, _STEPS)):
        done.append(world.change())
        path = f"{world.programs}:{clean_environment()['PATH']}"
        environ = {**world.environ, "PIP_NO_CACHE_DIR": "1"}
        clean = clean_builds.wheel(world, {**clean_environment(), **environ, "PATH": path})
        outcome = bench.install(
            world.project,
            "--no-deps",
            str(_sdist(world)) if backend == "sdist" else ".",
            environ={**environ, "PATH": f"{world.programs}:{bench.prefix}/bin:{clean_environment()['PATH']}"},
        )
        reused += "reused the resolution" in outcome.message and "built" not in outcome.message
        installed = _installed(bench)
        assert installed.keys() == clean.keys(), (seed, done)
        assert [name for name in clean if clean[name] != installed[name]] == [], (seed, done)
    assert reused > 0
