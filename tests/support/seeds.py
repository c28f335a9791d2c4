"""Stores that know an interpreter's bare environment: captured once in a run, copied wherever that is not the test.

A capture takes a virtualenv, an installation by its pip and the adding of pip's files: seconds. A copy takes a tenth.
The bytecode of pip is in a seed, too, so that pip need not be compiled in each of the tests' environments.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.support.environment import clean_environment
from tests.support.shared import ROOT, once
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.shared import Host

__all__ = ["seed", "sow"]


def seed(shared: Path, host: Host, *interpreters: str) -> Path:
    """Return a store, not to be changed, that has bare environments as *host* makes them.

    Args:
        shared: directory that the workers of this run have in common.
        host: whose python and virtualenv make them.
        interpreters: absolute paths, as the host names them; where there are none, its own python by both its names:
            as it was started (which nox has), and where it came from (which tox and ``linkenv`` have).
    """
    named = interpreters or (str(host.python), _base(host))
    digest = hashlib.sha256("\0".join(named).encode()).hexdigest()[:8]
    return once(shared / f"seed-{host.name}-{digest}", lambda store: _capture(store, host, named))


def sow(seed: Path, store: Path) -> Path:
    """Make *store*, whose directory may exist, a copy of *seed*; nothing that is done to it reaches the seed."""
    shutil.copytree(seed, store, symlinks=True, dirs_exist_ok=True)
    return store


def _base(host: Host) -> str:
    code = "import sys; print(getattr(sys, '_base_executable', sys.executable))"
    return subprocess.run([host.python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def _capture(store: Path, host: Host, interpreters: tuple[str, ...]) -> None:
    wheels = store.with_name(f"{store.name}-wheels")
    wheels.mkdir(exist_ok=True)
    make_wheel(wheels, "seeding", "1.0", {"seeding.py": b""})
    done = subprocess.run(
        [str(host.python), "-m", "tests.support.capture", str(store), str(wheels), *interpreters],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"no seed for {host.name}: {done.stdout}{done.stderr}"
