"""Wheels that hold where or when they were built: what pip would make of the same project is what is installed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.projects.readers import Case, World
from tests.projects.tool import Bench
from tests.support.suites import usually

if TYPE_CHECKING:
    from pathlib import Path

_ENVIRON = {"PIP_NO_INDEX": "1", "PIP_NO_CACHE_DIR": "1"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _write(world: World, read: str) -> None:
    world.write(Case(read, lambda _: None, lambda _: None))


def _value(bench: Bench, world: World, *arguments: str) -> str:
    bench.calls.clear()
    bench.install(world.project, *arguments, environ={**_ENVIRON, **world.environ})
    return bench.run("python", "-c", "import demo; print(demo.VALUE)").strip()


#: What a backend puts into a file -> how it is read there.
_FORMS = {
    "text": ("({}).encode()", "{}.decode()"),
    "bytes": ("b'\\0' + ({}).encode('utf-16-le')", "{}[1:].decode('utf-16-le')"),
    "gzip": ("__import__('gzip').compress(({}).encode())", "__import__('gzip').decompress({}).decode()"),
    "zip in gzip": (
        "__import__('gzip').compress(zipped({}), 1)",
        "__import__('zipfile').ZipFile(__import__('io').BytesIO(__import__('gzip').decompress({}))).read('x').decode()",
    ),
}
_ZIPPED = """
import io
def zipped(text):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", text)
    return stream.getvalue()
"""


@pytest.mark.parametrize(
    ("read", "form"),
    usually(
        [
            ("sys.executable", "text"),
            ("sys.prefix + '/bin/python'", "text"),
            ("__import__('sysconfig').get_path('data') + '/bin/python'", "text"),
            ("sys.executable", "bytes"),
            ("sys.executable", "gzip"),
            ("sys.executable", "zip in gzip"),
        ],
        ("__import__('sysconfig').get_path('data') + '/bin/python'", "text"),
        ("sys.executable", "bytes"),
        ("sys.executable", "zip in gzip"),
    ),
)
@pytest.mark.parametrize("how", ["directory", pytest.param("sdist", marks=pytest.mark.slow)])
def test_the_path_of_the_environment(bench: Bench, world: World, read: str, form: str, how: str) -> None:
    """A matrix of two environments: each has its own path in it, as with pip, whatever was built for the other."""
    written, found = (text.format(part) for text, part in zip(_FORMS[form], (read, "CONTENT"), strict=True))
    _write(world, f"return {written}")
    backend = world.project / "backend.py"
    module = f"from pathlib import Path\\nCONTENT = Path(__file__).with_name('x.bin').read_bytes()\\nVALUE = {found}\\n"
    text = backend.read_text().replace(
        '{"demo.py": "VALUE = %r\\n" % read()}', f'{{"demo.py": "{module}", "x.bin": read()}}'
    )
    backend.write_text(text.replace("def build_wheel", f"{_ZIPPED}\ndef build_wheel"))
    arguments = ["."] if how == "directory" else [str(world.sdist())]
    for name in ("first", "second", "first"):
        here = Bench(bench.root, bench.interpreter, name=name)
        assert _value(here, world, *arguments) == f"{here.prefix}/bin/python"


def test_a_project_that_is_left_to_pip_for_its_wheel_is_not_built_here_each_time(bench: Bench, world: World) -> None:
    _write(world, "return sys.executable")
    _value(bench, world, ".")
    assert world.builds == 3  # here, and by pip for the metadata and for the wheel
    _value(bench, world, ".")
    assert world.builds == 2


def test_what_lies_beside_the_environment_may_be_named(bench: Bench, world: World) -> None:
    """Where pip builds, this is a directory that is gone afterwards, too."""
    _write(world, "return os.getcwd() + '/x'")
    _value(bench, world, ".")
    assert world.builds > 0
    _value(bench, world, ".")
    assert (world.builds, bench.calls) == (0, [])


@pytest.mark.parametrize("name", ["nodename", "release"])
def test_the_machine(bench: Bench, world: World, name: str) -> None:
    """A wheel that names the machine counts with it: a store may serve several."""
    read = f"return 'on ' + os.uname().{name}"
    _write(world, read)
    assert _value(bench, world, ".") == f"on {getattr(os.uname(), name)}"
    notes = [path.read_bytes() for path in bench.root.rglob("*") if path.is_file() and path.stat().st_size < 1 << 16]
    assert any(f'"facts": ["{name}"'.encode() in note for note in notes)


@pytest.mark.parametrize(
    ("read", "dated"),
    [
        ("return __import__('time').strftime('%Y%m%d')", True),
        ("return __import__('time').strftime('%d %b %Y')", True),
        ("return str(__import__('datetime').date.today())", True),
        ("return 'no date'", False),
    ],
)
def test_the_date(bench: Bench, world: World, read: str, dated: bool) -> None:
    bench = Bench(bench.root, bench.interpreter, {"resolution_age": 10.0**9})
    _write(world, read)
    _value(bench, world, ".")
    assert world.builds > 0
    _value(bench, world, ".")
    assert world.builds == 0
    bench.now = 86_400
    _value(bench, world, ".")
    assert world.builds == (1 if dated else 0)


def test_a_version_of_the_calendar(bench: Bench, world: World) -> None:
    bench = Bench(bench.root, bench.interpreter, {"resolution_age": 10.0**9})
    _write(world, "return 1")
    backend = world.project / "backend.py"
    version = f"{time.gmtime().tm_year}.{time.gmtime().tm_mon}"
    backend.write_text(backend.read_text().replace('"demo", "1.0"', f'"demo", "{version}"'))
    _value(bench, world, ".")
    bench.now = 86_400
    world.builds  # noqa: B018 - forgotten
    _value(bench, world, ".")
    assert world.builds == 1


@pytest.mark.parametrize("read", ["return int(__import__('time').time())", "return __import__('time').ctime()"])
def test_the_moment(bench: Bench, world: World, read: str) -> None:
    _write(world, read)
    for _ in range(2):
        _value(bench, world, ".")
        assert world.builds > 0
