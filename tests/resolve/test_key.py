"""The key of a request: what is in it, what is not, and when there is none."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_linkenv.resolve.inputs import ARGUMENTS, changed
from nox_linkenv.resolve.key import Key, Unkeyable, request_key
from nox_linkenv.resolve.pip_arguments import parse
from nox_linkenv.resolve.pip_config import read_config
from nox_linkenv.wheel import Scheme
from tests.support.environment import clean_environment
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SHA: Final = f"--hash=sha256:{'0' * 64}"


@dataclass(frozen=True)
class Facts:
    version: str = "3.12.1"
    tag: str = "cpython-312-cb0d0d0a"
    pip: str = "26.3"
    schemes: Mapping[Scheme, str] = field(default_factory=lambda: {Scheme.PURELIB: "lib/python3.12/site-packages"})


FACTS: Final = Facts()


class Project:
    """A directory in which pip would run, an environment beside it, and the variables."""

    def __init__(self, base: Path) -> None:
        self.directory = base / "project"
        self.prefix = base / "env"
        self.home = base / "home"
        for made in (self.directory, self.prefix, self.home):
            made.mkdir()
        self.environ = {"HOME": str(self.home), "XDG_CONFIG_DIRS": str(self.home), "PATH": "/usr/bin"}
        self.facts: Facts = FACTS
        self.installed = "nothing"

    def write(self, name: str, content: str | bytes = "") -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ask(self, *arguments: str) -> Key | Unkeyable:
        parsed = parse(arguments)
        assert parsed is not None
        return request_key(
            parsed,
            verbatim=arguments,
            environ=self.environ,
            directory=str(self.directory),
            config=read_config(self.environ, str(self.prefix), str(self.directory)),
            prefix=str(self.prefix),
            facts=self.facts,
            installed=self.installed,
        )

    def key(self, *arguments: str) -> Key:
        answer = self.ask(*arguments)
        assert isinstance(answer, Key), answer
        return answer

    def reason(self, *arguments: str) -> str:
        answer = self.ask(*arguments)
        assert isinstance(answer, Unkeyable), answer
        return answer.reason


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def _page(url: str) -> str:
    return f'<html><body><a href="{url}">x</a></body></html>'


def _append(name: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        path = project.directory / name
        path.write_bytes(path.read_bytes() + b"\n")

    return change


def _set(name: str, value: str | None) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        if value is None:
            del project.environ[name]
        else:
            project.environ[name] = value

    return change


def _write(name: str, content: str = "x") -> Callable[[Project], None]:
    def change(project: Project) -> None:
        project.write(name, content)

    return change


def _facts(facts: Facts) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        project.facts = facts

    return change


def _installed(project: Project) -> None:
    project.installed = "something"


def _prefix(name: str, content: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        (project.prefix / name).write_text(content)

    return change


@dataclass(frozen=True)
class Case:
    arguments: tuple[str, ...]
    change: Callable[[Project], None]
    difference: str | None
    files: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)


CASES: Final = {
    "requirements": Case(("-r", "r.txt"), _append("r.txt"), "r.txt changed", {"r.txt": "a"}),
    "joined option": Case(("-rr.txt",), _append("r.txt"), "r.txt changed", {"r.txt": "a"}),
    "constraints": Case(("a", "--constraint=c.txt"), _append("c.txt"), "c.txt changed", {"c.txt": "a==1"}),
    "build constraints": Case(("a", "--build-constraint", "b.txt"), _append("b.txt"), "b.txt changed", {"b.txt": "a"}),
    "nested": Case(
        ("-r", "sub/r.txt"), _append("sub/n.txt"), "sub/n.txt changed", {"sub/r.txt": "-r n.txt", "sub/n.txt": "a"}
    ),
    "nested constraint after a continuation": Case(
        ("-r", "r.txt"), _append("c.txt"), "c.txt changed", {"r.txt": "a\n--constraint \\\n c.txt # why", "c.txt": "a"}
    ),
    "nested with =, in a constraint file": Case(
        ("a", "-c", "c.txt"), _append("r.txt"), "r.txt changed", {"c.txt": "--requirement=r.txt", "r.txt": "a"}
    ),
    "nested, quoted": Case(
        ("-r", "r.txt"), _append("a b.txt"), "./a b.txt changed", {"r.txt": "-r 'a b.txt'", "a b.txt": "a"}
    ),
    "commented": Case(("-r", "r.txt"), _append("n.txt"), None, {"r.txt": "a\n# -r n.txt\nb # -r n.txt", "n.txt": "a"}),
    "variable in a file": Case(
        ("-r", "r.txt"), _set("TOKEN", "b"), "${TOKEN} changed", {"r.txt": "-i https://${TOKEN}@x/"}, {"TOKEN": "a"}
    ),
    "variable that appears": Case(
        ("-r", "r.txt"), _set("TOKEN", "b"), "${TOKEN} changed", {"r.txt": "a\n-i https://x/${TOKEN}"}
    ),
    "file named by a variable": Case(
        ("-r", "r.txt"), _append("n.txt"), "n.txt changed", {"r.txt": "-r ${WHICH}.txt", "n.txt": "a"}, {"WHICH": "n"}
    ),
    "unused variable": Case(("-r", "r.txt"), _set("TOKEN", "b"), None, {"r.txt": "a # ${TOKEN}"}, {"TOKEN": "a"}),
    "PEP 263": Case(
        ("-r", "r.txt"), _append("n.txt"), "n.txt changed", {"r.txt": "# coding: latin-1\n-r n.txt", "n.txt": "a"}
    ),
    "group": Case(
        ("--group", "dev"),
        _append("pyproject.toml"),
        "pyproject.toml changed",
        {"pyproject.toml": "[dependency-groups]\ndev = ['a']"},
    ),
    "group elsewhere": Case(
        ("--group", "sub/pyproject.toml:dev"),
        _append("sub/pyproject.toml"),
        "sub/pyproject.toml changed",
        {"sub/pyproject.toml": "[dependency-groups]\ndev = ['a']"},
    ),
    "lock": Case(
        ("-r", "pylock.toml"), _append("pylock.toml"), "pylock.toml changed", {"pylock.toml": "packages = []"}
    ),
    "PIP_INDEX_URL appears": Case(("a",), _set("PIP_INDEX_URL", "https://x/"), "PIP_INDEX_URL appeared"),
    "PIP_INDEX_URL goes": Case(
        ("a",), _set("PIP_INDEX_URL", None), "PIP_INDEX_URL is gone", environ={"PIP_INDEX_URL": "https://x/"}
    ),
    "any other variable of pip": Case(("a",), _set("PIP_OF_THE_FUTURE", "1"), "PIP_OF_THE_FUTURE appeared"),
    "PIP_pre": Case(("a",), _set("PIP_pre", "1"), "PIP_pre appeared"),
    "PIP_NO_COLOR": Case(("a",), _set("PIP_NO_COLOR", "1"), None),
    "PIP_PROGRESS_BAR": Case(("a",), _set("PIP_PROGRESS_BAR", "off"), None),
    "PIP_CACHE_DIR": Case(("a",), _set("PIP_CACHE_DIR", "/x"), None),
    "other tool's variable": Case(("a",), _set("EDITOR", "ed"), None),
    "PIP_CONSTRAINT's file": Case(
        ("a",), _append("d.txt"), "d.txt changed", {"c.txt": "a", "d.txt": "b"}, {"PIP_CONSTRAINT": "c.txt d.txt"}
    ),
    "PIP_BUILD_CONSTRAINT's file": Case(
        ("a",), _append("c.txt"), "c.txt changed", {"c.txt": "a"}, {"PIP_BUILD_CONSTRAINT": "c.txt"}
    ),
    "PIP_REQUIREMENT's file": Case(
        ("a",), _append("c.txt"), "c.txt changed", {"c.txt": "a"}, {"PIP_REQUIREMENT": "c.txt"}
    ),
    "PIP_FIND_LINKS": Case(
        ("a",), _write("w/b.whl"), "find-links w/ changed", {"w/a.whl": ""}, {"PIP_FIND_LINKS": "w https://x/"}
    ),
    "find-links": Case(
        ("a", "-f", "w"), _write("w/a.whl", "longer"), "find-links w/ changed", {"w/a.whl": "", "v/a.whl": ""}
    ),
    "find-links that appears": Case(("a", "-f", "w"), _write("w/a.whl"), "find-links w/ appeared"),
    "find-links page": Case(
        ("a", "-f", "l.html"),
        _write("l.html", _page("https://x/b")),
        "find-links l.html changed",
        {"l.html": _page("https://x/a")},
    ),
    "find-links in a file": Case(
        ("-r", "sub/r.txt"),
        _write("sub/w/b.whl"),
        "find-links sub/w/ changed",
        {"sub/r.txt": "-f w\na", "sub/w/a.whl": "", "w/a.whl": ""},
    ),
    "find-links in a file, of the working directory": Case(
        ("-r", "sub/r.txt"), _write("w/b.whl"), "find-links w/ changed", {"sub/r.txt": "a\n-f w", "w/a.whl": ""}
    ),
    "local index": Case(
        ("a", "--extra-index-url=simple"),
        _write("simple/b/index.html"),
        "local index simple changed",
        {"simple/a/index.html": ""},
    ),
    "page of a local index": Case(
        ("a", "-i", "simple"),
        _write("simple/a/index.html", "longer"),
        "local index simple changed",
        {"simple/a/index.html": ""},
    ),
    "beside the pages": Case(("a", "-i", "simple"), _write("other/b"), None, {"simple/a/index.html": ""}),
    "local wheel": Case(
        ("./dist/a-1-py3-none-any.whl",),
        _write("dist/a-1-py3-none-any.whl", "y"),
        "local wheel dist/a-1-py3-none-any.whl changed",
        {"dist/a-1-py3-none-any.whl": "x"},
    ),
    "local wheel without a separator": Case(
        ("a.whl[x]; python_version > '3'",), _write("a.whl", "y"), "local wheel a.whl changed", {"a.whl": "x"}
    ),
    "local sdist in a file": Case(
        ("-r", "sub/r.txt"),
        _write("a.tar.gz", "y"),
        "local sdist a.tar.gz changed",
        {"sub/r.txt": "./a.tar.gz", "a.tar.gz": "x"},
    ),
    "untouched content": Case(("./a.whl",), _write("a.whl", "x"), None, {"a.whl": "x"}),
    "what is installed": Case(("a",), _installed, "what is installed changed"),
    "version": Case(("a",), _facts(replace(FACTS, version="3.12.2")), "interpreter changed"),
    "tag": Case(("a",), _facts(replace(FACTS, tag="x")), "interpreter changed"),
    "pip": Case(("a",), _facts(replace(FACTS, pip="26.4")), "pip's version changed"),
    "base interpreter": Case(("a",), _prefix("pyvenv.cfg", "home = /elsewhere"), "interpreter changed"),
    "prompt": Case(("a",), _prefix("pyvenv.cfg", "prompt = x"), None),
    "PYTHONPATH": Case(("a",), _set("PYTHONPATH", "src"), "PYTHONPATH appeared"),
    "distribution on PYTHONPATH": Case(
        ("a",),
        _write("src/a.egg-info/PKG-INFO", "longer"),
        "PYTHONPATH changed",
        {"src/a.egg-info/PKG-INFO": ""},
        {"PYTHONPATH": "src"},
    ),
    "module on PYTHONPATH": Case(("a",), _write("src/a.py", "longer"), None, {"src/a.py": ""}, {"PYTHONPATH": "src"}),
    "PYTHONDONTWRITEBYTECODE": Case(("a",), _set("PYTHONDONTWRITEBYTECODE", "1"), None),
    "PYTHON_GIL": Case(("a",), _set("PYTHON_GIL", "0"), None),
    "any other variable of Python": Case(("a",), _set("PYTHON_OF_THE_FUTURE", "1"), "PYTHON_OF_THE_FUTURE appeared"),
    "_PYTHON_HOST_PLATFORM": Case(("a",), _set("_PYTHON_HOST_PLATFORM", "x"), "_PYTHON_HOST_PLATFORM appeared"),
    "CFLAGS": Case(("a",), _set("CFLAGS", "-O0"), "CFLAGS appeared"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_input(project: Project, case: Case) -> None:
    for name, content in case.files.items():
        project.write(name, content)
    project.environ.update(case.environ)
    before = project.key(*case.arguments)
    assert project.key(*case.arguments) == before
    case.change(project)
    now = project.key(*case.arguments)
    assert (now.digest == before.digest) is (case.difference is None)
    assert changed(before.inputs, now.inputs) == case.difference


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a",), ("b",)), (("a", "b"), ("b", "a")), (("a",), ("a", "--pre")), (("a", "b"), ("a b",))],
)
def test_arguments_and_their_order(project: Project, one: tuple[str, ...], other: tuple[str, ...]) -> None:
    names = {"arguments", "interpreter", "pip's version", "what is installed"}
    assert {name for name in project.key("a").inputs if not name.startswith("pip configuration")} == names
    before, now = project.key(*one), project.ask(*other)
    if isinstance(now, Key):
        assert before.digest != now.digest
        assert changed(before.inputs, now.inputs) == "arguments changed"


@pytest.mark.parametrize("place", ["shared", "user", "legacy", "site", "single"])
def test_configuration_files(project: Project, place: str) -> None:
    paths = {
        "shared": project.home / "pip" / "pip.conf",
        "user": project.home / ".config" / "pip" / "pip.conf",
        "legacy": project.home / ".pip" / "pip.conf",
        "site": project.prefix / "pip.conf",
        "single": project.directory / "mine.conf",
    }
    project.environ["PIP_CONFIG_FILE"] = "mine.conf"
    project.write("c.txt", "a")
    project.write("w/a.whl")
    before = project.key("a")
    path = paths[place]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[global]\nConstraint = c.txt\n[install]\nfind_links =\n  w\n  https://x/\n")
    now = project.key("a")
    assert changed(before.inputs, now.inputs) == "c.txt appeared"
    assert f"pip configuration {path}" in now.inputs
    project.write("c.txt", "b")
    assert changed(now.inputs, project.key("a").inputs) == "c.txt changed"
    project.write("c.txt", "a")
    project.write("w/b.whl")
    assert changed(now.inputs, project.key("a").inputs) == "find-links w/ changed"
    path.write_text("[install]\nno-build-isolation = false\n")
    assert project.reason("a") == "distributions are built without isolation"


def test_the_most_telling_difference() -> None:
    before = {"arguments": "1", "PIP_PRE": "1", "r.txt": "1", "old.txt": "1", "interpreter": "1"}
    now = {"arguments": "2", "PIP_PRE": "2", "r.txt": "2", "new.txt": "1", "interpreter": "2"}
    assert changed(before, before) is None
    assert changed(before, now) == "r.txt changed"
    assert changed({**before, "r.txt": "2"}, now) == "new.txt appeared"
    assert changed({**before, "r.txt": "2"}, {**now, "new.txt": "1", "old.txt": "1"}) == "new.txt appeared"
    same = {"r.txt": "2", "old.txt": "1"}
    assert changed(before | same, now | same | {"new.txt": "1"} | {"PIP_PRE": "1"}) == "new.txt appeared"
    assert changed({"arguments": "1", "PIP_PRE": "1"}, {"arguments": "2"}) == "PIP_PRE is gone"
    assert (
        changed({"arguments": "1", "interpreter": "1"}, {"arguments": "2", "interpreter": "2"}) == "arguments changed"
    )


def test_a_file_never_takes_the_name_of_another_input(project: Project) -> None:
    project.write("PIP_PRE", "a")
    project.write("arguments", "a")
    project.environ["PIP_PRE"] = "1"
    before = project.key("-r", "PIP_PRE", "-r", "arguments")
    assert {"PIP_PRE", "./PIP_PRE", "arguments", "./arguments"} <= before.inputs.keys()
    project.write("PIP_PRE", "b")
    assert changed(before.inputs, project.key("-r", "PIP_PRE", "-r", "arguments").inputs) == "./PIP_PRE changed"


PINNED: Final = {
    "hashed": (f"a==1.0 {SHA}\nb[x] == 2 ; python_version > '3' \\\n    {SHA} \\\n    {SHA}", True),
    "other strong hash": ("a==1.0 --hash sha512:00", True),
    "no hash": ("a==1.0", False),
    "one without": (f"a==1.0 {SHA}\nb==1", False),
    "weak hash": ("a==1.0 --hash=md5:00", False),
    "range": (f"a>=1.0 {SHA}", False),
    "wildcard": (f"a==1.* {SHA}", False),
    "two clauses": (f"a==1.0,>0 {SHA}", False),
    "switched off": (f"a==1.0 {SHA}\n--no-require-hashes", False),
    "URL": (f"a @ https://x/a.whl {SHA}", False),
    "empty": ("", False),
    "only options": ("--require-hashes", False),
}


@pytest.mark.parametrize(("text", "pinned"), PINNED.values(), ids=PINNED)
def test_pinned(project: Project, text: str, pinned: bool) -> None:
    project.write("r.txt", text)
    project.write("outer.txt", "-r r.txt")
    project.write("c.txt", "z<3")
    assert project.key("-r", "r.txt").pinned is pinned
    assert project.key("-r", "outer.txt", "--no-deps", "-c", "c.txt").pinned is pinned
    assert not project.key("-r", "r.txt", "b==1").pinned
    project.environ["PIP_NO_REQUIRE_HASHES"] = "1"
    assert not project.key("-r", "r.txt").pinned


def test_constraints_pin_nothing(project: Project) -> None:
    project.write("c.txt", f"a==1 {SHA}")
    assert not project.key("a", "-c", "c.txt").pinned
    project.write("outer.txt", "-r c.txt")
    assert not project.key("-c", "outer.txt", "a").pinned
    project.write("r.txt", "-c c.txt")
    assert not project.key("-r", "r.txt").pinned


LOCK: Final = """lock-version = "1.0"
[[packages]]
name = "path-py"
version = "1.0"
index = "https://x/simple"
wheels = [
  {name = "a.whl", url = "https://x/path/a.whl", hashes = {sha256 = "00"}},
  {name = "b.whl", url = "https://x/b.whl", hashes = {md5 = "1", sha256 = "00"}},
]
[packages.sdist]
url = "https://x/a.tar.gz"
hashes = {sha256 = "00"}
"""


@pytest.mark.parametrize(
    ("old", "new", "pinned"),
    [
        ("", "", True),
        (', hashes = {sha256 = "00"}', "", False),
        ('{sha256 = "00"}}', '{md5 = "00"}}', False),
        ('url = "https://x/b.whl"', 'path = "b.whl"', None),
        ('url = "https://x/b.whl"', '"path" = "b.whl"', None),
        ('url = "https://x/b.whl"', 'url = "file:///b.whl"', None),
        ('url = "https://x/b.whl"', '"\\u0070ath" = "b.whl"', None),
        ("[packages.sdist]", "[packages.directory]", None),
        ("[packages.sdist]", 'vcs.type = "git"\n[packages.sdist]', None),
    ],
)
def test_lock_files(project: Project, old: str, new: str, pinned: bool | None) -> None:
    project.write("pylock.ci.toml", LOCK.replace(old, new, 1) if old else LOCK)
    for name in ("pylock.ci.toml", "pylock.ci.toml[x]"):
        answer = project.ask("--no-deps", "-r", name)
        if pinned is None:
            assert isinstance(answer, Unkeyable)
        else:
            assert isinstance(answer, Key)
            assert answer.pinned is pinned
            assert not project.key("-r", name, "b").pinned


@pytest.mark.parametrize("url", ["git+https://h/x@{}", "git+ssh://git@h/x.git@{}#subdirectory=y"])
def test_a_commit_named_in_full(project: Project, url: str) -> None:
    key = project.key("x @ " + url.format("a" * 40))
    assert not key.pinned
    assert key != project.key("x @ " + url.format("b" * 40))
    assert isinstance(project.ask("-e", url.format("a" * 40) + "#egg=x"), Unkeyable)


LOCAL: Final = "a local project is among the requirements"
VCS: Final = "version control is looked up each time, unless a commit of git is named in full"
UNKEYABLE: Final = {
    ".": LOCAL,
    "./x": LOCAL,
    "./x[extra]": LOCAL,
    "x/": LOCAL,
    "sub/../x": LOCAL,
    "./x ; python_version > '3'": LOCAL,
    "-e .": LOCAL,
    "-e x": LOCAL,
    "-e git+https://h/x@main#egg=x": "an editable of version control is checked out anew each time",
    "x @ file://{directory}/x": LOCAL,
    "file://{directory}/x#egg=x": LOCAL,
    "file:x": LOCAL,
    "git+https://h/x": VCS,
    "x @ git+https://h/x": VCS,
    "x[a] @ hg+ssh://h/x": VCS,
    "x @ git+https://h/x@main": VCS,
    f"x @ git+https://h/x@{'a' * 7}": VCS,
    f"x @ hg+https://h/x@{'a' * 40}": VCS,
    "ftp://h/x.zip": "a URL is unknown",
    "file://host/x.whl": "a file: URL names another host",
    "x @ ./x": "the requirement x is not understood",
    "./missing.whl": "a requirement is not understood",
    "x y": "a requirement is not understood",
    "\N{LATIN SMALL LETTER A WITH DIAERESIS}": "a requirement is not understood",
    "": "a requirement is not understood",
}


@pytest.mark.parametrize(("requirement", "reason"), UNKEYABLE.items(), ids=UNKEYABLE)
def test_requirements_without_a_key(project: Project, requirement: str, reason: str) -> None:
    project.write("x/pyproject.toml")
    requirement = requirement.format(directory=project.directory)
    assert project.reason("b", *(requirement.split(" ", 1) if requirement.startswith("-") else [requirement])) == reason
    if requirement and requirement.isascii():
        project.write("r.txt", f"b\n{requirement}\n")
        assert project.reason("-r", "r.txt") == reason


FILES: Final = {
    "missing": (None, "r.txt cannot be read"),
    "nested missing": ("-r n.txt", "n.txt cannot be read"),
    "itself": ("-r r.txt", "r.txt includes itself"),
    "remote": ("-r ftp://x/r.txt", "a requirement file is a URL"),
    "remote constraint": ("-c file:///r.txt", "a requirement file is a URL"),
    "unknown option": ("--frobnicate", "r.txt has a line that is not understood"),
    "abbreviated option": ("--requiremen n.txt", "r.txt has a line that is not understood"),
    "words after an option": ("--pre a", "r.txt has a line that is not understood"),
    "value of a flag": ("--pre=1", "r.txt has a line that is not understood"),
    "no value": ("-r", "r.txt has a line that is not understood"),
    "open quote": ("-r 'x", "r.txt has a line that is not understood"),
    "option of a requirement alone": (SHA, "r.txt has an option where pip ignores it"),
    "option beside a requirement": ("a -r n.txt", "r.txt has an option where pip ignores it"),
    "archive without a name": ("./r.txt", "is not an archive"),
    "broken encoding": (b"a\n# \xff", "r.txt is not in UTF-8"),
    "unknown encoding": ("# coding: martian\na", "r.txt is not in UTF-8"),
    "NUL in a requirement": ("a\0b", "a name holds a NUL"),
    "NUL in a file name": ("-r ../a\0b", "a name holds a NUL"),
    "NUL in a URL": ("-f file:///a%00b", "a name holds a NUL"),
    "find-links elsewhere": ("-f ssh://x", "the location ssh: is not known"),
    "page with local links": ("-f l.html", "l.html may link to local files"),
    "page with a base": ("-f b.html", "b.html may link to local files"),
}


@pytest.mark.parametrize(("content", "reason"), FILES.values(), ids=FILES)
def test_files_without_a_key(project: Project, content: str | bytes | None, reason: str) -> None:
    project.write("l.html", _page("a.whl"))
    project.write("b.html", '<base href="https://x/">')
    if content is not None:
        project.write("r.txt", content)
    assert project.reason("-r", "r.txt").endswith(reason)
    assert project.reason("a", "-c", "r.txt").endswith(reason)


@pytest.mark.parametrize(
    ("arguments", "environ", "reason"),
    [
        (("a", "--no-build-isolation"), {}, "distributions are built without isolation"),
        (("a",), {"PIP_NO_BUILD_ISOLATION": "0"}, "distributions are built without isolation"),
        (("a",), {"PIP_editable": "x"}, LOCAL),
        (("a",), {"PIP___EDITABLE": "x"}, LOCAL),
        (("a",), {"PIP_GROUP": "x"}, "a setting names a dependency group"),
        (("a",), {"PIP_CONSTRAINT": "missing.txt"}, "missing.txt cannot be read"),
        (("a", "-r", "-"), {}, "- cannot be read"),
        (("a", "-r", "fifo"), {}, "fifo cannot be read"),
        (("a", "-r", "HTTPS://x/r.txt"), {}, "a requirement file is a URL"),
        (("a", "-f", "~other/x"), {}, "a path begins with ~"),
        (("--group", "dev"), {}, "pyproject.toml cannot be read"),
        (("--group", "vcs/pyproject.toml:dev"), {}, f"the group dev in vcs/pyproject.toml: {VCS}"),
    ],
)
def test_other_requests_without_a_key(
    project: Project, arguments: tuple[str, ...], environ: Mapping[str, str], reason: str
) -> None:
    os.mkfifo(project.directory / "fifo")
    project.write("vcs/pyproject.toml", "[dependency-groups]\ndev = ['a @ git+https://h/a']")
    project.environ.update(environ)
    assert project.reason(*arguments) == reason


_GROUPS: Final = """
[dependency-groups]
Dev_One = ["a", {include-group = "two"}]
two = ["b>=1; python_version > '3'", {include-group = "dev.one"}]
branch = ["a @ git+https://h/a@main"]
leads = ["a", {include-group = "BRANCH"}]
commit = ["a @ git+https://h/a@0123456789012345678901234567890123456789", "b @ https://h/b-1-py3-none-any.whl"]
file = ["a @ file:///a-1.0-py3-none-any.whl"]
odd = [{other = "x"}]
twice = ["a"]
[tool.other]
x = "a @ git+https://h/a"
"""


@pytest.mark.parametrize(
    ("group", "reason"),
    [
        ("dev-one", None),
        ("two", None),
        ("commit", None),
        ("branch", VCS),
        ("leads", VCS),
        ("file", "the group file in pyproject.toml: /a-1.0-py3-none-any.whl is not an archive"),
        ("odd", "the group odd in pyproject.toml is not understood"),
        ("none", "the group none in pyproject.toml is not understood"),
    ],
)
def test_what_a_group_names_counts_and_not_what_stands_beside_it(
    project: Project, group: str, reason: str | None
) -> None:
    project.write("pyproject.toml", _GROUPS)
    if reason is None:
        assert not project.key("--group", group).pinned
        return
    assert project.reason("--group", group).endswith(reason)


@pytest.mark.parametrize(
    "text", ["x = 'a @ git+https://h/a", "x = 'a @ git+https://h/a'", _GROUPS + "[dependency-groups.TWICE]\n"]
)
def test_groups_that_pip_refuses(project: Project, text: str) -> None:
    project.write("pyproject.toml", text)
    assert "pyproject.toml" in project.reason("--group", "twice")


def test_an_environment_that_sees_more(project: Project) -> None:
    _prefix("pyvenv.cfg", "include-system-site-packages = true\n")(project)
    assert project.reason("a") == "the environment sees the packages of its base interpreter"


def test_a_locale_of_another_encoding(project: Project) -> None:
    project.write("r.txt", "a # \N{LATIN SMALL LETTER A WITH DIAERESIS}")
    assert "r.txt" in project.key("-r", "r.txt").inputs
    project.environ["LANG"] = "de_DE.ISO-8859-1"
    assert "locale" in project.reason("-r", "r.txt")
    project.environ["LC_ALL"] = "de_DE.UTF-8"
    assert "r.txt" in project.key("-r", "r.txt").inputs


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-32-be"])
def test_byte_order_marks(project: Project, encoding: str) -> None:
    mark = "" if encoding == "utf-8-sig" else "\ufeff"
    project.write("r.txt", f"{mark}-r n.txt".encode(encoding))
    project.write("n.txt", "a")
    assert "n.txt" in project.key("-r", "r.txt").inputs


def test_parents_through_a_symbolic_link(project: Project) -> None:
    project.write("real/deep/r.txt", "-r ../n.txt")
    project.write("real/n.txt", "a")
    assert "real/n.txt" in project.key("-r", "real/deep/r.txt").inputs
    project.write("n.txt", "a")
    (project.directory / "link").symlink_to(project.directory / "real" / "deep")
    assert "symbolic link" in project.reason("-r", "link/r.txt")


def test_the_same_content_elsewhere_is_another_origin(project: Project, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    second = Project(tmp_path / "second")
    second.environ = project.environ
    second.prefix = project.prefix
    for one in (project, second):
        one.write("a.whl", "x")
        one.write("r.txt", "a")
    assert project.key("./a.whl").digest != second.key("./a.whl").digest
    assert project.key("-r", "r.txt").digest == second.key("-r", "r.txt").digest


@pytest.fixture
def twins(project: Project, tmp_path: Path) -> tuple[Project, Project]:
    """Two projects at different paths, for one environment."""
    (tmp_path / "second").mkdir()
    second = Project(tmp_path / "second")
    second.environ, second.prefix = dict(project.environ), project.prefix
    return project, second


FORMS: Final = {
    "apart": ("-c", "{}"),
    "joined": ("-c{}",),
    "long": ("--constraint={}",),
    "requirements": ("-r", "{}"),
    "for builds": ("--build-constraint={}",),
    "after flags": ("-qUr", "{}"),
    "PIP_CONSTRAINT": (),
    "PIP_REQUIREMENT": (),
    "PIP_BUILD_CONSTRAINT": (),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_a_file_says_counts_and_not_its_path(twins: tuple[Project, Project], form: str) -> None:
    keys = []
    for number, one in enumerate(twins):
        path = one.write(f"c{number}.txt", f"-c n{number}.txt\nb==1")
        one.write(f"n{number}.txt", "d<3")
        path.write_text("-c n.txt\nb==1")
        nested = one.write("n.txt", "d<3")
        if not FORMS[form]:
            one.environ[form] = f"{path} {path}"
        arguments = ("a", *(part.format(path) for part in FORMS[form]))
        keys.append(one.key(*arguments))
        nested.write_text("d<4")
        assert one.key(*arguments).digest != keys[-1].digest
        assert changed(keys[-1].inputs, one.key(*arguments).inputs) == "n.txt changed"
        nested.write_text("d<3")
    assert keys[0].digest == keys[1].digest


def test_the_order_of_files_and_who_names_them_counts(project: Project) -> None:
    project.write("one.txt", "a")
    project.write("two.txt", "b")
    found = [
        project.key("-r", "one.txt", "-r", "two.txt"),
        project.key("-r", "two.txt", "-r", "one.txt"),
        project.key("-r", "one.txt", "-c", "two.txt"),
        project.key("-c", "one.txt", "-r", "two.txt"),
        project.key("-r", "one.txt", "-c", "two.txt", "-r", "one.txt"),
    ]
    project.environ |= {"PIP_CONSTRAINT": "one.txt", "PIP_BUILD_CONSTRAINT": "two.txt"}
    found.append(project.key("a"))
    project.environ |= {"PIP_CONSTRAINT": "two.txt", "PIP_BUILD_CONSTRAINT": "one.txt"}
    found.append(project.key("a"))
    project.environ |= {"PIP_CONSTRAINT": "two.txt one.txt", "PIP_BUILD_CONSTRAINT": "one.txt"}
    found.append(project.key("a"))
    assert len({key.digest for key in found}) == len(found)


def test_what_a_file_leads_to_is_another_elsewhere(twins: tuple[Project, Project]) -> None:
    """Paths in a requirement file are relative to the working directory, or to the file."""
    for line in ("./a.whl", "-f w\nb"):
        keys = []
        for one in twins:
            one.write("a.whl", "x")
            one.write("w/a.whl", "x")
            one.write("r.txt", line)
            keys.append(one.key("-r", "r.txt").digest)
        assert keys[0] != keys[1]


def test_a_file_with_a_new_name_is_said_to_have_changed(project: Project, tmp_path: Path) -> None:
    (tmp_path / "random1.txt").write_text("a")
    (tmp_path / "random2.txt").write_text("b")
    before, now = (project.key("a", "-c", str(tmp_path / f"random{number}.txt")) for number in (1, 2))
    assert changed(before.inputs, now.inputs) == f"{tmp_path}/random2.txt changed"


def test_distributions_on_pythonpath_count_wherever_they_are(twins: tuple[Project, Project]) -> None:
    keys = []
    for one in twins:
        one.write("src/a.egg-info/PKG-INFO", "Name: a")
        one.environ["PYTHONPATH"] = f"{one.directory / 'src'}{os.pathsep}{one.directory / 'absent'}"
        keys.append(one.key("a").digest)
    assert keys[0] == keys[1]
    twins[0].write("src/sitecustomize.py", "")
    assert twins[0].key("a").digest != keys[0]
    twins[1].write("src/sitecustomize.py", "")
    assert twins[0].key("a").digest != twins[1].key("a").digest


def test_secrets_do_not_stand_in_the_inputs(project: Project) -> None:
    project.environ["PIP_INDEX_URL"] = "https://user:secret@x/"
    assert "secret" not in repr(project.key("a", "-i", "https://user:secret@y/"))


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys\nimport nox_linkenv.resolve.key\n"
        "print([n for n in ('packaging', 'pip', 'virtualenv', 'urllib.request', 'subprocess', 'socket', 'shlex', 'nox')"
        " if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], check=True, capture_output=True, text=True,
                          env={"PYTHONPATH": str(Path(__file__).parents[2])})  # fmt: skip
    assert done.stdout.strip() == "[]"


# Trees of files: file i includes files with greater numbers only, so that there is no circle.
_COUNT: Final = 6
_FORMS: Final = ("-r {}", "-r{}", "--requirement {}", "--requirement={}", "-c {}", "--constraint={}", "-r '{}'",
                 "--requirement \\\n  {}", "  -c  {}  # why", "-r ${{D}}/{}")  # fmt: skip
_WORDS: Final = ("a", "b>=1,<3", "# -r 5.txt", "", "--pre", "c[x]==1 ; os_name == 'posix'", "d==1 \\\n  " + SHA)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_file_of_a_tree_counts(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as base:
        project = Project(Path(base))
        folders = [data.draw(st.sampled_from(["", "x/", "x/y/"])) for _ in range(_COUNT)]
        paths = [f"{folder}{number}.txt" for number, folder in enumerate(folders)]
        edges: list[list[int]] = []
        project.environ["D"] = "."
        for number in range(_COUNT):
            nested = data.draw(st.lists(st.integers(number + 1, _COUNT - 1), max_size=2)) if number < _COUNT - 1 else []
            edges.append(nested)
            lines = [data.draw(st.sampled_from(_WORDS)) for _ in range(data.draw(st.integers(0, 2)))]
            for other in nested:
                relative = os.path.relpath(paths[other], folders[number] or ".")
                lines.append(data.draw(st.sampled_from(_FORMS)).format(relative))
            order = data.draw(st.permutations(lines))
            end = data.draw(st.sampled_from(["\n", "\r\n"]))
            project.write(paths[number], end.join(order).replace("\\\n", "\\" + end))
        reached = {0}
        for number in range(_COUNT):
            if number in reached:
                reached.update(edges[number])
        before = project.key("-r", paths[0])
        for number, path in enumerate(paths):
            original = (project.directory / path).read_bytes()
            spot = data.draw(st.integers(0, len(original)))
            old = original[spot : spot + 1]
            new = data.draw(st.binary(min_size=1, max_size=1).filter(old.__ne__))
            project.write(path, original[:spot] + new + original[spot + 1 :])
            now = project.ask("-r", paths[0])
            if number in reached:
                assert isinstance(now, Unkeyable) or now.digest != before.digest
            else:
                assert now == before
            project.write(path, original)
        assert project.key("-r", paths[0]) == before


# Against pip itself: what it takes for a path, and what names in files are relative to.
@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("playground")
    for name in ("index", "dist", "sub", "sub/wheels", "plain"):
        (base / name).mkdir()
    make_wheel(base / "index", "plain", files={"plain.py": b""})
    make_wheel(base / "dist", "built", files={"built.py": b""})
    make_wheel(base / "sub" / "wheels", "beside", files={"beside.py": b""})
    make_wheel(base, "bare", files={"bare.py": b""})
    (base / "plain" / "setup.py").write_text("raise SystemExit('a directory is no path without a separator')")
    (base / "sub" / "n.txt").write_text("plain")
    (base / "n.txt").write_text("plain==2")
    for name, text in {
        "nested": "-r n.txt",
        "links": "-f wheels\nbeside",
        "path": "./dist/built-1.0-py3-none-any.whl",
        "continued": "plain \\\n  ==1.0 # ==2\n# -r missing \\\nplain",
        "expanded": "${NAME}",
        "constrained": "-c n.txt\nplain",
    }.items():
        (base / "sub" / f"{name}.txt").write_text(text)
    return base


AGREED: Final = {
    "name beside a directory": (("plain",), "plain", None),
    "file name": (("bare-1.0-py3-none-any.whl",), "bare", "local archive bare-1.0-py3-none-any.whl"),
    "path": (("dist/built-1.0-py3-none-any.whl",), "built", "local archive built-1.0-py3-none-any.whl"),
    "parent": (("sub/../dist/built-1.0-py3-none-any.whl",), "built", "local archive built-1.0-py3-none-any.whl"),
    "URL": (
        ("built @ file://{}/dist/built-1.0-py3-none-any.whl",),
        "built",
        "local wheel dist/built-1.0-py3-none-any.whl",
    ),
    "nested file": (("-r", "sub/nested.txt"), "plain", "sub/n.txt"),
    "constraint": (("-r", "sub/constrained.txt"), "plain", "sub/n.txt"),
    "find-links in a file": (("-r", "sub/links.txt"), "beside", "find-links sub/wheels/"),
    "path in a file": (("-r", "sub/path.txt"), "built", "local wheel dist/built-1.0-py3-none-any.whl"),
    "continuation": (("-r", "sub/continued.txt"), "plain", None),
    "expansion": (("-r", "sub/expanded.txt"), "plain", "${NAME}"),
}


@pytest.mark.parametrize(("arguments", "name", "entry"), AGREED.values(), ids=AGREED)
def test_pip_agrees(playground: Path, tmp_path: Path, arguments: tuple[str, ...], name: str, entry: str | None) -> None:
    arguments = tuple(argument.format(playground) for argument in arguments)
    whole = ("--no-index", "--find-links", "index", *arguments)
    environ = clean_environment() | {"NAME": "plain"}
    report = tmp_path / "report.json"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--ignore-installed",
        "--report",
        str(report),
        *whole,
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=playground, env=environ)
    assert [item["metadata"]["name"] for item in json.loads(report.read_text())["install"]] == [name]
    parsed = parse(whole)
    assert parsed is not None
    key = request_key(
        parsed,
        verbatim=whole,
        environ=environ,
        directory=str(playground),
        config=read_config(environ, str(tmp_path), str(playground)),
        prefix=str(tmp_path),
        facts=FACTS,
        installed="",
    )
    assert isinstance(key, Key), key
    files = {name for name in key.inputs if "/" in name or "." in name or "$" in name}
    given = {arguments[1]} if arguments[0] == "-r" else set()
    assert files == {"find-links index/", *given, *([entry] if entry else [])}


def test_pip_agrees_on_directories(playground: Path, tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.directory = playground
    assert project.reason("./plain") == LOCAL
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--no-build-isolation", "./plain"],
        check=False, capture_output=True, text=True, cwd=playground, env=clean_environment(),
    )  # fmt: skip
    assert done.returncode != 0
    assert "Processing ./plain" in done.stdout


# Passwords


def test_a_password_is_found_out_by_no_fast_digest(project: Project) -> None:
    """Digests of inputs are kept where others may read them; a password may be all that they do not know."""
    url = "https://me:hunter2@index.example/simple"
    project.environ |= {"PIP_EXTRA_INDEX_URL": url, "TOKEN": "hunter2"}
    project.write("r.txt", f"--index-url {url}\na @ https://${{TOKEN}}@host.example/a.whl\n")
    arguments = ("--index-url", url, "-r", "r.txt", "b")
    key = project.key(*arguments)
    known = {ARGUMENTS: "\0".join(arguments), "PIP_EXTRA_INDEX_URL": url, "r.txt": "", "${TOKEN}": "hunter2"}
    known["r.txt"] = (project.directory / "r.txt").read_text()
    for name, value in known.items():
        assert key.inputs[name] != hashlib.sha256(value.encode()).hexdigest()[: len(key.inputs[name])], name


@pytest.mark.parametrize("way", ["argument", "variable", "file", "expanded"])
def test_another_password_is_another_key(project: Project, way: str) -> None:
    def key(password: str) -> str:
        url = f"https://me:{password}@index.example/simple"
        project.environ["PIP_EXTRA_INDEX_URL"] = url if way == "variable" else ""
        project.environ["TOKEN"] = password if way == "expanded" else ""
        project.write("r.txt", f"--index-url {url}" if way == "file" else "--index-url https://${TOKEN}@index.example")
        return project.key(*(("--index-url", url) if way == "argument" else ()), "-r", "r.txt", "b").digest

    assert len({key(password) for password in ("one", "two", "p@ss:word", "p@ss:other")}) == 4
    assert key("one") == key("one")


@pytest.mark.parametrize(
    "arguments",
    [("./dist/big-1.0-py3-none-any.whl",), ("--no-index", "--find-links", "dist", "big")],
    ids=["path", "links"],
)
def test_a_large_archive_that_is_written_over_in_place(project: Project, arguments: tuple[str, ...]) -> None:
    """Too large to be read each time: it has the size, the date and the inode that it had, and another content."""
    path = project.write("dist/big-1.0-py3-none-any.whl")
    os.truncate(path, 65 << 20)  # takes no room on the disk
    os.utime(path, (1_700_000_000, 1_700_000_000))
    before, was = project.key(*arguments), path.stat()
    assert project.key(*arguments) == before
    time.sleep(0.02)  # the clock of a file system goes in steps
    with path.open("r+b") as stream:
        stream.write(b"PK")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    now = path.stat()
    assert (now.st_size, now.st_mtime_ns, now.st_ino) == (was.st_size, was.st_mtime_ns, was.st_ino)
    assert project.key(*arguments).digest != before.digest
