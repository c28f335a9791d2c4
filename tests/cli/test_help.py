"""Help, hints on names that nobody knows, colours, and completion by a real shell."""

from __future__ import annotations

import io
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv import cli
from nox_linkenv.cli.output import Color
from nox_linkenv.store import Store
from nox_linkenv.store.journal import Made, Session, append
from nox_linkenv.store.roots import Root, register_root
from tests.cli.tool import linkenv, say
from tests.provision.tool import NOX, Site
from tests.support.capabilities import Capability

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMMANDS: Final = sorted(cli.commands())


def _help(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main([*arguments, "--help"]) == 0
    return capsys.readouterr().out


def test_the_list_of_commands_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    said = _help(capsys)
    assert all(f"    {name}" in said for name in _COMMANDS)
    assert "Exit codes: 0 all is well" in said


@pytest.mark.parametrize("name", _COMMANDS)
def test_each_command_has_help_with_examples_that_it_understands(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = _help(capsys, name)
    examples = said.partition("\nexamples:\n")[2].partition("\n\n")[0].splitlines()
    assert examples
    assert "Exit codes: " in said
    assert max(map(len, said.splitlines())) < 120
    for line in examples:
        command = line.partition("linkenv ")[2].partition("   ")[0].partition(" | ")[0].partition(')"')[0]
        words = shlex.split(command.partition("  ")[0])
        assert words[0] == name, line
        assert cli.parse(words).run.__module__ == cli.module_of(name), "argparse takes it"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["evns"], "there is no command 'evns'; envs may be meant"),
        (["qqqqqqq"], "there is no command 'qqqqqqq'\n"),
        (["envs", "--jsno"], "unrecognized arguments: --jsno; --json may be meant"),
        (["stats", "--sinc=7d", "--rest"], "--reset"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_what_may_be_meant_is_said(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(arguments)
    if "--rest" not in arguments:  # which argparse takes for --reset: abbreviations are its own
        assert code == 2
        assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "before", [["--store", "x"], ["--store=x"], ["--json"], ["--color", "never", "--store=x", "--json"], []], ids=str
)
def test_common_options_may_stand_before_the_command(before: list[str]) -> None:
    behind = ["run", "--with", "click", "--", "prog", "--json", "--store", "y"]
    assert vars(cli.parse([*before, *behind])) == vars(cli.parse([behind[0], *before, *behind[1:]]))


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("color", "environ", "terminal", "file"),
    [
        (Color.AUTO, {}, True, False),
        (Color.AUTO, {"NO_COLOR": ""}, True, False),
        (Color.AUTO, {"NO_COLOR": "1"}, False, False),
        (Color.AUTO, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        (Color.AUTO, {"FORCE_COLOR": "1"}, True, True),
        (Color.AUTO, {"TERM": "dumb"}, False, False),
        (Color.ALWAYS, {"NO_COLOR": "1"}, True, True),
        (Color.NEVER, {"FORCE_COLOR": "1"}, False, False),
    ],
)
def test_colors(color: Color, environ: Mapping[str, str], terminal: bool, file: bool) -> None:
    assert color.on(_Terminal(), environ) is terminal
    assert color.on(io.StringIO(), environ) is file


def _known(site: Site) -> None:
    store = Store.open(site.store)
    made = Made("linked", None, 0.1, 1, 0)
    prefix = str(site.project / ".nox" / "tests-3-12")
    Path(prefix).mkdir(parents=True)
    append(store.layout, [Session("r", "nox", "/p", "tests-3-12", prefix, 1.0, 2.0, made)], now=2.0, days=90.0)
    register_root(store, Root(prefix, "tests-3-12", 1.0))


def test_tables_and_errors_are_colored_only_where_that_is_wanted(here: Site) -> None:
    _known(here)
    assert "\x1b[" in say(here, "envs", "--color", "always")
    assert "\x1b[" not in say(here, "envs")
    assert "\x1b[" in linkenv(here, "envs", FORCE_COLOR="1", TERM="xterm").stdout
    dumb = linkenv(here, "envs", "--color", "always", TERM="dumb").stdout
    assert "\x1b[" in dumb, "it was asked for"
    assert str(here.project / ".nox" / "tests-3-12") in dumb
    assert "\x1b[" not in linkenv(here, "envs", "--json", "--color", "always").stdout
    error = linkenv(here, "why", "nobody", "--color", "always", code=1).stderr
    assert "\x1b[1;31mlinkenv:\x1b[0m Nothing is known" in error


_COMPLETE: Final = """\
eval "$(linkenv completion bash)"
COMP_LINE="$1" COMP_POINT=${#1} COMP_TYPE=9
_python_argcomplete linkenv
printf '%s\\n' "${COMPREPLY[@]}"
"""


def _with_the_command(site: Site) -> dict[str, str]:
    """Return variables with which shells find the command; some sessions are known to it."""
    _known(site)
    (site.root / "bin").mkdir()
    script = site.root / "bin" / "linkenv"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m nox_linkenv "$@"\n')
    script.chmod(0o755)
    path = f"{script.parent}{os.pathsep}{site.environ['PATH']}"
    return {**site.environ, "LINKENV_STORE": str(site.store), "PATH": path}


@pytest.mark.needs(Capability.FISH)
def test_fish_completes_commands_and_names(here: Site) -> None:
    environ = _with_the_command(here)
    text = 'linkenv completion fish | source; complete -C "linkenv w"; complete -C "linkenv why t"'
    command = ["fish", "--no-config", "-c", text]
    done = subprocess.run(command, cwd=here.project, env=environ, capture_output=True, text=True, check=True)
    assert [line.partition("\t")[0] for line in done.stdout.split("\n") if line] == [
        "wait",
        "warm",
        "why",
        "tests-3-12",
    ]


@pytest.mark.needs(Capability.ZSH)
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # the child does nothing but become zsh
def test_zsh_completes_commands_and_names(here: Site) -> None:
    environ = {**_with_the_command(here), "PS1": "> ", "TERM": "dumb"}
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(here.project)
        os.execvpe("zsh", ["zsh", "-f", "-i"], environ)

    def typed(text: str, *shown: str) -> None:
        seen = ""
        os.write(terminal, text.encode())
        while not all(word in seen for word in shown):
            assert select.select([terminal], [], [], 60)[0], (shown, seen)
            seen += os.read(terminal, 4096).decode(errors="replace")

    try:
        typed('autoload -U compinit; compinit -D -u; eval "$(linkenv completion zsh)"; echo read\\y\n', "ready\r\n")
        typed("linkenv w\t", "wait", "warm", "why")
        typed("hy t\t", "tests-3-12")
    finally:
        os.kill(process, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(process, 0)


def test_bash_completes_commands_options_and_names(here: Site) -> None:
    environ = _with_the_command(here)

    def complete(line: str) -> set[str]:
        command = ["bash", "--norc", "-c", _COMPLETE, "bash", line]
        done = subprocess.run(command, cwd=here.project, env=environ, capture_output=True, text=True, check=True)
        return {word.strip() for word in done.stdout.splitlines()}

    assert complete("linkenv w") == {"wait", "warm", "why"}
    assert {"--since", "--reset", "--json", "--store", "--color"} <= complete("linkenv stats --")
    assert complete("linkenv why t") == {"tests-3-12"}
    assert complete("linkenv explain .n") == {".nox/tests-3-12"}
    assert {"bash", "zsh", "fish", "powershell"} <= complete("linkenv completion ")


def test_nox_with_a_backend_much_like_ours(here: Site) -> None:
    text = 'import nox\n@nox.session(venv_backend="{name}")\ndef tests(session):\n    pass\n'
    for name, hinted in (("liked", True), ("coda", False)):
        (here.project / "noxfile.py").write_text(text.replace("{name}", name))
        done = subprocess.run([*NOX], cwd=here.project, env=here.environ, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert (f"There is no backend {name!r}; linked may be meant." in done.stderr) is hinted
