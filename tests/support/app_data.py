"""virtualenv's cache as the oracles have it: a copy of the real one in which pip is compiled.

virtualenv copies pip into each environment without bytecode, so the first pip in each of the oracles' environments
compiles three hundred modules: a third of what nox costs there. What is copied from here has bytecode beside it, which
python takes only while it fits the content of its source (PEP 552, checked hashes), so an edited file still counts.
Only oracles have it, and only where bytecode is not compared.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

import platformdirs
from filelock import FileLock

from tests.support.environment import clean_environment
from tests.support.interpreters import OTHER, TARGET, find_interpreters
from tests.support.wheels import make_wheel

__all__ = ["with_compiled_pip"]

#: Raised whenever it is prepared in another way.
_FORMAT: Final = 1
_DAYS: Final = 14
_PIP: Final = ("-m", "pip", "install", "-q", "--no-index", "--find-links")
#: Makes bytecode like that in the environment of the interpreter that runs it, but in virtualenv's copy of pip.
_COMPILE: Final = """
import os, py_compile, sys
environment, copy = sys.argv[1:]
tag = "." + sys.implementation.cache_tag + ".pyc"
for here, _, names in os.walk(os.path.join(environment, "pip")):
    if os.path.basename(here) == "__pycache__":
        for name in names:
            directory = os.path.join(copy, os.path.relpath(os.path.dirname(here), environment))
            source = os.path.join(directory, name[:-len(tag)] + ".py")
            py_compile.compile(source, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
"""


@functools.cache
def with_compiled_pip() -> dict[str, str]:
    """Return the variable for virtualenv to use the cache, made at first; none where its own cache is not found."""
    used = platformdirs.user_cache_path("virtualenv")
    found = find_interpreters()
    pythons = [found[name] for name in dict.fromkeys((TARGET, OTHER)) if name in found]
    base = platformdirs.user_cache_path("nox-linkenv-tests") / "virtualenv"
    base.mkdir(parents=True, exist_ok=True)
    with FileLock(base / "lock"), tempfile.TemporaryDirectory(prefix="app-data-") as scratch:
        # made first: virtualenv may have had no cache yet, or one of other seeds
        made = [_environment(Path(scratch, str(number)), python) for number, python in enumerate(pythons)]
        place = base / _digest(used, made)
        if not place.exists() and (used / "wheel").is_dir():
            for old in base.glob("*/"):
                if old.stat().st_mtime < time.time() - _DAYS * 86_400:
                    shutil.rmtree(old, ignore_errors=True)
            fresh = Path(tempfile.mkdtemp(dir=base, prefix="."))
            shutil.copytree(used / "wheel", fresh / "wheel", ignore=shutil.ignore_patterns("*.lock"))
            for packages in made:
                _compile(packages, fresh)
            fresh.rename(place)
    return {"VIRTUALENV_OVERRIDE_APP_DATA": str(place)} if place.exists() else {}


def _digest(used: Path, made: list[Path]) -> str:
    named = [f"format {_FORMAT}", version("virtualenv")]
    named += [path.name for packages in made for path in sorted(packages.glob("*.dist-info"))]
    named += sorted(path.read_text() for path in used.glob("wheel/*/embed/*/*.json"))
    return hashlib.sha256("\0".join(named).encode()).hexdigest()[:12]


def _environment(directory: Path, interpreter: Path) -> Path:
    """Make an environment, and return its site-packages."""
    _run(sys.executable, "-m", "virtualenv", "-q", "-p", str(interpreter), str(directory))
    (packages,) = directory.glob("lib/python*/site-packages")
    return packages


def _compile(packages: Path, place: Path) -> None:
    """Run the pip of the environment with *packages*, and compile in *place* what that has imported."""
    directory, minor = packages.parents[2], packages.parent.name.removeprefix("python")
    python = str(directory / "bin" / "python")
    make_wheel(directory, "seeding", "1.0", {"seeding.py": b""})
    _run(python, *_PIP, str(directory), "seeding")
    (info,) = packages.glob("pip-*.dist-info")
    for copy in place.glob(f"wheel/{minor}/image/*/CopyPipInstall/*/{info.name}"):
        _run(python, "-I", "-c", _COMPILE, str(packages), str(copy.parent))


def _run(*command: str) -> None:
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}{done.stderr}"
