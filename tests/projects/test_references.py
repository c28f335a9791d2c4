"""What metadata and indexes lead to on this disk, or to a place that moves: a change of it is never missed."""

from __future__ import annotations

import os
import shutil
import warnings
from typing import TYPE_CHECKING

import pytest

from tests.projects.tool import Bench, git, make_value_project
from tests.support.suites import usually
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_ENVIRON = {"PIP_NO_INDEX": "1", "PIP_NO_CACHE_DIR": "1"}


def _wheel(directory: Path, value: str, name: str = "bb") -> Path:
    """Write a wheel whose size and time do not depend on its content."""
    path = make_wheel(directory, name, "1.0", {f"{name}.py": f"VALUE = {value!r}\n".encode()}, method=0)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


def _value(bench: Bench, directory: Path, arguments: Sequence[str], name: str = "bb") -> str:
    bench.calls.clear()
    bench.install(directory, *arguments, environ=_ENVIRON)
    return bench.run("python", "-c", f"import {name}; print({name}.VALUE)").strip()


def _metadata(requirement: str, *, extra: bool) -> str:
    marker = ' ; extra == "more"' if extra else ""
    return f"{'Provides-Extra: more' + chr(10) if extra else ''}Requires-Dist: {requirement}{marker}\n"


def _moving(tmp_path: Path, what: str) -> tuple[str, Callable[[str], object]]:
    """Return a requirement that leads to something on this disk, and what gives it another value."""
    if what == "wheel":
        path = _wheel(tmp_path, "one")
        return f"bb @ {path.as_uri()}", lambda value: _wheel(tmp_path, value)
    project = make_value_project(tmp_path / "bb", "bb")
    if what == "directory":
        return f"bb @ {project.as_uri()}", (project / "VALUE").write_text
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "one")

    def commit(value: str) -> None:
        (project / "VALUE").write_text(value)
        git(project, "commit", "-q", "-a", "-m", "next")

    return f"bb @ git+{project.as_uri()}@main", commit


@pytest.mark.parametrize(
    ("how", "extra", "what"),
    usually(
        [
            (*how, what)
            for how in (("wheel", False), ("directory", False), ("editable", True), ("wheel", True))
            for what in ("wheel", "directory", "branch")
        ],
        ("wheel", False, "wheel"),
        ("wheel", False, "branch"),
        ("directory", False, "directory"),
        ("directory", False, "branch"),
        ("editable", True, "wheel"),
        ("editable", True, "directory"),
    ),
)
def test_metadata_that_name_something_here(bench: Bench, tmp_path: Path, how: str, extra: bool, what: str) -> None:
    requirement, change = _moving(tmp_path, what)
    more = _metadata(requirement, extra=extra)
    if how == "wheel":
        metadata = f"Metadata-Version: 2.1\nName: aa\nVersion: 1.0\n{more}".encode()
        named = str(make_wheel(tmp_path, "aa", "1.0", {"aa.py": b""}, metadata=metadata))
    else:
        named = str(make_value_project(tmp_path / "aa", "aa", more=more))
    arguments = [*(["-e"] if how == "editable" else []), f"{named}[more]" if extra else named]
    assert _value(bench, tmp_path, arguments) == "one"
    change("two")
    assert _value(bench, tmp_path, arguments) == "two"


@pytest.mark.parametrize("how", ["wheel", "directory"])
def test_that_a_branch_is_looked_up_each_time_is_said(bench: Bench, tmp_path: Path, how: str) -> None:
    project = make_value_project(tmp_path / "bb", "bb")
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "one")
    more = _metadata(f"bb @ git+{project.as_uri()}@main", extra=False)
    if how == "wheel":
        metadata = f"Metadata-Version: 2.1\nName: aa\nVersion: 1.0\n{more}".encode()
        named = make_wheel(tmp_path, "aa", "1.0", {"aa.py": b""}, metadata=metadata)
    else:
        named = make_value_project(tmp_path / "aa", "aa", more=more)
    bench.install(tmp_path, str(named), environ=_ENVIRON)
    message = bench.install(tmp_path, str(named), environ=_ENVIRON).message
    why = "the last answer was not kept, as bb comes from a branch or tag, which is looked up each time"
    assert message == f"asked pip: {why}"


def test_a_wheel_that_metadata_name_is_remembered_while_it_stays(bench: Bench, tmp_path: Path) -> None:
    more = _metadata(f"bb @ {_wheel(tmp_path, 'one').as_uri()}", extra=False)
    named = str(make_value_project(tmp_path / "aa", "aa", more=more))
    assert _value(bench, tmp_path, [named]) == "one"
    assert _value(bench, tmp_path, [named]) == "one"
    assert bench.calls == []


@pytest.mark.parametrize("how", ["index", "find-links", "page"])
def test_an_archive_that_is_replaced_under_its_name(bench: Bench, tmp_path: Path, how: str) -> None:
    place = tmp_path / "simple" / "bb"
    place.mkdir(parents=True)
    wheel = _wheel(place, "one")
    page = place / "index.html"
    if how != "find-links":
        page.write_text(f'<a href="{wheel.name}">{wheel.name}</a>\n')
    arguments = {
        "index": ["bb", "--index-url", (tmp_path / "simple").as_uri()],
        "find-links": ["bb", "--find-links", str(place)],
        "page": ["bb", "--find-links", str(page)],
    }[how]
    environ = {"PIP_NO_CACHE_DIR": "1"} if how == "index" else _ENVIRON

    def value() -> str:
        bench.calls.clear()
        bench.install(tmp_path, *arguments, environ=environ)
        return bench.run("python", "-c", "import bb; print(bb.VALUE)").strip()

    assert value() == "one"
    before = wheel.stat()
    with wheel.open("r+b") as stream:  # the very same file
        (tmp_path / "other").mkdir()
        stream.write(_wheel(tmp_path / "other", "two").read_bytes())
    os.utime(wheel, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (wheel.stat().st_size, wheel.stat().st_ino) == (before.st_size, before.st_ino)
    assert value() == "two"
    if how != "page":
        assert value() == "two"
        assert bench.calls == []


@pytest.mark.slow
@pytest.mark.parametrize("how", ["argument", "find-links", "metadata"])
def test_an_archive_too_large_to_be_digested_that_is_rewritten_in_place(bench: Bench, tmp_path: Path, how: str) -> None:
    def write(directory: Path, value: str) -> Path:
        files = {"bb.py": f"VALUE = {value!r}\n".encode(), "bb-data.bin": bytes(65 << 20)}
        return make_wheel(directory, "bb", "1.0", files, method=0)

    place, other = tmp_path / "files", tmp_path / "other"
    place.mkdir()
    other.mkdir()
    wheel = write(place, "one")
    more = _metadata(f"bb @ {wheel.as_uri()}", extra=False)
    arguments = {
        "argument": [str(wheel)],
        "find-links": ["bb", "--find-links", str(place)],
        "metadata": [str(make_value_project(tmp_path / "aa", "aa", more=more))],
    }[how]
    assert [_value(bench, tmp_path, arguments), _value(bench, tmp_path, arguments)] == ["one", "one"]
    assert bench.calls == []
    before = wheel.stat()
    with wheel.open("r+b") as stream:
        stream.write(write(other, "two").read_bytes())
    os.utime(wheel, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (wheel.stat().st_size, wheel.stat().st_ino) == (before.st_size, before.st_ino)
    assert _value(bench, tmp_path, arguments) == "two"


def test_a_page_of_an_index_that_is_rewritten_in_place(bench: Bench, tmp_path: Path) -> None:
    place = tmp_path / "simple" / "bb"
    place.mkdir(parents=True)
    for version in ("1.0", "2.0"):
        make_wheel(place, "bb", version, {"bb.py": f"VALUE = {version!r}\n".encode()})
    page = place / "index.html"
    arguments = ["bb", "--index-url", (tmp_path / "simple").as_uri()]
    for version in ("1.0", "2.0"):
        page.write_text(f'<a href="bb-{version}-py3-none-any.whl">bb-{version}-py3-none-any.whl</a>\n')
        os.utime(page, (1_700_000_000, 1_700_000_000))
        bench.install(tmp_path, *arguments, environ={"PIP_NO_CACHE_DIR": "1"})
        assert bench.run("python", "-c", "import bb; print(bb.VALUE)").strip() == version


def test_what_a_backend_warns_of_is_not_shown(bench: Bench, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    project = make_value_project(tmp_path / "bb", "bb")
    backend = project / "backend.py"
    backend.write_text(
        backend.read_text().replace(
            "def build_wheel(",
            """def get_requires_for_build_wheel(settings=None):
    import warnings
    warnings.warn("look out")
    return []

def build_wheel(""",
        )
    )
    warnings.simplefilter("error")
    assert _value(bench, tmp_path, [str(project)]) == "one"
    assert not recwarn.list


def _leaving(directory: Path, name: str) -> None:
    """Write a project whose build leaves the directory ``build``, as setuptools does."""
    backend = make_value_project(directory, name) / "backend.py"
    leaves = "def _build(directory):\n    import os\n    os.makedirs('build', exist_ok=True)\n"
    backend.write_text(backend.read_text().replace("def _build(directory):\n", leaves))


@pytest.mark.parametrize("arguments", [["./aa", "./aa/bb"], ["-e", "./aa", "./aa/bb"]], ids=["before", "after"])
def test_a_project_in_another_one_is_no_edit_of_it(bench: Bench, tmp_path: Path, arguments: list[str]) -> None:
    """Both are built for one request; in a fresh checkout the next one asks nobody."""
    message = ""
    for number in range(2):
        shutil.rmtree(tmp_path / "aa", ignore_errors=True)
        _leaving(tmp_path / "aa", "aa")
        _leaving(tmp_path / "aa" / "bb", "bb")
        bench.calls.clear()
        message = bench.install(tmp_path, *arguments, environ=_ENVIRON).message
        assert (tmp_path / "aa" / "bb" / "build").is_dir() is (number == 0)
    assert bench.calls == [], message
    shutil.rmtree(tmp_path / "aa" / "bb")  # asked for no more, but what it was is seen by the build of the other one
    _leaving(tmp_path / "aa" / "bb", "bb")
    (tmp_path / "aa" / "bb" / "VALUE").write_text("two")
    assert _value(bench, tmp_path, arguments) == "two"
    assert _value(bench, tmp_path, arguments) == "two"
