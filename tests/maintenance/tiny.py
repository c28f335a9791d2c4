"""A store and an environment that are so small that all of an operation's file operations can be tried.

pip's answer is that of the real pip, given once and kept; of pip itself the environment has few files, as every further
one is linked like these.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.digest import mtime_of
from nox_linkenv.env.skeleton import Skeleton
from nox_linkenv.provision.installer import install
from nox_linkenv.resolve.request import Request
from nox_linkenv.store.objects import put_file
from nox_linkenv.store.store import writing
from tests.env.tool import virtualenv
from tests.provision.tool import PipError, Place, Site, SubprocessPip
from tests.support.notes import note_in, write_note
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nox_linkenv.provision.environment import Environment
    from nox_linkenv.store import Store
    from tests.maintenance.shim import Shim

__all__ = [
    "RecordedPip",
    "contents",
    "copy_tree",
    "differs",
    "install_tiny",
    "make_tiny",
    "recorded_capture",
    "session",
    "trim",
]

_ANSWERS: Final = "answers"


class RecordedPip(SubprocessPip):
    """Answers what the real pip, that of the site's environment ``whole``, has answered before to the same request.

    The answers are in the site's directory ``answers``.
    """

    shim: Shim | None = None

    def ask(self, arguments: Sequence[str], *, record: str) -> bool:
        self.calls.append("ask")
        return self._answered(("ask", *self.request.arguments), arguments, record)

    def fetch(self, arguments: Sequence[str], *, record: str | None = None) -> bool:
        self.calls.append("fetch")
        if record is not None:
            return self._answered(("fetch", *arguments[3:]), arguments, record)
        if "tiny" not in Path(arguments[-1]).read_text(encoding="utf-8"):
            return SubprocessPip(f"{self._root}/whole", self.request).fetch(arguments)
        target = Path(arguments[arguments.index("-w") + 1])
        for wheel in (self._root / "wheels").glob("tiny-*.whl"):
            self._write(wheel, target / wheel.name)
        return True

    @property
    def _root(self) -> Path:
        return Path(self.request.directory).parent

    def _answered(self, key: tuple[str, ...], arguments: Sequence[str], record: str) -> bool:
        report = arguments[arguments.index("--report") + 1]
        kept = self._root / _ANSWERS / hashlib.sha256("\0".join(key).encode()).hexdigest()[:16]
        pairs = [(report, kept / "report"), (record, kept / "record")]
        if not kept.exists():
            pip = SubprocessPip(f"{self._root}/whole", self.request)
            if not (pip.ask if key[0] == "ask" else pip.fetch)(arguments, record=record):
                return False
            kept.mkdir(parents=True)
            for new, path in pairs:
                shutil.copy(new, path)
            return True
        for new, path in pairs:
            self._write(path, Path(new))
        return True

    def _write(self, source: Path, target: Path) -> None:
        """Do what pip does in a process of its own, which fails where the directory is not there."""
        with contextlib.nullcontext() if self.shim is None else self.shim.paused():
            try:
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(source, target)
            except OSError as error:
                raise PipError(str(error)) from error


def recorded_capture(base: Path) -> Callable[[Store, str, Sequence[str]], Skeleton]:
    """Return what captures a skeleton as the store at *base*, which holds one, has it: without virtualenv and pip."""
    (note,) = (path for path in base.glob("skeletons/*.json") if ".cpython-" not in path.name)
    skeleton = Skeleton.from_json(note_in(note))

    def capture(store: Store, interpreter: str, parameters: Sequence[str]) -> Skeleton:
        del interpreter, parameters
        with writing(store.layout):
            for path in base.glob("objects/*/*"):
                addr = path.parent.name + path.name
                put_file(store.layout, str(path), addr, mtime_of(addr))
        return skeleton

    return capture


def install_tiny(place: Place, environment: Environment) -> SubprocessPip:
    """Install ``tiny`` as a session does; return the pip, which knows what it was asked for."""
    request = Request(("tiny",), place.site.environ, str(place.site.project))
    pip = RecordedPip(place.prefix, request)
    install(environment, request, pip)
    return pip


def session(place: Place) -> list[str]:
    """Do what a host does in a session that installs ``tiny``, without its upkeep; return what pip was asked for."""
    environment = place.environment()
    prefix, interpreter = Path(place.prefix), place.site.interpreter
    environment.ensure(str(interpreter), (), lambda: virtualenv(prefix, interpreter))
    pip = install_tiny(place, environment)
    environment.end_session(place.site.environ)
    return pip.calls


def make_tiny(site: Site) -> None:
    """Have the *site*, which is new, hold nothing but what an environment with few files of pip is made of."""
    files = {"tiny/__init__.py": b"V = 1\n", "tiny/more.py": b"W = 2\n" * 40}
    make_wheel(site.wheels, "tiny", "1.0", files)
    place = site.place()
    environment = place.environment()
    place.create(environment)
    shutil.copytree(place.prefix, site.root / "whole", symlinks=True)
    install_tiny(place, environment)
    shutil.rmtree(place.prefix)
    for name in ("bytecode", "plans", "resolutions", "requests", "wheels", "roots", "spares", "rehash"):
        shutil.rmtree(site.base / name, ignore_errors=True)
    trim(site)


def trim(site: Site) -> None:
    """Leave few files of pip in the site's skeletons, and no object in its store that nothing names any more."""
    for path in site.base.glob("skeletons/*.json"):
        if ".cpython-" in path.name:
            path.unlink()
        else:
            write_note(path, _trimmed(note_in(path)))
    notes = [
        path.read_text() for name in ("skeletons", "plans", "wheels") for path in site.base.glob(f"{name}/**/*.json")
    ]
    for path in site.base.glob("objects/*/*"):
        name = path.relative_to(site.base).as_posix()
        if not any(name in note or name[8:].replace("/", "") in note for note in notes):
            path.unlink()
    for path in site.base.glob("objects/*"):
        if not list(path.iterdir()):
            path.rmdir()


def _trimmed(skeleton: Any) -> Any:
    """Return the note of a *skeleton* without most of pip."""
    links = skeleton["links"]
    kept = [at for at, path in enumerate(links["paths"]) if _stays(path)]
    for name in ("paths", "sources", "sizes", "mtimes"):
        links[name] = [links[name][at] for at in kept]
    links["directories"] = [path for path in links["directories"] if "/site-packages/pip/" not in path]
    return {**skeleton, **{name: [row for row in skeleton[name] if _stays(row[0])] for name in ("texts", "copies")}}


def _stays(path: str) -> bool:
    return "/site-packages/pip/" not in path or path.endswith("/pip/__init__.py")


def contents(prefix: Path) -> dict[str, object]:
    """Return type, mode and content of what stands in the environment, but for bytecode and our own notes.

    The rows of a RECORD may stand in any order.
    """
    found: dict[str, object] = {}
    _look(str(prefix), "", found)
    return found


def _look(directory: str, relative: str, found: dict[str, object]) -> None:
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            name = f"{relative}{entry.name}"
            if name == ".linkenv" or entry.name == "__pycache__":
                continue
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                found[name] = mode
                _look(entry.path, f"{name}/", found)
            elif stat.S_ISREG(mode):
                with open(entry.path, "rb") as stream:
                    content = stream.read()
                found[name] = (mode, sorted(content.splitlines()) if entry.name == "RECORD" else content)
            else:
                found[name] = (mode, os.readlink(entry.path) if stat.S_ISLNK(mode) else None)


def differs(prefix: Path, want: dict[str, object]) -> list[str]:
    """Return the paths at which the environment at *prefix* is not what it has to be.

    Where the skeleton had to be made again, there is all of pip.
    """
    found = contents(prefix)
    more = [name for name in found if name not in want and not _is_pips(name)]
    return [*more, *(name for name in want if found.get(name) != want[name])]


def _is_pips(name: str) -> bool:
    return "/site-packages/pip" in name or name.startswith("bin/pip")


def copy_tree(source: Path, target: Path, inodes: dict[int, Path]) -> None:
    """Copy a tree with modes, dates and the links between its files.

    Args:
        inodes: of files, to where they have been copied.
    """
    status = os.lstat(source)
    if stat.S_ISLNK(status.st_mode):
        target.symlink_to(os.readlink(source))
        return
    if stat.S_ISDIR(status.st_mode):
        target.mkdir()
        for name in os.listdir(source):
            copy_tree(source / name, target / name, inodes)
    elif status.st_ino in inodes:
        os.link(inodes[status.st_ino], target)
        return
    else:
        shutil.copyfile(source, target)
        if status.st_nlink > 1:
            inodes[status.st_ino] = target
    os.chmod(target, stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def as_json(site: Site) -> str:
    """Return what another process makes the same site of."""
    return json.dumps([str(site.root), str(site.interpreter), site.settings.store, site.environ])
