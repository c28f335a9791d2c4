"""``linkenv completion``: what a shell has to be told to complete the command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

    from nox_linkenv.cli.output import Output

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Print a script for the shell. Once it is evaluated, the shell asks linkenv itself what can stand next: commands, "
    "options, and the names of sessions and environments."
)
EXAMPLES: Final = {
    'eval "$(linkenv completion bash)"': "in ~/.bashrc",
    'eval "$(linkenv completion zsh)"': "in ~/.zshrc, after compinit",
    "linkenv completion fish | source": "in ~/.config/fish/config.fish",
}
_SHELLS: Final = ("bash", "zsh", "fish", "powershell")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("shell", metavar="SHELL", choices=_SHELLS, help=", ".join(_SHELLS))


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Print it."""
    from argcomplete.shell_integration import shellcode

    script = shellcode(["linkenv"], shell=arguments.shell)
    output.data({"shell": arguments.shell, "script": script})
    output.line(script.rstrip())
    return 0
