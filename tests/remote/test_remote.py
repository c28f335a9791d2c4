"""Two stores that meet in a remote one only: what one machine has made, the other one finds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nox_linkenv.maintenance.verify import verify
from nox_linkenv.store import Store
from tests.projects.tool import make_value_project
from tests.remote.tool import entries, pushed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.tool import Site


def test_an_empty_machine_asks_no_pip(filled: Site, reader: Callable[[str], Site]) -> None:
    there = reader("other")
    place = there.place("new")
    session = place.session(["one"], run="import one.part1")
    assert session.calls == []
    assert session.warnings == []
    assert session.messages[0].startswith("reused the resolution of ")
    cached = {path.name.partition(".")[0]: path.stat().st_nlink for path in place.packages.glob("one/__pycache__/*")}
    assert cached["part1"] > 1, "what was imported there has its bytecode from the remote store"
    assert verify(Store.open(there.store), full=True, now=0.0).findings == []


def test_each_entry_is_written_once(filled: Site) -> None:
    before = {path: path.stat().st_mtime_ns for path in entries(filled)}
    assert len(before) > 2
    again = pushed(filled)
    assert again.counts.total() == 0
    assert {path: path.stat().st_mtime_ns for path in entries(filled)} == before


def test_wheels_are_found_for_requests_that_nobody_has_made(filled: Site, reader: Callable[[str], Site]) -> None:
    """What pip says it would take comes from there."""
    there = reader("other")
    session = there.place("new").session(["one", "two"], run="import one.part1, two")
    assert session.calls.count("ask") == 1
    stored = list(there.base.glob("wheels/*/*.json"))
    assert len(stored) >= 2


def test_a_local_project_is_not_built_again(filled: Site, reader: Callable[[str], Site], hooks: list[str]) -> None:
    for name in ("demo", "other"):
        make_value_project(filled.project / name, name)
    plain = replace(filled.settings, remote="")
    asked = [["./demo"], ["-e", "./other"]]
    for arguments in asked:
        filled.place().session(arguments, settings=plain)
    assert len(hooks) == 2
    pushed(filled)
    hooks.clear()
    there = reader("other")
    for arguments in asked:
        session = there.place().session(arguments, run="import demo" if "./demo" in arguments else "import other")
        assert session.calls == []
    assert hooks == []
    # An edit in one of them is built here, as ever.
    (filled.project / "demo" / "VALUE").write_text("two")
    place = there.place()
    place.session(["./demo"])
    assert place.run("import demo; print(demo.VALUE)") == "two"
    assert hooks
