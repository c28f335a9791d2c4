"""Several environments at once, in one process and in many; and installs that are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.plugins.tox.tool import ORACLE, PEER, Project, Run, ini
from tests.support.backend import IN_TREE

if TYPE_CHECKING:
    from tests.support.shared import Host

_VERSION = 'commands = python -c "import tiny, needy; print(tiny.VERSION)"'
_SLOW_BACKEND = """\
import os, pathlib, time

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    marker = pathlib.Path({marker!r})
    marker.with_suffix(".new").write_text(str(os.getpid()))
    marker.with_suffix(".new").rename(marker)
    time.sleep(120)

prepare_metadata_for_build_wheel = lambda metadata_directory, config_settings=None: build_wheel("")
"""


def test_parallel(tmp_path: Path, newest: Host) -> None:
    """Threads of one process, all of which find an empty store."""
    project = Project.make(tmp_path / "project", newest, tmp_path / "store")
    names = ("a", "b", "c")
    more = "\n".join(f"[testenv:{name}]\nlabels = {name}" for name in names)
    config = ini(f"package = wheel\ndeps = needy\n{_VERSION}", tox="", more=more, runner="linked")
    for options in ((), ("-r",)):
        told = project.tox(Run(("run-parallel", "-p", "3", "-e", ",".join(names), *options), config=config))
        assert told.code == 0, told.output
        for name in names:
            assert told.installed[f".tox/{name}"][0] == "demo-1.0.dist-info"
            assert (project.root / ".tox" / name / ".linkenv/receipt.json").exists()


def test_processes_at_once(tmp_path: Path, newest: Host) -> None:
    config = ini(f"deps = needy\n{_VERSION}", runner="linked")
    started = []
    for name in ("one", "two"):
        project = Project.make(tmp_path / name, newest, tmp_path / "store")
        (project.root / "tox.ini").write_text(config)
        started.append(_start(project))
    for process in started:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output


@pytest.mark.parametrize("runner", [ORACLE, PEER])
def test_interrupted(project: Project, runner: str) -> None:
    """Ctrl-C ends the install and what it has started; the next run begins as if there had been none."""
    marker = project.root / "marker"
    _write_slow(project.root / "wheels" / "slow-1.0.tar.gz", marker)
    (project.root / "tox.ini").write_text(ini("deps = slow", runner=runner))
    process = _start(project)
    deadline = time.monotonic() + 100
    while not marker.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert marker.exists(), output
    assert "interrupt tox environment: py" in output
    assert process.returncode != 0, output
    assert "congratulations" not in output
    assert "internal error" not in output
    while _alive(int(marker.read_text())):
        assert time.monotonic() < deadline, "the build goes on"
        time.sleep(0.05)
    told = project.tox(Run(config=ini("deps = needy\n" + _VERSION, runner=runner)))
    assert told.code == 0, told.output


def _alive(pid: int) -> bool:
    """Tell whether a process still runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _start(project: Project) -> subprocess.Popen[str]:
    return subprocess.Popen(
        project.command("run"),
        cwd=project.root,
        env=project.environ(),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _write_slow(path: Path, marker: Path) -> None:
    """Write an sdist whose build takes minutes."""
    source = path.parent / "slow-1.0"
    source.mkdir()
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    (source / "pyproject.toml").write_text(IN_TREE)
    (source / "backend.py").write_text(_SLOW_BACKEND.format(marker=str(marker)))
    with tarfile.open(path, "w:gz") as archive:
        archive.add(source, source.name)
