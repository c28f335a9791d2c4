"""Objects that were changed: noticed before they reach another environment, explained, and put right."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from nox_linkenv.errors import DamagedObjectError
from tests.cli.tool import answer
from tests.provision.tool import Place, Site, changed_objects
from tests.support.wheels import make_wheel

_FILES = {
    "tiny/__init__.py": b"VERSION = 'good'\n",
    "tiny/data.txt": b"data " * 100,
    "tiny/empty.py": b"",
    "tiny-1.0.data/scripts/hello": b"#!python\nprint('hello')\n",
}


@pytest.fixture
def two(here: Site) -> tuple[Place, Place]:
    """Two places; in the first, tiny is installed."""
    make_wheel(here.wheels, "tiny", "1.0", _FILES)
    one, other = here.place("one"), here.place("other")
    one.session(["tiny"])
    return one, other


def _edit(path: Path, text: str = "VERSION = 'evil'\n") -> None:
    """Change *path* in place, through the link."""
    with path.open("w") as stream:
        stream.write(text)


def _good(place: Place) -> None:
    assert place.run("import tiny; print(tiny.VERSION)") == "good"
    assert (place.packages / "tiny" / "data.txt").read_bytes() == _FILES["tiny/data.txt"]
    assert changed_objects(place.site.base) == []


def test_an_edit_after_the_session_reaches_no_other_environment(two: tuple[Place, Place]) -> None:
    one, other = two
    _edit(one.packages / "tiny" / "__init__.py")
    done = other.session(["tiny"])
    (warning,) = done.warnings
    assert "by the session one in " in warning
    assert f"{one.packages}/tiny/__init__.py" in warning
    assert "tiny has been fetched again" in warning
    _good(other)
    assert "evil" in one.run("import tiny; print(tiny.VERSION)"), "what the other environment holds is its own affair"


def test_an_edit_in_a_session_is_told_at_its_end(two: tuple[Place, Place]) -> None:
    one, other = two
    done = one.session(["tiny"], run="import tiny; open(tiny.__file__, 'a').write('VERSION = 1')")
    (message,) = done.closing.messages
    assert message.startswith("The session one edited ")
    assert "tiny/__init__.py" in message
    other.session(["tiny"])
    _good(other)
    assert one.session(["tiny"]).closing.messages == []
    _good(one)


def test_an_edit_is_told_with_all_whom_it_reaches(two: tuple[Place, Place]) -> None:
    """What exists already has the edit too: saying that it reached nobody would be a wrong promise."""
    one, other = two
    other.session(["tiny"])
    third = one.site.place("third")
    third.session(["tiny"])
    done = one.session(["tiny"], run="import tiny; open(tiny.__file__, 'a').write('VERSION = 1')")
    (message,) = done.closing.messages
    assert "environments that are made from now on have the file as it was" in message
    assert "Those of other, third hold the edit too; they are made anew before they are used again." in message
    states = {entry["path"]: entry["state"] for entry in answer(one.site, "envs")["environments"]}
    assert {states[place.prefix] for place in (one, other, third)} == {"damaged"}
    untouched = third.end(third.environment())
    assert len(untouched.messages) == 1, "it has been told whose edit it is not"
    assert "made through a link and found before" in untouched.messages[0]
    assert "replaced" not in untouched.messages[0]
    for place in (other, third):
        assert [path.rpartition("site-packages/")[2] for path in place.environment().spread_edits()] == [
            "tiny/__init__.py"
        ]
        place.session(["tiny"])
        assert place.environment().spread_edits() == []
        _good(place)


def test_an_edited_environment_is_right_after_its_next_session(two: tuple[Place, Place]) -> None:
    one, _ = two
    _edit(one.packages / "tiny" / "data.txt", "other")
    done = one.session(["tiny"])
    assert len(done.warnings) == 1
    _good(one)


def test_what_a_session_replaces_or_removes_is_told(two: tuple[Place, Place]) -> None:
    one, other = two
    code = "import os, tiny; d = os.path.dirname(tiny.__file__); os.remove(d + '/data.txt');"
    code += "os.remove(d + '/__init__.py'); open(d + '/__init__.py', 'w').write('')"
    done = one.session(["tiny"], run=code)
    assert sorted(message.split()[3] for message in done.closing.messages) == ["removed", "replaced"]
    assert other.session(["tiny"]).warnings == []
    _good(other)


def test_what_pip_uninstalls_goes_without_saying(two: tuple[Place, Place]) -> None:
    one, other = two
    code = (
        "import subprocess, sys; subprocess.run([sys.executable, '-m', 'pip', 'uninstall', '-y', 'tiny'], check=True)"
    )
    done = one.session(["tiny"], run=code)
    assert not (one.packages / "tiny").exists()
    assert done.closing.messages == []
    assert other.session(["tiny"]).warnings == []
    _good(other)


def test_a_change_of_mode_through_a_link_is_noticed(two: tuple[Place, Place]) -> None:
    one, other = two
    (one.packages / "tiny" / "data.txt").chmod(0o600)
    assert len(other.session(["tiny"]).warnings) == 1
    assert stat.S_IMODE((other.packages / "tiny" / "data.txt").stat().st_mode) == 0o644
    _good(other)


@pytest.mark.parametrize("what", ["removed", "truncated", "touched", "emptied"])
def test_a_damaged_object_is_put_right(two: tuple[Place, Place], what: str) -> None:
    _, other = two
    victim = _object(other.site, _FILES["tiny/data.txt"])
    status = victim.stat()
    if what == "removed":
        victim.unlink()
    elif what == "touched":
        victim.touch()
    else:
        os.truncate(victim, 7 if what == "truncated" else 0)
        os.utime(victim, ns=(status.st_mtime_ns, status.st_mtime_ns))
    done = other.session(["tiny"])
    assert done.calls == ["fetch"]
    _good(other)


@pytest.mark.parametrize("what", ["removed", "truncated"])
@pytest.mark.parametrize("file", ["tiny-1.0.data/scripts/hello"])
def test_a_damaged_object_of_a_private_file_is_put_right(two: tuple[Place, Place], what: str, file: str) -> None:
    _, other = two
    victim = _object(other.site, _FILES[file])
    if what == "removed":
        victim.unlink()
    else:
        os.truncate(victim, 9)
    other.session(["tiny"])
    script = Path(other.prefix, "bin", "hello")
    assert script.read_bytes() == b"#!" + f"{other.prefix}/bin/python\nprint('hello')\n".encode()
    assert changed_objects(other.site.base) == []


def _object(site: Site, content: bytes) -> Path:
    (found,) = [path for path in site.base.glob("objects/*/*") if path.read_bytes() == content]
    return found


def test_offline_a_damaged_object_is_an_error(two: tuple[Place, Place]) -> None:
    one, other = two
    _edit(one.packages / "tiny" / "__init__.py")
    settings = replace(other.site.settings, offline=True)
    with pytest.raises(DamagedObjectError, match=r"the session one in .*cannot be fetched again.*Run again with"):
        other.session(["tiny"], settings=settings)
    assert other.environment().receipt is None, "an unfinished environment must not look like a finished one"
    other.session(["tiny"])
    _good(other)


def _hidden_edit(path: Path) -> None:
    """Change *path* in place and give it back its size and date."""
    status = path.stat()
    content = path.read_bytes()
    with path.open("r+b") as stream:
        stream.write(content.replace(b"good", b"evil"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_verification_finds_an_edit_with_size_and_date_restored(two: tuple[Place, Place]) -> None:
    one, other = two
    _hidden_edit(one.packages / "tiny" / "__init__.py")
    done = other.session(["tiny"], settings=replace(other.site.settings, verify=True))
    assert len(done.warnings) == 1
    _good(other)


def test_what_verification_found_is_not_taken_over_from_the_old_environment(two: tuple[Place, Place]) -> None:
    one, other = two
    _hidden_edit(one.packages / "tiny" / "__init__.py")
    other.session(["tiny"], settings=replace(other.site.settings, verify=True))
    one.session(["tiny"])  # recycles what holds the edited file
    _good(one)


def test_an_edited_seed_is_stored_again(two: tuple[Place, Place]) -> None:
    one, other = two
    _edit(one.packages / "pip" / "__init__.py", "raise SystemExit('evil')\n")
    done = other.session(["tiny"])
    assert "the session one" in " ".join(done.warnings)
    assert other.run("import pip; print(pip.__version__)")
    _good(other)


@pytest.mark.parametrize("kind", ["wheels", "plans", "resolutions", "requests", "skeletons", "bytecode index", "roots"])
def test_a_damaged_entry_counts_as_missing(two: tuple[Place, Place], kind: str) -> None:
    one, other = two
    for content in (b"", b"\xff\xfe\x00garbage", b"{}", b"half"):
        one.session(["tiny"], run="import tiny, pip")  # bytecode is indexed now
        victims = _entries(other.site.base, kind)
        assert victims, content
        for victim in victims:
            whole = victim.read_bytes()
            victim.write_bytes(whole[: len(whole) // 2] if content == b"half" else content)
        if kind == "skeletons":
            assert other.environment().create(str(other.site.interpreter), ()), content
            continue
        other.session(["tiny"], run="import tiny")
        _good(other)


def _entries(base: Path, kind: str) -> list[Path]:
    if kind == "bytecode index":
        return [path for part in ("plans", "skeletons") for path in base.glob(f"{part}/**/*.cpython-*.json")]
    return [path for path in base.glob(f"{kind}/**/*.json") if ".cpython-" not in path.name]


def test_a_damaged_receipt_counts_as_missing(two: tuple[Place, Place]) -> None:
    one, _ = two
    for content in (b"", b"\xff\xfe", b"[]", b"{}", b"null", b'{"format": 1, "facts": {"schemes": []}}'):
        Path(one.prefix, ".linkenv", "receipt.json").write_bytes(content)
        assert one.environment().receipt is None
        one.session(["tiny"])
        _good(one)
