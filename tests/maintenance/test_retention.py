"""Retention: of a store that holds something of every kind, and that nobody has used for a year, nothing is left."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nox_linkenv.maintenance.prune import prune
from nox_linkenv.maintenance.rehash import rehash
from nox_linkenv.maintenance.removal import Pruning
from nox_linkenv.maintenance.verify import Problem, verify
from nox_linkenv.projects.build_cache import Build, ProjectResolution, ResolvedPart, keep_archive, write
from nox_linkenv.projects.fingerprint import fingerprint
from nox_linkenv.projects.surroundings import Surroundings
from nox_linkenv.resolve.pages import Page, PageState, save_state
from nox_linkenv.store import Store
from nox_linkenv.store.journal import Size, append
from nox_linkenv.store.layers import open_companion
from nox_linkenv.store.layout import (
    DIRECTORIES,
    DISCARDED,
    JOURNAL,
    LAYER,
    LOCKS,
    PROBE,
    SOURCES,
    STAGING,
    TESTS,
    Retention,
)
from nox_linkenv.store.objects import discard
from nox_linkenv.store.roots import find_roots, forget_root
from tests.provision.tool import put_wheel
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from tests.provision.tool import Site

DAY: Final = 86_400.0


def fill(here: Site) -> Store:
    """Put something into every directory of the format, in the way that it comes there where that is quick."""
    many: dict[str, bytes | str] = {f"many___m{number}__py": f"n = {number}\n" for number in range(250)}
    put_wheel(here.wheels, "many", **many)
    here.place("one").session(["many"], run="import many.m1")
    store = Store.open(here.store)
    for root in list(find_roots(store)):
        if root.prefix != here.place("one").prefix:
            forget_root(store, root.prefix)  # of the environment that the store was prepared with
    layout = store.layout
    (here.project / "pyproject.toml").write_text("[project]\nname = 'p'\nversion = '1'\n")
    fingerprint(store, str(here.project))
    built = make_wheel(here.root, "built", "1.0", {"built.py": b"x = 1\n"})
    manifest = store.add(built)
    archive = keep_archive(store, str(built), manifest.digest)
    nothing = Surroundings({}, "/nowhere", lambda: None, time.time())
    write(store, "0" * 64, Build(time.time(), (), manifest.digest, archive, "metadata"), nothing)
    parts = (ResolvedPart("built", manifest.digest, True, None, ""),)
    write(store, "1" * 64, ProjectResolution(time.time(), parts), nothing)
    store.publish(SOURCES.file("2" * 64), f'{{"wheel": "{manifest.digest}"}}')
    save_state(store, PageState(Page("https://example.org/simple/many/"), "identity", "", None, time.time()))
    store.publish("interpreters/" + "3" * 64 + ".json", '{"path": "/usr/bin/python3"}')
    rehash(store, now=time.time() + DAY)
    open_companion(str(here.root / "companion"), store)
    open_companion(str(here.store), Store.open(here.root / "main"))
    with store.locked_for("some work"):
        pass
    discard(layout, next(iter(Path(layout.base).glob("objects/*/*"))).relative_to(layout.base).as_posix())
    for path in (f"{layout.staging}/999999999-0123456789abcdef", layout.directory(TESTS.name) + "/run/main/env"):
        Path(path).mkdir(parents=True)
    append(layout, [Size(time.time(), {"objects": 1})], now=time.time(), days=90.0)
    Path(layout.directory(f"{LAYER}0123456789abcdef")).touch()
    return store


def held(store: Store) -> dict[str, list[str]]:
    """Return the files in each directory of the format, and of no other that lies below it."""
    base = Path(store.layout.base)
    names = {directory.name for directory in DIRECTORIES}
    found: dict[str, list[str]] = {}
    for name in names:
        below = [other for other in names if other.startswith(f"{name}/")]
        paths = [path.relative_to(base).as_posix() for path in base.glob(f"{name}/**/*") if path.is_file()]
        found[name] = [path for path in paths if not path.startswith(tuple(f"{other}/" for other in below))]
    for name in (STAGING.name, TESTS.name):
        found[name] = [path.name for path in (base / name).iterdir()]
    return found


def test_nothing_that_is_old_is_left(here: Site) -> None:
    store = fill(here)
    before = held(store)
    assert [name for name, files in before.items() if not files] == [], "every kind is there"
    findings = verify(store, full=False, now=time.time()).findings
    assert [finding.name for finding in findings if finding.problem is Problem.FOREIGN] == []
    later = time.time() + 365 * DAY

    def pruned(*, dry: bool) -> dict[str, int]:
        return dict(prune(store, Pruning(before=float("inf"), now=later, dry=dry)).removed)

    kept = held(store)
    pruned(dry=True)
    assert held(store) == kept, "a dry run removes nothing"
    prune(store, Pruning(before=later - 400 * DAY, now=later))
    assert held(store)["resolutions"] == kept["resolutions"], "what is younger than asked for stays"
    shutil.rmtree(here.place("one").prefix)
    shutil.rmtree(here.root / "companion")
    shutil.rmtree(here.root / "main")
    assert not prune(store, Pruning(before=float("inf"), now=time.time() + DAY, dry=True)).removed.get(JOURNAL.name)
    pruned(dry=False)
    left = {name: files for name, files in held(store).items() if files}
    assert left.keys() <= {directory.name for directory in DIRECTORIES if directory.retention is Retention.NONE}
    tops = {path.name for path in Path(store.layout.base).iterdir() if not path.is_dir()}
    assert tops == {PROBE}, f"{DISCARDED} and markers of layers go, too"
    assert left.keys() == {LOCKS.name}


def test_what_an_environment_may_have_of_discarded_files_is_known(here: Site) -> None:
    """Which files were taken out of the store stays known as long as an environment may hold one of them."""
    put_wheel(here.wheels, "first", first___core__py="value = 1\n")
    here.place("one").session(["first"])
    store = Store.open(here.store)
    for root in list(find_roots(store)):
        if root.prefix != here.place("one").prefix:
            forget_root(store, root.prefix)
    path = next(path for path in Path(store.layout.base).glob("objects/*/*") if path.read_bytes() == b"value = 1\n")
    discard(store.layout, path.relative_to(store.layout.base).as_posix())
    later = time.time() + 365 * DAY
    prune(store, Pruning(before=float("inf"), now=later))
    assert Path(store.layout.directory(DISCARDED)).exists()
    shutil.rmtree(here.place("one").prefix)
    prune(store, Pruning(before=float("inf"), now=later))
    assert not Path(store.layout.directory(DISCARDED)).exists()
