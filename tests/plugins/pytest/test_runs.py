"""Whole runs: with workers, interrupted, killed, with options; and what they leave on the disk."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from tests.plugins.pytest.tool import wait_for
from tests.support.suites import usually

if TYPE_CHECKING:
    from tests.plugins.pytest.tool import Suite

MANY = """
    import pytest

    @pytest.mark.parametrize("number", range(8))
    def test_it(linked_venv, number):
        linked_venv.install(".")
        assert linked_venv.run("shopping").stdout == "shopping\\n"
        assert str(linked_venv.get_version("basket")) == "2.0"
"""


_WORKERS: Final[tuple[list[str], ...]] = ([], ["-n", "2"])


@pytest.mark.parametrize("workers", usually(_WORKERS, ["-n", "2"]), ids=["alone", "xdist"])
def test_project_is_built_once(suite: Suite, monkeypatch: pytest.MonkeyPatch, workers: list[str]) -> None:
    builds = suite.add_project(monkeypatch)
    suite.write(MANY + "        __import__('pathlib').Path('written-by-a-test').write_text(str(number))\n")
    result = suite.run_apart("-q", *workers)
    result.assert_outcomes(passed=8)
    assert builds() == 1
    assert suite.leftovers() == []
    (suite.root / "shopping.py").write_text("def main():\n    print('shopping')\n\n# changed\n")
    suite.run_apart("-q", *workers).assert_outcomes(passed=8)
    assert builds() == 2, "the next run sees what has changed"


def test_project_that_changes_while_it_is_built(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run builds it once all the same; what came of it serves no other run."""
    builds = suite.add_project(monkeypatch)
    backend = suite.root / "backend.py"
    written = suite.root / "written-by-a-build"
    text = backend.read_text()
    changed = text.replace('open("shopping.py") as', 'open("written-by-a-build", "a") as log, open("shopping.py") as')
    backend.write_text(changed.replace("return write_wheel(", "log.write('x')\n        return write_wheel(", 1))
    suite.write(MANY)
    for expected in (1, 2):
        suite.run_apart("-q").assert_outcomes(passed=8)
        assert builds() == expected
        assert written.read_text() == "x"
        written.unlink()


def test_editable_project(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.add_project(monkeypatch)
    suite.write("""
        def test_it(linked_venv):
            linked_venv.install(".", editable=True)
            ask = ("python", "-c", "import shopping; print(shopping.__file__)")
            assert "site-packages" not in linked_venv.run(*ask, cwd=linked_venv.path).stdout
    """)
    suite.run("-q").assert_outcomes(passed=1)


def test_other_projects_are_built_when_they_change(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = suite.add_project(monkeypatch)
    suite.write("""
        import pathlib, shutil

        def test_it(linked_venv, tmp_path, pytestconfig):
            for name in ("pyproject.toml", "backend.py", "shopping.py"):
                shutil.copy(pytestconfig.rootpath / name, tmp_path)
            for word in ("one", "two"):
                (tmp_path / "shopping.py").write_text(f"def main():\\n    print('{word}')\\n")
                env = linked_venv([tmp_path])
                assert env.run("shopping").stdout.strip() == word
    """)
    suite.run("-q").assert_outcomes(passed=1)
    assert builds() == 2


FAILING = """
    import pytest

    @pytest.mark.linked_venv(["basket"])
    def test_failing(linked_venv):
        linked_venv.run("python", "-c", "raise SystemExit(1)")

    @pytest.mark.linked_venv(["basket"])
    def test_passing(linked_venv):
        linked_venv.path

    @pytest.fixture
    def broken(linked_venv):
        linked_venv.path
        raise RuntimeError

    def test_broken(broken):
        pass
"""


_OPTIONS = [[], ["-x"], ["-n", "2"], ["-p", "no:cacheprovider"]]


@pytest.mark.parametrize("options", usually(_OPTIONS, ["-x"], ["-n", "2"]), ids=str)
def test_failures_leave_nothing(suite: Suite, options: list[str]) -> None:
    suite.write(FAILING)
    result = suite.run_apart(*options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert suite.leftovers() == []


@pytest.mark.parametrize("workers", usually(_WORKERS, ["-n", "2"]), ids=["alone", "xdist"])
def test_keeping(suite: Suite, workers: list[str]) -> None:
    suite.write(FAILING)
    result = suite.run_apart("--linkenv-keep", *workers)
    result.assert_outcomes(failed=1, passed=1, errors=1)
    kept = suite.environments()
    assert [re.sub(r"_\d+$", "", path.name) for path in kept] == ["test_broken", "test_failing"] or {
        re.sub(r"_\d+$", "", path.name) for path in kept
    } == {"test_broken", "test_failing"}
    result.stdout.fnmatch_lines(
        ["*kept environments*", f"*::test_failing: {next(p for p in kept if 'fail' in p.name)}"]
    )
    failing = next(path for path in kept if "test_failing" in path.name)
    done = subprocess.run([failing / "bin" / "python", "-c", "import basket"], check=False)
    assert done.returncode == 0
    for _ in range(3):
        suite.run_apart("--linkenv-keep", "-k", "failing")
    assert len(suite.environments()) == 3, "those of the latest three runs are kept"
    assert failing not in suite.environments()


WAITING = """
    import os, pathlib, time
    import pytest

    @pytest.mark.parametrize("number", range(2))
    @pytest.mark.linked_venv(["basket"])
    def test_it(linked_venv, linked_venv_factory, number):
        linked_venv_factory()
        linked_venv.install("trolley")
        pathlib.Path(f"{os.environ['TMPDIR']}/ready-{os.getpid()}").touch()
        time.sleep(60)
"""


def _ready(suite: Suite) -> list[int]:
    return [int(path.name.partition("-")[2]) for path in suite.temporary.glob("ready-*")]


@pytest.mark.parametrize("workers", usually(_WORKERS, []), ids=["alone", "xdist"])
def test_interrupt_leaves_nothing(suite: Suite, workers: list[str]) -> None:
    suite.write(WAITING)
    process = suite.start(*workers)
    wait_for(lambda: len(_ready(suite)) == (2 if workers else 1))
    assert suite.environments()
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output.decode()
    assert suite.leftovers() == []


def test_killed_worker_leaves_nothing(suite: Suite) -> None:
    suite.write(WAITING)
    process = suite.start("-n", "2", "--max-worker-restart", "0")
    wait_for(lambda: len(_ready(suite)) == 2)
    for worker in _ready(suite):
        os.kill(worker, signal.SIGKILL)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == pytest.ExitCode.TESTS_FAILED, output.decode()
    assert b"crashed" in output
    assert suite.leftovers() == []


@pytest.mark.parametrize("workers", usually(_WORKERS, ["-n", "2"]), ids=["alone", "xdist"])
def test_what_a_killed_run_has_left_goes_with_the_next(suite: Suite, workers: list[str]) -> None:
    suite.write(WAITING)
    suite.write("def test_next(linked_venv):\n    linked_venv.path\n", name="test_next.py")
    process = suite.start("test_suite.py", *workers)
    other = suite.start("test_suite.py")
    wait_for(lambda: len(_ready(suite)) == (3 if workers else 2))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=300)
    made = suite.environments()
    assert len(made) >= 4
    suite.run_apart("test_next.py").assert_outcomes(passed=1)
    left = suite.environments()
    assert left, "the other run lives, and keeps what it has"
    assert len(left) == 2
    os.killpg(other.pid, signal.SIGINT)
    other.communicate(timeout=300)
    assert suite.leftovers() == []


def test_children_and_read_only_files_are_no_obstacle(suite: Suite) -> None:
    suite.write("""
        import os, pathlib, subprocess
        import pytest

        CODE = "import time\\nwhile True:\\n    open('written.txt', 'a').close()\\n    time.sleep(0.01)"

        @pytest.mark.parametrize("number", range(3))
        @pytest.mark.linked_venv(["basket"])
        def test_it(linked_venv, number):
            package = linked_venv.site_packages / "basket"
            assert {path.name for path in package.iterdir()} - {"__pycache__"} == {"__init__.py", "deep"}
            child = subprocess.Popen([linked_venv.python, "-c", CODE], cwd=package)
            with open(f"{os.environ['TMPDIR']}/children", "a") as stream:
                stream.write(f"{child.pid}\\n")
            (linked_venv.path / "mine").mkdir()
            (linked_venv.path / "mine" / "file").touch(mode=0o400)
            (linked_venv.path / "mine").chmod(0o500)
            linked_venv.path.chmod(0o500)
            child.returncode = 0  # so that nobody warns of it
    """)
    result = suite.run_apart("-q")
    children = [int(line) for line in (suite.temporary / "children").read_text().split()]
    try:
        result.assert_outcomes(passed=3)
        assert len(children) == 3
        assert suite.leftovers() == []
    finally:
        for child in children:
            with contextlib.suppress(ProcessLookupError):  # its directory has gone
                os.kill(child, signal.SIGKILL)


def test_offline(suite: Suite) -> None:
    suite.write("""
        def test_known(linked_venv):
            linked_venv.install("basket==1.0")

        def test_unknown(linked_venv, request):
            linked_venv.install("basket!=1.0", "trolley!=3.0")
    """)
    suite.run("-q", "-k", "known and not unknown").assert_outcomes(passed=1)
    result = suite.run("-q", "--linkenv-offline")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*OfflineError: Offline, and no resolution of this request is remembered*"])


@pytest.mark.parametrize("workers", usually(_WORKERS, []), ids=["alone", "xdist"])
def test_report(suite: Suite, monkeypatch: pytest.MonkeyPatch, workers: list[str]) -> None:
    suite.add_project(monkeypatch)
    suite.write(MANY)
    result = suite.run_apart("--linkenv-report", *workers)
    result.assert_outcomes(passed=8)
    result.stdout.re_match_lines_random(
        [r"linkenv: \d.*python as pytest runs on", r"create +8 .* ms", r"install +8 ", r"run +8 ", r"remove +8 "]
    )


def test_header(suite: Suite) -> None:
    suite.write("def test_nothing():\n    pass\n")
    (suite.root / "pytest.ini").write_text("[pytest]\nlinkenv_offline = true\nlinkenv_python = 3.11 3.12\n")
    result = suite.run("--linkenv-keep", "--linkenv-report")
    result.stdout.fnmatch_lines(
        ["linkenv: *, python 3.11, 3.12, offline, keeping the environments of failed tests", "none were made"]
    )
    assert suite.leftovers() == []


def test_nothing_is_imported_for_those_who_do_not_use_it(suite: Suite) -> None:
    suite.write("""
        import sys

        def test_it():
            assert {name for name in sys.modules if name.startswith("nox_linkenv")} <= {
                "nox_linkenv", "nox_linkenv._hook", "nox_linkenv.plugins", "nox_linkenv.plugins.pytest",
                "nox_linkenv.plugins.pytest.options",
            }
            assert "nox_linkenv.plugins.pytest" in sys.modules
            assert not {"filelock", "virtualenv", "packaging.requirements"} & set(sys.modules)
    """)
    suite.run_apart("-q", "-p", "no:xdist").assert_outcomes(passed=1)


_PLUGINS: Final = ("cacheprovider", "tmpdir", "terminal", "capture", "xdist", "logging", "junitxml")


@pytest.mark.parametrize("plugin", usually(_PLUGINS, "cacheprovider", "tmpdir", "terminal", "capture"))
def test_without_other_plugins(suite: Suite, plugin: str) -> None:
    suite.write("""
        def test_it(linked_venv, linked_python, linked_venv_factory):
            linked_venv.run("python", "-V")
            linked_venv_factory(["basket"])
    """)
    result = suite.run_apart("-p", f"no:{plugin}")
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert suite.leftovers() == []


def test_disabled(suite: Suite) -> None:
    suite.write("def test_it(linked_venv):\n    pass\n")
    (suite.root / "pytest.ini").write_text("[pytest]\n")
    result = suite.run_apart("-p", "no:linkenv")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'linked_venv' not found*"])


def test_pyargs(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.write("def test_it(linked_venv):\n    linked_venv.install('basket')\n", name="installed/test_there.py")
    suite.write("", name="installed/__init__.py")
    monkeypatch.setenv("PYTHONPATH", str(suite.root))
    suite.run_apart("--pyargs", "installed", "-n", "2").assert_outcomes(passed=1)
    assert suite.leftovers() == []


def test_directory(suite: Suite) -> None:
    suite.write("""
        def test_it(linked_venv, pytestconfig):
            assert linked_venv.path.is_relative_to(pytestconfig.rootpath / "some where")
            linked_venv.install("trolley")
            assert linked_venv.run("trolley").stdout.strip() == str(linked_venv.path)
    """)
    (suite.root / "pytest.ini").write_text("[pytest]\nlinkenv_directory = some where\n")
    suite.run("-q").assert_outcomes(passed=1)
    assert [path.name for path in (suite.root / "some where").iterdir()] == [".lock"]


def test_wrong_settings(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.write("def test_it(linked_venv):\n    pass\n")
    monkeypatch.setenv("LINKENV_LINK_MODE", "teleport")
    result = suite.run("-q")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*SettingsError: LINKENV_LINK_MODE cannot set link_mode to 'teleport'*"])
