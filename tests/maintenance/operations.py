"""Operations of which every file operation is tried: what stands before them, what they do, what must be then."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from nox_linkenv.cli import main
from nox_linkenv.cli.output import Output
from nox_linkenv.config import RemoteMode
from nox_linkenv.errors import LinkenvError, explained
from nox_linkenv.maintenance.background import PrebuildTask, Tasks, perform
from nox_linkenv.projects.build_cache import keep_archive
from nox_linkenv.store import Store
from nox_linkenv.store.journal import Session, append, read
from tests.cli.tool import age
from tests.maintenance.tiny import install_tiny, session
from tests.provision.tool import put_wheel
from tests.remote.tool import KEY, PUBLIC, pushed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.provision.tool import Site

__all__ = ["OPERATIONS", "Operation", "nothing"]

_TASKS: Final = "tasks"


def nothing(site: Site) -> None:
    del site


@dataclass(frozen=True, slots=True)
class Operation:
    """What is done to a store.

    Attributes:
        does: what one of its file operations must be, as a pattern: without it, it is another operation.
        before: brings about what stands there before, once; a copy of it stands there each time.
        work: does it, and returns an exit code.
        ready: makes what copies have not, as inodes, each time.
        after: sees to it that what is left is right or is made right.
        in_part: does so where a user was told that something was left out.
        standing: whether the environment is right before it, and stays so all the time.
        makes: whether the environment is right after it, if it says that it has succeeded.
        damaged: whether the store is damaged before.
        told: whether a user sees what it says.
    """

    does: str
    before: Callable[[Site], None]
    work: Callable[[Site], int]
    ready: Callable[[Site], None] = nothing
    after: Callable[[Site], None] = nothing
    in_part: Callable[[Site], None] | None = None
    standing: bool = False
    makes: bool = False
    damaged: bool = False
    told: bool = True


def _command(*arguments: str) -> Callable[[Site], int]:
    return lambda site: main(arguments)


def _create(site: Site) -> int:
    """Make the environment; tell what cannot be done as the command does, which would have pip in another process."""
    return _told(lambda: session(site.place()))


def _told(work: Callable[[], object]) -> int:
    """Do *work*; tell what it cannot do as every command does, and return the exit code."""
    try:
        work()
    except (LinkenvError, OSError) as error:
        Output(json=False).error(error if isinstance(error, LinkenvError) else explained(error))
        return 1
    return 0


def _stored(site: Site) -> None:
    """All is stored, the interpreter is known, and nothing stands there."""
    session(site.place())
    assert _create(site) == 0
    _gone(site)


def _gone(site: Site) -> None:
    shutil.rmtree(site.place().prefix)


def _session(site: Site) -> None:
    session(site.place())


def _used(site: Site) -> None:
    """The same, and upkeep has been done after sessions that have imported modules."""
    _stored(site)
    for _ in range(2):
        store, tasks = _run(site)
        perform(store, tasks, jobs=1)


def _run(site: Site) -> tuple[Store, Tasks]:
    """Have a session import a module; return the store, and what is worth doing, spares of few links included."""
    environment = site.place().environment()
    site.place().create(environment)
    install_tiny(site.place(), environment)
    site.place().run("import tiny.more")
    tasks = environment.end_session(site.environ).tasks
    receipt = environment.receipt
    assert receipt is not None
    assert receipt.skeleton is not None
    tasks.prebuilds = [PrebuildTask(name, receipt.facts) for name in (receipt.skeleton, *receipt.plans)]
    return environment.store, tasks


def _before_upkeep(site: Site) -> None:
    _used(site)
    shutil.rmtree(site.base / "spares")
    shutil.rmtree(site.base / "bytecode")
    for path in site.base.glob("*/**/*.cpython-*.json"):
        path.unlink()
    _, tasks = _run(site)
    assert tasks.compile
    assert tasks.trash
    tasks.rehash = True
    tasks.journal_days = 90.0
    (site.project / _TASKS).write_text(tasks.dumps())


def _upkeep(site: Site) -> int:
    perform(Store.open(site.store), Tasks.loads((site.project / _TASKS).read_text()), jobs=1)
    return 0


def _before_spares(site: Site) -> None:
    _used(site)
    _, tasks = _run(site)
    tasks.compile.clear()  # all has its bytecode
    (site.project / _TASKS).write_text(tasks.dumps())
    _gone(site)
    shutil.rmtree(site.base / "spares")


def _with_spares(site: Site) -> None:
    _upkeep(site)
    assert list(site.base.glob("spares/*/*"))


def _before_pruning(site: Site) -> None:
    """One environment stands there; everything of another is not used any more."""
    _used(site)
    put_wheel(site.wheels, "other", other____init____py="O = 1\n")
    store = Store.open(site.store)
    store.add(next(site.wheels.glob("other-*.whl")))
    age(site.base, 1000.0)


def _before_pruning_all(site: Site) -> None:
    _used(site)
    _gone(site)


def _before_repairing(site: Site) -> None:
    """An object, a manifest, a plan and bytecode are damaged; the wheel is there."""
    _used(site)
    _gone(site)
    store = Store.open(site.store)
    (wheel,) = site.wheels.glob("tiny-*.whl")
    keep_archive(store, str(wheel), store.add(wheel).digest)
    for pattern in ("objects/*/*", "bytecode/*/*/*", "plans/*/*.json", "wheels/*/*.json"):
        files = [path for path in sorted(site.base.glob(pattern)) if path.stat().st_size]
        _change(next((path for path in files if b"W = 2" in path.read_bytes()), files[0]))


def _change(path: Path) -> None:
    """Change one bit, in another file of the same date."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)
    path.chmod(status.st_mode & 0o777)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _before_layering(site: Site) -> None:
    _used(site)
    _gone(site)


def _above(site: Site) -> Site:
    """Return a site whose store has that one below it."""
    settings = replace(site.settings, store=str(site.root / "upper"), lower_store=str(site.store))
    return replace(site, settings=settings)


def _layering(site: Site) -> int:
    """The store is read, and another above it gets what is new."""
    return _create(_above(site))


def _layered(site: Site) -> None:
    assert main(["verify", "--full", "--repair", "--store", str(site.root / "upper")]) in (0, 1)
    assert session(_above(site).place("above")) == []
    assert main(["verify", "--full", "--store", str(site.root / "upper")]) == 0


def _archive(site: Site) -> Path:
    return site.project / "archive"


def _export(site: Site) -> int:
    return main(["export", "--all", str(_archive(site))])


def _is_whole(site: Site) -> None:
    """What is at the archive's place can be taken in, if anything is, and all is in it."""
    assert _asked_with_archive(site) == []


def _is_in_part(site: Site) -> None:
    """What is at the archive's place can be taken in; the next archive has all."""
    _asked_with_archive(site)
    shutil.rmtree(_elsewhere(site, "taken").store, ignore_errors=True)
    shutil.rmtree(site.place("taken").prefix, ignore_errors=True)
    _is_whole(site)


def _asked_with_archive(site: Site) -> list[str]:
    """Return what pip is asked for where a store has what is at the archive's place, if anything is; then export."""
    other, asked = _elsewhere(site, "taken"), list[str]()
    if _archive(site).exists():
        assert main(["import", "--store", str(other.store), str(_archive(site))]) == 0
        asked = session(other.place("taken"))
        assert main(["verify", "--full", "--store", str(other.store)]) == 0
    assert _export(site) == 0
    return asked


def _elsewhere(site: Site, name: str) -> Site:
    return replace(site, settings=replace(site.settings, store=str(site.root / name)))


def _before_import(site: Site) -> None:
    _used(site)
    assert _export(site) == 0


def _import(site: Site) -> int:
    return main(["import", "--store", str(_elsewhere(site, "taken").store), str(_archive(site))])


def _taken(site: Site) -> None:
    """What came is right; taken in again, all is there."""
    other = _elsewhere(site, "taken")
    if other.store.exists():
        assert main(["verify", "--full", "--repair", "--store", str(other.store)]) in (0, 1)
    assert _import(site) == 0
    assert main(["verify", "--full", "--store", str(other.store)]) == 0
    assert session(other.place("taken")) == []


def _before_journal(site: Site) -> None:
    _stored(site)
    store = Store.open(site.store)
    append(store.layout, [_entry(site, time.time() - 90 * 86_400.0)], now=time.time() - 90 * 86_400.0, days=90.0)
    for path in site.base.glob("journal/*"):
        os.utime(path, (0, 0))


def _entry(site: Site, ended: float) -> Session:
    return Session("1-1", "nox", str(site.project), "tests", site.place().prefix, ended - 1, ended, None)


def _journal(site: Site) -> int:
    """A week begins, and an old one goes."""
    store, now = Store.open(site.store), time.time()
    for number in range(3):
        append(store.layout, [_entry(site, now + number)], now=now, days=30.0)
    return 0


def _journal_after(site: Site) -> None:
    """What comes next is noted, whatever came of the lines before."""
    store, now = Store.open(site.store), time.time()
    append(store.layout, [_entry(site, now + 10)], now=now, days=30.0)
    append(store.layout, [_entry(site, now + 11)], now=now, days=30.0)
    assert [entry.time for entry in read(store.layout)][-1] == now + 11
    assert main(["stats"]) == 0


def _remote(site: Site) -> Site:
    remote = (site.root / "remote").as_uri()
    settings = replace(site.settings, remote=remote, remote_mode=RemoteMode.WRITE, remote_keys=(PUBLIC,))
    return replace(site, settings=settings)


def _push(site: Site) -> int:
    return _told(lambda: pushed(_remote(site), KEY))


def _is_filled(site: Site) -> None:
    """What is there is whole: what an empty store gets of it is right; and the rest can be written."""
    assert _push(site) == 0
    other = _elsewhere(_remote(site), "taken")
    Store.open(other.store)
    for name in ("skeletons", "objects"):
        shutil.copytree(site.base / name, other.base / name, dirs_exist_ok=True)
    assert session(other.place("filled")) == []
    assert main(["verify", "--full", "--store", str(other.store)]) == 0


def _before_read(site: Site) -> None:
    """All is in the remote store; this one knows the bare environment alone."""
    bare = site.root / "bare"
    shutil.copytree(site.store, bare, symlinks=True)
    _used(site)
    assert _push(site) == 0
    _gone(site)
    shutil.rmtree(site.store)
    bare.rename(site.store)


def _read(site: Site) -> int:
    return _create(_remote(site))


OPERATIONS: Final[dict[str, Operation]] = {
    "storing": Operation(r"^read .*/wheels/tiny-", nothing, _create, makes=True),
    "linking": Operation(r"^link .*/objects/", _stored, _create, makes=True),
    "recycling": Operation(r"^rename .*/\.linkenv-donor-", _stored, _create, ready=_session, makes=True),
    "from spares": Operation(r"^rename .*/spares/", _before_spares, _create, ready=_with_spares, makes=True),
    "layering": Operation(r"^rename .*/upper/", _before_layering, _layering, after=_layered, makes=True),
    "upkeep": Operation(r"^rename .*/store/v2/staging/", _before_upkeep, _upkeep, standing=True, told=False),
    "pruning": Operation(
        r"^unlink .*/objects/", _before_pruning, _command("prune", "--unused", "--grace", "0s"), standing=True
    ),
    "pruning all": Operation(
        r"^unlink .*/objects/", _before_pruning_all, _command("prune", "--older-than", "0s", "--grace", "0s")
    ),
    "repairing": Operation(
        r"^unlink .*/objects/", _before_repairing, _command("verify", "--full", "--repair"), damaged=True
    ),
    "exporting": Operation(r"^rename .*\.part$", _used, _export, after=_is_whole, in_part=_is_in_part),
    "importing": Operation(r"^rename .*/taken/", _before_import, _import, after=_taken),
    "journal": Operation(r"^write .*/journal/", _before_journal, _journal, after=_journal_after, told=False),
    "remote writing": Operation(r"^write .*/remote/", _used, _push, after=_is_filled),
    "remote reading": Operation(r"^read .*/throwaway/.*/entry$", _before_read, _read, makes=True),
}
