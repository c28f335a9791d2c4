"""Work that no session waits for: compiling what sessions import, spares, removing trash, hashing.

Runs detached, at low priority, after the host has ended; the roots of the stores are its arguments, its tasks are on
standard input.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nox_linkenv.env.assembly.spares import make_prebuilt
from nox_linkenv.env.bytecode import index_bytecode
from nox_linkenv.env.interpreter.facts import Facts
from nox_linkenv.env.interpreter.isolated import module_command
from nox_linkenv.errors import StoreError
from nox_linkenv.store import Store
from nox_linkenv.store.compile import compile_objects
from nox_linkenv.store.files import make_shared
from nox_linkenv.store.trash import empty_trash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = [
    "CompileTask",
    "PrebuildTask",
    "Tasks",
    "lease",
    "perform",
    "schedule",
    "start",
    "wait",
]

#: Names the lock that every background process holds, shared, from before it is started until it has ended.
_LOCK: Final = "background"
#: What writes into the remote store: a layer above this one, so it is run, not imported; and what it imports.
_UPLOAD: Final = "nox_linkenv.remote.upload"
_UPLOADS_BY: Final = ("filelock", "packaging", "obstore", "cryptography", "backports")
#: Seconds between two looks at that lock.
_PAUSE: Final = 0.1


class CompileTask(NamedTuple):
    """Compile modules of a stored plan or skeleton, and write down which have bytecode.

    Args:
        name: of the plan or skeleton.
        python: path of the interpreter.
        facts: of the interpreter.
        wanted: paths of the modules to compile.
        modules: path -> address of all modules.
    """

    name: str
    python: str
    facts: Facts
    wanted: Sequence[str]
    modules: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "python": self.python,
            "facts": self.facts.to_json(),
            "wanted": list(self.wanted),
            "modules": dict(self.modules),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CompileTask:
        return cls(**{**data, "facts": Facts.from_json(data["facts"])})


class PrebuildTask(NamedTuple):
    """Make a spare for a stored plan or skeleton."""

    name: str
    facts: Facts


@dataclass(slots=True, eq=False)
class Tasks:
    """What is worth doing for one store.

    Args:
        compile: bytecode.
        prebuilds: names of plans and skeletons, with the facts of their interpreter.
        trash: absolute paths to remove.
        rehash: whether a part of the store is to be hashed again.
        journal_days: for how many days it is kept how large the store is now; 0 where nobody is to look.
        max_size: bytes on the disk that the store is to be kept below; 0 where nobody is to look.
        push: whether the remote store is to get what the last run used.
    """

    compile: list[CompileTask] = field(default_factory=list)
    prebuilds: list[PrebuildTask] = field(default_factory=list)
    trash: list[str] = field(default_factory=list)
    rehash: bool = False
    journal_days: float = 0.0
    max_size: int = 0
    push: bool = False

    def __bool__(self) -> bool:
        return bool(self.compile or self.prebuilds or self.trash or self.rehash or self.max_size or self.push)

    def extend(self, other: Tasks) -> None:
        self.compile.extend(other.compile)
        self.prebuilds.extend(other.prebuilds)
        self.trash.extend(other.trash)
        self.rehash |= other.rehash
        self.journal_days = max(self.journal_days, other.journal_days)
        self.max_size = min(self.max_size or other.max_size, other.max_size or self.max_size)
        self.push |= other.push

    def dumps(self) -> str:
        return json.dumps(
            {
                "compile": [task.to_json() for task in self.compile],
                "spares": [[task.name, task.facts.to_json()] for task in self.prebuilds],
                "trash": self.trash,
                "rehash": self.rehash,
                "journal_days": self.journal_days,
                "max_size": self.max_size,
                "push": self.push,
            }
        )

    @classmethod
    def loads(cls, text: str) -> Tasks:
        data = json.loads(text)
        return cls(
            [CompileTask.from_json(task) for task in data["compile"]],
            [PrebuildTask(name, Facts.from_json(facts)) for name, facts in data["spares"]],
            list(data["trash"]),
            data["rehash"],
            data["journal_days"],
            data["max_size"],
            data["push"],
        )


def perform(store: Store, tasks: Tasks, *, jobs: int) -> None:
    """Do *tasks*: compile first, then spares, which hold the bytecode, then remove trash, then hash and add up.

    Then the remote store gets what there is now, by a process of its own, for which this one waits.  Last, what was
    used least recently goes, where the store has become too large.
    """
    for task in tasks.compile:
        with store.locked():
            objects = {task.modules[path]: path for path in task.wanted}
            environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
            compile_objects(
                store.layout, task.python, task.facts.tag, objects, environ=environ, jobs=jobs, lower=store.lower
            )
            index_bytecode(store, task.name, dict(task.modules), task.facts)
    for prebuild in {wanted.name: wanted for wanted in tasks.prebuilds}.values():
        with store.locked():
            make_prebuilt(store, prebuild.name, prebuild.facts)
    for path in tasks.trash:
        empty_trash(path)
    if tasks.rehash:
        from nox_linkenv.maintenance.rehash import rehash

        with contextlib.suppress(StoreError):  # it can be written no more; the next one tries
            rehash(store, now=time.time())
    if tasks.journal_days:
        from nox_linkenv.maintenance.store_size import note_size

        with contextlib.suppress(OSError):  # something is being removed
            note_size(store, now=time.time(), days=tasks.journal_days)
    from nox_linkenv.store.temporary import sweep_temporary

    sweep_temporary()
    if tasks.push:
        roots = [layout.root for layout in store.layers]
        with contextlib.suppress(OSError):
            subprocess.run([*module_command(_UPLOAD, _UPLOADS_BY), *roots], check=False, stdin=subprocess.DEVNULL)
    if tasks.max_size:
        from nox_linkenv.maintenance.keeping import keep_size

        with contextlib.suppress(StoreError):  # others work in it; the next run tries again
            keep_size(store, tasks.max_size)


def start(store: Store, tasks: Tasks) -> None:
    """Start a detached process that does *tasks*; where it cannot be started, they are left for another time.

    The tasks say what to run and what to remove, so they are in a file without a name, which nobody else can write, and
    the process is in no directory where anyone may have put modules.
    """
    import tempfile

    roots = [layout.root for layout in store.layers]
    with contextlib.suppress(OSError), tempfile.TemporaryFile() as job, lease(store) as inherited:
        job.write(tasks.dumps().encode())
        job.seek(0)
        process = subprocess.Popen(
            [*module_command(__name__, ["filelock"]), *roots],
            stdin=job,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=os.path.abspath(os.sep),
            pass_fds=inherited,
        )
        process.returncode = 0  # nobody waits for it: a host that lives on is not to be warned that it still runs


@contextlib.contextmanager
def lease(store: Store) -> Iterator[tuple[int, ...]]:
    """Yield the descriptor of a lock for the process to inherit: it goes on holding it when this process has ended.

    There is none where the store cannot be written, and on Windows.
    """
    if sys.platform == "win32":
        yield ()
        return
    import fcntl

    try:
        make_shared(store.layout.lock(_LOCK))
        descriptor = os.open(store.layout.lock(_LOCK), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield ()
        return
    try:
        with contextlib.suppress(OSError):  # a filesystem without locks
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield (descriptor,)
    finally:
        os.close(descriptor)


def wait(store: Store, *, within: float, pause: Callable[[float], None] = time.sleep) -> bool:
    """Wait until no background process works for *store*; return whether that has come *within* so many seconds.

    Args:
        pause: the seam to sleeping.

    Raises:
        OSError: the filesystem has no locks.
    """
    if sys.platform == "win32":
        raise OSError("Background processes hold no lock on Windows.")
    import fcntl

    try:
        descriptor = os.open(store.layout.lock(_LOCK), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # there has never been one
        return True
    try:
        for _ in range(max(1, round(within / _PAUSE))):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pause(_PAUSE)
            else:
                return True
        return False
    finally:
        os.close(descriptor)


_guard = threading.Lock()
_scheduled: dict[str, tuple[Store, Tasks]] = {}


def schedule(store: Store, tasks: Tasks) -> None:
    """Have *tasks* started when this process ends."""
    with _guard:
        if not _scheduled:
            atexit.register(_start_scheduled)
        _scheduled.setdefault(store.layout.root, (store, Tasks()))[1].extend(tasks)


def _start_scheduled() -> None:
    for store, tasks in _scheduled.values():
        if tasks:
            start(store, tasks)


def main(arguments: Sequence[str]) -> int:
    """Do the tasks that standard input names, for the store with the root named first, with those named after below."""
    root, *lower = arguments
    if hasattr(os, "nice"):
        os.nice(19)
    tasks = Tasks.loads(sys.stdin.buffer.read().decode())
    perform(Store.open(root, lower=lower), tasks, jobs=os.cpu_count() or 1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
