"""``python -m benchmarks.second_runs``: what the second installation of a situation takes, and what it says.

Each is asked for twice with ``linkenv install``, in two environments that are made at the same place, one after the
other.  ``--write`` puts the table into ``docs/reference.md``.  An index is needed for build requirements.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["BEGIN", "END", "SITUATIONS", "Situation"]

BEGIN: Final = "<!-- second runs -->\n"
END: Final = "<!-- /second runs -->\n"
_DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "reference.md"
_PROJECT: Final = """\
[build-system]
requires = [{requires}]
build-backend = "setuptools.build_meta"

[project]
name = "demo"
{version}
dependencies = ["iniconfig"]

[project.optional-dependencies]
test = ["six"]

[dependency-groups]
small = ["six"]
moving = ["demo @ git+https://example.org/demo.git@main"]

[tool.setuptools]
packages = ["demo"]
"""
_INNER: Final = """\
[build-system]
requires = ["setuptools>=64"]
build-backend = "setuptools.build_meta"

[project]
name = "inner"
version = "1.0"

[tool.setuptools]
py-modules = ["inner"]
"""
_SCM: Final = "\n[tool.setuptools_scm]\n"


def _nothing(_: Path) -> None:
    pass


@dataclass(frozen=True)
class Situation:
    """Something that a session may install.

    Attributes:
        name: for readers.
        arguments: of pip; ``URL`` stands for a server of the directory's files, ``DIR`` for the directory.
        between: done to the directory before the second run.
        second: other arguments of the second run.
        scm: whether the project's version is that of its commits.
        before: what is installed in the environment before.
        environ: variables besides.
    """

    name: str
    arguments: tuple[str, ...]
    between: Callable[[Path], object] = _nothing
    second: tuple[str, ...] | None = None
    scm: bool = False
    before: tuple[str, ...] = ()
    environ: tuple[tuple[str, str], ...] = ()


def _append(name: str, text: str) -> Callable[[Path], object]:
    def append(directory: Path) -> None:
        path = directory / name
        path.write_text((path.read_text() if path.exists() else "") + text)

    return append


def _commit(directory: Path) -> None:
    _append("demo/__init__.py", "# committed\n")(directory)
    _git(directory, "commit", "-qam", "second")


def _install(directory: Path) -> None:
    environment = str(directory.parent / "environment")
    _linkenv(directory, "create", "--json", environment)
    _linkenv(directory, "install", "--json", environment, "--", "-e", ".")


def _commit_and_install(directory: Path) -> None:
    _commit(directory)
    _install(directory)


_EDIT: Final = _append("demo/__init__.py", "# edited\n")


def _edit_and_install(directory: Path) -> None:
    _EDIT(directory)
    _install(directory)


_NEW: Final = _append("demo/new.py", "")
_TEST: Final = _append("tests/test_new.py", "")
_REPORT: Final = _append("junit.xml", "<testsuites/>")
SITUATIONS: Final = (
    Situation("packages from the index", ("six", "iniconfig")),
    Situation("pinned packages", ("six==1.17.0", "iniconfig==2.0.0")),
    Situation("a requirements file that includes another", ("-r", "requirements.txt")),
    Situation("the same, edited", ("-r", "requirements.txt"), _append("nested.txt", "packaging\n")),
    Situation(
        "a constraints file, the second time at another path", ("-c", "a.txt", "six"), second=("-c", "b.txt", "six")
    ),
    Situation("a constraints file by `http:`", ("-c", "URL/a.txt", "six")),
    Situation("`.`", (".",)),
    Situation("`-e .`", ("-e", ".")),
    Situation("`-v .`", ("-v", ".")),
    Situation("`.[test]`", (".[test]",)),
    Situation('`.; python_version > "3"`', ('.; python_version > "3"',)),
    Situation("`demo @ file:///...`", ("demo @ file://DIR",)),
    Situation("`-e file:///...`", ("-e", "file://DIR")),
    Situation("`-r` with `-e .` in it", ("-r", "local.txt")),
    Situation("`-r requirements.txt .`", ("-r", "requirements.txt", ".")),
    Situation("`-r requirements.txt -e .`", ("-r", "requirements.txt", "-e", ".")),
    Situation("`-r` with `--extra-index-url` in it", ("-r", "index.txt")),
    Situation("the same beside `-e .`", ("-r", "index.txt", "-e", ".")),
    Situation("`-e . ./inner`", ("-e", ".", "./inner")),
    Situation("`--only-binary other .`", ("--only-binary", "other", ".")),
    Situation("`--only-binary other -e .`", ("--only-binary", "other", "-e", ".")),
    Situation("`--no-binary other .`", ("--no-binary", "other", ".")),
    Situation("`PIP_ONLY_BINARY=other`, `.`", (".",), environ=(("PIP_ONLY_BINARY", "other"),)),
    Situation("`-v -e .`", ("-v", "-e", ".")),
    Situation("`-I .`", ("-I", ".")),
    Situation("`--no-build-isolation .`", ("--no-build-isolation", "."), before=("setuptools", "wheel")),
    Situation("`--no-build-isolation -e .`", ("--no-build-isolation", "-e", "."), before=("setuptools", "wheel")),
    Situation("`pip<26 .`", ("pip<26", ".")),
    Situation("`--use-feature fast-deps .`", ("--use-feature", "fast-deps", ".")),
    Situation("`--exists-action w .`", ("--exists-action", "w", ".")),
    Situation("`--uploaded-prior-to 2025-01-01 six`", ("--uploaded-prior-to", "2025-01-01", "six")),
    Situation("`--group`, where another group names `git+`", ("--group", "small")),
    Situation("`-I six`", ("-I", "six")),
    Situation("`-I six` over another version", ("-I", "six"), before=("six==1.16.0",)),
    Situation("`.` after an edit of a module", (".",), _EDIT),
    Situation("`-e .` after an edit of a module", ("-e", "."), _EDIT),
    Situation("`.` with a new module", (".",), _NEW),
    Situation("`-e .` with a new module", ("-e", "."), _NEW),
    Situation("`.` with a new test", (".",), _TEST),
    Situation("`-e .` with a new test", ("-e", "."), _TEST),
    Situation("`.` with a new file beside `pyproject.toml`", (".",), _REPORT),
    Situation("`-e .` with a new file beside `pyproject.toml`", ("-e", "."), _REPORT),
    Situation("setuptools-scm, `-e .` as it was", ("-e", "."), scm=True),
    Situation("setuptools-scm, `-e .` after a commit", ("-e", "."), _commit, scm=True),
    Situation("the same, the run after that", ("-e", "."), _commit_and_install, scm=True),
    Situation("setuptools-scm, `-e .` after an edit", ("-e", "."), _EDIT, scm=True),
    Situation("the same, the run after that edit", ("-e", "."), _edit_and_install, scm=True),
    Situation("an sdist by its path", ("./demo-1.0.tar.gz",)),
    Situation("`git+file:///...@main`", ("git+file://DIR@main",)),
    Situation("the same after a commit", ("git+file://DIR@main",), _commit),
)


def _git(directory: Path, *words: str) -> None:
    names = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "safe.directory=*")
    subprocess.run(["git", *names, *words], cwd=directory, check=True)


def _write(directory: Path, *, scm: bool) -> None:
    requires = '"setuptools-scm>=8"' if scm else '"setuptools>=64"'
    version = 'dynamic = ["version"]' if scm else 'version = "1.0"'
    files = {
        "pyproject.toml": _PROJECT.format(requires=requires, version=version) + (_SCM if scm else ""),
        "demo/__init__.py": "",
        ".gitignore": "*.egg-info\nbuild\n*.tar.gz\nindex.txt\n",
        "requirements.txt": "-r nested.txt\nsix\n",
        "nested.txt": "iniconfig\n",
        "local.txt": "-e .\nsix\n",
        "index.txt": "--extra-index-url URL\niniconfig\n",
        "inner/pyproject.toml": _INNER,
        "inner/inner.py": "",
        "tests/test_demo.py": "",
        "iniconfig/index.html": "<!DOCTYPE html><title>no such project here</title>",
        "a.txt": "six<2\n",
        "b.txt": "six<2\n",
    }
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    _git(directory, "init", "-q", "-b", "main")
    _git(directory, "add", ".")
    _git(directory, "commit", "-qm", "first")
    _git(directory, "tag", "v1.0")
    shutil.copytree(directory / "demo", directory / "demo-1.0" / "demo")
    shutil.copy(directory / "pyproject.toml", directory / "demo-1.0")
    (directory / "demo-1.0" / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    subprocess.run(["tar", "czf", "demo-1.0.tar.gz", "demo-1.0"], cwd=directory, check=True)
    shutil.rmtree(directory / "demo-1.0")


@contextlib.contextmanager
def _served(directory: Path) -> Iterator[str]:
    """Serve the files of *directory* on this machine; yield the URL."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
            pass

    handler = functools.partial(Handler, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _linkenv(directory: Path, *words: str, more: Mapping[str, str] | None = None) -> dict[str, object]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LINKENV_")}
    environ |= {"LINKENV_STORE": str(directory.parent / "store"), "GIT_CONFIG_COUNT": "1"}
    environ |= {"GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*", **(more or {})}
    command = [sys.executable, "-m", "nox_linkenv", *words]
    done = subprocess.run(command, cwd=directory, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout[done.stdout.index("{\n") :])
    assert isinstance(found, dict)
    return found


def _row(situation: Situation, base: Path) -> str:
    """Ask twice; return the line of the table."""
    directory = base / "project"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.rmtree(base / "store", ignore_errors=True)
    _write(directory, scm=situation.scm)
    taken: list[float] = []
    message = ""
    with _served(directory) as url:
        index = directory / "index.txt"
        index.write_text(index.read_text().replace("URL", url))
        for arguments in (situation.arguments, situation.second or situation.arguments):
            words = [word.replace("URL", url).replace("DIR", str(directory)) for word in arguments]
            if taken:
                situation.between(directory)
            _linkenv(directory, "create", "--json", str(base / "environment"))
            if situation.before:
                _linkenv(directory, "install", "--json", str(base / "environment"), "--", *situation.before)
            began = time.perf_counter()
            command = ("install", "--json", str(base / "environment"), "--", *words)
            message = str(_linkenv(directory, *command, more=dict(situation.environ))["message"])
            taken.append(time.perf_counter() - began)
    message = re.sub(r" of [\d.]+ \w+ ago", "", message.replace(f"{directory}/", "").replace(str(directory), "."))
    return f"| {situation.name} | {taken[0]:.1f} | {taken[1]:.1f} | {message} |\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the table into docs/reference.md")
    parser.add_argument("--missing", action="store_true", help="run only what the table there has no line of")
    chosen = parser.parse_args(arguments)
    table = "| what is installed | first, s | second, s | what the second says |\n|---|---|---|---|\n"
    with tempfile.TemporaryDirectory() as place:
        for situation in SITUATIONS:
            kept = re.search(rf"^\| {re.escape(situation.name)} \|.*\n", _DOCUMENT.read_text(), re.MULTILINE)
            row = kept[0] if kept and chosen.missing else _row(situation, Path(place).resolve())
            print(row, end="", flush=True)
            table += row
    if chosen.write:
        before, _, rest = _DOCUMENT.read_text().partition(BEGIN)
        _DOCUMENT.write_text(f"{before}{BEGIN}{table}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
