"""What the tests of the pytest plugin share."""

from __future__ import annotations

import os
import subprocess
import textwrap
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.backend import IN_TREE, backend_text
from tests.support.shared import once
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Suite", "furnish_wheels", "wait_for"]

#: A project whose backend needs nothing and writes down when it builds.
_PYPROJECT: Final = f"""{IN_TREE}
[project]
name = "shopping"
version = "1.0"
"""
_BACKEND: Final = """

    MORE = {
        "more": "Requires-Dist: basket\\n",
        "entry_points": "[console_scripts]\\nshopping = shopping:main\\n",
    }

    def prepare_metadata_for_build_wheel(directory, config_settings=None):
        return write_info(directory, "shopping", "1.0", **MORE)

    def build_wheel(directory, config_settings=None, metadata_directory=None):
        with open(os.environ["BUILDS"], "a") as stream:
            stream.write("built\\n")
        with open("shopping.py") as stream:
            return write_wheel(directory, "shopping", "1.0", {"shopping.py": stream.read()}, **MORE)

    def build_editable(directory, config_settings=None, metadata_directory=None):
        return write_wheel(directory, "shopping", "1.0", {"shopping.pth": os.getcwd() + "\\n"}, **MORE)

    prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
"""


def furnish_wheels(place: Path) -> None:
    """Make the wheels that suites install: ``basket`` in two versions, and ``trolley``, which has a program."""
    once(place / "wheels", _make_wheels)


def _make_wheels(wheels: Path) -> None:
    wheels.mkdir()
    for version in ("1.0", "2.0"):
        files = {
            "basket/__init__.py": f"VERSION = {version!r}\n".encode(),
            "basket/deep/__init__.py": b"",
            "basket/deep/data.txt": b"data\n",
        }
        make_wheel(wheels, "basket", version, files)
    program = b"def main():\n    import sys\n    print(sys.prefix)\n"
    points = "[console_scripts]\ntrolley = trolley:main\n"
    make_wheel(wheels, "trolley", "1.0", {"trolley.py": program}, entry_points=points)


@dataclass(frozen=True, slots=True)
class Suite:
    """A test suite in pytester's directory.

    Args:
        pytester: pytest's own means to run pytest.
        temporary: the directory for temporary files of the runs.
        python: the interpreter that runs pytest.
    """

    pytester: pytest.Pytester
    temporary: Path
    python: str

    @property
    def root(self) -> Path:
        return self.pytester.path

    def write(self, tests: str, *, name: str = "test_suite.py") -> None:
        """Write tests, and pytest's configuration if there is none."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(tests))
        ini = self.root / "pytest.ini"
        if not ini.exists():
            ini.write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")

    def add_project(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
        """Make the suite's directory a project; return what tells how often it has been built."""
        (self.root / "pyproject.toml").write_text(_PYPROJECT)
        (self.root / "backend.py").write_text(backend_text(_BACKEND))
        (self.root / "shopping.py").write_text("def main():\n    print('shopping')\n")
        builds = self.temporary.parent / "builds"
        builds.touch()
        monkeypatch.setenv("BUILDS", str(builds))
        return lambda: len(builds.read_text().splitlines())

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run pytest in this process."""
        return self.pytester.runpytest_inprocess(*arguments)

    def run_apart(self, *arguments: str) -> pytest.RunResult:
        """Run pytest in a process of its own; unlike pytester's, its output is no file that grows in the project."""
        started = time.perf_counter()
        command = [self.python, "-m", "pytest", *arguments]
        done = subprocess.run(
            command, cwd=self.root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        print(done.stdout, done.stderr)
        seconds = time.perf_counter() - started
        return pytest.RunResult(done.returncode, done.stdout.splitlines(), done.stderr.splitlines(), seconds)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start pytest, as the first process of a group of its own."""
        return subprocess.Popen(
            [self.python, "-m", "pytest", *arguments],
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def leftovers(self) -> list[str]:
        """Return the directories and files that runs have left where environments are made, but for its lock."""
        base = self.temporary / f"linkenv-{os.getuid()}"
        return sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.name != ".lock")

    def environments(self) -> list[Path]:
        """Return the environments that exist where they are made."""
        return sorted(path.parent for path in self.temporary.glob("linkenv-*/*/*/*/pyvenv.cfg"))


def wait_for(condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
    """Wait until *condition* holds; fail where it does not within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
