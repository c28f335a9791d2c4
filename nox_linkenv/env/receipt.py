"""The receipt: the file that makes an environment a finished one.  It is written last and removed first."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from typing import Any, Final

from nox_linkenv.env.assembly.assembler import write_private
from nox_linkenv.env.interpreter.facts import Facts
from nox_linkenv.linking import LinkMode
from nox_linkenv.store.directories import is_directory

__all__ = ["DIRECTORY", "Receipt", "donor_of", "own_directory", "read_receipt", "remove_receipt", "write_receipt"]

#: Our directory in the environment.
DIRECTORY: Final = ".linkenv"
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an environment was made of.

    Args:
        store: root of the store that it is linked from.
        interpreter: path of the base interpreter it was asked for with.
        facts: of its interpreter and pip.
        skeleton: name of the stored skeleton, ``None`` where virtualenv made this very environment.
        session: what the host calls the session.
        plans: names of the stored plans carried out so far, in order.
        modes: values of the link modes that it was made with.
        sources: roots of the stores that its files were linked from: its own, a companion, lower ones.
    """

    store: str
    interpreter: str
    facts: Facts
    skeleton: str | None
    session: str
    plans: tuple[str, ...] = field(default=())
    modes: tuple[str, ...] = (LinkMode.HARDLINK.value,)
    sources: tuple[str, ...] = ()

    @property
    def symlinked(self) -> bool:
        """Whether it needs its stores: files of it are symlinks into them."""
        return LinkMode.SYMLINK.value in self.modes

    @property
    def places(self) -> tuple[str, ...]:
        """The roots of the stores that its files were linked from."""
        return self.sources or (self.store,)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "store": self.store,
            "interpreter": self.interpreter,
            "facts": self.facts.to_json(),
            "skeleton": self.skeleton,
            "session": self.session,
            "plans": self.plans,
            "modes": self.modes,
            "sources": self.sources,
        }


def donor_of(prefix: str) -> str:
    """Return where the environment that stood at *prefix* before is kept while the new one takes over from it."""
    return f"{prefix}/{DIRECTORY}/donor"


def own_directory(prefix: str) -> str:
    """Return our directory in the environment at *prefix*, made if it is not there; what stands in its way goes.

    Raises:
        OSError: it cannot be made.
    """
    path = f"{prefix}/{DIRECTORY}"
    if not is_directory(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # a link would lead what is written there to somewhere else
        os.makedirs(path)
    return path


def _path(prefix: str) -> str:
    return f"{prefix}/{DIRECTORY}/receipt.json"


def read_receipt(prefix: str) -> Receipt | None:
    """Return the receipt of the environment at *prefix*, or ``None`` where it has none that can be read."""
    if not is_directory(f"{prefix}/{DIRECTORY}"):
        return None
    try:
        with open(_path(prefix), encoding="utf-8") as stream:
            data = json.load(stream)
        if data["format"] != _FORMAT:
            return None
        return Receipt(
            store=data["store"],
            interpreter=data["interpreter"],
            facts=Facts.from_json(data["facts"]),
            skeleton=data["skeleton"],
            session=data["session"],
            plans=tuple(data["plans"]),
            modes=tuple(data.get("modes", (LinkMode.HARDLINK.value,))),
            sources=tuple(data.get("sources", ())),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_receipt(prefix: str, receipt: Receipt) -> None:
    """Write *receipt* into the environment at *prefix*: whole or not at all."""
    staged = f"{own_directory(prefix)}/receipt.new"
    write_private(staged, json.dumps(receipt.to_json()).encode(), executable=False)
    os.replace(staged, _path(prefix))


def remove_receipt(prefix: str) -> None:
    """Remove the receipt, so that whoever is killed from here on leaves an environment known to be unfinished."""
    if is_directory(f"{prefix}/{DIRECTORY}"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_path(prefix))
