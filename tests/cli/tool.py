"""Running the command as a user does, and small stores to run it on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provision.tool import Site

__all__ = ["age", "answer", "linkenv", "say", "start"]


def start(site: Site, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start ``linkenv`` in the site's project."""
    return subprocess.Popen(
        [sys.executable, "-m", "nox_linkenv", *arguments],
        cwd=site.project,
        env={**site.environ, "LINKENV_STORE": str(site.store), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def linkenv(site: Site, *arguments: str, code: int | None = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``linkenv`` to its end, which has to be with the exit code *code*, or with any for ``None``."""
    process = start(site, *arguments, **variables)
    out, err = process.communicate(timeout=300)
    assert code in (None, process.returncode), f"{arguments} ended with {process.returncode}\n{out}\n{err}"
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def say(site: Site, *arguments: str, code: int | None = 0) -> str:
    """Return what the command says."""
    return linkenv(site, *arguments, code=code).stdout


def answer(site: Site, *arguments: str, code: int | None = 0) -> Any:
    """Return the JSON object that the command prints."""
    return json.loads(linkenv(site, arguments[0], "--json", *arguments[1:], code=code).stdout)


def age(base: Path, seconds: float) -> None:
    """Make all that was used look as if it had been used so long ago.  What happened to inodes cannot be changed."""
    for kind in ("plans", "skeletons", "wheels", "projects", "resolutions", "requests", "interpreters"):
        for path in (base / kind).rglob("*.json"):
            time = path.stat().st_mtime - seconds
            os.utime(path, (time, time))
