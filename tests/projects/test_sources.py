"""What pip builds, sdists and commits, is built once, for a source, an interpreter and a configuration.

Sdists are named by URLs here: those that are named by their paths are not built by pip.
"""

from __future__ import annotations

import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.parity.compare import tree_differences
from tests.projects.readers import CASES, World
from tests.projects.tool import Bench, git, make_project, make_value_project
from tests.support.capabilities import require_python
from tests.support.interpreters import TARGET
from tests.support.seeds import sow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.network

#: pip's own cache of built wheels is not to be mistaken for ours.
_UNCACHED = {"PIP_NO_CACHE_DIR": "1"}


@pytest.fixture
def bench(tmp_path: Path, template: Callable[[str], Path]) -> Bench:
    """A store of its own: what is built first is built here."""
    sow(template(TARGET), tmp_path / "store")
    return Bench(tmp_path, require_python(TARGET))


def _fetches(bench: Bench) -> int:
    return bench.calls.count("fetch")


def _sdist(directory: Path) -> Path:
    project = make_project(directory / "demo-1.0", "flit")
    (project / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    archive = directory / "demo-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as writer:
        writer.add(project, "demo-1.0")
    return archive


def _named(archive: Path) -> str:
    return f"demo @ {archive.as_uri()}"


def test_an_sdist_is_built_once(bench: Bench, tmp_path: Path) -> None:
    archive = _named(_sdist(tmp_path))
    bench.install(tmp_path, archive, environ=_UNCACHED)
    assert _fetches(bench) == 1
    before = bench.run("python", "-c", "import demo; demo.main()")
    bench.install(tmp_path, "iniconfig", environ=_UNCACHED)
    first = _fetches(bench)
    outcome = bench.install(tmp_path, archive, "iniconfig", environ=_UNCACHED)  # another request
    assert outcome.message.startswith("asked pip")
    assert _fetches(bench) == first
    assert bench.run("python", "-c", "import demo; demo.main()") == before
    assert bench.run("pip", "freeze").splitlines()[0].startswith("demo @ file://")


def test_with_the_cache_of_pip_the_first_build_is_kept(bench: Bench, tmp_path: Path) -> None:
    """There pip builds into a directory of its cache that is gone afterwards, and is nothing the build has read."""
    world = World(tmp_path / "world")
    world.write(CASES["variable with getenv"])
    archive = _named(world.sdist())
    environ = {"PIP_CACHE_DIR": str(tmp_path / "cache")}
    bench.install(tmp_path, archive, environ=environ)
    assert list(tmp_path.glob("cache/wheels/*/*/*/*/*.whl"))
    bench.calls.clear()
    assert bench.install(tmp_path, archive, environ=environ).message.startswith("reused the resolution of ")
    assert bench.calls == []


@pytest.mark.parametrize(
    ("options", "says"), [((), "built "), (("--no-binary", "demo"), "asked ")], ids=["built here", "built by pip"]
)
def test_each_set_of_variables_is_warm_beside_the_others_with_the_cache_of_pip(
    bench: Bench, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    """Two environments of tox install the same project, packed anew for each.

    By another digest, pip makes another directory in its cache for its wheel.  That this one is there, as setuptools
    sees, is no news to a build.
    """
    project = make_project(tmp_path / "demo-1.0", "setuptools")
    (project / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    archive = tmp_path / "demo-1.0.tar.gz"

    def source(number: int, date: str) -> str:
        os.utime(project / "PKG-INFO", (number, number))
        with tarfile.open(archive, "w:gz") as writer:
            writer.add(project, "demo-1.0")
        environ = {"PIP_CACHE_DIR": str(tmp_path / "cache"), "SOURCE_DATE_EPOCH": date}
        arguments = ("--force-reinstall", "--no-deps", *options, str(archive))
        return bench.install(tmp_path, *arguments, environ=environ).message[:6]

    dates = ("1600000000", "1700000000")
    assert [source(number, date) for number, date in enumerate(dates * 2)] == [says, says, "reused", "reused"]


def test_what_only_looks_like_settings_for_backends_keeps_it_warm(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "pypi-cache").mkdir()
    (tmp_path / "ca-certificates.crt").write_text("")
    configuration = tmp_path / "pip.conf"
    configuration.write_text(
        f"[global]\nno-cache-dir = true\ncert = {tmp_path}/ca-certificates.crt\n"
        f"extra-index-url = {(tmp_path / 'pypi-cache').as_uri()}\n"
    )
    environ = {"PIP_CONFIG_FILE": str(configuration)}
    world = World(tmp_path / "world")
    world.write(CASES["variable with getenv"])  # requires nothing: no index is asked
    archive = _named(world.sdist())
    bench.install(tmp_path, archive, environ=environ)
    first = bench.tree()
    assert len(bench.calls) == 2
    bench.calls.clear()
    outcome = bench.install(tmp_path, archive, environ=environ)
    assert (outcome.message[:6], bench.calls) == ("reused", [])
    assert tree_differences(first, bench.tree()) == []
    bench.by_pip(tmp_path, archive, environ=environ)
    assert tree_differences(bench.tree(), first) == []


def test_another_content_is_built_again(bench: Bench, tmp_path: Path) -> None:
    archive = _sdist(tmp_path)
    bench.install(tmp_path, _named(archive), environ=_UNCACHED)
    (tmp_path / "demo-1.0/src/demo/__init__.py").write_text("def main() -> None:\n    print('two')\n")
    with tarfile.open(archive, "w:gz") as writer:
        writer.add(tmp_path / "demo-1.0", "demo-1.0")
    bench.install(tmp_path, _named(archive), environ=_UNCACHED)
    assert _fetches(bench) == 2
    assert bench.run("python", "-c", "import demo; demo.main()") == "two\n"


def test_another_configuration_is_built_again(bench: Bench, tmp_path: Path) -> None:
    archive = _named(_sdist(tmp_path))
    bench.install(tmp_path, archive, environ=_UNCACHED)
    bench.install(tmp_path, archive, environ={**_UNCACHED, "SOURCE_DATE_EPOCH": "1600000000"})
    assert _fetches(bench) == 2


def test_a_commit_is_built_once_and_a_branch_is_looked_up(bench: Bench, tmp_path: Path) -> None:
    project = make_value_project(tmp_path / "repository", "demo")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "one")):
        git(project, *arguments)
    branch = f"demo @ git+{project.as_uri()}"
    bench.install(tmp_path, branch, environ=_UNCACHED)
    bench.install(tmp_path, branch, environ=_UNCACHED)
    assert bench.calls == ["ask", "fetch", "ask"]
    (project / "VALUE").write_text("two")
    git(project, "commit", "-q", "-a", "-m", "two")
    bench.install(tmp_path, branch, environ=_UNCACHED)
    assert bench.calls == ["ask", "fetch", "ask", "ask", "fetch"]
    assert bench.run("python", "-c", "import demo; print(demo.VALUE)") == "two\n"
    assert os.listdir(bench.root / "store" / "v2" / "projects" / "sources")
