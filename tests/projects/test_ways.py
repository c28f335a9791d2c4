"""Whatever is read while a build runs, and in whichever way: it is told that it changed, or nothing is kept.

The builds of ``test_never_stale`` are whole ones.  Here only an interpreter is watched, so that many ways are tried.
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.projects.fingerprint import fingerprint
from nox_linkenv.projects.looking import Watched
from nox_linkenv.projects.notes import UnsettledError, reads_of
from nox_linkenv.projects.surroundings import Surroundings
from nox_linkenv.projects.watch import Watch, standard_library
from nox_linkenv.store import Store
from tests.projects.more_ways import MORE_WAYS, SHARED_MEMORY
from tests.projects.readers import World
from tests.projects.ways import SHARED, WAYS
from tests.support.capabilities import require_python
from tests.support.environment import clean_environment
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.projects.reads import Reads

_SCRIPT = """
import os, shutil, subprocess, sys
from pathlib import Path

OUTSIDE = {outside!r}

def read():
    {text}

if __name__ == "__main__":
    print(read())
"""

_ALL: Final = {**WAYS, **MORE_WAYS}


@dataclass
class _Reader:
    """An environment whose interpreter is watched."""

    prefix: Path
    world: World
    store: Store

    @property
    def environ(self) -> dict[str, str]:
        clean = clean_environment()
        path = f"{self.prefix}/bin:{self.world.programs}:{clean['PATH']}"
        path = f"{path}:{self.world.environ['PATH']}" if "PATH" in self.world.environ else path
        return {**clean, **self.world.environ, "PATH": path}

    def tree(self) -> Tree:
        return fingerprint(self.store, str(self.world.project))

    def read(self, script: Path) -> tuple[str, Reads | None]:
        """Return what *script* says, and what it has read; ``None`` where that cannot be told."""
        directory = self.world.base / f"notes{len(list(self.world.base.iterdir()))}"
        directory.mkdir()
        (site,) = self.prefix.glob("lib/python*/site-packages")
        version = site.parent.name.removeprefix("python")
        inert = [str(directory), *standard_library(str(self.prefix), version)]
        tree = self.tree()
        with Watch([str(site)], str(directory), inert, every=True) as watch:
            done = subprocess.run(
                [str(self.prefix / "bin" / "python"), str(script)],
                cwd=self.world.project,
                env=self.environ,
                capture_output=True,
                text=True,
                check=False,
            )
        assert done.returncode == 0, done.stderr
        notes = watch.notes()
        assert notes is not None
        try:
            return done.stdout.strip(), reads_of(notes, Watched(str(self.prefix), self.environ, tree, tuple(inert[:1])))
        except UnsettledError:
            return done.stdout.strip(), None

    def state(self, reads: Reads) -> tuple[str, str]:
        around = Surroundings(self.environ, str(self.prefix), lambda: None, time.time())
        return self.tree().digest, around.digest(reads)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what makes an environment of a version, once."""
    base = tmp_path_factory.mktemp("environments")

    def make(version: str) -> Path:
        prefix = base / version
        if not prefix.exists():
            command = [str(require_python(version)), "-m", "venv", "--without-pip", str(prefix)]
            subprocess.run(command, check=True, env=clean_environment())
        return prefix

    return make


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    mask = os.umask(0o22)
    yield
    os.umask(mask)
    for path in (*SHARED, SHARED_MEMORY):
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("name", _ALL)
@pytest.mark.parametrize(
    "version",
    [pytest.param(version, marks=() if version == TARGET else pytest.mark.slow) for version in ("3.8", TARGET, "3.13")],
)
def test_it_is_told(environment: Callable[[str], Path], tmp_path: Path, name: str, version: str) -> None:
    case = _ALL[name]
    reader = _Reader(environment(version), World(tmp_path / "world"), Store.open(tmp_path / "store"))
    script = reader.world.project / "script.py"
    text = "\n".join(case.read.strip().splitlines()).replace("\n", "\n    ")
    script.write_text(_SCRIPT.format(outside=str(reader.world.outside), text=text))
    case.one(reader.world)
    said, reads = reader.read(script)
    assert said == "one"
    if reads is None and case.kept:  # it has left bytecode beside a module that it has imported
        _, reads = reader.read(script)
    kept = reads is not None and not reads.unseen
    assert kept == case.kept
    if reads is not None and kept:
        before = reader.state(reads)
        assert reader.state(reads) == before
        case.two(reader.world)
        assert reader.state(reads) != before
        assert reader.read(script)[0] == "two"
