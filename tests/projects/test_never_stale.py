"""Nothing that was built is used again where a build would read something else now; and all is where it would not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.projects.readers import CASES, Case, World
from tests.projects.tool import Bench, git
from tests.support.environment import clean_environment
from tests.support.suites import usually
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: How pip comes to what it builds -> what is tried with it in the usual suite.
#: How what is no directory is named: by its path it is built here, else by pip.
_WAYS = ("path", "url", "find-links", "commit")
_USUAL = {
    ("path", "variable"),
    ("path", "program"),
    ("path", "file that is there"),
    ("url", "file"),
    ("find-links", "file"),
    ("find-links", "variable"),
    ("commit", "file"),
    ("commit", "program"),
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _value(bench: Bench, world: World, arguments: Sequence[str]) -> str:
    """Install, and return the value that the installed module has."""
    path = f"{world.programs}:{bench.prefix}/bin:{clean_environment()['PATH']}"
    path = f"{path}:{world.environ['PATH']}" if "PATH" in world.environ else path
    environ = {**world.environ, "PATH": path, "PIP_NO_INDEX": "1", "PIP_NO_CACHE_DIR": "1"}
    bench.calls.clear()
    bench.install(world.project, *arguments, environ=environ)
    return bench.run("python", "-c", "import demo; print(demo.VALUE)").strip()


def _try(bench: Bench, world: World, case: Case, arguments: Sequence[str]) -> None:
    case.one(world)
    assert _value(bench, world, arguments) == "one"
    assert world.builds > 0
    case.two(world)
    assert _value(bench, world, arguments) == "two"
    assert world.builds > 0
    assert _value(bench, world, arguments) == "two"
    if case.kept:
        assert (world.builds, bench.calls) == (0, [])  # unchanged: not even asked
    else:
        assert world.builds > 0  # nobody knows what it has read
    case.one(world)
    assert _value(bench, world, arguments) == "one"


#: Other calls for what is read in another case.
_OTHER_CALLS = {
    *("variable with getenv", "variable as bytes", "variable of a copy", "known program of a shell"),
    *("program of os.system", "file of pathlib", "file of os.open", "file above by pathlib", "file above by split"),
    *("file that is there by pathlib", "names by a pattern"),
}


@pytest.mark.parametrize("name", usually(CASES, *(name for name in CASES if name not in _OTHER_CALLS)))
def test_directories(bench: Bench, world: World, name: str) -> None:
    world.write(CASES[name])
    _try(bench, world, CASES[name], ["."])


@pytest.mark.parametrize(
    ("how", "name"),
    usually(
        (
            (how, name)
            for how in ("path", "url", "find-links", "commit")
            for name, case in CASES.items()
            if not case.inside
        ),
        *_USUAL,
    ),
)
def test_sdists_and_commits(bench: Bench, world: World, how: str, name: str) -> None:
    if "above" in name:
        pytest.skip("pip makes a directory for it elsewhere")
    world.write(CASES[name])
    if how == "commit":
        git(world.project, "init", "-q")
        git(world.project, "add", ".")
        git(world.project, "commit", "-q", "-m", "one")
        head = (world.project / ".git" / "HEAD").read_text().split()[1]
        commit = (world.project / ".git" / head).read_text().strip()
        arguments = [f"demo @ git+{world.project.as_uri()}@{commit}"]
    else:
        archive = world.sdist()
        arguments = ["demo", "--find-links", str(archive.parent)]
        if how in ("path", "url"):
            arguments = [str(archive) if how == "path" else f"demo @ {archive.as_uri()}"]
    _try(bench, world, CASES[name], arguments)


def test_what_a_backend_requires_by_its_place(bench: Bench, world: World) -> None:
    def plugin(value: str) -> Path:
        return make_wheel(world.outside, "acmeplug", "1.0", {"acmeplug.py": f"VALUE = {value!r}\n".encode()})

    world.write(Case("import acmeplug\nreturn acmeplug.VALUE", lambda _: plugin("one"), lambda _: plugin("two")))
    required = f"return ['acmeplug @ {plugin('one').as_uri()}']"
    with open(world.project / "backend.py", "a") as stream:
        stream.write(f"\ndef get_requires_for_build_wheel(config_settings=None):\n    {required}\n")
    assert _value(bench, world, ["."]) == "one"
    plugin("two")
    assert _value(bench, world, ["."]) == "two"


@pytest.mark.parametrize("how", ["directory", "sdist"])
def test_why_nothing_is_kept_is_said(bench: Bench, world: World, how: str) -> None:
    case = CASES["program"]
    world.write(case)
    case.one(world)
    environ = {**world.variables(f"{bench.prefix}/bin:{clean_environment()['PATH']}"), "PIP_NO_CACHE_DIR": "1"}
    arguments = "." if how == "directory" else str(world.sdist())
    outcome = bench.install(world.project, arguments, environ={**environ, "PIP_NO_INDEX": "1"})
    assert outcome.message.startswith("asked pip: what is read while it is built cannot be watched")
