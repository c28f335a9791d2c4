"""When builds and answers are used again, and when not; what happens when a build fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.errors import OfflineError
from tests.projects.tool import Bench, PipFailedError
from tests.support.backend import IN_TREE, backend_text

if TYPE_CHECKING:
    from pathlib import Path

#: A backend in the project itself, which needs nothing from anywhere; it notes each of its builds outside.
_BACKEND = """

    def build_wheel(directory, config_settings=None, metadata_directory=None):
        {hook}
        with open({log!r}, "a") as stream:
            print("wheel", config_settings or "", file=stream)
        with open("demo.py") as stream:
            return write_wheel(directory, "demo", "{version}", {{"demo.py": stream.read()}})

    def build_editable(directory, config_settings=None, metadata_directory=None):
        with open({log!r}, "a") as stream:
            print("editable", file=stream)
        return write_wheel(directory, "demo", "{version}", {{"demo.pth": os.getcwd() + "\\n"}})
"""


class _Project:
    """A project with a backend of its own."""

    def __init__(self, base: Path) -> None:
        self.path = base / "project"
        self.path.mkdir()
        self.log = base / "log"
        self.set()
        (self.path / "pyproject.toml").write_text(IN_TREE)
        (self.path / "demo.py").write_text("one = 1\n")

    def set(self, version: str = "1.0", hook: str = "pass") -> None:
        hooks = _BACKEND.format(version=version, hook=hook, log=str(self.log))
        (self.path / "backend.py").write_text(backend_text(hooks))

    @property
    def builds(self) -> int:
        """How many builds there were since this was last asked."""
        try:
            return len(self.log.read_text().splitlines())
        except FileNotFoundError:
            return 0
        finally:
            self.log.unlink(missing_ok=True)


@pytest.fixture
def project(tmp_path: Path) -> _Project:
    return _Project(tmp_path)


@pytest.fixture
def bench(tmp_path: Path, bench: Bench) -> Bench:
    """A store of its own: nothing here is fetched."""
    return Bench(tmp_path, bench.interpreter)


def _asked(bench: Bench) -> int:
    count = len(bench.calls)
    bench.calls.clear()
    return count


def test_levels(project: _Project, bench: Bench) -> None:
    bench.install(project.path, ".")
    assert (_asked(bench), project.builds > 0) == (1, True)
    bench.install(project.path, ".")
    assert (_asked(bench), project.builds) == (0, 0)
    (project.path / "demo.py").write_text("two = 2\n")
    bench.install(project.path, ".")
    assert (_asked(bench), project.builds) == (0, 1)
    assert bench.run("python", "-c", "import demo; print(demo.two)") == "2\n"
    (project.path / "demo.py").write_text("one = 1\n")  # as it was before
    bench.install(project.path, ".")
    assert (_asked(bench), project.builds) == (0, 0)
    assert bench.run("python", "-c", "import demo; print(demo.one)") == "1\n"
    project.set(version="2.0")
    bench.install(project.path, ".")
    assert _asked(bench) == 1
    assert "Version: 2.0" in bench.run("python", "-m", "pip", "show", "demo")
    bench.now = 3600  # too old: pip is asked, but nothing has changed for the build
    bench.install(project.path, ".", "--no-deps")
    assert _asked(bench) == 1


def test_an_old_answer_is_renewed_and_the_build_is_kept(project: _Project, bench: Bench) -> None:
    bench.install(project.path, "-e", ".")
    assert (_asked(bench), project.builds) == (1, 1)
    bench.now = 3600
    outcome = bench.install(project.path, "-e", ".")
    assert (_asked(bench), project.builds) == (0, 0)
    assert "renewed" in outcome.message


def test_an_answer_is_said_to_be_too_old_although_the_project_changed_as_well(project: _Project, bench: Bench) -> None:
    (project.path / "wanted.txt").write_text(".\n")  # pip builds what such a file names
    bench.install(project.path, "-r", "wanted.txt")
    (project.path / "demo.py").write_text("two = 2\n")
    bench.now = 3600
    outcome = bench.install(project.path, "-r", "wanted.txt")
    assert outcome.message.startswith("asked pip: the resolution is too old, and pip ran python")


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [(["."], {"CFLAGS": "-O0"}), ([".", "-C", "a=b"], {}), (["-e", "."], {}), (["."], {"DEMO_X": "1"})],
)
def test_what_decides_about_a_build_counts(
    project: _Project, bench: Bench, arguments: list[str], environ: dict[str, str]
) -> None:
    project.set(hook='os.environ.get("CFLAGS"), os.environ.get("DEMO_X")')
    bench.install(project.path, ".")
    _asked(bench)
    assert project.builds > 0
    bench.install(project.path, *arguments, environ=environ)
    assert project.builds > 0
    bench.install(project.path, *arguments, environ={**environ, "DEMO_Y": "1"})
    assert project.builds == 0


def test_a_tree_that_changes_while_it_is_built_is_not_remembered(project: _Project, bench: Bench) -> None:
    project.set(hook='open("demo.py", "a").write("# again\\n")')
    for _ in range(2):
        bench.install(project.path, ".")
        assert _asked(bench) == 1
        assert project.builds > 0


def test_an_edit_in_an_editable_is_seen_at_once(project: _Project, bench: Bench) -> None:
    bench.install(project.path, "-e", ".")
    (project.path / "demo.py").write_text("three = 3\n")
    assert bench.run("python", "-c", "import demo; print(demo.three)") == "3\n"


def test_a_damaged_object_of_a_built_wheel_is_put_right(project: _Project, bench: Bench) -> None:
    bench.install(project.path, ".")
    installed = next(bench.prefix.rglob("site-packages/demo.py"))
    for path in (bench.root / "store" / "v2" / "objects").rglob("*"):
        if path.is_file() and path.samefile(installed):
            path.unlink()
    outcome = bench.install(project.path, ".")
    assert outcome.warnings
    assert next(bench.prefix.rglob("site-packages/demo.py")).read_text() == "one = 1\n"


def test_offline(project: _Project, bench: Bench) -> None:
    bench.install(project.path, ".")
    offline = Bench(bench.root, bench.interpreter, {"offline": True}, now=10**6)
    offline.install(project.path, ".")
    (project.path / "demo.py").write_text("two = 2\n")
    offline.install(project.path, ".")
    assert offline.run("python", "-c", "import demo; print(demo.two)") == "2\n"
    project.set(version="2.0")
    with pytest.raises(OfflineError):
        offline.install(project.path, ".")
    assert offline.calls == []


def test_reuse_can_be_turned_off(project: _Project, bench: Bench) -> None:
    plain = Bench(bench.root, bench.interpreter, {"reuse_builds": False})
    for _ in range(2):
        told = plain.install(project.path, ".")
        assert told.message == "asked pip: reuse-builds is off, and a local project is among the requirements"
        assert project.builds > 0
        assert _asked(plain) > 0


@pytest.mark.parametrize("option", [["--check-build-dependencies"], ["--build-constraint", "none.txt"]])
def test_options_that_are_not_modelled_go_to_pip(project: _Project, bench: Bench, option: list[str]) -> None:
    (project.path / "none.txt").touch()
    for _ in range(2):
        bench.install(project.path, ".", *option)
        assert _asked(bench) > 0


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("pyproject.toml", "[build-system\n", "toml"),
        ("pyproject.toml", "[build-system]\nbuild-backend = 'backend'\n", "build-system"),
        ("pyproject.toml", "[build-system]\nrequires = ['linkenv-no-such-thing']\n", "linkenv-no-such-thing"),
        ("pyproject.toml", "[build-system]\nrequires = []\nbuild-backend = 'nowhere'\n", "nowhere"),
        ("backend.py", "def build_wheel(*a, **k):\n    raise SystemExit('on purpose')\n", "on purpose"),
        ("pyproject.toml", None, "installable"),
    ],
)
def test_bad_projects(project: _Project, bench: Bench, name: str, content: str | None, words: str) -> None:
    if content is None:
        (project.path / name).unlink()
    else:
        (project.path / name).write_text(content)
    with pytest.raises(PipFailedError) as raised:
        bench.install(project.path, ".", "--no-index")
    assert words in str(raised.value)
    assert not list(bench.prefix.rglob("demo*"))
    assert _leavings(bench) == []


def test_a_project_that_breaks_after_it_was_built(project: _Project, bench: Bench) -> None:
    """Pip has the last word: its output is shown, and what fails is its command."""
    bench.install(project.path, ".")
    _asked(bench)
    project.set(hook="raise SystemExit('on purpose')")
    with pytest.raises(PipFailedError, match="on purpose"):
        bench.install(project.path, ".")
    assert not list(bench.prefix.rglob("demo*"))
    project.set()
    bench.install(project.path, ".")


def test_an_extra_that_does_not_exist(project: _Project, bench: Bench) -> None:
    assert bench.install(project.path, ".[nothing]").installed == (("demo", "1.0"),)


def test_a_killed_build_leaves_nothing(project: _Project, bench: Bench) -> None:
    bench.install(project.path, ".")
    _asked(bench)
    project.set(hook="open('started', 'w').close(); import time; time.sleep(60)")
    script = f"""
        import sys
        from pathlib import Path
        from tests.projects.tool import Bench
        Bench(Path({str(bench.root)!r}), Path({str(bench.interpreter)!r})).install(Path({str(project.path)!r}), ".")
    """
    scratch = bench.root / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started = project.path / "started"
    while not started.exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, 9)
    process.wait()
    started.unlink()
    shutil.rmtree(scratch)
    assert _leavings(bench) == []
    project.set()
    bench.install(project.path, ".")
    assert _asked(bench) == 0


def _leavings(bench: Bench) -> list[Path]:
    return list((bench.root / "store" / "v2" / "staging").iterdir())


_SEEKER = """
from pathlib import Path

def seek(path: Path) -> list:
    for candidate in path.iterdir() if path.is_dir() else []:
        if candidate.is_dir() and candidate.name.endswith(".egg-info"):
            return [candidate.name]
    return []
"""


def test_what_is_beside_a_project_counts_where_it_is_looked_for(project: _Project, bench: Bench) -> None:
    """As setuptools-scm goes through all directories above a project, in which anything may come and go."""
    package = project.path / "setuptools_scm" / "_integration"
    package.mkdir(parents=True)
    (package / "_discover.py").write_text(_SEEKER)
    imported = "from pathlib import Path; from setuptools_scm._integration._discover import seek"
    project.set(hook=f"{imported}; place = Path.cwd().parent; print(seek(place))")
    bench.install(project.path, ".")
    assert project.builds > 0
    beside = project.path.parent
    (beside / "directory").mkdir()
    (beside / "file.txt").write_text("x")
    bench.install(project.path, ".")
    assert project.builds == 0
    (beside / "demo.egg-info").mkdir()
    bench.install(project.path, ".")
    assert project.builds > 0
    project.set(hook="print(os.listdir('..'))")
    bench.install(project.path, ".")
    assert project.builds > 0
    (beside / "another").mkdir()
    bench.install(project.path, ".")
    assert project.builds > 0
