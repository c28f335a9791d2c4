"""Skeletons: an environment built from one is the one that virtualenv makes at that place."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest

from nox_linkenv.config import Settings
from nox_linkenv.env.receipt import DIRECTORY
from nox_linkenv.env.skeleton import Skeleton, fits, skeleton_name
from nox_linkenv.errors import EnvError
from nox_linkenv.provision.environment import Environment
from nox_linkenv.store import Store
from tests.env.tool import listing, virtualenv
from tests.store.tool import check_whole, objects
from tests.support.capabilities import require_python
from tests.support.interpreters import TARGET, directory_of, usual
from tests.support.suites import usually

_VERSIONS: Final = usual("3.9", "3.10", "3.11", "3.12", "3.13")


def clean(patch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("VIRTUALENV_", "PIP_", "LINKENV_")):
            patch.delenv(name)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the outer world; virtualenv runs in this process."""
    clean(monkeypatch)


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the skeleton of one interpreter, and an environment of it."""
    base = tmp_path_factory.mktemp("captured")
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        assert environment(base / "environment", base / "store").create(str(require_python(TARGET)), [])
    return base


@pytest.fixture
def stored(captured: Path, store_dir: Path) -> Path:
    """A copy of that store."""
    shutil.copytree(captured / "store", store_dir)
    return store_dir


def environment(prefix: Path, store: Path) -> Environment:
    return Environment(str(prefix), Settings(store=str(store), bytecode=False), session="test")


def compare(prefix: Path, interpreter: Path, *parameters: str) -> None:
    """Compare what is at *prefix* with what virtualenv makes there: bytes, modes, symlinks."""
    found = {path: entry for path, entry in listing(prefix).items() if not path.startswith(DIRECTORY)}
    shutil.rmtree(prefix)
    virtualenv(prefix, interpreter, *parameters)
    expected = listing(prefix)
    assert sorted(found) == sorted(expected)
    assert [path for path in found if found[path] != expected[path]] == []


@pytest.mark.parametrize("version", usually(_VERSIONS, _VERSIONS[0], _VERSIONS[-1]))
def test_as_virtualenv(version: str, tmp_path: Path, store_dir: Path) -> None:
    interpreter = require_python(version)
    first = tmp_path / "first" / f"tests-{version.replace('.', '-')}"
    first.parent.mkdir()
    assert environment(first, store_dir).create(str(interpreter), [])
    inodes = {path.stat().st_ino for path in objects(Store.open(store_dir)).values()}
    site = first / f"lib/python{version}/site-packages"
    pip_files = [path for path in site.glob("pip/**/*.py") if path.stat().st_size]
    assert len(pip_files) > 100
    assert all(path.stat().st_ino in inodes for path in pip_files)
    python = first / "bin" / "python"
    done = subprocess.run([python, "-m", "pip", "--version"], check=True, capture_output=True, text=True)
    assert str(site) in done.stdout
    # A second one, from the stored skeleton: as virtualenv makes it at that place.
    other = tmp_path / "another" / "with.dots-and_x"
    other.parent.mkdir()
    assert environment(other, store_dir).create(str(interpreter), [])
    check_whole(Store.open(store_dir))
    compare(other, interpreter)


def test_parameters(tmp_path: Path, store_dir: Path) -> None:
    interpreter = require_python(TARGET)
    assert environment(tmp_path / "environment", store_dir).create(str(interpreter), ["--system-site-packages"])
    compare(tmp_path / "environment", interpreter, "--system-site-packages")


@pytest.mark.parametrize("unsafe", [None, "writable", "lib"])
def test_a_copied_interpreter_where_others_may_put_its_library(unsafe: str | None, store_dir: Path) -> None:
    """It looks for it in directories above; what virtualenv has to say of these depends on the place."""
    interpreter = require_python(TARGET)
    with tempfile.TemporaryDirectory(dir="/opt" if os.geteuid() == 0 else Path.home()) as private:
        place = Path(os.path.realpath(private))
        (place / "above").mkdir(mode=0o755)
        if unsafe == "lib":
            (place / "above" / "lib").mkdir()
        (place / "above").chmod(0o777 if unsafe == "writable" else 0o755)
        prefix = place / "above" / "environment"
        assert environment(prefix, store_dir).create(str(interpreter), ["--copies"]) is (unsafe is None)
        if unsafe is None:
            compare(prefix, interpreter, "--copies")


def test_creating_again_replaces_everything(tmp_path: Path, stored: Path) -> None:
    interpreter = require_python(TARGET)
    place = tmp_path / "environment"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_bytes(b"x")
    place.symlink_to(elsewhere)
    assert environment(place, stored).create(str(interpreter), [])
    assert (elsewhere / "precious").exists()
    (place / "rest").write_bytes(b"x")
    (place / "link").symlink_to(elsewhere)
    assert environment(place, stored).create(str(interpreter), [])
    assert (elsewhere / "precious").exists()
    compare(place, interpreter)


@pytest.mark.parametrize("damage", ["lost", "truncated", "mode", "private-lost", "private-truncated"])
def test_damaged_store_is_put_right(damage: str, tmp_path: Path, captured: Path, stored: Path) -> None:
    """No environment comes out of it with a file missing or wrong."""
    interpreter = require_python(TARGET)
    wanted = "pip-*.dist-info/RECORD" if damage.startswith("private") else "pip/__main__.py"
    content = next((captured / "environment" / directory_of(TARGET)).glob(wanted)).read_bytes()
    victim = next(path for path in objects(Store.open(stored)).values() if path.read_bytes() == content)
    if damage.endswith("lost"):
        victim.unlink()
    elif damage == "mode":
        victim.chmod(0o600)
    else:
        victim.unlink()
        victim.write_bytes(b"")
    assert environment(tmp_path / "second", stored).create(str(interpreter), [])
    compare(tmp_path / "second", interpreter)


def test_interpreter_without_seeds(tmp_path: Path, store_dir: Path) -> None:
    interpreter = require_python("3.8")
    with pytest.raises(EnvError, match="virtualenv failed: ") as caught:
        environment(tmp_path / "environment", store_dir).create(str(interpreter), [])
    assert re.search(r"virtualenv failed: \S+", str(caught.value))
    assert not list(Path(store_dir, "v2").glob("skeletons/*"))


def test_fits(tmp_path: Path) -> None:
    assert fits(str(tmp_path / "environment"))
    assert fits(str(tmp_path / "a-b.c_d"))


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a'b",
        'a"b',
        "a$b",
        "a`b",
        "a\\b",
        "a;b",
        "a\nb",
        "a(b",
        "a~b",
        "a+b",
        "a%b",
        "a:b",
        "\u00e9",
        "a" * 100,
        "a/",
        "a//b",
        "a/.",
        "a/..",
        "../a",
    ],
)
def test_does_not_fit(name: str, tmp_path: Path) -> None:
    assert not fits(f"{tmp_path}/{name}")


def test_relative_path_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not fits("environment")
    assert not fits("")


def test_symlinked_parent_does_not_fit(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert fits(str(tmp_path / "real" / "environment"))
    assert not fits(str(tmp_path / "link" / "environment"))


def test_length(tmp_path: Path) -> None:
    """The longest place that fits has scripts that run."""
    room = 109 - len(str(tmp_path)) - 1
    if room < 1:
        pytest.skip("the temporary directory has a long name itself")
    assert fits(f"{tmp_path}/{'a' * room}")
    assert not fits(f"{tmp_path}/{'a' * (room + 1)}")
    assert len(f"#!{tmp_path}/{'a' * room}/bin/python3.13\n") <= 127


def test_awkward_place_is_left_to_virtualenv(tmp_path: Path, store_dir: Path) -> None:
    place = tmp_path / "a place" / "environment"
    assert not environment(place, store_dir).create(str(require_python(TARGET)), [])
    assert not place.exists()


def test_name(tmp_path: Path) -> None:
    interpreter = str(require_python(TARGET))
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}

    def name(*parameters: str, creator: str = "one", **more: str) -> str | None:
        return skeleton_name(interpreter, parameters, creator=creator, environ=environ | more)

    assert name() == name()
    different = {name(), name("--copies"), name("--system-site-packages"), name(creator="two")}
    assert len(different) == 4
    assert None not in different
    assert name("--pip=25.0") is None
    assert name("--no-seed") is None
    assert name("--prompt", "x") is None
    assert name(VIRTUALENV_PIP="25.0") is None
    assert skeleton_name("/nowhere/python", [], creator="one", environ=environ) is None
    (tmp_path / "virtualenv").mkdir()
    (tmp_path / "virtualenv" / "virtualenv.ini").write_text("[virtualenv]\n")
    assert name() is None


@pytest.mark.parametrize("data", [None, [], {}, {"facts": {"schemes": []}}, "", 3])
def test_of_another_shape(data: Any) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Skeleton.from_json(data)
