"""The process after the host's: what it may import, and from where; nobody but the host says what it does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.maintenance.background import wait
from nox_linkenv.store import Store
from tests.support.environment import clean_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).resolve().parents[2]
#: Gives a task to a process that lives on, and ends.
_HOST: Final = """
import sys
from nox_linkenv.maintenance.background import Tasks, start
from nox_linkenv.store import Store
start(Store.open(sys.argv[1]), Tasks(trash=[sys.argv[2]]))
"""
#: Modules that every start of Python, of this package, or of what it needs might import.
_MODULES: Final = ("json", "os", "sitecustomize", "usercustomize", "filelock", "runpy", "nox_linkenv")


def _run(python: str, root: Path, cwd: Path, environ: Mapping[str, str] | None = None) -> bool:
    """Have a host leave a task, and return whether it gets done."""
    trash = root / "trash"
    trash.mkdir()
    command = [python, "-c", f"import sys; sys.path.remove('')\n{_HOST}", str(root / "store"), str(trash)]
    subprocess.run(command, cwd=cwd, env={**clean_environment(), **(environ or {})}, check=True, timeout=60)
    deadline = time.monotonic() + 20
    while trash.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not trash.exists()


def _plant(directory: Path, marker: Path) -> None:
    """Put modules into *directory* which say that they have been run."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in _MODULES:
        (directory / f"{name}.py").write_text(f"open({str(marker)!r}, 'a').write({name!r})\nraise SystemExit(1)\n")


@pytest.mark.parametrize("where", ["store", "store/v2", "cwd"])
def test_modules_that_lie_about_are_not_run(tmp_path: Path, where: str) -> None:
    """A store may come out of a cache that others have written."""
    marker = tmp_path / "marker"
    (tmp_path / "cwd").mkdir()
    Store.open(tmp_path / "store")
    _plant(tmp_path / where, marker)
    done = _run(sys.executable, tmp_path, tmp_path / "cwd")
    assert not marker.exists(), marker.read_text()
    assert done


def test_no_file_of_the_store_says_what_is_done(tmp_path: Path) -> None:
    assert _run(sys.executable, tmp_path, tmp_path)
    assert [path for path in (tmp_path / "store").rglob("*") if "upkeep" in path.name] == []


def test_it_is_found_where_only_a_variable_names_its_place(tmp_path: Path) -> None:
    """As in the user's own site-packages, which an isolated interpreter does not look at."""
    base = getattr(sys, "_base_executable", sys.executable)
    packages = [path for path in sys.path if path.endswith("site-packages")]
    environ = {"PYTHONPATH": os.pathsep.join([str(ROOT), *packages])}
    found = subprocess.run([base, "-I", "-c", "import nox_linkenv"], capture_output=True, check=False)
    if found.returncode == 0:
        pytest.skip("the base interpreter has the package")
    assert _run(base, tmp_path, tmp_path, environ)


def test_it_can_be_waited_for(tmp_path: Path) -> None:
    """From the moment its host has ended; a store that is saved then does not change any more."""
    store = Store.open(tmp_path / "store")
    assert wait(store, within=0.0), "there has been none"
    trash = tmp_path / "trash"
    for number in range(2000):
        (trash / str(number)).mkdir(parents=True)
    subprocess.run([sys.executable, "-c", _HOST, str(tmp_path / "store"), str(trash)], check=True, timeout=60)
    assert not wait(store, within=0.0)
    assert trash.exists()
    command = [sys.executable, "-m", "nox_linkenv", "wait", "--store", str(tmp_path / "store")]
    late = subprocess.run([*command, "--timeout", "0s"], capture_output=True, text=True, check=False)
    assert late.returncode in {0, 1}
    assert late.returncode == 0 or "still works after 0 s" in late.stderr
    subprocess.run(command, check=True, timeout=120)
    assert not trash.exists()
    assert wait(store, within=0.0)
