"""What reads what others have written: each parser with texts that it reads, and the errors that it may raise."""

from __future__ import annotations

import functools
import io
import json
import tarfile
import tempfile
import zipfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.env.interpreter.facts import Facts
from nox_linkenv.env.links import Links
from nox_linkenv.env.plan import Plan
from nox_linkenv.env.planning import Installable, make_plan
from nox_linkenv.env.receipt import Receipt
from nox_linkenv.env.skeleton import Skeleton
from nox_linkenv.errors import WheelError
from nox_linkenv.projects.declarative import declaration_of
from nox_linkenv.resolve.archives import members_digest
from nox_linkenv.resolve.inputs import UnkeyableError
from nox_linkenv.resolve.lock_files import check_lock, check_project
from nox_linkenv.resolve.pip_config import settings_in
from nox_linkenv.resolve.requirement_files import decode, expand, logical_lines, parse_line
from nox_linkenv.store import Store
from nox_linkenv.store.manifest import Manifest
from nox_linkenv.store.notes import NoteError, parse_note, seal
from nox_linkenv.wheel import Wheel
from nox_linkenv.wheel.metadata import Identity, entry_points, fields_of, name_and_version, parse_wheel_text
from nox_linkenv.wheel.record import Record
from tests.env.tool import FACTS
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NOTES", "PARSERS", "Parser"]

_WHEEL: Final = Path("demo-1.0-py3-none-any.whl")
_POINTS: Final = "[console_scripts]\ndemo = demo:main\n[gui_scripts]\nd = demo.more:run [x]\n[plugins]\np = demo\n"
_FILES: Final = {
    "demo/__init__.py": b"V = 1\n",
    "demo/empty.py": b"",
    "demo-1.0.data/scripts/run": b"#!python\n",
    "demo-1.0.data/data/share/d.txt": b"d" * 300,
}


class Parser(NamedTuple):
    """One parser.

    Args:
        seeds: texts that it reads, made on demand.
        parse: reads one; what it returns does not matter.
        refusals: the errors that say what is wrong with a text.
    """

    seeds: Callable[[], list[bytes]]
    parse: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


@functools.cache
def _wheel() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        return make_wheel(Path(directory), files=_FILES, entry_points=_POINTS).read_bytes()


def _member(name: str) -> Callable[[], list[bytes]]:
    def read() -> list[bytes]:
        with zipfile.ZipFile(io.BytesIO(_wheel())) as archive:
            return [archive.read(f"demo-1.0.dist-info/{name}")]

    return read


def _read_wheel(data: bytes) -> object:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, _WHEEL)
        path.write_bytes(data)
        with closing(Wheel.open(path)) as wheel:
            return [(file, sum(map(len, wheel.read(file)))) for file in wheel.files], wheel.entry_points


def _read_record(data: bytes) -> object:
    record = Record(_text(data), _WHEEL)
    return [record.expected(name) for name, _, _ in record.rows]


def _read_requirements(data: bytes) -> object:
    lines = logical_lines(decode(data, {"LANG": "C.UTF-8"}, "it"))
    return [parse_line(expand(line, {"NAME": "value"}, set()), "it") for line in lines]


def _archives() -> list[bytes]:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as archive:
            archive.writestr("demo/one.py", b"one\n" * 30)
            archive.writestr("demo/two.py", b"")
        found.append(b"z" + stream.getvalue())
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode=mode) as tar:
            info = tarfile.TarInfo("demo/one.py")
            info.size = 120
            info.pax_headers = {"comment": "c"}
            tar.addfile(info, io.BytesIO(b"one\n" * 30))
        found.append(b"t" + stream.getvalue())
    return found


def _read_archive(data: bytes) -> object:
    """The first byte says what the archive is called."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "demo-1.0.zip" if data[:1] == b"z" else "demo-1.0.tar.gz")
        path.write_bytes(data[1:])
        return members_digest(str(path))


@functools.cache
def _manifest() -> Manifest:
    with tempfile.TemporaryDirectory() as directory:
        wheel = make_wheel(Path(directory), files=_FILES, entry_points=_POINTS)
        return Store.open(Path(directory, "store")).add(wheel)


@functools.cache
def _plan() -> Plan:
    return make_plan([Installable(_manifest(), requested=True)], FACTS)


def _receipt() -> str:
    name = f"plans/ab/{'c' * 62}.json"
    skeleton = f"skeletons/{'d' * 64}.json"
    return json.dumps(Receipt("/store", "/usr/bin/python3", FACTS, skeleton, "tests", (name,)).to_json())


def _skeleton() -> str:
    links = Links.from_json(_plan().links.to_json())
    texts = [("bin/activate", "VIRTUAL_ENV=\0prefix\0\n", False)]
    return Skeleton(FACTS, links, [("bin/python", "/usr/bin/python3")], texts, []).dumps()


#: Notes of the store as JSON, and what reads them.
NOTES: Final[dict[str, tuple[Callable[[], str], Callable[..., object]]]] = {
    "manifest": (lambda: _manifest().dumps(), Manifest.from_json),
    "plan": (lambda: _plan().dumps(), Plan.from_json),
    "skeleton": (_skeleton, Skeleton.from_json),
    "links": (lambda: json.dumps(_plan().links.to_json()), Links.from_json),
    "facts": (lambda: json.dumps(FACTS.to_json()), Facts.from_json),
    "receipt": (_receipt, Receipt.from_json),
}


def _note(name: str) -> Parser:
    text, parse = NOTES[name]
    return Parser(lambda: [text().encode()], lambda data: parse_note("n", _sealed(data), parse), (NoteError,))


def _sealed(data: bytes) -> bytes:
    """Whoever can write to a store can make the right digest."""
    return seal("n", data.decode("latin-1").encode("ascii", "replace").decode())


_REQUIREMENTS: Final = b"""# -*- coding: utf-8 -*-
demo[x]==1.0 ; python_version > "3" --hash=sha256:00 \\
  --hash=sha256:11
-r other.txt
-e ./here
--index-url https://example.org/${NAME}
"""
_PROJECT: Final = b"""[build-system]
requires = ["hatchling>=1.0"]
build-backend = "hatchling.build"
[project]
name = "demo"
version = "1.0"
dependencies = ["more @ https://example.org/more-1.0.zip"]
[dependency-groups]
test = ["pytest", {include-group = "other"}]
other = ["more>=1.0"]
[tool.hatch.build.targets.wheel]
packages = ["src/demo"]
"""

PARSERS: Final[dict[str, Parser]] = {
    "wheel": Parser(lambda: [_wheel()], _read_wheel, (WheelError,)),
    "record": Parser(_member("RECORD"), _read_record, (WheelError,)),
    "metadata": Parser(
        _member("METADATA"),
        lambda data: name_and_version(fields_of([_text(data)]), Identity.of(_WHEEL), _WHEEL),
        (WheelError,),
    ),
    "wheel text": Parser(_member("WHEEL"), lambda data: parse_wheel_text(_text(data), _WHEEL), (WheelError,)),
    "entry points": Parser(_member("entry_points.txt"), lambda data: entry_points(_text(data), _WHEEL), (WheelError,)),
    "sealed note": Parser(
        lambda: [seal("n", "[1]")], lambda data: parse_note("n", data, lambda value: value), (NoteError,)
    ),
    "requirements": Parser(lambda: [_REQUIREMENTS], _read_requirements, (UnkeyableError,)),
    "configuration": Parser(
        lambda: [b"[global]\nindex-url = https://example.org\n[install]\nfind-links =\n  one\n  two\n"],
        lambda data: list(settings_in("pip.conf", _text(data))),
        (UnkeyableError,),
    ),
    "lock": Parser(
        lambda: [b'[[packages]]\nwheels = [{url = "https://example.org/a.whl", hashes = {sha256 = "00"}}]\n'],
        lambda data: check_lock(_text(data), "it"),
        (UnkeyableError,),
    ),
    "groups": Parser(
        lambda: [_PROJECT, _PROJECT + b'[tool.other]\nname = "\\u0041"\n'],
        lambda data: check_project(_text(data), "it", "test"),
        (UnkeyableError,),
    ),
    "declaration": Parser(lambda: [_PROJECT], lambda data: declaration_of(_text(data)), ()),
    "archive": Parser(_archives, _read_archive, ()),
    **{f"note {name}": _note(name) for name in NOTES},
}
