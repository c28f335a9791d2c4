"""Commands on a store of very many objects: what they take, in time and memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.generator import generate
from tests.provision.tool import put_wheel
from tests.support.capabilities import Capability

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.provision.tool import Site

COUNT = int(os.environ.get("LINKENV_TEST_OBJECTS", "1000000"))
MEMORY = 300_000  # kilobytes
#: Runs a command and prints its seconds and its largest resident set, in kilobytes on Linux (getrusage(2)).
WATCH = """
import json, resource, subprocess, sys, time
began = time.monotonic()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=True)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([time.monotonic() - began, usage.ru_maxrss, json.loads(done.stdout)]))
"""


def watched(site: Site, *arguments: str) -> tuple[float, int, Any]:
    """Run ``linkenv`` and return its seconds, its memory in kilobytes and its answer."""
    command = [sys.executable, "-c", WATCH, sys.executable, "-m", "nox_linkenv", arguments[0], "--json", *arguments[1:]]
    environ = {**site.environ, "LINKENV_STORE": str(site.store)}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=site.project, check=True)
    seconds, memory, found = json.loads(done.stdout)
    print(f"linkenv {' '.join(arguments)}: {seconds:.2f} s, {memory / 1000:.0f} MB", file=sys.stderr)
    return seconds, memory, found


@pytest.fixture
def large(here: Site, tmp_path: Path) -> Iterator[Site]:
    put_wheel(here.wheels, "first", first___core__py="value = 1\n")
    here.place("one").session(["first"])
    generate(here.store, COUNT, time=time.time() - 90 * 86_400)
    yield here
    shutil.rmtree(here.store)


@pytest.mark.slow
@pytest.mark.needs(Capability.HARDLINK)
def test_a_million_objects(large: Site) -> None:
    """Seconds are printed, not asserted; memory and answers are."""
    prefix = large.place("one").prefix
    for arguments in (("info",), ("envs",), ("du", prefix)):
        _, memory, _ = watched(large, *arguments)
        assert memory < MEMORY
    _, memory, found = watched(large, "prune", "--dry-run", "--unused")
    assert memory < MEMORY
    assert found["removed"]["objects"] == COUNT
    _, memory, found = watched(large, "prune", "--dry-run", "--max-size", "1GB")
    assert memory < MEMORY
