"""Wheels that are named by their files, without their dependencies: pip need not be asked, and would do the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.provision.tool import PipError, Place, Site, put_wheel, tree
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

_SAID = "took the wheels at hand, as nothing else is to be installed"
_ALONE = ("--force-reinstall", "--no-deps")


@pytest.fixture
def wheel(here: Site) -> Path:
    metadata = b"Metadata-Version: 2.1\nName: De.mo\nVersion: 1.0\nRequires-Python: >=3.8\nRequires-Dist: missing\n"
    files = {"demo.py": b"X = 1\n", "other.pth": b"/src/a\n", "data/empty": b""}
    return make_wheel(here.project, "De.mo", "1.0", files, metadata=metadata)


def written(place: Place) -> dict[str, object]:
    """Return what is in the environment's site-packages, but for what tells installers apart."""
    found: dict[str, object] = {}
    for path, entry in tree(place.packages).items():
        if "__pycache__" in path or path.startswith("pip") or path.endswith("/INSTALLER") or entry[0] == "directory":
            continue
        text = entry[-1]
        if path.endswith("RECORD") and isinstance(text, bytes):
            found[path] = [row for row in text.decode().splitlines() if "INSTALLER" not in row and ".pyc" not in row]
        else:
            found[path] = text
    return found


def test_pip_would_do_the_same(here: Site, wheel: Path) -> None:
    place = here.place()
    session = place.session([*_ALONE, str(wheel)])
    assert (session.messages, session.calls) == ([_SAID], [])
    peer = written(place)
    environment = place.environment()
    place.create(environment)
    place.run(
        f"import sys; from pip._internal.cli.main import main; sys.exit(main(['install', '--no-deps', {str(wheel)!r}]))"
    )
    oracle = written(place)
    urls = [json.loads(found.pop("De.mo-1.0.dist-info/direct_url.json")) for found in (peer, oracle)]  # type: ignore[arg-type]
    assert urls[0] == urls[1]
    assert peer == oracle
    assert "De.mo-1.0.dist-info/REQUESTED" in peer


def test_another_of_its_name_is_taken_out(here: Site, wheel: Path) -> None:
    before = put_wheel(here.root, "demo", "0.5", old__py="x = 1\n")
    place = here.place()
    assert before.name != wheel.name
    session = place.session(
        [*_ALONE, str(put_wheel(here.root, "De.mo", "0.5", old__py="x = 1\n"))], [*_ALONE, str(wheel)]
    )
    assert session.messages == [_SAID, _SAID]
    assert not (place.packages / "old.py").exists()
    assert (place.packages / "demo.py").exists()


def test_it_is_remembered(here: Site, wheel: Path) -> None:
    place = here.place()
    place.session([*_ALONE, str(wheel)])
    assert place.session([*_ALONE, str(wheel)]).messages[0].startswith("reused the resolution")


@pytest.mark.parametrize(
    ("options", "environ", "asks"),
    [
        (("--no-deps",), {}, False),
        (("-q", *_ALONE), {}, False),
        ((*_ALONE, "-c", "others.txt"), {}, False),
        (_ALONE, {"PIP_CONSTRAINT": "others.txt"}, False),
        (_ALONE, {"PIP_CONSTRAINT": "same.txt"}, True),
        ((*_ALONE, "-c", "nested.txt"), {}, True),
        (("-v", *_ALONE), {}, True),
        (("--force-reinstall",), {}, True),
        (_ALONE, {"PIP_NO_BINARY": "other"}, True),
        ((*_ALONE, "--only-binary", "other"), {}, True),
    ],
)
def test_when_pip_is_asked(here: Site, options: tuple[str, ...], environ: dict[str, str], asks: bool) -> None:
    (here.project / "others.txt").write_text("other<2\n")
    (here.project / "same.txt").write_text("de_mo>=1\n")
    (here.project / "nested.txt").write_text("-c same.txt\n")
    wheel = put_wheel(here.project, "de.mo", "1.0", demo__py="X = 1\n")
    here.environ |= environ
    session = here.place().session([*options, str(wheel)])
    assert (session.calls != []) is asks, session.messages
    assert (session.messages == [_SAID]) is not asks


@pytest.mark.parametrize("pythons", ["<3.8", ">=99"])
def test_a_wheel_for_other_pythons_is_left_to_pip(here: Site, pythons: str) -> None:
    metadata = f"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Python: {pythons}\n".encode()
    wheel = make_wheel(here.project, "demo", "1.0", {"demo.py": b"X = 1\n"}, metadata=metadata)
    place = here.place()
    environment = place.environment()
    place.create(environment)
    with pytest.raises(PipError, match="requires a different Python"):
        place.install(environment, *_ALONE, str(wheel))


def test_metadata_that_only_pip_understands_is_left_to_it(here: Site) -> None:
    metadata = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Python: >=3.8, nonsense\n"
    wheel = make_wheel(here.project, "demo", "1.0", {"demo.py": b"X = 1\n"}, metadata=metadata)
    assert here.place().session([*_ALONE, str(wheel)]).calls[:1] == ["ask"]
