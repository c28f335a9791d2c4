"""Every kind of file that a store holds, or that stands beside one, and what reads it: a site that has them all."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nox_linkenv.cli import main
from nox_linkenv.config import RemoteMode
from nox_linkenv.env.assembly.spares import make_prebuilt
from nox_linkenv.errors import LinkenvError
from nox_linkenv.maintenance.background import perform
from nox_linkenv.maintenance.rehash import rehash
from nox_linkenv.provision.installer import install
from nox_linkenv.resolve.request import Request
from nox_linkenv.store import Store
from nox_linkenv.store.layers import open_companion
from nox_linkenv.store.layout import LAYER, STAGING, TESTS
from nox_linkenv.store.temporary import temporary_name
from tests.cli.tool import linkenv
from tests.maintenance.apart import apart
from tests.maintenance.tiny import RecordedPip, trim
from tests.maintenance.tool import no_hang
from tests.projects.readers import CASES, World
from tests.provision.tool import Place, Site, changed_objects
from tests.remote.tool import KEY, PUBLIC, fresh_process, pushed
from tests.support.notes import write_note
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nox_linkenv.provision.session_end import Closing
    from tests.support.index import Index

__all__ = ["KINDS", "Kind", "furnish", "use"]

_FILES: Final = {
    "tiny/__init__.py": b"VERSION = 'good'\n",
    "tiny/other.py": b"OTHER = 1\n",
    "tiny/data.txt": b"data " * 100,
    "tiny/empty.py": b"",
    "tiny-1.0.data/scripts/hello": b"#!python\nprint('hello')\n",
}
_RUN: Final = "import tiny.other, tiny.empty, pip; assert tiny.VERSION == 'good'"
_PROJECT: Final = "world/around/project"
_SDIST: Final = "world/links/demo-1.0.tar.gz"
_NOBODYS: Final = 999_999_999


def furnish(site: Site, index: Index) -> None:
    """Have something of every kind there: by sessions, commands, upkeep, and what killed processes leave.

    pip's own answers are kept, and then most of pip is left out: each cell is done with a copy of all this.
    """
    site.environ |= {"PIP_INDEX_URL": index.simple, "PIP_TIMEOUT": "2", "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
    site.environ |= {"LINKENV_REMOTE_KEY": KEY}
    del site.environ["PIP_NO_INDEX"], site.environ["PIP_FIND_LINKS"]
    make_wheel(site.wheels, "tiny", "1.0", _FILES)
    index.add("tiny", next(site.wheels.glob("tiny-*.whl")))
    place = site.place()
    place.create(place.environment())
    shutil.copytree(place.prefix, site.root / "whole", symlinks=True)
    world = World(site.root / "world")
    world.write(CASES["variable with getenv"])
    world.sdist()
    for _ in range(2):
        _packages(site, site.place(), run=_RUN)
        _projects(site)
    environ = {**site.environ, "LINKENV_STORE": str(site.store)}
    create = ["create", str(site.project / "shell"), "--python", "3", "--with", "tiny"]
    subprocess.run([sys.executable, "-m", "nox_linkenv", *create], env=environ, check=True, stdout=subprocess.DEVNULL)
    linkenv(site, "wait")
    for path in (site.project / "shell", Path(site.place("one").prefix).parent):
        shutil.rmtree(path)
    shutil.rmtree(site.base / "spares")
    trim(site)
    for _ in range(2):
        _packages(site, site.place(), run=_RUN)
    receipt = site.place().environment().receipt
    assert receipt is not None
    for name in filter(None, (receipt.skeleton, *receipt.plans)):  # so few links are not worth one otherwise
        make_prebuilt(Store.open(site.store), name, receipt.facts)
    shutil.copytree(site.store, site.root / "lower", symlinks=True)
    store = Store.open(site.store)
    linkenv(site, "export", "--all", str(site.root / "archive"))
    done = apart(lambda: (0, pushed(_with_remote(site)).size))  # the threads of its client must not be in this process
    assert done.code == 0, done.said
    (site.base / "discarded").write_text(f"1 objects/ab/{'c' * 62}\n")
    rehash(store, now=time.time() + 90_000)
    write_note(site.base / "rehash" / "found.json", [[f"objects/ab/{'c' * 62}", 1]])
    os.utime(site.base / "rehash" / "turn.json")
    open_companion(str(site.root / "companion"), store)
    (site.base / f"{LAYER}0123456789abcdef").touch()
    left = (f"{STAGING.name}/{_NOBODYS}-0123456789abcdef", f"{TESTS.name}/run/main/env/pyvenv.cfg")
    throwaway = site.store / "throwaway" / temporary_name().replace(str(os.getpid()), str(_NOBODYS)) / "pyvenv.cfg"
    for path in (*(site.base / name for name in left), throwaway):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left by a process that was killed")


@dataclass(frozen=True, slots=True)
class Kind:
    """Files that are written and read alike.

    Attributes:
        documented: how the page of the store's format names them.
        pattern: of their paths, relative to the site.
        used_by: what reads them; sees to it that what comes of that is right.
        lists: whether those are meant that have an interpreter's tag in their names.
        noticed: whether ``linkenv verify`` tells that one is not as it was written; ``full`` where contents do.
        of: the contents of those that are meant; any where there are none.
    """

    documented: str
    pattern: str
    used_by: Callable[[Site], None]
    lists: bool = False
    noticed: bool = False
    full: bool = False
    of: frozenset[bytes] = frozenset()

    def named(self, site: Site) -> list[Path]:
        """Return the regular files that are named as this kind is."""
        return [
            path
            for path in sorted(site.root.glob(self.pattern))
            if not path.is_symlink() and path.is_file()
            if (".cpython-" in path.name) is self.lists or not path.name.endswith(".json")
        ]

    def files(self, site: Site) -> list[Path]:
        """Return the regular files of this kind."""
        return [path for path in self.named(site) if not self.of or path.read_bytes() in self.of]


def use(site: Site) -> None:
    """Make the environment of an index's wheel again, twice; what was damaged is made again meanwhile."""
    _packages(site, site.place())
    _packages(site, site.place(), run=_RUN)
    assert changed_objects(site.base) == []


def _packages(site: Site, place: Place, *, run: str | None = None) -> None:
    closing = _session(place, "tiny", run=run)
    assert (place.packages / "tiny" / "__init__.py").read_bytes() == _FILES["tiny/__init__.py"]
    assert (place.packages / "tiny" / "data.txt").read_bytes() == _FILES["tiny/data.txt"]
    assert Path(place.prefix, "bin", "hello").read_text() == f"#!{place.prefix}/bin/python\nprint('hello')\n"
    assert "VIRTUAL_ENV" in Path(place.prefix, "bin", "activate").read_text()
    assert closing.edited == []


def _session(place: Place, wanted: str, *, spares: bool = True, run: str | None = None) -> Closing:
    """Do what a host does in a session that installs what is *wanted* and runs code; then upkeep."""
    with no_hang():
        environment = place.environment(replace(place.site.settings, spares=spares))
        place.create(environment)
        request = Request((wanted,), place.site.environ, str(place.site.project))
        install(environment, request, RecordedPip(place.prefix, request))
        if run is not None:
            place.run(run)
        closing = environment.end_session(place.site.environ)
        with contextlib.suppress(LinkenvError, OSError):  # as its process, which nobody waits for, tells nobody
            perform(environment.store, closing.tasks, jobs=1)
        return closing


def _projects(site: Site) -> None:
    """Install a project and an sdist, each of which has to be built where that is not remembered."""
    project, sdist = site.place("project"), site.place("sdist")
    by_pip = f"demo @ {(site.root / _SDIST).as_uri()}"  # named by its path, it would be built here, too
    for place, wanted in ((project, str(site.root / _PROJECT)), (sdist, by_pip)):
        _session(place, wanted, spares=False)
        assert (place.packages / "demo.py").read_text() == "VALUE = 'one'\n"


def _use_lower(site: Site) -> None:
    """Install into an environment of another store, which has that one below it."""
    settings = replace(site.settings, store=str(site.root / "upper"), lower_store=str(site.root / "lower"))
    above = replace(site, settings=settings)
    _packages(above, above.place("above"), run=_RUN)
    assert changed_objects(above.base) == []


def _with_old_answers(used_by: Callable[[Site], None]) -> Callable[[Site], None]:
    """Return *used_by* with answers that are always too old, so that the pages of each are looked at."""
    return lambda site: used_by(replace(site, settings=replace(site.settings, resolution_age=0.001)))


def _use_archive(site: Site) -> None:
    """Take the archive into an empty store, which is told if it cannot be, and install from that."""
    other = replace(site, settings=replace(site.settings, store=str(site.root / "taken")))
    _command(other, "import", str(site.root / "archive"))
    _packages(other, other.place("taken"), run=_RUN)
    assert changed_objects(other.base) == []


def _use_remote(site: Site) -> None:
    """Install into an environment of a store that knows the bare one, and is filled from the remote store."""
    fresh_process()
    other = _with_remote(replace(site, settings=replace(site.settings, store=str(site.root / "filled"))))
    _know_bare(site, other)
    _packages(other, other.place("filled"), run=_RUN)
    assert changed_objects(other.base) == []


def _know_bare(site: Site, other: Site) -> None:
    """Have the store of *other* know what the site's knows of bare environments, which takes seconds to find out."""
    Store.open(other.store)
    without_lists = shutil.ignore_patterns("*.cpython-*")
    shutil.copytree(site.base / "skeletons", other.base / "skeletons", ignore=without_lists, dirs_exist_ok=True)
    named = "".join(path.read_text() for path in other.base.glob("skeletons/*.json"))
    for path in site.base.glob("objects/*/*"):
        if (name := path.relative_to(site.base)).as_posix() in named:
            (other.base / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, other.base / name)


def _use_rehash(site: Site) -> None:
    """Have a day gone by since anything was hashed again, as far as there is something to tell that by."""
    with contextlib.suppress(OSError):
        then = time.time() - 90_000
        os.utime(site.base / "rehash" / "turn.json", (then, then), follow_symlinks=False)
    use(site)


def _use_companion(site: Site) -> None:
    """Look after both stores."""
    companion = str(site.root / "companion")
    for arguments in (["prune", "--unused"], ["verify", "--full", "--repair"], ["verify", "--full"]):
        _command(site, *arguments)
        _command(site, arguments[0], "--store", companion, *arguments[1:])
    use(site)


def _with_remote(site: Site) -> Site:
    remote = (site.root / "remote").as_uri()
    settings = replace(site.settings, remote=remote, remote_mode=RemoteMode.READ, remote_keys=(PUBLIC,))
    return replace(site, settings=settings)


def _command(site: Site, *arguments: str) -> int:
    """Run a command, which does what it says, or says in one message what it cannot do."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), no_hang():
        code = main([arguments[0], "--store", str(site.store), *arguments[1:]])
    told = err.getvalue()
    assert code in (0, 1), (arguments, code, told)
    assert "Traceback" not in told, told
    if code == 1 and arguments[0] != "verify":
        assert told.count("linkenv: ") == 1, told
    return code


#: What looks at a store and changes nothing, and what is done at last; each whatever is damaged.
_LOOKS: Final[Sequence[Sequence[str]]] = (
    ["envs"],
    ["info"],
    ["du"],
    ["stats"],
    ["prune", "--dry-run"],
)
_MENDS: Final[Sequence[Sequence[str]]] = (["verify", "--full", "--repair"], ["prune", "--unused", "--grace", "0s"])


def look(site: Site) -> None:
    for arguments in _LOOKS:
        _command(site, *arguments)


def mended(site: Site) -> None:
    """Have the store repaired; afterwards all is well, and stays so."""
    for arguments in _MENDS:
        _command(site, *arguments)
    assert _command(site, "verify", "--full") == 0


def verified(site: Site, *options: str) -> bool:
    """Return whether nothing is found wrong."""
    return _command(site, "verify", *options) == 0


def _note(documented: str, pattern: str, used_by: Callable[[Site], None] = use, *, lists: bool = False) -> Kind:
    return Kind(documented, f"store/v2/{pattern}", used_by, lists=lists, noticed=True, full=True)


_CONTENTS: Final = frozenset({content for content in _FILES.values() if content})
KINDS: Final[dict[str, Kind]] = {
    "object": Kind("objects", "store/v2/objects/*/*", use, full=True, of=_CONTENTS),
    "manifest": _note("wheels", "wheels/*/*.json"),
    "bytecode": Kind("bytecode", "store/v2/bytecode/*/*/*.pyc", use, full=True),
    "skeleton": _note("skeletons", "skeletons/*.json"),
    "list of a skeleton's bytecode": _note("skeletons", "skeletons/*.json", lists=True),
    "plan": _note("plans", "plans/*/*.json"),
    "list of a plan's bytecode": _note("plans", "plans/*/*.json", lists=True),
    "resolution": _note("resolutions", "resolutions/*/*.json"),
    "request": _note("requests", "requests/*/*.json"),
    "page": _note("pages", "pages/*/*.json"),
    "interpreter": _note("interpreters", "interpreters/*.json"),
    "root": _note("roots", "roots/*.json"),
    "state of a spare": Kind("spares", "store/v2/spares/*/*/.linkenv/*.state", use, noticed=True, full=True),
    "rehash turn": Kind("rehash", "store/v2/rehash/turn.json", _use_rehash),
    "rehash found": Kind("rehash", "store/v2/rehash/found.json", _use_rehash),
    "journal": Kind("journal", "store/v2/journal/*.jsonl", use),
    "lock of the store": Kind("locks", "store/v2/locks/store.lock", use),
    "lock": Kind("locks", "store/v2/locks/[!s]*.lock", use),
    "companion": _note("companions", "companions/*.json", _use_companion),
    "main": Kind("mains", "companion/v2/mains/*.json", _use_companion),
    "description of a companion": Kind("companions", "companion/linkenv-store.json", _use_companion),
    "gitignore of a companion": Kind("companions", "companion/.gitignore", _use_companion),
    "environment of a test": Kind("tests", "store/v2/tests/*/*/*/*", use),
    "probe": Kind("probe", "store/v2/probe", use),
    "layer": Kind("layer", "store/v2/layer-*", use),
    "discarded": Kind("discarded", "store/v2/discarded", use),
    "project": _note("projects", "projects/*.json", _projects),
    "build": _note("projects", "projects/builds/*.json", _projects),
    "answer": _note("projects", "projects/answers/*.json", _projects),
    "sdist": _note("projects", "projects/sources/*.json", _projects),
    "kept wheel": Kind("projects", "store/v2/projects/wheels/*/*", _projects),
    "unfinished work": Kind("staging", "store/v2/staging/*", use),
    "throwaway": Kind("throwaway", "store/throwaway/*/*", use),
    "description": Kind("linkenv-store.json", "store/linkenv-store.json", use),
    "tag of caches": Kind("CACHEDIR.TAG", "store/CACHEDIR.TAG", use),
    "receipt": Kind("receipt", "project/.nox/*/.linkenv/receipt.json", use),
    "state": Kind("state", "project/.nox/*/.linkenv/*.state", use),
    "lower description": Kind("lower store", "lower/linkenv-store.json", _use_lower),
    "lower manifest": Kind("lower store", "lower/v2/wheels/*/*.json", _use_lower),
    "lower skeleton": Kind("lower store", "lower/v2/skeletons/*.json", _use_lower),
    "lower plan": Kind("lower store", "lower/v2/plans/*/*.json", _use_lower),
    "lower resolution": Kind("lower store", "lower/v2/resolutions/*/*.json", _use_lower),
    "lower page": Kind("lower store", "lower/v2/pages/*/*.json", _with_old_answers(_use_lower)),
    "lower list of a skeleton's bytecode": Kind("lower store", "lower/v2/skeletons/*.json", _use_lower, lists=True),
    "lower list of a plan's bytecode": Kind("lower store", "lower/v2/plans/*/*.json", _use_lower, lists=True),
    "lower object": Kind("lower store", "lower/v2/objects/*/*", _use_lower, of=_CONTENTS),
    "lower bytecode": Kind("lower store", "lower/v2/bytecode/*/*/*.pyc", _use_lower),
    "archive": Kind("archive", "archive", _use_archive),
    "remote wheel": Kind("remote", "remote/v2/wheels/*/*", _use_remote),
    "remote plan": Kind("remote", "remote/v2/plans/*/*", _use_remote),
    "remote resolution": Kind("remote", "remote/v2/resolutions/*/*", _use_remote),
    "remote build": Kind("remote", "remote/v2/projects/*/*", _use_remote),
}
