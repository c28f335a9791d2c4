"""Run by a host's python: ``python -m tests.support.capture STORE WHEELS INTERPRETER...`` makes a seed.

The host's python, because which virtualenv makes an environment, and which interpreter runs it, decides what is stored.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from nox_linkenv.config import Settings
from nox_linkenv.maintenance.background import perform
from nox_linkenv.provision.environment import Environment
from nox_linkenv.provision.session_end import close
from nox_linkenv.store.roots import forget_root

if TYPE_CHECKING:
    from collections.abc import Sequence

_PIP = ("-m", "pip", "install", "-q", "--dry-run", "--report", os.devnull, "--no-index", "--find-links")


def main(arguments: Sequence[str]) -> None:
    store, wheels, *interpreters = arguments
    for interpreter in interpreters:
        with tempfile.TemporaryDirectory(prefix="seed-") as scratch:
            _capture(store, os.path.join(os.path.realpath(scratch), "env"), interpreter, wheels)


def _capture(store: str, prefix: str, interpreter: str, wheels: str) -> None:
    """Make an environment, run pip in it, and do at once what is otherwise done in the background."""
    environment = Environment(prefix, Settings(store=store, spares=False), session="seed")
    assert environment.create(interpreter, ()), f"virtualenv itself is needed for {interpreter} at {prefix}"
    subprocess.run([f"{prefix}/bin/python", *_PIP, wheels, "seeding"], check=True)
    found = close(environment.store, prefix, environment.receipt, environment.settings, os.environ, began=0.0)
    perform(environment.store, found.tasks, jobs=1)
    shutil.rmtree(prefix)
    forget_root(environment.store, prefix)


if __name__ == "__main__":
    main(sys.argv[1:])
