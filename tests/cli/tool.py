"""Running the command, in this process unless it needs one of its own, and small stores to run it on."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.provision.tool import Site

__all__ = ["age", "answer", "linkenv", "say", "start"]

#: What these leave to be done is begun when their process ends; and they pass on what their children say.
_APART: Final = {"clean", "create", "install", "run"}


def start(site: Site, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start ``linkenv`` in the site's project."""
    return subprocess.Popen(
        [sys.executable, "-m", "nox_linkenv", *arguments],
        cwd=site.project,
        env=_environ(site, variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def linkenv(site: Site, *arguments: str, code: int | None = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``linkenv`` to its end, which has to be with the exit code *code*, or with any for ``None``."""
    if _APART.isdisjoint(arguments):
        done = _here(site, arguments, variables)
    else:
        process = start(site, *arguments, **variables)
        out, err = process.communicate(timeout=300)
        done = subprocess.CompletedProcess(arguments, process.returncode, out, err)
    assert code in (None, done.returncode), f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def _here(site: Site, arguments: tuple[str, ...], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the command in this process, which is for that long where and what the command's own would be."""
    out, err = io.StringIO(), io.StringIO()
    redirected = (contextlib.redirect_stdout(out), contextlib.redirect_stderr(err))
    with _process(site.project, _environ(site, variables)), redirected[0], redirected[1]:
        code = main(arguments)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _process(directory: Path, environ: Mapping[str, str]) -> Iterator[None]:
    before, was = dict(os.environ), os.getcwd()
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(was)
        os.environ.clear()
        os.environ.update(before)


def _environ(site: Site, variables: Mapping[str, str]) -> dict[str, str]:
    return {**site.environ, "LINKENV_STORE": str(site.store), "LINKENV_SPARES": "0", **variables}


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
