"""Where pip's configuration is looked for on systems that these tests do not run on: pip itself tells, made to believe.

The program imports all it needs for the system that it is on, then says that it is on another one, and has those
modules of pip read again which ask that when they are imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.shared import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM: Final = """
import ctypes, importlib, json, ntpath, os, sys
import pip._internal.configuration
from nox_linkenv.resolve import pip_config

sys.platform, sys.prefix = sys.argv[1:]
if sys.platform == "win32":
    os.name, os.path, os.sep, os.pathsep, os.devnull = "nt", ntpath, "\\\\", ";", "nul"
    sys.modules["ctypes"] = None  # it would ask the system itself; without it the variables are asked
for name in ("_vendor.platformdirs", "_internal.utils.appdirs", "_internal.utils.compat", "_internal.configuration"):
    importlib.reload(sys.modules[f"pip.{name}"])
found = {str(getattr(kind, "value", kind)): paths  # an enumeration from pip 26.3 on, strings before
         for kind, paths in pip._internal.configuration.get_configuration_files().items()}
print(json.dumps([
    [path for kind in ("global", "user", "site") for path in found[kind]],
    pip_config._places(os.environ, sys.prefix),
]))
"""
_WINDOWS: Final = {
    "PROGRAMDATA": r"C:\ProgramData",
    "ALLUSERSPROFILE": r"C:\ProgramData",
    "APPDATA": r"C:\Users\me\AppData\Roaming",
    "LOCALAPPDATA": r"C:\Users\me\AppData\Local",
    "USERPROFILE": r"C:\Users\me",
}


def _asked(system: str, prefix: str, environ: dict[str, str]) -> list[str]:
    """Return where pip on *system* looks, having made sure that it is where the project looks."""
    environ = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], **environ}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, system, prefix], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    pips, ours = json.loads(done.stdout)
    assert ours == pips
    found: list[str] = pips
    return found


@pytest.mark.parametrize("more", [{}, {"HOME": "/c/Users/me"}, {"APPDATA": r"D:\Roaming"}], ids=str)
def test_windows(more: dict[str, str]) -> None:
    found = _asked("win32", r"C:\environment", {**_WINDOWS, **more})
    assert found[1] == r"C:\Users\me\pip\pip.ini"


@pytest.mark.parametrize("more", [{}, {"XDG_CONFIG_HOME": "/x", "XDG_CONFIG_DIRS": "/a:/b"}], ids=str)
@pytest.mark.parametrize("there", [False, True], ids=["no directory of its own", "a directory of its own"])
def test_macos(tmp_path: Path, more: dict[str, str], there: bool) -> None:
    own = tmp_path / "Library" / "Application Support" / "pip"
    if there:
        own.mkdir(parents=True)
    found = _asked("darwin", "/environment", {"HOME": str(tmp_path), **more})
    assert (str(own / "pip.conf") in found) is there


@pytest.mark.parametrize("more", [{}, {"XDG_CONFIG_HOME": "/x", "XDG_CONFIG_DIRS": "/a:/b"}], ids=str)
def test_linux(tmp_path: Path, more: dict[str, str]) -> None:
    assert "/etc/pip.conf" in _asked("linux", "/environment", {"HOME": str(tmp_path), **more})
