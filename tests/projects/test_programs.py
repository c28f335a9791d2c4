"""What is known of programs: a build that runs any other is not kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nox_linkenv.projects.programs import Sort, commands_of, names_in_scripts, sort_of, subcommand

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "sort"),
    [
        ("x86_64-linux-gnu-gcc-12", Sort.TOOL),
        ("clang++", Sort.TOOL),
        ("pg_config", Sort.CONFIG),
        ("llvm-config-17", Sort.CONFIG),
        ("quux-config", Sort.UNKNOWN),
        ("cat", Sort.PLAIN),
        ("make", Sort.UNKNOWN),
        ("cargo", Sort.UNKNOWN),
        ("sed", Sort.UNKNOWN),
        ("python3", Sort.UNKNOWN),
        ("ninja", Sort.DRIVER),
        ("git", Sort.VCS),
    ],
)
def test_sorts(name: str, sort: Sort) -> None:
    assert sort_of(f"/usr/bin/{name}") is sort


@pytest.mark.parametrize(
    ("text", "programs"),
    [
        ("git describe --tags", ["git"]),
        ("git describe 2>/dev/null || echo unknown", ["git"]),
        ("A=b uname -m && cat /etc/os-release | tr a b", ["uname", "cat", "tr"]),
        ("echo $HOME", []),
        ("echo 'a;b' \"c d\"", []),
        ("cat $FILE", [None]),
        ("cat ~/.quux", [None]),
        ("cat *.txt", [None]),
        ("cat < /etc/os-release", [None]),
        ("echo `cat /etc/os-release`", [None]),
        ("echo $(cat /etc/os-release)", [None]),
        ("(cat a)", [None]),
        ("sleep 1 & cat a", [None]),
        ("echo a\ncat b", [None]),
        ("echo 'a", [None]),
    ],
)
def test_the_text_for_a_shell(text: str, programs: list[str | None]) -> None:
    shell, *found = commands_of("/bin/sh", ("sh", "-c", text), [])
    assert shell is not None
    assert [command and command.program for command in found] == programs


def test_a_shell_that_runs_a_script_and_env(tmp_path: Path) -> None:
    assert list(commands_of("/bin/sh", ("sh", "run.sh"), []))[1:] == [None]
    assert list(commands_of("/bin/bash", ("bash", "-x", "-c", "true"), []))[1:] == [None]
    assert list(commands_of("/usr/bin/env", ("env", "-S", "cat a"), []))[1:] == [None]
    program = tmp_path / "tool"
    program.touch(0o755)
    (found,) = list(commands_of("/usr/bin/env", ("env", "-i", "A=b", "tool", "x"), [str(tmp_path)]))[1:]
    assert found is not None
    assert (found.program, found.words) == (str(program), ("tool", "x"))


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("describe --tags", "describe"),
        ("-C /x -c a.b=c --no-pager log -1", "log"),
        ("--git-dir=/x rev-parse HEAD", "rev-parse"),
        ("--version", "--version"),
        ("fetch origin", None),
        ("ls-remote", None),
        ("stash list", None),
        ("quux", None),
    ],
)
def test_what_git_is_asked(words: str, asked: str | None) -> None:
    assert subcommand(("git", *words.split())) == asked


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('find_package(Foo)\nset(A "$ENV{FOO_HOME}/x")', {"FOO_HOME"}),
        ('execute_process(COMMAND "${Python_EXECUTABLE}" -m nanobind --cmake_dir OUTPUT_VARIABLE X)', set()),
        ("add_custom_command(OUTPUT a COMMAND ${CMAKE_COMMAND} -E touch a)", set()),
        ("execute_process(COMMAND ${GIT_EXECUTABLE} describe)", set()),
        ('file(READ "${CMAKE_CURRENT_SOURCE_DIR}/VERSION" V)\nfile(STRINGS "/abs/VERSION" W)\nfile(READ a B)', set()),
        ("execute_process(COMMAND quux-config)", None),
        ("execute_process(COMMAND ${QUUX} COMMAND git x)", None),
        ("Execute_Process( COMMAND ${CMAKE_COMMAND} -E echo\n COMMAND cat /abs)", None),
        ("include(ExternalProject)\nExternalProject_Add(x)", None),
        ("FetchContent_Declare(x URL y)", None),
        ("file(DOWNLOAD x y)", None),
        ('file(READ "${QUUX_DIR}/VERSION" V)', None),
        ("custom_target('x', command: ['cat', '/abs'])", None),
        ("vcs_tag(input: 'a', output: 'b')", None),
    ],
)
def test_what_is_to_be_built(text: str, names: set[str] | None) -> None:
    assert names_in_scripts(["project(demo)", text]) == names
