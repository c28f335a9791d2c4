"""Runs one story with nox on the oracle and on the peer, at the very same path, and compares what came out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.parity.compare import OUR_NAME, tree_differences, view_differences
from tests.support.environment import clean_environment

if TYPE_CHECKING:
    from tests.parity.snapshot import Tree

__all__ = ["ORACLE", "PEER", "Made", "Story", "compare", "make", "run_nox", "spawn"]

#: nox's own backend, with real pip: by definition right.
ORACLE = "virtualenv"
#: The backend under test; another name tries the suite itself.
PEER = os.environ.get("PARITY_PEER", "linked")

_HERE = Path(__file__).parent
_NOXFILE = """\
import json, pathlib, sys

import nox

sys.path.insert(0, {root!r})
from tests.parity.snapshot import snapshot

SPEC = json.loads(pathlib.Path("story.json").read_text())


@nox.session(python=SPEC["python"], venv_backend=SPEC["backend"])
def s(session):
    for number, step in enumerate(SPEC["steps"]):
        if step[0] == "uninstall":
            session.run("python", "-m", "pip", "uninstall", "-y", *step[1:], silent=True)
        else:
            session.install(*step)
        pathlib.Path(f"tree-{{number}}.json").write_text(json.dumps(snapshot(session.virtualenv.location)))
"""


@dataclass(frozen=True, slots=True)
class Story:
    """The ``session.install`` calls of one session; a step that begins with ``uninstall`` is left to pip."""

    steps: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Made:
    """What one backend made of a story."""

    root: Path
    trees: tuple[Tree, ...]
    views: dict[str, Any]


def run_nox(project: Path, *args: str, python: str = sys.executable, **env: str) -> subprocess.CompletedProcess[str]:
    """Run real nox in *project*, with no file shared between tests but pip's own cache."""
    command = [python, "-m", "nox", *args]
    return subprocess.run(
        command,
        cwd=project,
        env=clean_environment() | env,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def make(project: Path, story: Story, *, python: str, backend: str, store: Path) -> Made:
    """Tell *story* in *project* on *backend*; the environment stands at ``.nox/s`` afterwards.

    Raises:
        AssertionError: nox did not succeed; its output is in the message.
    """
    envdir = project / ".nox"
    shutil.rmtree(envdir, ignore_errors=True)
    spec = {"python": python, "backend": backend, "steps": story.steps}
    (project / "story.json").write_text(json.dumps(spec))
    (project / "noxfile.py").write_text(_NOXFILE.format(root=str(_HERE.parent.parent)))
    done = run_nox(project, LINKENV_STORE=str(store))
    assert done.returncode == 0, f"nox failed on {backend}:\n{done.stdout}"
    trees = tuple(
        json.loads((project / f"tree-{number}.json").read_text(), object_hook=_entries)
        for number in range(len(story.steps))
    )
    return Made(envdir / "s", trees, _views(project, envdir / "s"))


def compare(oracle: Made, peer: Made, story: Story) -> list[str]:
    """Return every difference, each with the step after which it was first seen."""
    found: list[str] = []
    seen: set[str] = set()
    for number, step in enumerate(story.steps):
        for difference in tree_differences(oracle.trees[number], peer.trees[number]):
            if difference not in seen:
                seen.add(difference)
                found.append(f"after step {number} {step}: {difference}")
    return found + view_differences(oracle.views, peer.views, "views")


def spawn(project: Path, root: Path, name: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment at *root*, away from the project and with a home of its own."""
    home = project / "home"
    home.mkdir(exist_ok=True)
    env = clean_environment() | {"PYTHONDONTWRITEBYTECODE": "1", "HOME": str(home), "VIRTUAL_ENV": str(root)}
    env["PATH"] = f"{root / 'bin'}{os.pathsep}{env['PATH']}"
    command = [str(root / "bin" / name), *args]
    return subprocess.run(
        command, cwd=home, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300, check=False
    )


def _entries(value: dict[str, Any]) -> dict[str, Any]:
    return {path: tuple(entry) for path, entry in value.items()}


def _views(project: Path, root: Path) -> dict[str, Any]:
    """Ask the environment's own python, pip and scripts what is installed, and whether it works."""
    with ThreadPoolExecutor(2) as pool:
        metadata = pool.submit(_answer, project, root, "python", "-I", str(_HERE / "probe.py"))
        inspect = pool.submit(_answer, project, root, "python", "-m", "pip", "inspect")
        freeze = pool.submit(_answer, project, root, "python", "-m", "pip", "freeze", "--all")
        check = pool.submit(_answer, project, root, "python", "-m", "pip", "check")
        scripts = {path.name: pool.submit(_exit_code, project, root, path.name) for path in _scripts(root)}
    return {
        "importlib.metadata": _json(metadata.result()),
        "pip inspect": _inspection(_json(inspect.result())),
        "pip freeze --all": freeze.result(),
        "pip check": check.result(),
        "scripts": {name: code.result() for name, code in scripts.items()},
    }


def _scripts(root: Path) -> list[Path]:
    """The console scripts, those of the activators and interpreters aside: both have no executable bit or are links."""
    return [path for path in (root / "bin").iterdir() if not path.is_symlink() and os.access(path, os.X_OK)]


def _inspection(report: dict[str, Any]) -> dict[str, Any]:
    installed = {item["metadata"]["name"]: item for item in report.pop("installed")}
    for item in installed.values():
        if item.get("installer") == OUR_NAME:
            item["installer"] = "pip"
    return {**report, "installed": installed}


def _answer(project: Path, root: Path, name: str, *args: str) -> tuple[int, str]:
    done = spawn(project, root, name, *args)
    return done.returncode, done.stdout


def _json(answer: tuple[int, str]) -> Any:
    assert answer[0] == 0, f"exit code {answer[0]}: {answer[1]}"
    return json.loads(answer[1])


def _exit_code(project: Path, root: Path, name: str) -> int:
    return spawn(project, root, name, "--help").returncode
