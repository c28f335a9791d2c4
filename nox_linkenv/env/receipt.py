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
from nox_linkenv.regular import read_regular
from nox_linkenv.store.directories import is_directory
from nox_linkenv.store.layout import PLANS, SKELETONS, unit_name
from nox_linkenv.store.notes import NoteError, parse_note, seal, string, strings

__all__ = ["DIRECTORY", "Receipt", "donor_of", "own_directory", "read_receipt", "remove_receipt", "write_receipt"]

#: Our directory in the environment.
DIRECTORY: Final = ".linkenv"
_FORMAT: Final = 2
#: What its digest is of, besides its text; and the most bytes that it has.
_NAME: Final = "receipt"
_MOST: Final = 8 << 20


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

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Receipt:
        """Return the receipt that :meth:`to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: *data* is not one.
        """
        if data["format"] != _FORMAT:
            raise ValueError("of another format")
        return cls(
            store=string(data["store"]),
            interpreter=string(data["interpreter"]),
            facts=Facts.from_json(data["facts"]),
            skeleton=None if data["skeleton"] is None else unit_name(SKELETONS, data["skeleton"]),
            session=string(data["session"]),
            plans=tuple(unit_name(PLANS, name) for name in strings(data["plans"])),
            modes=tuple(strings(data["modes"])),
            sources=tuple(strings(data["sources"])),
        )


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
        return parse_note(_NAME, read_regular(_path(prefix), limit=_MOST), Receipt.from_json)
    except (OSError, NoteError):
        return None


def write_receipt(prefix: str, receipt: Receipt) -> None:
    """Write *receipt* into the environment at *prefix*: whole or not at all."""
    staged = f"{own_directory(prefix)}/receipt.new"
    write_private(staged, seal(_NAME, json.dumps(receipt.to_json())), executable=False)
    os.replace(staged, _path(prefix))


def remove_receipt(prefix: str) -> None:
    """Remove the receipt, so that whoever is killed from here on leaves an environment known to be unfinished."""
    if is_directory(f"{prefix}/{DIRECTORY}"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_path(prefix))
