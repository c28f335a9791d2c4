"""The plan as a pure function: where files go, what RECORD says, what is private, what collides."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import posixpath
import string
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_linkenv.digest import address
from nox_linkenv.env.interpreter.facts import NAME, PREFIX, fill
from nox_linkenv.env.plan import Plan
from nox_linkenv.env.planning import INSTALLER, CollisionError, Installable, make_plan
from nox_linkenv.env.record import in_order, record_row
from nox_linkenv.store import Manifest, StoredFile
from nox_linkenv.store.layout import object_name
from nox_linkenv.wheel import EntryPoint, Scheme
from tests.env.tool import FACTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SITE: Final = FACTS.schemes[Scheme.PURELIB]
INFO: Final = "demo-1.0.dist-info"


def digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def manifest(
    files: Mapping[str, bytes],
    *,
    name: str = "demo",
    executable: Sequence[str] = (),
    entry_points: Sequence[EntryPoint] = (),
    pure: bool = True,
) -> Manifest:
    """Return the manifest of a wheel with *files* by their names in the archive."""
    info = f"{name}-1.0.dist-info"
    files = {**files, f"{info}/METADATA": b"Name: x\n", f"{info}/WHEEL": b"Wheel-Version: 1.0\n"}
    stored = []
    for path, content in files.items():
        scheme, inside = (Scheme.PURELIB if pure else Scheme.PLATLIB), path
        if path.startswith(f"{name}-1.0.data/"):
            _, key, inside = path.split("/", 2)
            scheme = Scheme(key)
        addr = address(hashlib.sha256(content).hexdigest(), executable=path in executable)
        shebang = scheme is Scheme.SCRIPTS and content.startswith(b"#!python")
        stored.append(StoredFile(path, scheme, inside, addr, len(content), shebang))
    rows = [(path, digest(content), str(len(content))) for path, content in files.items()]
    rows.append((f"{info}/RECORD", "", ""))
    return Manifest("0" * 64, name, "1.0", info, pure, tuple(stored), tuple(rows), tuple(entry_points))


def plan_of(*manifests: Manifest, requested: bool = False, direct_url: str | None = None) -> Plan:
    return make_plan([Installable(one, requested, direct_url) for one in manifests], FACTS)


def paths(plan: Plan) -> list[str]:
    """Return every file that the plan makes."""
    return [
        *plan.links.paths,
        *(path for path, _ in plan.empty),
        *(path for path, _, _ in plan.texts),
        *(path for path, _ in plan.shebangs),
        *(path for path, _ in plan.copies),
        *(path for path, _, _ in plan.records),
    ]


def all_rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Return the rows of the one RECORD, as a reader of CSV sees them."""
    _, lines, _ = plan.records[0]
    return [(path, digest, size) for path, digest, size in csv.reader(lines)]


def rows(plan: Plan) -> dict[str, tuple[str, str]]:
    """Return the rows of the one RECORD by path, of which none stands there twice."""
    parsed = all_rows(plan)
    assert len({row[0] for row in parsed}) == len(parsed)
    return {row[0]: (row[1], row[2]) for row in parsed}


def test_schemes() -> None:
    files = {f"demo-1.0.data/{scheme.value}/sub/{scheme.value}": b"x" for scheme in Scheme}
    plan = plan_of(manifest({"demo.py": b"x", **files}))
    assert set(plan.links.paths) == {
        f"{SITE}/demo.py",
        f"{SITE}/sub/purelib",
        f"{SITE}/sub/platlib",
        "bin/sub/scripts",
        "sub/data",
        "include/site/python3.12/demo/sub/headers",
        f"{SITE}/{INFO}/METADATA",
        f"{SITE}/{INFO}/WHEEL",
    }
    assert set(rows(plan)) == {
        "demo.py",
        "sub/purelib",
        "sub/platlib",
        "../../../bin/sub/scripts",
        "../../../sub/data",
        "../../../include/site/python3.12/demo/sub/headers",
        f"{INFO}/METADATA",
        f"{INFO}/WHEEL",
        f"{INFO}/INSTALLER",
        f"{INFO}/RECORD",
    }


def test_two_site_packages() -> None:
    """As where platlib is lib64."""
    from dataclasses import replace

    platlib = "lib64/python3.12/site-packages"
    facts = replace(FACTS, schemes={**FACTS.schemes, Scheme.PLATLIB: platlib})
    wheel = manifest({"demo.so": b"x", "demo-1.0.data/purelib/demo.py": b"y"}, pure=False)
    plan = make_plan([Installable(wheel, requested=False)], facts)
    assert plan.records[0][0] == f"{platlib}/{INFO}/RECORD"
    assert {f"{platlib}/demo.so", f"{SITE}/demo.py"} < set(plan.links.paths)
    assert {"demo.so", "../../../lib/python3.12/site-packages/demo.py"} < set(rows(plan))
    assert facts.site_packages == (SITE, platlib)


def test_private_files() -> None:
    content = {
        "demo/__init__.py": b"",
        "demo.pth": b"import demo\n",
        "demo.start": b"demo:App.run\n",
        "demo-1.0.data/scripts/tool": b"#!python -E\nprint()\n",
        "demo-1.0.data/scripts/other": b"#!/bin/sh\n",
        "demo-1.0.data/data/tool": b"#!python\n",
    }
    entry = EntryPoint("cli", "demo.main : App.run", gui=False)
    plan = plan_of(
        manifest(content, executable=["demo/__init__.py"], entry_points=[entry]),
        requested=True,
        direct_url='{"url": "x"}',
    )
    texts = {path: (text, executable) for path, text, executable in plan.texts}
    assert plan.empty == [(f"{SITE}/demo/__init__.py", True)]
    assert [path for path, _ in plan.copies] == [f"{SITE}/demo.pth", f"{SITE}/demo.start"]
    assert [path for path, _ in plan.shebangs] == ["bin/tool"]
    assert {"bin/other", "tool"} < set(plan.links.paths)
    assert texts == {
        "bin/cli": (f"#!{PREFIX}/bin/python\nfrom demo.main import App\nsys.exit(App.run())\n", True),
        f"{SITE}/{INFO}/INSTALLER": (INSTALLER, False),
        f"{SITE}/{INFO}/REQUESTED": ("", False),
        f"{SITE}/{INFO}/direct_url.json": ('{"url": "x"}', False),
    }
    found = rows(plan)
    assert found[f"{INFO}/INSTALLER"] == (digest(INSTALLER.encode()), str(len(INSTALLER)))
    assert found[f"{INFO}/REQUESTED"] == (digest(b""), "0")
    assert found[f"{INFO}/direct_url.json"] == (digest(b'{"url": "x"}'), "12")
    assert found[f"{INFO}/RECORD"] == ("", "")
    assert "../../../bin/tool" not in found  # known only when it has been written
    assert sorted(plan.records[0][2]) == [("bin/cli", "../../../bin/cli"), ("bin/tool", "../../../bin/tool")]
    assert [tuple(entry[:4]) for entry in plan.distributions] == [("demo", "1.0", f"{SITE}/{INFO}", "0" * 64)]


@pytest.mark.parametrize("named", [False, True])
def test_wheels_own_private_files(named: bool) -> None:
    """Pip writes its own over them, where it has any to write, and keeps their rows beside its own."""
    own = {f"{INFO}/{name}": b"own\n" for name in ("INSTALLER", "REQUESTED", "direct_url.json")}
    plan = plan_of(manifest({**own, "demo.py": b"x"}), requested=named, direct_url="{}" if named else None)
    written = {
        f"{INFO}/INSTALLER": INSTALLER,
        **({f"{INFO}/REQUESTED": "", f"{INFO}/direct_url.json": "{}"} if named else {}),
    }
    assert {path: text for path, text, _ in plan.texts} == {f"{SITE}/{path}": text for path, text in written.items()}
    assert {path for path in own if f"{SITE}/{path}" in plan.links.paths} == own.keys() - written.keys()
    found = [row for row in all_rows(plan) if row[0] in own]
    ours = [(path, digest(text.encode()), str(len(text))) for path, text in written.items()]
    assert sorted(found) == sorted([*((path, digest(b"own\n"), "4") for path in own), *ours])


def test_installer_of_that_name_elsewhere_is_a_file() -> None:
    plan = plan_of(manifest({"demo/INSTALLER": b"x", f"demo-1.0.data/data/{INFO}/REQUESTED": b"x"}))
    assert {f"{SITE}/demo/INSTALLER", f"{INFO}/REQUESTED"} < set(plan.links.paths)


@pytest.mark.parametrize("gui", [False, True])
def test_script_of_an_entry_point(gui: bool) -> None:
    """Text in the entry point that looks like a placeholder stays what it is."""
    plan = plan_of(manifest({}, entry_points=[EntryPoint("x", "a.b:c.d", gui=gui)]))
    text = next(text for path, text, _ in plan.texts if path == "bin/x")
    assert fill(text, "/p q/name").startswith("#!/p q/name/bin/python\nfrom a.b import c\n")
    assert text.endswith("gui(c.d())\n" if gui else "sys.exit(c.d())\n")


@pytest.mark.parametrize(
    "wheels",
    [
        [manifest({"x.py": b"1"}, name="a"), manifest({"x.py": b"1"}, name="b")],
        [manifest({"x": b"1"}, name="a"), manifest({"x/y": b"1"}, name="b")],
        [manifest({"x/y": b"1"}, name="a"), manifest({"x": b"1"}, name="b")],
        [manifest({"x/y/z": b"1"}, name="a"), manifest({"x": b""}, name="b")],
        [manifest({"x": b"1", "demo-1.0.data/purelib/x/y": b"1"})],
        [
            manifest({}, name="a", entry_points=[EntryPoint("x", "a:b", gui=False)]),
            manifest({}, name="b", entry_points=[EntryPoint("x", "a:b", gui=False)]),
        ],
        [manifest({"x.py": b"1"}), manifest({"x.py": b"1"})],
    ],
)
def test_collisions(wheels: list[Manifest]) -> None:
    with pytest.raises(CollisionError):
        plan_of(*wheels)


@pytest.mark.parametrize("names", [("x.py", "demo-1.0.data/purelib/x.py"), ("demo-1.0.data/purelib/x.py", "x.py")])
def test_of_two_files_on_one_path_the_later_one_stays(names: tuple[str, str]) -> None:
    """Pip writes those of the root first; each has its row."""
    plan = plan_of(manifest({name: name.encode() for name in names}))
    assert plan.links.paths.count(f"{SITE}/x.py") == 1
    at = plan.links.paths.index(f"{SITE}/x.py")
    stored = address(hashlib.sha256(b"demo-1.0.data/purelib/x.py").hexdigest(), executable=False)
    assert plan.links.sources[at] == object_name(stored)
    assert [row[1] for row in all_rows(plan) if row[0] == "x.py"] == sorted(digest(name.encode()) for name in names)


@pytest.mark.parametrize("place", ["data/bin/x", f"data/{SITE}/{INFO}/INSTALLER", f"data/{SITE}/{INFO}/RECORD"])
def test_what_is_written_replaces_what_is_linked(place: str) -> None:
    entries = [EntryPoint("x", "a:b", gui=False), EntryPoint("x", "c:d", gui=True)]
    plan = plan_of(manifest({f"demo-1.0.data/{place}": b"1"}, entry_points=entries))
    assert place.removeprefix("data/") not in plan.links.paths
    assert next(text for path, text, _ in plan.texts if path == "bin/x").endswith("gui(d())\n")
    assert plan.records[0][2] == [("bin/x", "../../../bin/x")] * 2  # pip lists it for each of the two


def test_scripts_that_setuptools_made_of_entry_points_are_left_out() -> None:
    left_out = ("x", "x.exe", "X-script.py".lower(), "sub/x.pya")
    files = {f"demo-1.0.data/scripts/{name}": b"#!python\n" for name in (*left_out, "y")}
    plan = plan_of(manifest(files, entry_points=[EntryPoint("x", "a:b", gui=True)]))
    assert [path for path, _ in plan.shebangs] == ["bin/y"]
    assert {f"demo-1.0.data/scripts/{name}" for name in left_out} < set(rows(plan))


def test_pips_own_script_has_the_names_of_the_interpreter() -> None:
    entries = [
        EntryPoint(name, f"{name[0]}:f", gui=False) for name in ("a", "pip", "pip7", "pip7.1", "pip-x", "easy_install")
    ]
    plan = plan_of(manifest({}, entry_points=entries))
    made = {path for path, _, _ in plan.texts if path.startswith("bin/")}
    assert made == {
        "bin/" + name for name in ("a", "pip", "pip3", "pip3.12", "pip-x", "easy_install", "easy_install-3.12")
    }


def test_what_has_no_row_gets_one_and_a_row_stays_twice() -> None:
    from dataclasses import replace

    wheel = manifest({"demo.py": b"x", "more.py": b"y", "demo-1.0.data/scripts/run": b"#!python\n"})
    script = next(row for row in wheel.record if row[0].endswith("/run"))
    plan = plan_of(replace(wheel, record=(wheel.record[0], wheel.record[0], script, script, ("a", "b", "c,d"))))
    found = all_rows(plan)
    assert found.count(("demo.py", digest(b"x"), "1")) == 2
    assert {("more.py", "", ""), (f"{INFO}/RECORD", "", ""), ("a", "b", "c,d"), script} < set(found)
    assert plan.records[0][2] == [("bin/run", "../../../bin/run")]


def test_shared_directories_are_no_collision() -> None:
    plan = plan_of(manifest({"ns/a.py": b"1"}, name="a"), manifest({"ns/b.py": b"1"}, name="b"))
    assert plan.links.directories.count(f"{SITE}/ns") == 1


_SEGMENTS = st.text(string.ascii_letters + string.digits + " ,\"';._-+()[]\u00e9\u4e2d", min_size=1, max_size=8).filter(
    lambda name: name.strip(". ") and not name.lower().endswith((".dist-info", ".data"))
)
_NAMES = st.lists(_SEGMENTS, min_size=1, max_size=4).map("/".join)
_CONTENTS = st.sampled_from([b"", b"x", b"#!python\nprint()\n", b"#!/bin/sh\n"])
_KEYS = st.sampled_from(["", *(f"demo-1.0.data/{scheme.value}/" for scheme in Scheme)])
_WHEELS = st.dictionaries(st.tuples(_KEYS, _NAMES).map("".join), _CONTENTS, max_size=12)


@settings(deadline=None, database=None)
@given(_WHEELS, st.booleans())
def test_any_wheel(files: dict[str, bytes], requested: bool) -> None:
    wheel = manifest(files)
    try:
        plan = plan_of(wheel, requested=requested)
    except CollisionError:
        assert _nested([_place(file) for file in wheel.files])
        return
    made = paths(plan)
    # Every file once, inside of the environment, in a directory that is made, parents first.
    assert len(set(made)) == len(made)
    assert {_place(file) for file in wheel.files} <= set(made)
    assert not _nested(made)
    seen: set[str] = set()
    for directory in plan.links.directories:
        assert posixpath.dirname(directory) in seen | {""}
        seen.add(directory)
    assert {posixpath.dirname(path) for path in made} - {""} <= seen
    assert not any(path.startswith(("/", "../")) or "/../" in path for path in [*made, *seen])
    # RECORD lists each of them once, relative to its site-packages.
    computed = {row: path for path, row in plan.records[0][2]}
    listed = {posixpath.normpath(posixpath.join(SITE, row[0])) for row in all_rows(plan)}
    assert listed | {posixpath.normpath(posixpath.join(SITE, row)) for row in computed} == set(made)
    for row, path in computed.items():
        assert posixpath.normpath(posixpath.join(SITE, row)) == path
    # Those that are linked keep the hash the wheel gives them.
    for file in wheel.files:
        row = os.path.relpath(_place(file), SITE)
        if file.name in files and row not in computed:
            assert (row, digest(files[file.name]), str(file.size)) in all_rows(plan)
    # Nothing empty is linked, and nothing that depends on the environment.
    assert all(size > 0 for size in plan.links.sizes)
    assert not any(path.endswith(".pth") for path in plan.links.paths)
    assert Plan.from_json(json.loads(plan.dumps())).dumps() == plan.dumps()
    assert json.loads(plan.dumps())["links"]["paths"] == plan.links.paths


def _place(file: StoredFile) -> str:
    return posixpath.join(FACTS.schemes[file.scheme].replace("{name}", "demo"), file.path)


def _nested(made: Sequence[str]) -> bool:
    own = {*made, f"{SITE}/{INFO}/RECORD", f"{SITE}/{INFO}/INSTALLER", f"{SITE}/{INFO}/REQUESTED"}
    parents = {path.rpartition("/")[0] for path in own}
    while more := {path.rpartition("/")[0] for path in parents} - parents:
        parents |= more
    return bool(parents & own)


@settings(deadline=None, database=None)
@given(_NAMES, st.binary(max_size=20))
def test_record_row(name: str, content: bytes) -> None:
    assert next(csv.reader([record_row(name, content)])) == [name, digest(content), str(len(content))]


def test_names_which_csv_quotes() -> None:
    names = ["a,b.py", 'say "x".py', "plain.py", "'single'.py"]
    plan = plan_of(manifest(dict.fromkeys(names, b"x")))
    assert set(names) < set(rows(plan))
    assert f'"a,b.py",{digest(b"x")},1' in plan.records[0][1]
    assert f'"say ""x"".py",{digest(b"x")},1' in plan.records[0][1]


def test_row_of_no_file_and_other_algorithms_stay() -> None:
    from dataclasses import replace

    wheel = manifest({"demo.py": b"x"})
    wheel = replace(wheel, record=(*wheel.record[1:], ("demo.py", "sha512=abc", "1"), ("gone.py", "sha256=x", "")))
    assert rows(plan_of(wheel))["gone.py"] == ("sha256=x", "")
    assert rows(plan_of(wheel))["demo.py"] == ("sha512=abc", "1")


def test_rows_are_in_pips_order() -> None:
    """By columns: quotation marks are written afterwards."""
    columns = [
        ("demo/b", "", ""),
        ("demo/a,b.py", "", ""),
        ("demo/a", "b.py", "sha256=x"),
        ("!", "", ""),
        ('"', "", ""),
    ]
    lines = ["demo/b,,", '"demo/a,b.py",,', "demo/a,b.py,sha256=x", "!,,", '"""",,']
    assert [tuple(row) for row in csv.reader(in_order(lines))] == sorted(columns)


def test_fill() -> None:
    assert fill(f"{PREFIX}/bin {NAME} {PREFIX}", "/a/b") == "/a/b/bin b /a/b"
    assert fill("nothing", "/a/b") == "nothing"
