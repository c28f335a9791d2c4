"""Options, variables and constraints that decide how a project is built: what comes of it is what pip makes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.resolve.request import Outcome
from tests.parity.compare import tree_differences
from tests.projects.tool import Bench, PipFailedError
from tests.support.backend import backend_text
from tests.support.environment import clean_environment
from tests.support.interpreters import TARGET
from tests.support.seeds import sow
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

#: A backend that writes into what it builds which version of it was at work, and with which settings.
_BACKEND: Final = """

    import time

    def prepare_metadata_for_build_wheel(directory, config_settings=None):
        return write_info(directory, "demo", "1.0")

    def build_wheel(directory, config_settings=None, metadata_directory=None):
        if "TINY_LOG" in os.environ:
            with open(os.environ["TINY_LOG"], "a") as stream:
                print("built", file=stream)
            time.sleep(2)
        files = {"demo.py": f"BACKEND = VERSION\\nSETTINGS = {config_settings!r}\\n"}
        return write_wheel(directory, "demo", "1.0", files)
"""
_PYPROJECT: Final = '[build-system]\nrequires = ["tinybackend"]\nbuild-backend = "tinybackend"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for version in ("1.0", "2.0"):
        text = backend_text(_BACKEND).replace("BACKEND = VERSION", f"BACKEND = {version!r}")
        make_wheel(wheels, "tinybackend", version, {"tinybackend.py": text.encode()})
    make_wheel(wheels, "other", "1.0", {"other.py": b""})
    (tmp_path / "constraints.txt").write_text("tinybackend==1.0\n")
    (tmp_path / "pip.conf").write_text(f"[global]\nconstraint = {tmp_path}/constraints.txt\n")
    path = tmp_path / "project"
    path.mkdir()
    (path / "pyproject.toml").write_text(_PYPROJECT)
    return path


@pytest.fixture
def bench(tmp_path: Path, bench: Bench, template: Callable[[str], Path]) -> Bench:
    """A store of its own: nothing here is fetched."""
    sow(template(TARGET), tmp_path / "store")
    return Bench(tmp_path, bench.interpreter)


def _variables(bench: Bench, more: Mapping[str, str]) -> dict[str, str]:
    here = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(bench.root / "wheels")}
    return {**here, **{name: value.format(root=bench.root) for name, value in more.items()}}


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        pytest.param([], {}, id="nothing", marks=pytest.mark.slow),
        pytest.param([], {"PIP_CONSTRAINT": "{root}/constraints.txt"}, id="PIP_CONSTRAINT", marks=pytest.mark.slow),
        pytest.param([], {"PIP_CONFIG_FILE": "{root}/pip.conf"}, id="constraint in pip.conf"),
        pytest.param(["-c", "../constraints.txt"], {}, id="-c", marks=pytest.mark.slow),
        pytest.param(["--build-constraint", "../constraints.txt"], {}, id="--build-constraint", marks=pytest.mark.slow),
        pytest.param(
            [], {"PIP_BUILD_CONSTRAINT": "{root}/constraints.txt"}, id="PIP_BUILD_CONSTRAINT", marks=pytest.mark.slow
        ),
        pytest.param(["-C", "a=1"], {}, id="-C"),
        pytest.param(
            ["--config-settings=a=1", "--config-settings", "a=2", "-C", "b="], {}, id="-C twice", marks=pytest.mark.slow
        ),
        pytest.param(["other", "--only-binary", ":all:"], {}, id="--only-binary", marks=pytest.mark.slow),
        pytest.param(["other", "--no-binary", "demo"], {}, id="--no-binary", marks=pytest.mark.slow),
        pytest.param(["other", "--no-binary", ":all:"], {}, id="--no-binary all", marks=pytest.mark.slow),
        pytest.param([], {"PIP_ONLY_BINARY": ":all:"}, id="PIP_ONLY_BINARY", marks=pytest.mark.slow),
        pytest.param([], {"PIP_CONFIG_SETTINGS": "a=1"}, id="PIP_CONFIG_SETTINGS", marks=pytest.mark.slow),
        pytest.param(["--no-build-isolation"], {}, id="--no-build-isolation"),
        pytest.param([], {"PIP_NO_BUILD_ISOLATION": "0"}, id="PIP_NO_BUILD_ISOLATION", marks=pytest.mark.slow),
    ],
)
def test_as_pip(project: Path, bench: Bench, arguments: list[str], variables: dict[str, str]) -> None:
    environ = _variables(bench, variables)

    def outcome(install: object) -> object:
        try:
            made = install(project, ".", *arguments, environ=environ)  # type: ignore[operator]
        except PipFailedError as error:
            return sorted({line for line in str(error).splitlines() if line.lower().startswith("error:")})
        assert made is None or isinstance(made, Outcome)
        return bench.tree()

    by_pip = outcome(bench.by_pip)
    for _ in range(2):
        linked = outcome(bench.install)
        if isinstance(by_pip, list):
            assert by_pip
            assert linked == by_pip
        else:
            assert tree_differences(by_pip, linked) == []  # type: ignore[arg-type]


def test_settings_and_constraints_reach_the_build(project: Path, bench: Bench) -> None:
    """What the comparison above rests on: the same request with other ones gives another build, and is built once."""
    environ = _variables(bench, {})
    (bench.root / "constraints.txt").write_text("tinybackend==1.0\n")
    asked = []
    for arguments in (["."], [".", "-C", "a=1"], [".", "-C", "a=2"], [".", "-C", "a=1"]):
        bench.install(project, *arguments, environ=environ)
        asked.append(bench.calls[:1])
        bench.calls.clear()
        text = next(bench.prefix.rglob("site-packages/demo.py")).read_text()
        wanted = {"a": arguments[2][2:]} if len(arguments) > 1 else None
        assert f"SETTINGS = {wanted!r}\n" in text
        assert "BACKEND = '2.0'" in text
    assert asked == [["fetch"], ["fetch"], ["fetch"], []]


def test_a_constraint_in_a_configuration_file_keeps_it_warm(project: Path, bench: Bench) -> None:
    (bench.root / "constraints.txt").write_text("tinybackend==1.0\nother==1.0\n")
    environ = _variables(bench, {"PIP_CONFIG_FILE": "{root}/pip.conf"})
    for calls in (["fetch"], []):
        bench.install(project, ".", "other", environ=environ)
        assert bench.calls[:1] == calls
        bench.calls.clear()
    (bench.root / "constraints.txt").write_text("other==2.0\n")
    with pytest.raises(PipFailedError, match=r"other==2\.0"):
        bench.install(project, ".", "other", environ=environ)


def test_without_isolation_the_environment_is_that_of_the_session(project: Path, bench: Bench) -> None:
    """What is installed there decides, also where it has been edited; where it is the same, nothing is built."""
    environ = _variables(bench, {})

    def built(backend: str, *, edited: bool = False) -> str:
        bench.install(project, backend, environ=environ)
        if edited:
            module = next(bench.prefix.rglob("site-packages/tinybackend.py"))
            text = module.read_text().replace("BACKEND = '2.0'", "BACKEND = 'edited'")
            module.unlink()
            module.write_text(text)
        bench.calls.clear()
        message = bench.install(project, ".", "--no-build-isolation", environ=environ, fresh=False).message
        text = next(bench.prefix.rglob("site-packages/demo.py")).read_text()
        expected = "edited" if edited else backend[-3:]
        assert f"BACKEND = {expected!r}" in text
        return message

    for backend in ("tinybackend==1.0", "tinybackend==2.0"):
        assert "reused" not in built(backend)
        linked = bench.tree()
        bench.by_pip(project, backend, environ=environ)
        bench.by_pip(project, ".", "--no-build-isolation", environ=environ, fresh=False)
        assert tree_differences(bench.tree(), linked) == []
    for backend in ("tinybackend==1.0", "tinybackend==2.0"):
        assert "reused the resolution" in built(backend)
        assert bench.calls == []
    assert "built project" in built("tinybackend==2.0", edited=True)
    (project / "new.txt").touch()
    assert "reused the build" in built("tinybackend==2.0")


@pytest.mark.slow
def test_two_that_want_the_same_build_wait_for_one(project: Path, bench: Bench) -> None:
    log = bench.root / "log"
    environ = _variables(bench, {"TINY_LOG": str(log)})
    bench.install(project, "other", environ=environ)  # the store is warm: both reach the build at the same time
    script = f"""
        import sys
        from pathlib import Path
        from tests.projects.tool import Bench
        bench = Bench(Path({str(bench.root)!r}), Path({str(bench.interpreter)!r}), name=sys.argv[1])
        bench.install(Path({str(project)!r}), ".", environ={environ!r})
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), name],
            env={**clean_environment(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for name in ("one", "two", "three")
    ]
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output.decode()
    assert log.read_text() == "built\n"
    for name in ("one", "two", "three"):
        assert len(list((bench.root / name).rglob("site-packages/demo.py"))) == 1


@pytest.mark.slow
def test_a_build_whose_process_is_killed_leaves_nothing(project: Path, bench: Bench) -> None:
    """Only ours is killed: the backend goes on for a while, and nobody takes what it makes."""
    log = bench.root / "log"
    environ = _variables(bench, {"TINY_LOG": str(log)})
    bench.install(project, "other", environ=environ)
    script = f"""
        from pathlib import Path
        from tests.projects.tool import Bench
        Bench(Path({str(bench.root)!r}), Path({str(bench.interpreter)!r})).install(
            Path({str(project)!r}), ".", environ={environ!r}
        )
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**clean_environment(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not log.exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert _kept(bench) == []
    assert not list(bench.prefix.rglob("demo*"))
    bench.calls.clear()
    log.unlink()
    bench.install(project, ".", environ=environ)  # waits for no one, and finds nothing half-made
    assert log.read_text() == "built\n"
    assert next(bench.prefix.rglob("site-packages/demo.py")).is_file()
    assert len(_kept(bench)) == 1


def _kept(bench: Bench) -> list[Path]:
    """Return the wheels and half-made files of builds in the store."""
    store = bench.root / "store" / "v2"
    return [*store.glob("projects/wheels/*/*.whl"), *(store / "staging").iterdir()]
