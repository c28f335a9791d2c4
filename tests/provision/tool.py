"""What the tests of the warm path share: places for environments, a pip in a subprocess, sessions in this process."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nox_linkenv.config import Settings
from nox_linkenv.digest import EXECUTABLE_SUFFIX, mtime_of
from nox_linkenv.maintenance.background import perform
from nox_linkenv.provision.environment import Environment
from nox_linkenv.provision.installer import install
from nox_linkenv.resolve.pip import observed
from nox_linkenv.resolve.request import Outcome, Request
from tests.env.tool import virtualenv
from tests.support.environment import clean_environment
from tests.support.index import Index, serving
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nox_linkenv.provision.session_end import Closing

__all__ = [
    "NOX",
    "PipError",
    "Place",
    "Session",
    "Site",
    "SubprocessPip",
    "changed_objects",
    "put_wheel",
    "served",
    "site",
    "tree",
]

NOX: Final = (sys.executable, "-m", "nox")
#: Modification times before this are derived from digests; private files have the time of their writing.
_DERIVED: Final = 1_500_000_000
_S_IFREG: Final = stat.S_IFREG


class PipError(Exception):
    """Pip ended with an error; its output is the message."""


@dataclass(slots=True)
class SubprocessPip:
    """Real pip of the environment at *prefix* for *request*, and what it was asked to do.

    Args:
        calls: ``ask``, ``fetch`` and ``install``, as they came.
    """

    prefix: str
    request: Request
    calls: list[str] = field(default_factory=list)

    def ask(self, arguments: Sequence[str], *, record: str) -> bool:
        self.calls.append("ask")
        self._pip(record, "install", *self.request.arguments, *arguments)
        return True

    def fetch(self, arguments: Sequence[str], *, record: str | None = None) -> bool:
        self.calls.append("fetch")
        try:
            self._pip(record, *arguments)
        except PipError:
            return False
        return True

    def install(self, arguments: Sequence[str]) -> bool:
        self.calls.append("install")
        self._pip(None, "install", *arguments)
        return True

    def _pip(self, record: str | None, *arguments: str) -> None:
        done = subprocess.run(
            observed([f"{self.prefix}/bin/python", "-m", "pip", *arguments], record),
            env=dict(self.request.environ),
            cwd=self.request.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PipError(done.stdout + done.stderr)


@dataclass(frozen=True, slots=True)
class Session:
    """What came of one session.

    Args:
        outcomes: of its installs.
        calls: those of pip, for all installs.
        closing: what was found at its end; its tasks are done.
    """

    outcomes: list[Outcome]
    calls: list[str]
    closing: Closing

    @property
    def messages(self) -> list[str]:
        return [outcome.message for outcome in self.outcomes]

    @property
    def warnings(self) -> list[str]:
        return [warning for outcome in self.outcomes for warning in outcome.warnings]


@dataclass(slots=True)
class Site:
    """A store, a directory of wheels, and one interpreter: where the environments of one test come from.

    Args:
        root: a directory of the test's own.
        interpreter: absolute path.
        settings: of every session, unless it has others.
        environ: variables of the sessions' commands.
    """

    root: Path
    interpreter: Path
    settings: Settings
    environ: dict[str, str]

    @property
    def store(self) -> Path:
        return Path(self.settings.store)

    @property
    def base(self) -> Path:
        """The directory of the store's format."""
        return self.store / "v2"

    @property
    def wheels(self) -> Path:
        return self.root / "wheels"

    @property
    def project(self) -> Path:
        return self.root / "project"

    def place(self, name: str = "env") -> Place:
        return Place(self, f"{self.project}/.nox/{name}", name)


@dataclass(frozen=True, slots=True)
class Place:
    """One place for an environment."""

    site: Site
    prefix: str
    name: str

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        (found,) = Path(self.prefix).glob("lib/python3.*/site-packages")
        return found

    def environment(self, settings: Settings | None = None, *, now: float | None = None) -> Environment:
        clock = time.time if now is None else lambda: now
        return Environment(self.prefix, settings or self.site.settings, session=self.name, clock=clock)

    def create(self, environment: Environment, *parameters: str) -> None:
        if "--copies" in parameters:  # directories above may be unsafe: then virtualenv makes it
            place, interpreter = Path(self.prefix), self.site.interpreter
            environment.ensure(str(interpreter), parameters, lambda: virtualenv(place, interpreter, *parameters))
        else:
            assert environment.create(str(self.site.interpreter), parameters), "no stored skeleton fits"

    def install(self, environment: Environment, *arguments: str) -> tuple[Outcome, list[str]]:
        request = Request(arguments, self.site.environ, str(self.site.project))
        pip = SubprocessPip(self.prefix, request)
        return install(environment, request, pip), pip.calls

    def session(
        self,
        *installs: Sequence[str],
        settings: Settings | None = None,
        now: float | None = None,
        run: str | None = None,
        environ: dict[str, str] | None = None,
        parameters: Sequence[str] = (),
    ) -> Session:
        """Do what a host does in one session: create, install each of *installs*, run code, close; then upkeep.

        Args:
            run: Python code for the environment's interpreter.
            environ: variables of that run more than those of the site.
        """
        environment = self.environment(settings, now=now)
        self.create(environment, *parameters)
        outcomes, calls = [], []
        for arguments in installs:
            outcome, made = self.install(environment, *arguments)
            outcomes.append(outcome)
            calls += made
        if run is not None:
            self.run(run, environ)
        return Session(outcomes, calls, self.end(environment, {**self.site.environ, **(environ or {})}))

    def end(self, environment: Environment, environ: dict[str, str] | None = None) -> Closing:
        """End a session as a host does, but do its upkeep here and now instead of in a process after this one."""
        found = environment.end_session(self.site.environ if environ is None else environ)
        perform(environment.store, found.tasks, jobs=1)
        return found

    def run(self, code: str, environ: dict[str, str] | None = None) -> str:
        """Run Python code in the environment and return what it printed."""
        done = subprocess.run(
            [f"{self.prefix}/bin/python", "-c", code],
            env={**self.site.environ, **(environ or {})},
            cwd=self.site.project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def fresh_tree(self, *installs: Sequence[str], settings: Settings | None = None) -> dict[str, tuple[object, ...]]:
        """Return what a fresh environment would hold at this very place; what stands there is put back."""
        aside = f"{self.prefix}.aside"
        if os.path.lexists(self.prefix):
            os.rename(self.prefix, aside)
        try:
            chosen = replace(settings or self.site.settings, spares=False)
            environment = self.environment(chosen)
            self.create(environment)
            for arguments in installs:
                self.install(environment, *arguments)
            return tree(self.prefix)
        finally:
            shutil.rmtree(self.prefix, ignore_errors=True)
            if os.path.lexists(aside):
                os.rename(aside, self.prefix)


def site(root: Path, interpreter: Path, template: Path) -> Site:
    """Return a site at *root* whose store is a copy of the one at *template*."""
    root = Path(os.path.realpath(root))
    for name in ("wheels", "project", "home"):
        (root / name).mkdir()
    if template.exists():
        shutil.copytree(template, root / "store")
    environ = clean_environment() | {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(root / "wheels"),
        "HOME": str(root / "home"),
    }
    return Site(root, interpreter, Settings(store=str(root / "store")), environ)


@contextlib.contextmanager
def served(site: Site) -> Iterator[Index]:
    """Serve an index out of the site's wheels, for as long as the context lasts; its sessions ask no other."""
    with serving(site.wheels) as index:
        site.environ |= {"PIP_INDEX_URL": index.simple, "PIP_TIMEOUT": "2", "PIP_RETRIES": "0"}
        del site.environ["PIP_NO_INDEX"], site.environ["PIP_FIND_LINKS"]
        yield index


def put_wheel(directory: Path, name: str, version: str = "1.0", /, **files: bytes | str) -> Path:
    """Write a wheel whose *files* are named by their paths, with ``__`` for the dot and ``___`` for the slash."""
    contents = {
        key.replace("___", "/").replace("__", "."): value.encode() if isinstance(value, str) else value
        for key, value in files.items()
    }
    return make_wheel(directory, name, version, contents)


def tree(root: str | Path) -> dict[str, tuple[object, ...]]:
    """Return everything below *root* by its path: type, mode, content or target, derived date, inode of shared files.

    Left out is the directory in which the environment itself keeps notes.
    """
    found: dict[str, tuple[object, ...]] = {}
    for here, directories, files in os.walk(root):
        if os.path.samefile(here, root):
            directories[:] = [name for name in directories if name != ".linkenv"]
        for name in (*directories, *files):
            path = os.path.join(here, name)
            status = os.lstat(path)
            mode = stat.S_IMODE(status.st_mode)
            key = os.path.relpath(path, root)
            if stat.S_ISLNK(status.st_mode):
                found[key] = ("symlink", os.readlink(path))
            elif stat.S_ISDIR(status.st_mode):
                found[key] = ("directory", mode)
            elif stat.S_IFMT(status.st_mode) != _S_IFREG:
                found[key] = ("special", status.st_mode)
            else:
                date = status.st_mtime_ns if status.st_mtime < _DERIVED else None
                shared = status.st_ino if status.st_nlink > 1 else None
                found[key] = ("file", mode, date, shared, Path(path).read_bytes())
    return found


def changed_objects(base: Path) -> list[str]:
    """Return the objects of the store at *base* that are not what their addresses say."""
    found = []
    for path in base.glob("objects/*/*"):
        addr = path.parent.name + path.name
        status = path.stat()
        executable = addr.endswith(EXECUTABLE_SUFFIX)
        whole = hashlib.sha256(path.read_bytes()).hexdigest() == addr.removesuffix(EXECUTABLE_SUFFIX)
        right = stat.S_IMODE(status.st_mode) == (0o755 if executable else 0o644)
        if not (whole and right and status.st_mtime_ns == mtime_of(addr) * 1_000_000_000):
            found.append(addr)
    return found
