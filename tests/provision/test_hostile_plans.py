"""Plans that lead out of the environment, in a store that came out of somebody's archive: they are made anew."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from nox_linkenv.errors import DamagedObjectError
from tests.provision.tool import Site, site
from tests.support.capabilities import require_python
from tests.support.interpreters import TARGET, directory_of
from tests.support.notes import note_in, write_note
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

_SITE: Final = directory_of(TARGET)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, template: Callable[[str], Path]) -> Site:
    made = site(tmp_path_factory.mktemp("hostile"), require_python(TARGET), template(TARGET))
    made.settings = replace(made.settings, spares=False)
    make_wheel(
        made.wheels, "demo", "1.0", {"pack/__init__.py": b"", "pack/a.py": b"a = 1\n", "demo.pth": b"import sys\n"}
    )
    make_wheel(made.wheels, "linker", "1.0", {"linked/inside/m.py": b"m = 1\n", "linked/n.py": b"n = 1\n"})
    made.place("first").session(["demo"], run="import pack.a")
    made.place("first").session(["demo"], run="import pack.a")
    return made


def _plan(here: Site) -> Path:
    (found,) = (
        path for path in here.base.glob("plans/*/*.json") if path.name.count(".") == 1 and "demo" in path.read_text()
    )
    return found


_OUT: Final = "../outside.txt"


def _link(plan: Any) -> None:
    plan["links"]["paths"][0] = _OUT


def _source(plan: Any) -> None:
    plan["links"]["sources"][0] = "../../precious.txt"


def _directory(plan: Any) -> None:
    plan["links"]["directories"].append("../outside.txt")


def _text(plan: Any) -> None:
    plan["texts"].append([_OUT, "hostile", False])


def _empty(plan: Any) -> None:
    plan["empty"].append([_OUT, False])


def _copy(plan: Any) -> None:
    plan["copies"][0][0] = _OUT


def _copied_source(plan: Any) -> None:
    plan["copies"][0][1] = "../../precious.txt"


def _shebang(plan: Any) -> None:
    plan["shebangs"].append([_OUT, plan["links"]["sources"][0]])


def _record(plan: Any) -> None:
    plan["records"][0][0] = _OUT


def _receipt(plan: Any) -> None:
    plan["texts"].append([".linkenv/receipt.json", "{}", False])


@pytest.mark.parametrize(
    "change",
    [_link, _source, _directory, _text, _empty, _copy, _copied_source, _shebang, _record, _receipt],
)
def test_a_hostile_plan_is_made_anew(here: Site, change: Callable[[Any], None]) -> None:
    place = here.place("env")
    outside = Path(os.path.dirname(place.prefix), "outside.txt")
    precious = here.root / "precious.txt"
    precious.write_text("precious")
    path = _plan(here)
    plan = note_in(path)
    change(plan)
    write_note(path, plan)
    done = place.session(["demo"])
    assert not os.path.lexists(outside)
    assert precious.read_text() == "precious"
    assert done.messages[0] == "asked pip: what is stored for its answer cannot be used"
    assert place.run("import pack.a; print(pack.a.a)") == "1"


@pytest.mark.parametrize("source", [f"objects/00/{'0' * 62}", "objects//srv/precious", "objects/pack/a.py/x"])
def test_a_plan_with_a_file_that_no_wheel_has_is_told_once(here: Site, source: str) -> None:
    place = here.place(f"env{len(source)}")  # no older environment to take the file over from
    path = _plan(here)
    plan = note_in(path)
    plan["links"]["sources"][0] = source
    write_note(path, plan)
    with pytest.raises(DamagedObjectError, match="has a file that none of its wheels has") as caught:
        place.session(["demo"])
    assert caught.value.path == path
    assert place.session(["demo"]).messages[0] == "asked pip: what is stored for its answer cannot be used"
    assert place.run("import pack.a; print(pack.a.a)") == "1"


def test_a_hostile_bytecode_list_is_not_used(here: Site) -> None:
    place = here.place("env")
    place.session(["demo"])
    path = _plan(here)
    (listed,) = path.parent.glob(f"{path.stem}.*.json")
    content = listed.read_text()
    data = note_in(listed)
    assert data["links"]["paths"]
    data["links"]["paths"][0] = _OUT
    write_note(listed, data)
    here.place("other").session(["demo"])
    assert not os.path.lexists(os.path.join(os.path.dirname(place.prefix), "outside.txt"))
    listed.write_text(content)


@pytest.mark.parametrize("part", ["linked", "linked/inside", "..", "."])
def test_where_a_link_leads_outside_pip_installs_by_itself(here: Site, part: str) -> None:
    """It would write there, too; nothing of ours does."""
    place = here.place("env")
    place.session(["linker"])
    environment = place.environment()
    place.create(environment)
    outside = here.root / f"outside-{part.replace('/', '-').replace('.', 'dot')}"
    directory = Path(os.path.normpath(f"{place.prefix}/{_SITE}/{part}"))
    if directory.exists():
        directory.rename(outside)
    else:
        directory.parent.mkdir(exist_ok=True)
        outside.mkdir()
    directory.symlink_to(outside)
    outcome, calls = place.install(environment, "linker")
    assert calls[-1] == "install"
    assert "outside of the environment" in outcome.message
    assert place.run("import linked.n, linked.inside.m; print(linked.n.n)") == "1"
    assert all(path.stat().st_nlink == 1 for path in outside.rglob("linked/*.py"))


def test_a_link_that_stays_inside_is_followed(here: Site) -> None:
    place = here.place("env")
    place.session(["linker"])
    environment = place.environment()
    place.create(environment)
    inside = Path(place.prefix, "elsewhere")
    inside.mkdir()
    (place.packages / "linked").symlink_to(inside)
    outcome, calls = place.install(environment, "linker")
    assert calls == [], outcome.message
    assert place.run("import linked.n, linked.inside.m; print(linked.n.n)") == "1"
