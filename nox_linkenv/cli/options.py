"""What the subcommands' parsers share: common options, durations, sizes, and the store that is meant."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from nox_linkenv.cli.output import Output
    from nox_linkenv.config import Settings
    from nox_linkenv.store import Store

__all__ = ["Commands", "command", "duration", "opened", "settings_of", "size", "version"]

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_BYTES: Final = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY: Final = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def command(
    commands: Commands,
    name: str,
    text: str,
    run: Callable[[argparse.Namespace, Output], int],
    *,
    description: str = "",
) -> argparse.ArgumentParser:
    """Add the subcommand *name*, with the options that every one has."""
    parser = commands.add_parser(name, help=text, description=description or f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--store", metavar="DIR", help="the store (default: the one in force here, see info)")
    parser.set_defaults(run=run)
    return parser


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the settings in force in the current directory, with those of the command line.

    Raises:
        SettingsError: one has a value that it cannot have.
    """
    from nox_linkenv.config import load_settings

    explicit = {"store": arguments.store} if arguments.store else {}
    return load_settings(directory=os.getcwd(), explicit=explicit)


def opened(settings: Settings, *, exactly: bool = False) -> Store:
    """Open the store of *settings*; one that does not exist is not made.

    Args:
        exactly: open it, and no store above it, even where it cannot be written.

    Raises:
        StoreError: there is none.
    """
    from nox_linkenv.env.assembly.link_source import open_store
    from nox_linkenv.errors import StoreError
    from nox_linkenv.store import Store
    from nox_linkenv.store.layout import Layout

    root = settings.store_root
    if not os.path.exists(Layout(root).description):
        raise StoreError(
            "There is no store",
            path=root,
            remedy="The first session makes it; name another one with --store or LINKENV_STORE.",
        )
    return Store.open(root, lower=settings.lower_roots) if exactly else open_store(settings)


def duration(text: str) -> float:
    """Return the seconds of a duration such as ``30d``, ``12h``, ``45m``, ``10s`` or ``2w``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip().lower())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 30d, 12h or 45m")
    return float(found[1]) * _SECONDS[found[2]]


def size(text: str) -> int:
    """Return the bytes of a size such as ``5GB``, ``500M`` or ``2GiB``; a bare number may mean anything."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?)b?|b)", text.strip().lower())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size with its unit, such as 5GB, 500M or 2GiB")
    if found[2] is None:
        return int(float(found[1]))
    return int(float(found[1]) * (_BINARY if found[3] else _BYTES)[found[2]])


def version() -> str:
    """Return the version of this package, which is loaded already; importing it by name would mean its plugins."""
    found: str = sys.modules["nox_linkenv"].__version__
    return found
