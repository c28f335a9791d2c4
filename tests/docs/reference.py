"""The page of all commands, written from their parsers: ``python -m tests.docs.reference`` writes it again."""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING, Final

from nox_linkenv import cli
from tests.docs.pages import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["PAGE", "commands_page"]

PAGE: Final = PROJECT / "docs" / "commands.md"
_BEGIN: Final = """\
# Commands

All commands of `linkenv` with their arguments and options, written from the code. Another page says
[what they are for](how-to/cli.md), and what `--json` prints. Settings are in the [reference](reference.md).
"""
#: Options that every command has; they are described once.
_COMMON: Final = "common options"
_HELP: Final = "--help"


def commands_page() -> str:
    """Return the text of the page."""
    parts = [_BEGIN, "## Common options\n", *_table(_group("info", common=True))]
    for name in cli.commands():
        module = importlib.import_module(cli.module_of(name))
        parts += [f"\n## `linkenv {name}`\n", f"{module.DESCRIPTION}\n"]
        parts += _table(_group(name, common=False))
        width = max(map(len, module.EXAMPLES))
        lines = [f"{line:{width}}  # {text}" for line, text in module.EXAMPLES.items()]
        parts += ["```text", *lines, "```"]
    return "\n".join(parts) + "\n"


def _group(name: str, *, common: bool) -> list[argparse.Action]:
    """Return the arguments of the command *name*: the common ones, or all others."""
    (subparsers,) = (
        action for action in cli.make_parser(name)._actions if isinstance(action, argparse._SubParsersAction)
    )
    parser: argparse.ArgumentParser = subparsers.choices[name]
    return [
        action
        for group in parser._action_groups
        if (group.title == _COMMON) is common
        for action in group._group_actions
        if _HELP not in action.option_strings
    ]


def _table(actions: Sequence[argparse.Action]) -> Iterator[str]:
    if not actions:
        return
    yield "| argument | what it does |"
    yield "|---|---|"
    for action in actions:
        text = (action.help or "") % {**vars(action), "prog": "linkenv"}
        text = text.replace("|", "\\|")
        yield f"| {_named(action)} | {text} |"
    yield ""


def _named(action: argparse.Action) -> str:
    metavar = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    if action.choices is not None and action.metavar is None:
        metavar = "{" + ",".join(map(str, action.choices)) + "}"
    value = "" if action.nargs == 0 else str(metavar)
    value += " ..." if action.nargs in ("+", "*", argparse.REMAINDER) else ""
    value = f"[{value}]" if action.nargs in ("?", "*") else value
    names = action.option_strings or [""]
    return ", ".join(f"`{f'{name} {value}'.strip()}`" for name in names).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(commands_page(), encoding="utf-8")
