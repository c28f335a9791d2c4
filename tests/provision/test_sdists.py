"""Sdists on this disk: built here as projects are, so that an old answer with one in it is renewed without pip."""

from __future__ import annotations

import io
import json
import tarfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.provision.test_at_hand import written
from tests.provision.tool import served
from tests.support.backend import backend_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.provision.tool import Site
    from tests.support.index import Index

_DAY = 86_400
_ALONE = ("--force-reinstall", "--no-deps")
_PYPROJECT = '[build-system]\nrequires = ["helper"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
_BACKEND = """

    import os, pathlib

    def get_requires_for_build_wheel(config_settings=None):
        return ["more"]

    def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
        import helper, more

        files = {path: pathlib.Path(path).read_text() for path in ("demo.py", "run.py")}
        files["made.py"] = f"MADE = {helper.VERSION, more.VERSION, os.access('run.py', os.X_OK)!r}\\n"
        EXTRA
        requires = "Requires-Dist: lib\\nProvides-Extra: test\\nRequires-Dist: app; extra == 'test'\\n"
        return write_wheel(wheel_directory, "demo", "1.0", files, more=requires)
"""


@pytest.fixture
def index(here: Site) -> Iterator[Index]:
    """What builds require, and what the project does."""
    with served(here) as index:
        for name in ("helper", "more", "lib", "app"):
            index.publish(name, "1.0")
        yield index


def _members(module: str, extra: str = "") -> dict[str, tuple[str, int]]:
    return {
        "pyproject.toml": (_PYPROJECT, 0o644),
        "backend.py": (backend_text(_BACKEND.replace("EXTRA", extra or "pass")), 0o644),
        "demo.py": (module, 0o600),
        "run.py": ("pass\n", 0o755),
        "PKG-INFO": ("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n", 0o644),
    }


def _sdist(directory: Path, module: str = "X = 1\n", *, extra: str = "", kind: str = "tar.gz") -> str:
    """Write an sdist as a host does: with the times of now."""
    path = directory / f"demo-1.0.{kind}"
    path.parent.mkdir(parents=True, exist_ok=True)
    members = {f"demo-1.0/{name}": item for name, item in _members(module, extra).items()}
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, (text, mode) in members.items():
                info = zipfile.ZipInfo(name)
                info.external_attr = (0o100000 | mode) << 16
                archive.writestr(info, text)
        return str(path)
    with tarfile.open(path, "w:gz") as writer:
        for name, (text, mode) in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(text.encode()), mode, time.time()
            writer.addfile(member, io.BytesIO(text.encode()))
    return str(path)


@pytest.mark.parametrize("options", [_ALONE, (), ("--pre", *_ALONE)])
def test_an_old_answer_is_renewed(here: Site, index: Index, options: tuple[str, ...]) -> None:
    place, began = here.place(), time.time()
    first = place.session([*options, _sdist(here.root / "1")], now=began)
    assert len(first.calls) == (0 if options else 1), "of what the project requires"
    index.requests.clear()
    sdist = _sdist(here.root / ("2" if options else "1"))  # with others beside it, it is known by its path
    again = place.session([*options, sdist], now=began + _DAY)
    assert (again.calls, again.messages) == ([], ["renewed the resolution of 24 h ago"])
    assert sorted(index.pages) == sorted(["helper", "more", *([] if options else ["lib"])])
    assert place.run("import made; print(made.MADE)") == "('1.0', '1.0', True)"
    (info,) = place.packages.glob("demo-1.0.dist-info")
    assert json.loads((info / "direct_url.json").read_text())["url"] == f"file://{sdist}"


@pytest.mark.parametrize("name", ["helper", "more"])
def test_news_of_what_the_build_requires_are_seen(here: Site, index: Index, name: str) -> None:
    place, began = here.place(), time.time()
    sdist = _sdist(here.root)
    place.session([*_ALONE, sdist], now=began)
    index.publish(name, "2.0")
    again = place.session([*_ALONE, sdist], now=began + _DAY)
    assert again.messages == ["built demo-1.0.tar.gz, as nothing else is to be installed"]
    assert "2.0" in place.run("import made; print(made.MADE)")


def test_another_content_is_built_and_pip_asked_nothing(here: Site, index: Index) -> None:
    place = here.place()
    place.session([*_ALONE, _sdist(here.root)])
    again = place.session([*_ALONE, _sdist(here.root, "X = 2\n")])
    assert (again.calls, again.messages) == ([], ["built demo-1.0.tar.gz, as nothing else is to be installed"])
    assert place.run("import demo; print(demo.X)") == "2"
    other = here.place("other").session([*_ALONE, _sdist(here.root, "X = 1\n")])
    assert other.calls == []
    assert other.messages[0].startswith("reused the resolution")


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
@pytest.mark.parametrize("arguments", [_ALONE, ("[test]",)])
def test_pip_would_do_the_same(here: Site, index: Index, kind: str, arguments: tuple[str, ...]) -> None:
    sdist = _sdist(here.project, kind=kind)
    arguments = (*arguments, sdist) if arguments == _ALONE else (f"{sdist}[test]",)
    place = here.place()
    assert "install" not in place.session([*arguments]).calls
    peer = written(place)
    environment = place.environment()
    place.create(environment)
    place.run(
        f"import sys; from pip._internal.cli.main import main; sys.exit(main(['install', *{list(arguments)!r}]) or 0)"
    )
    assert peer == written(place)
    assert "demo-1.0.dist-info/direct_url.json" in peer
    assert ("app.py" in peer) is (arguments[0] not in _ALONE)


@pytest.mark.parametrize(
    ("extra", "options", "environ"),
    [
        ("files['when.py'] = str(__import__('time').time())", _ALONE, {}),
        ("", (*_ALONE, "-C", "a=b"), {}),
        ("", (*_ALONE, "--no-binary", "demo"), {}),
        ("", _ALONE, {"PIP_BUILD_CONSTRAINT": "none.txt"}),
    ],
)
def test_what_is_not_known_to_last_is_left_to_pip(
    here: Site, index: Index, extra: str, options: tuple[str, ...], environ: dict[str, str]
) -> None:
    (here.project / "none.txt").write_text("")
    here.environ |= environ
    session = here.place().session([*options, _sdist(here.root, extra=extra)])
    assert session.calls != []
    assert here.place().run("import demo; print(demo.X)") == "1"


def test_a_build_that_fails_fails_in_the_words_of_pip(here: Site, index: Index) -> None:
    from tests.provision.tool import PipError

    place = here.place()
    with pytest.raises(PipError, match="no such thing"):
        place.session([*_ALONE, _sdist(here.root, extra="raise ValueError('no such thing')")])
    assert not list(Path("/tmp").glob("linkenv-*/backend.py")), "what was unpacked is gone"
