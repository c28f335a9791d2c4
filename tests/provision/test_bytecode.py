"""Shared bytecode: found by the next environment's imports, a file like any other, and never stale."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.digest import mtime_of
from nox_linkenv.store import Store
from nox_linkenv.store.compile import compile_objects
from tests.provision.tool import Place, Site, changed_objects
from tests.support.interpreters import usual
from tests.support.suites import usually
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

_FILES: Final = {
    "tiny/__init__.py": b"from tiny import empty\nVERSION = 1\ndef fail():\n    raise ValueError('here')\n",
    "tiny/deep/er/__init__.py": b"VALUE = 3\n",
    "tiny/empty.py": b"",
    "tiny/unused.py": b"x = 1\n",
    "single.py": b"import tiny\n",
}
_IMPORT: Final = "import single, tiny.deep.er"
_USED: Final = ("single", "tiny/__init__", "tiny/empty", "tiny/deep/er/__init__")


@pytest.fixture
def tiny(here: Site) -> Place:
    make_wheel(here.wheels, "tiny", "1.0", _FILES)
    return here.place()


def _pycs(place: Place) -> dict[str, os.stat_result]:
    """Return the status of each pyc of tiny by its module."""
    found = {}
    for path in place.packages.rglob("__pycache__/*.pyc"):
        name = (path.parent.parent.relative_to(place.packages) / path.name.partition(".")[0]).as_posix()
        if name.startswith(("single", "tiny")):
            found[name] = path.lstat()
    return found


def _stored(site: Site) -> set[int]:
    return {path.stat().st_ino for path in site.base.glob("bytecode/**/*.pyc")}


def _check_shared(place: Place) -> None:
    """Check that a second session finds what the first has imported, and writes none of it."""
    place.session(["tiny"], run=_IMPORT)
    environment = place.environment()
    place.create(environment)
    place.install(environment, "tiny")
    before = _pycs(place)
    assert set(before) == set(_USED)
    stored = _stored(place.site)
    for name, status in before.items():
        assert stat.S_ISREG(status.st_mode)
        assert (status.st_ino in stored) == (name != "tiny/empty"), name
    place.run(_IMPORT)
    after = _pycs(place)
    assert {name: (status.st_ino, status.st_mtime_ns) for name, status in after.items()} == {
        name: (status.st_ino, status.st_mtime_ns) for name, status in before.items()
    }
    place.end(environment)


def test_the_next_environment_finds_the_bytecode(tiny: Place) -> None:
    _check_shared(tiny)


_OTHERS: Final = usual("3.9", "3.10", "3.11", "3.13")


@pytest.mark.parametrize("version", usually(_OTHERS, _OTHERS[0], _OTHERS[-1]))
def test_every_interpreter_finds_its_bytecode(make_site: Callable[[str], Site], version: str) -> None:
    site = make_site(version)
    make_wheel(site.wheels, "tiny", "1.0", _FILES)
    _check_shared(site.place())


def test_without_bytecode_of_its_own_a_session_gets_all(tiny: Place) -> None:
    tiny.session(["tiny"], run=_IMPORT, environ={"PYTHONDONTWRITEBYTECODE": "1"})
    tiny.session(["tiny"])
    assert set(_pycs(tiny)) == {*_USED, "tiny/unused"}


def test_bytecode_can_be_switched_off(tiny: Place) -> None:
    tiny.session(["tiny"], run=_IMPORT)
    tiny.session(["tiny"], settings=replace(tiny.site.settings, bytecode=False))
    assert _pycs(tiny) == {}
    tiny.session(["tiny"])
    assert set(_pycs(tiny)) == set(_USED)


def test_switched_off_none_is_made(tiny: Place) -> None:
    before = _stored(tiny.site)  # that of pip
    tiny.session(["tiny"], run=_IMPORT, settings=replace(tiny.site.settings, bytecode=False))
    assert _stored(tiny.site) == before


def test_tracebacks_show_the_environments_own_path(tiny: Place) -> None:
    code = "import tiny, traceback\ntry:\n    tiny.fail()\nexcept ValueError:\n    print(traceback.format_exc())"
    tiny.session(["tiny"], run=_IMPORT)
    other = tiny.site.place("other")
    other.session(["tiny"])
    assert set(_pycs(other)) == set(_USED)
    assert f'File "{other.packages}/tiny/__init__.py", line 4, in fail' in other.run(code)
    assert other.run("import tiny; print(tiny.fail.__code__.co_filename)") == f"{other.packages}/tiny/__init__.py"


@pytest.mark.parametrize(("before", "after"), [("1.0", "2.0"), ("2.0", "1.0")])
def test_never_stale_after_an_upgrade_or_downgrade_in_place(here: Site, before: str, after: str) -> None:
    """The two modules have the same size, and in their wheels the same date."""
    for version in ("1.0", "2.0"):
        make_wheel(here.wheels, "tiny", version, {"tiny.py": f"VERSION = {version!r}\n".encode()})
    place, code = here.place(), "import tiny; print(tiny.VERSION)"
    for _ in range(2):
        for version in (before, after):
            place.session([f"tiny=={version}"], run=code)
    environment = place.environment()
    place.create(environment)
    place.install(environment, f"tiny=={before}")
    assert place.run(code) == before
    place.install(environment, f"tiny=={after}")
    assert place.run(code) == after
    pip = "import subprocess, sys; subprocess.check_call([sys.executable, '-m', 'pip', 'install', '-q', 'tiny=={}'])"
    place.run(pip.format(before))
    assert place.run(code) == before
    assert changed_objects(here.base) == []


@pytest.mark.parametrize("how", ["in place", "replaced"])
def test_never_stale_after_an_edit(tiny: Place, how: str) -> None:
    """Same size each time: only the date can tell."""
    code = "import tiny; print(tiny.VERSION)"
    for _ in range(2):
        tiny.session(["tiny"], run=code)
    path = tiny.packages / "tiny" / "__init__.py"
    for number in range(2, 6):
        content = path.read_bytes().replace(f"VERSION = {number - 1}".encode(), f"VERSION = {number}".encode())
        if how == "replaced":
            path.unlink()
        path.write_bytes(content)
        os.utime(path, (number, number))
        assert tiny.run(code) == str(number)
    other = tiny.site.place("other")
    other.session(["tiny"])
    assert other.run(code) == "1"


def test_bytecode_of_an_edited_file_is_not_shared(tiny: Place) -> None:
    tiny.session(
        ["tiny"],
        run="p = __import__('site').getsitepackages()[0] + '/tiny/__init__.py'\n"
        "t = open(p).read().replace('VERSION = 1', 'VERSION = 9')\n"
        "open(p, 'w').write(t)\nimport tiny; assert tiny.VERSION == 9",
    )
    other = tiny.site.place("other")
    other.session(["tiny"])
    assert other.run("import tiny; print(tiny.VERSION)") == "1"
    tiny.session(["tiny"])
    assert tiny.run("import tiny; print(tiny.VERSION)") == "1"


def test_bytecode_left_by_a_session_is_not_shared(tiny: Place) -> None:
    """A pyc with the right header and other code in it would be believed."""
    code = (
        "import tiny, importlib.util, marshal, os\n"
        "pyc = importlib.util.cache_from_source(tiny.__file__)\n"
        "data = open(pyc, 'rb').read()[:16] + marshal.dumps(compile('VERSION = 666', 'x', 'exec'))\n"
        "os.unlink(pyc)\nopen(pyc, 'wb').write(data)\n"
    )
    tiny.session(["tiny"], run=code)
    assert tiny.run("import tiny; print(tiny.VERSION)") == "666"
    for place in (tiny.site.place("other"), tiny):
        place.session(["tiny"])
        assert place.run("import tiny; print(tiny.VERSION)") == "1"


def test_an_object_that_is_not_what_its_address_says_is_not_compiled(tiny: Place) -> None:
    tiny.session(["tiny"])
    (victim,) = [path for path in tiny.site.base.glob("objects/*/*") if path.read_bytes() == _FILES["tiny/unused.py"]]
    addr, status = victim.parent.name + victim.name, victim.stat()
    victim.write_bytes(b"x = 2\n")
    os.utime(victim, ns=(status.st_mtime_ns, status.st_mtime_ns))
    receipt = tiny.environment().receipt
    assert receipt is not None
    store = Store.open(tiny.site.store)
    work = {addr: "tiny/unused.py"}
    made = compile_objects(store.layout, receipt.interpreter, receipt.facts.tag, work, environ={}, jobs=1)
    assert made == 0
    assert not list(tiny.site.base.glob(f"bytecode/*/{addr[:2]}/{addr[2:]}.pyc"))
    victim.write_bytes(b"x = 1\n")
    os.utime(victim, (mtime_of(addr), mtime_of(addr)))
    assert compile_objects(store.layout, receipt.interpreter, receipt.facts.tag, work, environ={}, jobs=1) == 1


def test_what_does_not_compile_has_no_bytecode(here: Site) -> None:
    make_wheel(here.wheels, "tiny", "1.0", {"tiny/__init__.py": b"x = 1\n", "tiny/bad.py": b"def (\n"})
    place = here.place()
    place.session(["tiny"], environ={"PYTHONDONTWRITEBYTECODE": "1"})
    place.session(["tiny"])
    assert set(_pycs(place)) == {"tiny/__init__"}


@pytest.mark.parametrize("what", ["removed", "truncated", "emptied", "touched"])
def test_damaged_bytecode_breaks_no_import_and_is_made_anew(tiny: Place, what: str) -> None:
    tiny.session(["tiny"], run=_IMPORT)
    for victim in tiny.site.base.glob("bytecode/**/*.pyc"):
        status = victim.stat()
        if what == "removed":
            victim.unlink()
        elif what == "touched":
            victim.touch()
        else:
            os.truncate(victim, status.st_size // 2 if what == "truncated" else 0)
            os.utime(victim, ns=(status.st_mtime_ns, status.st_mtime_ns))
    for name in ("one", "two", "three"):  # the bytecode is looked at, made anew, and found again
        tiny.site.place(name).session(["tiny"], run=_IMPORT)
    last = tiny.site.place("last")
    last.session(["tiny"])
    assert {name for name, status in _pycs(last).items() if status.st_ino in _stored(tiny.site)} == {
        "single",
        "tiny/__init__",
        "tiny/deep/er/__init__",
    }


def test_no_bytecode_is_a_symlink_and_none_is_recorded(tiny: Place) -> None:
    for _ in range(2):
        tiny.session(["tiny"], run=_IMPORT)
    assert not any(path.is_symlink() for path in Path(tiny.prefix).rglob("*.pyc"))
    assert ".pyc" not in (tiny.packages / "tiny-1.0.dist-info" / "RECORD").read_text()
