"""Work that no session waits for: compiling what sessions import, spares, removing trash.

Runs detached, at low priority, after the host has ended:
``python -m nox_linkenv.maintenance.background STORE TASKS [LOWER ...]``.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nox_linkenv.env.assembly.spares import make_prebuilt
from nox_linkenv.env.bytecode import index_bytecode
from nox_linkenv.env.interpreter.facts import Facts
from nox_linkenv.errors import LinkenvError
from nox_linkenv.store import Store
from nox_linkenv.store.compile import compile_objects
from nox_linkenv.store.trash import empty_trash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CompileTask", "PrebuildTask", "Tasks", "perform", "schedule", "start"]


@dataclass(frozen=True, slots=True)
class CompileTask:
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


@dataclass(frozen=True, slots=True)
class PrebuildTask:
    """Make a spare for a stored plan or skeleton."""

    name: str
    facts: Facts


@dataclass(slots=True)
class Tasks:
    """What is worth doing for one store.

    Args:
        compile: bytecode.
        prebuilds: names of plans and skeletons, with the facts of their interpreter.
        trash: absolute paths to remove.
    """

    compile: list[CompileTask] = field(default_factory=list)
    prebuilds: list[PrebuildTask] = field(default_factory=list)
    trash: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.compile or self.prebuilds or self.trash)

    def extend(self, other: Tasks) -> None:
        self.compile.extend(other.compile)
        self.prebuilds.extend(other.prebuilds)
        self.trash.extend(other.trash)

    def dumps(self) -> str:
        return json.dumps(
            {
                "compile": [task.to_json() for task in self.compile],
                "spares": [[task.name, task.facts.to_json()] for task in self.prebuilds],
                "trash": self.trash,
            }
        )

    @classmethod
    def loads(cls, text: str) -> Tasks:
        data = json.loads(text)
        return cls(
            [CompileTask.from_json(task) for task in data["compile"]],
            [PrebuildTask(name, Facts.from_json(facts)) for name, facts in data["spares"]],
            list(data["trash"]),
        )


def perform(store: Store, tasks: Tasks, *, jobs: int) -> None:
    """Do *tasks*: compile first, then spares, which hold the bytecode, then remove trash."""
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


def start(store: Store, tasks: Tasks) -> None:
    """Start a detached process that does *tasks*; where it cannot be started, they are left for another time."""
    lower = [layout.root for layout in store.lower]
    name = f"staging/upkeep-{os.getpid()}.json"
    path = os.path.join(store.layout.base, name)
    with contextlib.suppress(OSError, LinkenvError):
        store.publish(name, tasks.dumps())
        process = subprocess.Popen(
            [sys.executable, "-E", "-m", "nox_linkenv.maintenance.background", store.layout.root, path, *lower],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=store.layout.root,
        )
        process.returncode = 0  # nobody waits for it: a host that lives on is not to be warned that it still runs


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
    """Do the tasks of the file named last, and remove it."""
    root, path, *lower = arguments
    if hasattr(os, "nice"):
        os.nice(19)
    with open(path, encoding="utf-8") as stream:
        tasks = Tasks.loads(stream.read())
    os.unlink(path)
    perform(Store.open(root, lower=lower), tasks, jobs=os.cpu_count() or 1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
