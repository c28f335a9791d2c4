"""Recycling: whatever became of the old environment, the new one is as if it had never been."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.provision.tool import Place, Site, changed_objects, site, tree
from tests.support.interpreters import OTHER, TARGET, directory_of
from tests.support.suites import usually
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

_SITE: Final = directory_of(TARGET)
_FILES: Final = {
    "pack/__init__.py": b"import pack.deep.er.est\n",
    "pack/empty.py": b"",
    "pack/a.py": b"a = 1\n",
    "pack/b.py": b"b = 1\n",
    "pack/deep/__init__.py": b"",
    "pack/deep/er/__init__.py": b"x = 1\n",
    "pack/deep/er/est/__init__.py": b"from pack import a, b\n",
    "pack/deep/er/data.bin": bytes(range(256)),
    "pack/tool.sh": b"#!/bin/sh\n",
    "single.py": b"import pack\n",
    "hooked.pth": b"import sys\n",
    "demo-1.0.data/scripts/hello": b"#!python\nprint(1)\n",
    "demo-1.0.data/data/share/demo/readme.txt": b"read me\n",
    "demo-1.0.data/data/share/demo/sub/none.txt": b"",
}
_INSTALLS: Final = (["demo"], ["second"])
#: A file of pip's that every environment has for itself, because it is empty.
_SEED_TEXT: Final = "pip/_internal/operations/__init__.py"
_IMPORT: Final = "import single, second_module, pip"


def _wheels(here: Site) -> None:
    modes = {"pack/tool.sh": stat.S_IFREG | 0o755}
    entry_points = "[console_scripts]\ngreet = pack.a:print\n"
    make_wheel(here.wheels, "demo", "1.0", _FILES, modes=modes, entry_points=entry_points)
    make_wheel(here.wheels, "second", "1.0", {"second_module/__init__.py": b"", "second_module/m.py": b"m = 2\n"})


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, template: Callable[[str], Path]) -> Place:
    """A place where sessions have been, with bytecode in the store."""
    from tests.support.capabilities import require_python

    here = site(tmp_path_factory.mktemp("recycling"), require_python(TARGET), template(TARGET))
    _wheels(here)
    place = here.place()
    for _ in range(2):
        place.session(*_INSTALLS, run=_IMPORT, settings=replace(here.settings, spares=False))
    return place


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _as_file(path: Path) -> None:
    _remove(path)
    path.write_bytes(b"x = 1\n")


def _as_directory(path: Path) -> None:
    _remove(path)
    path.mkdir()
    (path / "inside.py").write_text("")


def _as_symlink(path: Path) -> None:
    target = path.with_name("elsewhere")
    _remove(target)
    if os.path.lexists(path):
        path.rename(target)
    path.symlink_to("elsewhere")


def _dangling(path: Path) -> None:
    _remove(path)
    path.symlink_to("/nowhere/at/all")


def _twin(path: Path) -> None:
    """Replace a file by another one of the same size, date and mode."""
    if path.is_file() and not path.is_symlink():
        status, content = path.stat(), path.read_bytes()
        path.unlink()
        path.write_bytes(content[::-1])
        path.chmod(stat.S_IMODE(status.st_mode))
        os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))


def _hard_link(path: Path) -> None:
    other = path.parent / "other-name"
    _remove(other)
    if path.is_file() and not path.is_symlink():
        other.hardlink_to(path)


def _swap(path: Path) -> None:
    """Make two files of one directory change places."""
    files = sorted(p for p in path.parent.iterdir() if p.is_file() and not p.is_symlink() and p != path)
    if files and path.is_file():
        spare = path.with_name("spare-name")
        path.rename(spare)
        files[0].rename(path)
        spare.rename(files[0])


def _renamed(path: Path) -> None:
    if os.path.lexists(path):
        target = path.with_name(path.name + "_renamed")
        _remove(target)
        path.rename(target)


def _garbage_pyc(path: Path) -> None:
    cache = path.parent / "__pycache__"
    if not cache.exists() and path.parent.is_dir():
        cache.mkdir()
    if cache.is_dir():
        for name in ("a", "__init__", path.stem, "nothing"):
            target = cache / f"{name}.cpython-312.pyc"
            _remove(target)
            target.write_bytes(b"garbage")


def _fifo(path: Path) -> None:
    _remove(path)
    os.mkfifo(path)


def _broken_mode(path: Path) -> None:
    """Change the mode of a directory, or of a file that is nobody else's, as the interpreter's own is."""
    if not path.is_symlink() and (path.is_dir() or (path.exists() and path.stat().st_nlink == 1)):
        path.chmod(0o700)


def _emptied(path: Path) -> None:
    if path.is_file() and not path.is_symlink():
        path.unlink()
        path.touch()


def _dated(path: Path) -> None:
    if not path.is_symlink() and (path.is_dir() or (path.is_file() and path.stat().st_nlink == 1)):
        os.utime(path, (1, 1))


def _foreign(path: Path) -> None:
    place = path if path.is_dir() else path.parent
    (place / "foreign" / "tree").mkdir(parents=True, exist_ok=True)
    (place / "foreign" / "tree" / "m.py").write_text("x")
    (place / "foreign.py").write_text("x")


def _dist_info(path: Path) -> None:
    packages = (
        Path(path.anchor, *path.parts[: path.parts.index("site-packages") + 1])
        if "site-packages" in path.parts
        else path.parent
    )
    info = packages / "ghost-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Name: ghost\nVersion: 1.0\n")


_DAMAGES: Final = (
    _remove, _as_file, _as_directory, _as_symlink, _dangling, _twin, _hard_link, _swap, _renamed, _garbage_pyc,
    _fifo, _broken_mode, _emptied, _dated, _foreign, _dist_info,
)  # fmt: skip
_VICTIMS: Final = (
    *(f"{_SITE}/{name}" for name in _FILES if ".data/" not in name),
    *(f"{_SITE}/{name}" for name in ("pack", "pack/deep", "pack/deep/er", "pack/new", "demo-1.0.dist-info", "pip")),
    *(f"{_SITE}/{name}" for name in ("second_module", "second_module/__init__.py", "__pycache__", "pack/__pycache__")),
    *(f"{_SITE}/{name}" for name in ("pack/__pycache__/a.cpython-312.pyc", "pack/__pycache__/empty.cpython-312.pyc")),
    *(f"{_SITE}/{name}" for name in ("demo-1.0.dist-info/RECORD", "demo-1.0.dist-info/INSTALLER", "pip/__init__.py")),
    *(f"{_SITE}/pip/_internal/operations", f"{_SITE}/{_SEED_TEXT}"),
    *("bin/hello", "bin/greet", "bin/python", "bin/activate", "bin", "share/demo", "share/demo/readme.txt"),
    *(_SITE, "lib", "lib64", "pyvenv.cfg", f"lib/python{TARGET}", "share/demo/sub/none.txt", "include"),
)


_Damage: TypeAlias = "list[tuple[Callable[[Path], None], str]]"
_damaged = given(
    damage=st.lists(st.tuples(st.sampled_from(_DAMAGES), st.sampled_from(_VICTIMS)), min_size=1, max_size=6)
)


@_damaged
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_damaged_environment_becomes_a_fresh_one(used: Place, damage: _Damage) -> None:
    _check_damaged(used, damage)


@pytest.mark.slow
@_damaged
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_many_damaged_environments_become_fresh_ones(used: Place, damage: _Damage) -> None:
    _check_damaged(used, damage)


def _check_damaged(used: Place, damage: _Damage) -> None:
    quiet = replace(used.site.settings, spares=False)
    if not os.path.exists(f"{used.prefix}/.linkenv/receipt.json"):
        used.session(*_INSTALLS, settings=quiet)
    expected = used.fresh_tree(*_INSTALLS)
    for change, victim in damage:
        path = Path(used.prefix, victim)
        if path.parent.is_dir() and not any(parent.is_symlink() for parent in path.parents):
            change(path)
    done = used.session(*_INSTALLS, settings=quiet)
    assert done.warnings == [], "the store was not touched"
    assert tree(used.prefix) == expected
    assert changed_objects(used.site.base) == []


_EDITED: Final = ("pack/a.py", "pack/deep/er/data.bin", "second_module/m.py")
_HOW: Final = ("written", "truncated", "touched", "mode", "appended")


@pytest.mark.parametrize(
    ("how", "victim"),
    usually(
        [(how, victim) for how in _HOW for victim in _EDITED],
        *((how, _EDITED[at % 3]) for at, how in enumerate(_HOW)),
    ),
)
def test_an_edit_through_a_link_is_put_right(used: Place, how: str, victim: str) -> None:
    quiet = replace(used.site.settings, spares=False)
    path = used.packages / victim
    if how == "written":
        path.write_bytes(b"z" * path.stat().st_size)
    elif how == "truncated":
        os.truncate(path, 1)
    elif how == "touched":
        path.touch()
    elif how == "mode":
        path.chmod(0o755)
    else:
        with path.open("ab") as stream:
            stream.write(b"\n")
    done = used.session(*_INSTALLS, settings=quiet)
    assert len(done.warnings) == 1
    again = used.session(*_INSTALLS, settings=quiet)
    assert again.warnings == []
    assert tree(used.prefix) == used.fresh_tree(*_INSTALLS)
    assert changed_objects(used.site.base) == []


def test_a_hidden_edit_is_put_right_by_verification(used: Place) -> None:
    """By design size and date are all that is looked at otherwise."""
    path = used.packages / "pack" / "a.py"
    status = path.stat()
    path.write_bytes(b"a = 2\n")
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert used.session(*_INSTALLS, settings=replace(used.site.settings, spares=False)).warnings == []
    used.session(*_INSTALLS, settings=replace(used.site.settings, spares=False, verify=True))
    assert (used.packages / "pack" / "a.py").read_bytes() == b"a = 1\n"
    assert changed_objects(used.site.base) == []


def test_an_untouched_environment_is_taken_over(used: Place) -> None:
    quiet = replace(used.site.settings, spares=False)
    used.session(*_INSTALLS, settings=quiet)
    before = (used.packages / "pack").stat().st_ino
    used.session(*_INSTALLS, settings=quiet)
    assert (used.packages / "pack").stat().st_ino == before
    assert tree(used.prefix) == used.fresh_tree(*_INSTALLS)


def test_untouched_seeds_are_taken_over(used: Place) -> None:
    """Also the files that are not linked: no package of seeds is gone through entry by entry for their sake."""
    quiet = replace(used.site.settings, spares=False)
    used.session(*_INSTALLS, settings=quiet)
    private = used.packages / _SEED_TEXT
    before = private.stat().st_ino
    used.session(*_INSTALLS, settings=quiet)
    assert private.stat().st_ino == before
    os.utime(private, (1, 1))
    used.session(*_INSTALLS, settings=quiet)
    assert private.stat().st_mtime > 1, "the date of the last session is left"
    private.write_text("edited = 1\n")
    used.session(*_INSTALLS, settings=quiet)
    assert private.read_text() == ""
    assert tree(used.prefix) == used.fresh_tree(*_INSTALLS)


def test_what_is_no_longer_asked_for_is_gone(used: Place) -> None:
    quiet = replace(used.site.settings, spares=False)
    used.session(*_INSTALLS, settings=quiet)
    for _ in range(2):  # where pip is asked, it leaves bytecode of its own
        used.session(["second"], settings=quiet)
    assert tree(used.prefix) == used.fresh_tree(["second"])
    used.session(*_INSTALLS, settings=quiet)
    assert tree(used.prefix) == used.fresh_tree(*_INSTALLS)


def test_a_spare_gives_the_same_environment(here: Site) -> None:
    make_wheel(
        here.wheels,
        "many",
        "1.0",
        {f"many/d{n % 7}/m{n}.py": b"" if n % 9 == 0 else b"n = %d\n" % n for n in range(300)},
    )
    place = here.place()
    place.session(["many"])
    assert list(here.base.glob("spares/*/*"))
    expected = here.place("other").fresh_tree(["many"])
    other = here.place("other")
    other.session(["many"], settings=here.settings)
    assert tree(other.prefix) == expected


def _marked(place: Place) -> int:
    return (place.packages / "pack").stat().st_ino


@pytest.mark.parametrize("what", ["no receipt", "another store", "plain file", "symlink", "virtualenv's"])
def test_what_is_not_ours_is_replaced(here: Site, what: str) -> None:
    _wheels(here)
    place = here.place()
    place.session(*_INSTALLS)
    prefix, before = Path(place.prefix), _marked(place)
    if what == "no receipt":
        (prefix / ".linkenv" / "receipt.json").unlink()
    elif what == "another store":
        receipt = prefix / ".linkenv" / "receipt.json"
        receipt.write_text(receipt.read_text().replace(str(here.store), "/another/store"))
    elif what == "plain file":
        shutil.rmtree(prefix)
        prefix.write_text("not an environment")
    elif what == "symlink":
        prefix.rename(prefix.with_name("target"))
        prefix.symlink_to("target")
    else:
        shutil.rmtree(prefix / ".linkenv")
    outside = tree(prefix.with_name("target")) if what == "symlink" else None
    place.session(*_INSTALLS)
    assert not prefix.is_symlink()
    if what not in {"plain file", "symlink"}:
        assert _marked(place) != before
    assert tree(prefix) == place.fresh_tree(*_INSTALLS)
    if outside is not None:
        assert tree(prefix.with_name("target")) == outside, "what a symlink led to is not ours"
    assert [path for path in prefix.parent.iterdir() if "trash" in path.name] == []


def test_other_parameters_make_another_environment(here: Site) -> None:
    _wheels(here)
    place = here.place()
    place.session(*_INSTALLS)
    before = _marked(place)
    place.session(*_INSTALLS, parameters=["--copies"])
    assert _marked(place) != before
    assert not Path(place.prefix, "bin", "python").is_symlink()
    place.session(*_INSTALLS)
    assert tree(place.prefix) == place.fresh_tree(*_INSTALLS)


def test_another_interpreter_makes_another_environment(here: Site, template: Callable[[str], Path]) -> None:
    from tests.support.capabilities import require_python

    _wheels(here)
    place = here.place()
    place.session(*_INSTALLS)
    other = Site(here.root, require_python(OTHER), here.settings, here.environ).place()
    for _ in range(2):  # where pip is asked, it leaves bytecode of its own
        other.session(*_INSTALLS)
    assert other.packages.parent.name == f"python{OTHER}"
    assert tree(other.prefix) == other.fresh_tree(*_INSTALLS)
    assert not Path(other.prefix, "lib", f"python{TARGET}").exists()
