"""Uninstalling: after ours the tree is the one that pip's leaves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.env.installed import find_distributions, installed_digest, uninstall
from nox_linkenv.env.probe import learn
from nox_linkenv.errors import EnvError
from tests.capabilities import require_python
from tests.env.tool import listing, pip, virtualenv
from tests.unit.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from nox_linkenv.env.facts import Facts

_VERSIONS: Final = ("3.9", "3.12")
_CLI: Final = "[console_scripts]\ncli = demo:main\n[gui_scripts]\ngui = demo:main\n"
_DEMO: Final = {
    "demo/__init__.py": b"def main(): pass\n",
    "demo/sub/__init__.py": b"",
    "demo/sub/data/x, y.txt": b"x",
    "demo_single.py": b"x = 1\n",
    "demo-1.0.data/scripts/tool": b"#!python\nprint()\n",
    "demo-1.0.data/data/share/demo/deep/file.txt": b"x",
    "demo-1.0.data/data/etc/demo.cfg": b"x",
    "demo-1.0.data/headers/demo.h": b"x",
}


@pytest.fixture(scope="module", params=_VERSIONS)
def seeded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    """A bare environment, and the facts of it."""
    place = tmp_path_factory.mktemp("seeded") / "environment"
    virtualenv(place, require_python(request.param))
    return place, learn(str(place), str(tmp_path_factory.mktemp("scratch")), undo=True)


class Place:
    """One environment at one path: what is made there is kept aside and put back, because scripts hold the path."""

    def __init__(self, prefix: Path, facts: Facts, aside: Path) -> None:
        self.prefix, self.facts, self.aside = prefix, facts, aside
        self.site = prefix / facts.site_packages[0]
        shutil.copytree(prefix, aside / "bare", symlinks=True)

    def restore(self, name: str) -> None:
        shutil.rmtree(self.prefix)
        shutil.copytree(self.aside / name, self.prefix, symlinks=True)

    def ours(self, name: str) -> None:
        for found in find_distributions(str(self.prefix), self.facts):
            if found.name == name:
                uninstall(str(self.prefix), found, self.facts)
                return
        raise AssertionError(f"{name} is not installed")

    def compare(self, name: str) -> None:
        """Uninstall *name* by pip and, from the same state, by us, and compare the trees."""
        shutil.copytree(self.prefix, self.aside / "installed", symlinks=True)
        before = listing(self.prefix)
        pip(self.prefix, "uninstall", "-y", name)
        # pip compiles itself while it runs
        expected = listing(self.prefix)
        self.restore("installed")
        self.ours(name)
        found = listing(self.prefix)
        run_by_pip = expected.keys() - before.keys()
        assert all("__pycache__" in path for path in run_by_pip)
        assert set(found) == set(expected) - run_by_pip
        assert {path: found[path] for path in found if "__pycache__" not in path} == {
            path: entry for path, entry in expected.items() if path in found and "__pycache__" not in path
        }
        assert found.keys() < before.keys()


@pytest.fixture
def place(seeded: tuple[Path, Facts], tmp_path: Path) -> object:
    prefix, facts = seeded
    place = Place(prefix, facts, tmp_path)
    yield place
    place.restore("bare")


def _nothing(place: Place) -> None:
    pass


def _files_beside(place: Place) -> None:
    """What a package has written at run time stays, and so do the directories around it."""
    (place.site / "demo/sub/cache").mkdir()
    (place.site / "demo/sub/cache/x.nbi").write_bytes(b"x")
    (place.site / "demo/written.txt").write_bytes(b"x")


def _empty_directory(place: Place) -> None:
    (place.site / "demo/sub/empty").mkdir()


def _no_bytecode(place: Place) -> None:
    for directory in list(place.site.glob("demo*/**/__pycache__")):
        shutil.rmtree(directory)


def _other_bytecode(place: Place) -> None:
    """Bytecode that RECORD does not list: of optimised runs, of another interpreter, beside the source."""
    cache = place.site / "demo/__pycache__"
    cache.mkdir(exist_ok=True)
    for name in (f"__init__.{place.facts.cache_tag}.opt-1.pyc", "__init__.cpython-27.pyc", "gone.cpython-27.pyc"):
        (cache / name).write_bytes(b"")
    (place.site / "demo_single.pyc").write_bytes(b"")
    (place.site / "demo_single.pyo").write_bytes(b"")


def _run(place: Place) -> None:
    subprocess.run([place.prefix / "bin/python", "-c", "import demo.sub, demo_single"], check=True, env={})


def _missing_files(place: Place) -> None:
    (place.site / "demo/sub/__init__.py").unlink()
    (place.prefix / "bin/cli").unlink()
    shutil.rmtree(place.prefix / "share/demo")


def _record(place: Place, *rows: str) -> None:
    path = place.site / "demo-1.0.dist-info/RECORD"
    path.write_text(path.read_text() + "".join(f"{row},,\n" for row in rows))


def _script_not_in_record(place: Place) -> None:
    path = place.site / "demo-1.0.dist-info/RECORD"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "bin/cli" not in line))


def _symlinked_directory_in_record(place: Place) -> None:
    """The row is inside of the environment, the file is not."""
    outside = place.aside / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    (place.site / "demo/link").symlink_to(outside)
    _record(place, "demo/link/precious")


def _symlink_in_record(place: Place) -> None:
    outside = place.aside / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    (place.site / "demo/link").symlink_to(outside / "precious")
    _record(place, "demo/link")


def _outside_in_record(place: Place) -> None:
    (place.aside / "precious").write_bytes(b"x")
    depth = "../" * 20
    _record(place, f"{depth.rstrip('/')}{place.aside}/precious", f"{place.aside}/precious", "../../../../precious")


def _directory_in_record(place: Place) -> None:
    (place.site / "demo/directory").mkdir()
    (place.site / "demo/directory/x").write_bytes(b"x")
    _record(place, "demo/directory/x", "demo/twice.txt", "demo/twice.txt")


@pytest.mark.parametrize(
    "prepare",
    [
        _nothing,
        _files_beside,
        _empty_directory,
        _no_bytecode,
        _other_bytecode,
        _run,
        _missing_files,
        _script_not_in_record,
        _symlinked_directory_in_record,
        _symlink_in_record,
        _outside_in_record,
        _directory_in_record,
    ],
    ids=lambda function: function.__name__.strip("_"),
)
def test_as_pip(prepare: Callable[[Place], None], place: Place, tmp_path: Path) -> None:
    pip(place.prefix, "install", "--no-index", "--no-deps", make_wheel(tmp_path, files=_DEMO, entry_points=_CLI))
    prepare(place)
    place.compare("demo")
    for name in ("precious", "outside/precious"):
        assert not (tmp_path / name).parent.is_dir() or prepare not in (_outside_in_record,) or (tmp_path / "precious").exists()
    if (tmp_path / "outside").exists():
        assert (tmp_path / "outside/precious").exists()


@pytest.mark.parametrize("both", [True, False], ids=["one-of-two", "the-only-one"])
def test_namespace(both: bool, place: Place, tmp_path: Path) -> None:
    wheels = [make_wheel(tmp_path, "ns-a", files={"ns/a/__init__.py": b"", "ns/deep/er/a.py": b""})]
    if both:
        wheels.append(make_wheel(tmp_path, "ns-b", files={"ns/b/__init__.py": b"", "ns/deep/er/b.py": b""}))
    pip(place.prefix, "install", "--no-index", "--no-deps", *wheels)
    place.compare("ns-a")


def test_distribution_of_scripts_only(place: Place, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"demo-1.0.data/scripts/one": b"x", "demo-1.0.data/scripts/d/two": b"x"})
    pip(place.prefix, "install", "--no-index", "--no-deps", wheel)
    place.compare("demo")


def test_seeds(place: Place) -> None:
    """pip itself can be taken out; nothing of it is left but what it did not bring."""
    place.ours("pip")
    assert not list(place.site.glob("pip*"))
    assert not list((place.prefix / "bin").glob("pip*"))
    assert list(place.site.glob("_virtualenv.py"))


def test_without_record(place: Place, tmp_path: Path) -> None:
    pip(place.prefix, "install", "--no-index", "--no-deps", make_wheel(tmp_path, files=_DEMO))
    (place.site / "demo-1.0.dist-info/RECORD").unlink()
    found = {found.name: found for found in find_distributions(str(place.prefix), place.facts)}
    assert not found["demo"].removable
    assert found["pip"].removable
    before = listing(place.prefix)
    with pytest.raises(EnvError, match="demo cannot be uninstalled"):
        uninstall(str(place.prefix), found["demo"], place.facts)
    assert listing(place.prefix) == before


def test_digest_of_what_is_installed(place: Place, tmp_path: Path) -> None:
    def digest() -> str | None:
        return installed_digest(str(place.prefix), place.facts)

    bare = digest()
    assert bare is not None
    pip(place.prefix, "install", "--no-index", "--no-deps", make_wheel(tmp_path, files=_DEMO))
    (place.site / "demo/more.txt").write_bytes(b"")
    installed = digest()
    assert installed not in (None, bare)
    (place.site / "demo-1.0.dist-info/direct_url.json").write_text('{"url": "file:///other"}')
    assert digest() not in (None, bare, installed)
    place.ours("demo")
    config = place.prefix / "pyvenv.cfg"
    config.write_text(config.read_text().replace("site-packages = false", "site-packages = true"))
    assert digest() is None
