"""Many processes build and remove environments while prunes run one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.cli.tool import answer, linkenv
from tests.provision.tool import changed_objects, put_wheel

if TYPE_CHECKING:
    from tests.provision.tool import Site

ROOT: Final = Path(__file__).resolve().parents[2]
PROCESSES: Final = 16


@pytest.mark.parametrize("seconds", [16, pytest.param(60, marks=pytest.mark.slow)])
def test_nobody_is_disturbed(here: Site, seconds: int) -> None:
    contents = {}
    for number in range(12):
        contents[f"part{number}"] = f"number = {number}\n" * (100 + number)
        files: dict[str, bytes | str] = {
            f"part{number}___core__py": contents[f"part{number}"],
            f"part{number}___data__bin": os.urandom(50_000),
        }
        put_wheel(here.wheels, f"part{number}", **files)
    settings = {name: value for name, value in asdict(here.settings).items() if name == "store"}
    site = {
        "root": str(here.root),
        "interpreter": str(here.interpreter),
        "settings": settings,
        "environ": here.environ,
        "contents": contents,
        "began": time.time(),
        "phase": seconds / 4,
        "stop": str(here.root / "stop"),
    }
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.cli.worker", json.dumps(site), str(seconds), str(number)],
            env=environ,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    removed: dict[str, int] = {}
    while any(worker.poll() is None for worker in workers):
        # A build says what it uses before it does, and is done within the grace, even on a machine that is too busy.
        for kind, count in answer(here, "prune", "--unused", "--grace", f"{seconds / 8}s")["removed"].items():
            removed[kind] = removed.get(kind, 0) + count
        if removed.get("objects", 0) > 0:
            (here.root / "stop").touch()
    built = []
    for worker in workers:
        out, err = worker.communicate(timeout=120)
        assert worker.returncode == 0, err
        built.append(int(out))
    print(f"{sum(built)} environments built, {removed} removed", file=sys.stderr)
    assert all(built)
    assert removed.get("objects", 0) > 0, "the prunes have removed nothing: the test shows nothing"
    linkenv(here, "prune", "--unused", "--grace", "0s")
    found = answer(here, "verify", "--full")["findings"]
    assert found == []
    assert changed_objects(here.base) == []
    assert list((here.base / "staging").iterdir()) == []
    assert not [path.name for path in (here.project / ".nox").iterdir()]
