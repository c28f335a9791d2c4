"""The options, as the configuration of a run has them, and the name of the run.

PYTEST_DONT_REWRITE: there is no assertion in here.
"""

from __future__ import annotations

import os

import pytest

__all__ = ["RUN", "base_directory", "is_offline", "keeps", "new_run", "pythons", "run_of"]

#: Name of the run, and when it began in seconds since the epoch.
RUN = pytest.StashKey[tuple[str, float]]()


def pythons(config: pytest.Config) -> list[str]:
    """Return the interpreters chosen for the run, none for the one that runs pytest."""
    return list(config.getoption("linkenv_python") or config.getini("linkenv_python"))


def is_offline(config: pytest.Config) -> bool:
    """Return whether nobody may be asked."""
    return bool(config.getoption("linkenv_offline") or config.getini("linkenv_offline"))


def keeps(config: pytest.Config) -> bool:
    """Return whether environments of failed tests are kept."""
    return bool(config.getoption("linkenv_keep") or config.getini("linkenv_keep"))


def base_directory(config: pytest.Config) -> str:
    """Return the directory in which each run has its own."""
    directory = config.getini("linkenv_directory")
    if directory:
        return os.path.realpath(os.path.join(config.rootpath, os.path.expanduser(directory)))
    import tempfile

    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    return os.path.join(os.path.realpath(tempfile.gettempdir()), f"linkenv-{user}")


def run_of(config: pytest.Config) -> tuple[str, float]:
    """Return the name of the run, and when it began in seconds since the epoch."""
    name, began = config.stash[RUN]
    return name, began


def new_run() -> tuple[str, float]:
    """Return a name that no other run has, and the time."""
    import time

    return os.urandom(4).hex(), time.time()
