"""Uninstalling: after ours the tree is the one that pip's leaves."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from packaging.utils import canonicalize_name

from nox_linkenv.env.installed import Distribution, find_distributions, installed_digest, uninstall
from nox_linkenv.env.interpreter.probe import learn
from nox_linkenv.errors import EnvError
from tests.env.tool import FACTS, Listing, listing, pip, virtualenv
from tests.support.capabilities import require_python
from tests.support.environment import clean_environment
from tests.support.interpreters import TARGET, usual
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from nox_linkenv.env.interpreter.facts import Facts

_VERSIONS: Final = [pytest.param(v, marks=pytest.mark.slow if v == "3.9" else ()) for v in usual("3.9", "3.12")]
_OUTSIDE: Final = "outside"


@dataclass(frozen=True)
class Place:
    """An environment; everything of a case has the case's name in its path."""

    prefix: Path
    facts: Facts
    outside: Path

    @property
    def site(self) -> Path:
        return self.prefix / self.facts.site_packages[0]

    def distributions(self) -> dict[str, Distribution]:
        return {found.name: found for found in find_distributions(str(self.prefix), self.facts)}

    def record(self, name: str, *rows: str) -> None:
        path = self.site / f"{name}-1.0.dist-info/RECORD"
        path.write_text(path.read_text() + "".join(f"{row},,\n" for row in rows))


def _wheel(directory: Path, name: str) -> Path:
    files = {
        f"{name}/__init__.py": b"def main(): pass\n",
        f"{name}/sub/__init__.py": b"",
        f"{name}/sub/data/x, y.txt": b"x",
        f"single_{name}.py": b"x = 1\n",
        f"{name}-1.0.data/scripts/tool_{name}": b"#!python\nprint()\n",
        f"{name}-1.0.data/data/share/{name}/deep/er/file.txt": b"x",
        f"{name}-1.0.data/data/etc/{name}.cfg": b"x",
        f"{name}-1.0.data/headers/{name}.h": b"x",
    }
    scripts = f"[console_scripts]\ncli_{name} = {name}:main\n[gui_scripts]\ngui_{name} = {name}:main\n"
    return make_wheel(directory, name, files=files, entry_points=scripts)


def _nothing(place: Place, name: str) -> None:
    pass


def _files_beside(place: Place, name: str) -> None:
    """What a package has written at run time stays, and so do the directories around it."""
    (place.site / f"{name}/sub/cache").mkdir()
    (place.site / f"{name}/sub/cache/x.nbi").write_bytes(b"x")
    (place.site / f"{name}/written.txt").write_bytes(b"x")


def _empty_directory(place: Place, name: str) -> None:
    (place.site / f"{name}/sub/empty").mkdir()


def _no_bytecode(place: Place, name: str) -> None:
    for directory in list(place.site.glob(f"{name}/**/__pycache__")):
        shutil.rmtree(directory)


def _other_bytecode(place: Place, name: str) -> None:
    """Bytecode that RECORD does not list: of optimised runs, of another interpreter, beside the source."""
    cache = place.site / f"{name}/__pycache__"
    cache.mkdir(exist_ok=True)
    for file in (f"__init__.{place.facts.cache_tag}.opt-1.pyc", "__init__.cpython-27.pyc", "gone.cpython-27.pyc"):
        (cache / file).write_bytes(b"")
    (place.site / f"single_{name}.pyc").write_bytes(b"")
    (place.site / f"single_{name}.pyo").write_bytes(b"")


def _run(place: Place, name: str) -> None:
    subprocess.run(
        [place.prefix / "bin/python", "-c", f"import {name}.sub, single_{name}"], check=True, env=clean_environment()
    )


def _missing_files(place: Place, name: str) -> None:
    (place.site / f"{name}/sub/__init__.py").unlink()
    (place.prefix / f"bin/cli_{name}").unlink()
    shutil.rmtree(place.prefix / f"share/{name}")


def _script_not_in_record(place: Place, name: str) -> None:
    path = place.site / f"{name}-1.0.dist-info/RECORD"
    path.write_text(
        "".join(line for line in path.read_text().splitlines(keepends=True) if f"bin/cli_{name}" not in line)
    )


def _symlinked_directory_in_record(place: Place, name: str) -> None:
    """The row is inside of the environment, the file is not."""
    outside = place.outside / name
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    (place.site / f"{name}/link").symlink_to(outside)
    place.record(name, f"{name}/link/precious")


def _symlink_in_record(place: Place, name: str) -> None:
    outside = place.outside / name
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    (place.site / f"{name}/link").symlink_to(outside / "precious")
    place.record(name, f"{name}/link")


def _outside_in_record(place: Place, name: str) -> None:
    outside = place.outside / name
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    depth = "../" * 19 + ".."
    place.record(name, f"{depth}{outside}/precious", f"{outside}/precious", f"../../../../{_OUTSIDE}/{name}/precious")


def _directory_in_record(place: Place, name: str) -> None:
    (place.site / f"{name}/directory").mkdir()
    (place.site / f"{name}/directory/x").write_bytes(b"x")
    place.record(name, f"{name}/directory/x", f"{name}/twice.txt", f"{name}/twice.txt")


def _module_missing(place: Place, name: str) -> None:
    (place.site / name / "__init__.py").unlink()


_CASES: Final = {
    f"case_{case.__name__.strip('_')}": case
    for case in (
        _nothing,
        _files_beside,
        _empty_directory,
        _no_bytecode,
        _other_bytecode,
        _run,
        _missing_files,
        _module_missing,
        _script_not_in_record,
        _symlinked_directory_in_record,
        _symlink_in_record,
        _outside_in_record,
        _directory_in_record,
    )
}
_NAMESPACES: Final = {
    "ns_one": {"both/one/__init__.py": b"", "both/deep/er/one.py": b""},
    "ns_kept": {"both/kept/__init__.py": b"", "both/deep/er/kept.py": b""},
    "ns_only": {"alone/only/__init__.py": b"", "alone/deep/er/only.py": b""},
    "ns_scripts": {"ns_scripts-1.0.data/scripts/ns_one": b"x", "ns_scripts-1.0.data/scripts/d/ns_two": b"x"},
}


@pytest.fixture(scope="module", params=_VERSIONS)
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An environment with every case installed and prepared."""
    base = tmp_path_factory.mktemp("uninstall")
    prefix, outside, wheels = base / "environment", base / _OUTSIDE, base / "wheels"
    for directory in (outside, wheels):
        directory.mkdir()
    virtualenv(prefix, require_python(request.param))
    place = Place(prefix, learn(str(prefix), str(wheels), undo=True), outside)
    paths = [_wheel(wheels, name) for name in _CASES]
    paths += [make_wheel(wheels, name, files=files) for name, files in _NAMESPACES.items()]
    pip(prefix, "install", "--no-index", "--no-deps", *paths)
    for name, prepare in _CASES.items():
        prepare(place, name)
    return place


@dataclass(frozen=True)
class Trees:
    """The tree before, after pip and after us; all at one path, because scripts hold it."""

    before: Listing
    pip: Listing
    ours: Listing


@pytest.fixture(scope="module")
def trees(prepared: Place) -> Trees:
    base = prepared.outside.parent
    before = listing(base)
    places = (prepared.prefix, prepared.outside)
    for place in places:
        shutil.copytree(place, base / f"aside-{place.name}", symlinks=True)
    names = [*_CASES, *(name for name in _NAMESPACES if name != "ns_kept")]
    pip(prepared.prefix, "uninstall", "-y", *names)
    theirs = {path: entry for path, entry in listing(base).items() if not path.startswith("aside-")}
    for place in places:
        shutil.rmtree(place)
        (base / f"aside-{place.name}").rename(place)
    installed = prepared.distributions()
    for name in names:
        uninstall(str(prepared.prefix), installed[canonicalize_name(name)], prepared.facts)
    return Trees(before, theirs, listing(base))


def _of(tree: Listing, name: str) -> Listing:
    return {path: entry for path, entry in tree.items() if name in path and not path.startswith("wheels/")}


@pytest.mark.parametrize("name", _CASES)
def test_as_pip(name: str, trees: Trees) -> None:
    before, theirs, ours = _of(trees.before, name), _of(trees.pip, name), _of(trees.ours, name)
    assert len(before) > 20
    assert len(theirs) < len(before)
    assert sorted(ours) == sorted(theirs)
    assert ours == theirs
    assert {path for path in before if path.startswith(_OUTSIDE)} <= set(ours)


@pytest.mark.parametrize("directory", ["both", "alone", "bin", "share", "etc", "include"])
def test_directories_that_are_shared_or_left_empty(directory: str, trees: Trees) -> None:
    before, theirs, ours = (
        {path for path in tree if f"/{directory}/" in path or path.endswith(f"/{directory}")}
        for tree in (trees.before, trees.pip, trees.ours)
    )
    assert theirs < before
    assert sorted(ours) == sorted(theirs)


def test_nothing_else_is_touched(trees: Trees) -> None:
    run_by_pip = {path for path in trees.pip.keys() - trees.before.keys() if "__pycache__" in path}
    assert sorted(trees.ours) == sorted(trees.pip.keys() - run_by_pip)
    assert [path for path, entry in trees.ours.items() if entry != trees.before[path]] == []


def test_learning_leaves_nothing_behind(tmp_path: Path) -> None:
    prefix, scratch = tmp_path / "environment", tmp_path / "scratch"
    scratch.mkdir()
    virtualenv(prefix, require_python(TARGET))
    before = {path for path in prefix.rglob("*") if "__pycache__" not in path.parts}
    learn(str(prefix), str(scratch), undo=True)
    assert {path for path in prefix.rglob("*") if "__pycache__" not in path.parts} == before


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A small environment."""
    prefix, scratch = tmp_path / "environment", tmp_path / "scratch"
    scratch.mkdir()
    virtualenv(prefix, require_python(TARGET))
    return Place(prefix, learn(str(prefix), str(scratch), undo=True), tmp_path / _OUTSIDE)


def test_small_environment(place: Place, tmp_path: Path) -> None:
    """What pip takes into account, what has no RECORD, and pip itself."""

    def digest() -> str | None:
        return installed_digest(str(place.prefix), place.facts)

    bare = digest()
    assert bare is not None
    for path in place.site.glob("*.dist-info/METADATA"):  # the same in another environment
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert digest() == bare
    pip(place.prefix, "install", "--no-index", "--no-deps", _wheel(tmp_path, "demo"))
    (place.site / "demo/more.txt").write_bytes(b"")
    installed = digest()
    assert installed not in (None, bare)
    (place.site / "demo-1.0.dist-info/direct_url.json").write_text('{"url": "file:///other"}')
    assert digest() not in (None, bare, installed)

    record = place.site / "demo-1.0.dist-info/RECORD"
    content = record.read_bytes()
    record.unlink()
    found = place.distributions()
    assert not found["demo"].removable
    assert found["pip"].removable
    before = listing(place.prefix)
    with pytest.raises(EnvError, match="demo cannot be uninstalled"):
        uninstall(str(place.prefix), found["demo"], place.facts)
    assert listing(place.prefix) == before
    record.write_bytes(content)

    uninstall(str(place.prefix), place.distributions()["pip"], place.facts)
    assert not list(place.site.glob("pip*"))
    assert not list((place.prefix / "bin").glob("pip*"))
    assert place.site.is_dir()

    config = place.prefix / "pyvenv.cfg"
    config.write_text(config.read_text().replace("site-packages = false", "site-packages = true"))
    assert digest() is None


@pytest.mark.parametrize("stands", [None, "lib"])
def test_where_no_packages_can_be_nothing_is_installed(tmp_path: Path, stands: str | None) -> None:
    """A damaged note may say that they are where there is nothing, or a file."""
    (tmp_path / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
    if stands is not None:
        (tmp_path / stands).write_text("")
    assert installed_digest(str(tmp_path), FACTS) is not None
    assert list(find_distributions(str(tmp_path), FACTS)) == []
