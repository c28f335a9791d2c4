"""What the subcommands' parsers share: common options, durations, sizes, and the store that is meant."""

from __future__ import annotations

import argparse
import os
import re
from typing import TYPE_CHECKING, Final

from nox_linkenv.config import load_settings
from nox_linkenv.env.assembly.link_source import open_store
from nox_linkenv.errors import LinkenvError, StoreError
from nox_linkenv.linking import LinkMode
from nox_linkenv.store import Store
from nox_linkenv.store.layout import Layout
from nox_linkenv.store.link_policy import arrange
from nox_linkenv.store.roots import find_roots
from nox_linkenv.units import bytes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nox_linkenv.config import Settings
    from nox_linkenv.store.link_policy import Arrangement

__all__ = [
    "arrangement_in",
    "duration",
    "in_words",
    "known_environments",
    "opened",
    "set_completer",
    "settings_of",
    "size",
]

_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the settings in force in the current directory, with those of the command line.

    Raises:
        SettingsError: one has a value that it cannot have.
    """
    explicit = {"store": arguments.store} if arguments.store else {}
    return load_settings(directory=os.getcwd(), explicit=explicit)


def set_completer(action: argparse.Action, names: Callable[[argparse.Namespace], Iterable[str]]) -> None:
    """Have a shell complete the value of *action* by the *names* that are known, or by files where none is."""

    def complete(parsed_args: argparse.Namespace, **_: object) -> list[str]:
        try:
            return list(names(parsed_args))
        except (LinkenvError, OSError):
            return []

    action.completer = complete  # type: ignore[attr-defined] # where argcomplete looks for it


def known_environments(arguments: argparse.Namespace) -> list[str]:
    """Return the paths of the known environments: of those in the current directory, relative ones."""
    here = os.getcwd() + os.sep
    return [root.prefix.removeprefix(here) for root in find_roots(opened(settings_of(arguments)))]


_opened: list[Store] = []


def opened(settings: Settings, *, exactly: bool = False) -> Store:
    """Open the store of *settings*; one that does not exist is not made.

    Args:
        exactly: open it, and no store above it, even where it cannot be written.

    Raises:
        StoreError: there is none.
    """
    root = settings.store_root
    if not os.path.lexists(Layout(root).description) and not os.path.isdir(Layout(root).base):
        raise StoreError(
            "There is no store",
            path=root,
            remedy="The first session makes it; name another one with --store or LINKENV_STORE.",
        )
    store = Store.open(root, lower=settings.lower_roots) if exactly else open_store(settings)
    _opened.append(store)
    return store


def told() -> list[str]:
    """Return lines about what of the opened stores was found damaged, since this was asked last."""
    return [line for store in _opened for line in store.told()]


def duration(text: str) -> float:
    """Return the seconds of a duration such as ``30d``, ``12h``, ``45m``, ``10s`` or ``2w``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip().lower())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 30d, 12h or 45m")
    return float(found[1]) * _SECONDS[found[2]]


def size(text: str) -> int:
    """Return the bytes of a size such as ``5GB``, ``500M`` or ``2GiB``; a bare number may mean anything."""
    try:
        return bytes_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def arrangement_in(directory: str, settings: Settings) -> Arrangement:
    """Return how files would get into an environment in *directory*."""
    return arrange(settings.link_mode, Layout(settings.store_root), directory, settings.companion)


def in_words(found: Arrangement, wanted: LinkMode) -> str:
    """Return which link mode would be used, and why."""
    where = f" from the companion store {found.source}" if found.companion else ""
    if found.why is not None:
        return f"{found.mode.value}{where}, because {found.why}"
    return f"{found.mode.value}, {'the best that works' if wanted is LinkMode.AUTO else 'as the setting says'}"
