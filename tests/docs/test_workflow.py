"""The workflow for whoever pushes the project to GitHub names what the project has."""

from __future__ import annotations

import shlex
from typing import Any

import tomli
import yaml

from tests.docs.pages import PROJECT

_WORKFLOW: dict[str, Any] = yaml.safe_load((PROJECT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
_JOB: dict[str, Any] = _WORKFLOW["jobs"]["tests"]
_PYPROJECT: dict[str, Any] = tomli.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_system_runs_every_version() -> None:
    matrix = _JOB["strategy"]["matrix"]
    assert {system.partition("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14", "3.15"]
    versions = {name.rpartition(" ")[2] for name in _PYPROJECT["project"]["classifiers"] if "Python :: 3." in name}
    assert set(matrix["python"]) <= versions


def test_it_installs_what_there_is_and_runs_the_usual_tests() -> None:
    commands = [shlex.split(step["run"]) for step in _JOB["steps"] if "run" in step]
    (install,) = (command for command in commands if "--group" in command)
    assert install[install.index("--group") + 1] in _PYPROJECT["dependency-groups"]
    extras = install[install.index("-e") + 1].strip(".[]").split(",")
    assert set(extras) <= set(_PYPROJECT["project"]["optional-dependencies"])
    (tests,) = (command for command in commands if "pytest" in command)
    marks = {mark.partition(":")[0] for mark in _PYPROJECT["tool"]["pytest"]["ini_options"]["markers"]}
    words = set(tests[tests.index("-m", 3) + 1].split())
    assert words - {"not", "and"} <= marks
