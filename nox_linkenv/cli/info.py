"""``linkenv info``: the store, and the settings in force here."""

from __future__ import annotations

import os
import shutil
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.cli.options import arrangement_in, in_words, opened, settings_of
from nox_linkenv.cli.output import Output, version
from nox_linkenv.config import origins
from nox_linkenv.env.registry import find_known
from nox_linkenv.linking.probe import existing
from nox_linkenv.maintenance.disk_usage import filesystem_of
from nox_linkenv.maintenance.units import Kind, Watch
from nox_linkenv.store.layers import find_companions
from nox_linkenv.store.layout import FORMAT, Layout
from nox_linkenv.store.link_policy import companion_places
from nox_linkenv.units import bytes_

if TYPE_CHECKING:
    import argparse

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = "Show the store, the link mode that would be used here, and the settings in force."
EXAMPLES: Final = {
    "linkenv info": "what is in force in this directory",
    "linkenv info --json": "the same for a program",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Show it."""
    settings = settings_of(arguments)
    root = settings.store_root
    exists = os.path.exists(Layout(root).description)
    there = existing(root)
    here = os.getcwd()
    store: dict[str, Any] = {
        "path": root,
        "exists": exists,
        "format": FORMAT,
        "filesystem": filesystem_of(there),
        "free_bytes": shutil.disk_usage(there).free,
        "writable": os.access(there, os.W_OK),
        "lower": list(settings.lower_roots),
        "companions": [],
    }
    if exists:
        store_here = opened(settings)
        units = Watch(store_here.layout).new()
        store["wheels"] = sum(unit.kind is Kind.WHEEL for unit in units)
        store["plans"] = sum(unit.kind is Kind.PLAN for unit in units)
        store["environments"] = len(find_known(store_here))
        store["path"] = store_here.layout.root
        store["lower"] = [layout.root for layout in store_here.lower]
        store["companions"] = [companion.layout.root for companion in find_companions(store_here)]
    found = arrangement_in(here, settings)
    places = list(companion_places(here, settings.companion))
    explicit = {"store": arguments.store} if arguments.store else {}
    where = origins(directory=here, explicit=explicit)
    shown = {
        field.name: {
            "value": _plain(root if field.name == "store" else getattr(settings, field.name)),
            "from": where.get(field.name, "default"),
        }
        for field in fields(settings)
    }
    output.data(
        {
            "version": version(),
            "store": store,
            "here": {
                "path": here,
                "filesystem": filesystem_of(here),
                "link_mode": found.mode.value,
                "why": found.why,
                "linked_from": found.source,
                "companion": found.companion,
                "companion_places": places,
            },
            "settings": shown,
        }
    )
    output.line(f"nox-linkenv {version()}")
    output.line(f"store: {store['path']} (format {FORMAT}, {store['filesystem']}, {bytes_(store['free_bytes'])} free)")
    if exists:
        output.line(
            f"holds: {store['wheels']} wheels, {store['plans']} plans, used by {store['environments']} environments"
        )
    else:
        output.line("holds: nothing yet, the first session makes it")
    for name in store["lower"]:
        output.line(f"below it: {name}")
    for name in store["companions"]:
        output.line(f"companion: {name}")
    output.line(f"here:  {here} ({filesystem_of(here)}): {in_words(found, settings.link_mode)}")
    output.line(f"a companion, where one is needed here: {' or '.join(places) or 'none, as the setting says'}")
    output.line()
    output.table(
        ["setting", "value", "from"],
        [[name.replace("_", "-"), str(entry["value"]), str(entry["from"])] for name, entry in shown.items()],
    )
    return 0


def _plain(value: object) -> object:
    return getattr(value, "value", value)
