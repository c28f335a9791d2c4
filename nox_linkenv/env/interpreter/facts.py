"""What must be known of an environment's interpreter and of its pip before anything can be installed.

Nothing of it is assumed: the interpreter is asked, and pip is watched while it installs one probe wheel
(:mod:`nox_linkenv.env.interpreter.probe`).  Texts hold :data:`PREFIX` where the environment's own path stands.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.env.paths import OWN, is_below
from nox_linkenv.store.notes import string
from nox_linkenv.wheel.model import Scheme

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NAME", "PREFIX", "Facts", "fill"]

#: Stands in stored texts for the absolute path of the environment, and for its last component.
PREFIX: Final = "\x00prefix\x00"
NAME: Final = "\x00name\x00"


def fill(text: str, prefix: str) -> str:
    """Return *text* with the environment's path *prefix* and its name in their places."""
    if "\x00" not in text:
        return text
    return text.replace(PREFIX, prefix).replace(NAME, prefix.rpartition("/")[2])


@dataclass(frozen=True, slots=True)
class Facts:
    """An interpreter, where its pip puts things, and what its pip writes.

    Args:
        version: full version, such as ``3.12.1``.
        tag: cache tag and magic number of its bytecode, such as ``cpython-312-cb0d0d0a``.
        cache_tag: as in the names of its pycs.
        pip: version of the environment's pip.
        schemes: directory of each scheme key relative to the environment, with ``/``; that of headers holds ``{name}``.
        console, gui: text of a script with ``{module}``, ``{attribute}`` and ``{object}`` as placeholders.
        shebang: the line that replaces ``#!python``, without its line end.
    """

    version: str
    tag: str
    cache_tag: str
    pip: str
    schemes: Mapping[Scheme, str]
    console: str
    gui: str
    shebang: str

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        data["schemes"] = {scheme.value: path for scheme, path in self.schemes.items()}
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Facts:
        """Return the facts that :meth:`to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: *data* is not one.
        """
        texts = {name: string(value) for name, value in data.items() if name != "schemes"}
        schemes = {scheme: string(data["schemes"][scheme.value]) for scheme in Scheme}
        facts = cls(**texts, schemes=schemes)
        names = [path for path in facts.schemes.values() if path]
        if any(f"{path}/".startswith(f"{OWN}/") for path in names):
            raise ValueError("facts name a place among our own notes")
        if not all(map(is_below, [*names, facts.tag, facts.cache_tag])) or "/" in facts.tag + facts.cache_tag:
            raise ValueError("facts name a place outside of the environment or of the store")
        return facts

    @property
    def site_packages(self) -> tuple[str, ...]:
        """Where distributions are found, relative to the environment: purelib, then platlib where it differs."""
        return tuple(dict.fromkeys((self.schemes[Scheme.PURELIB], self.schemes[Scheme.PLATLIB])))
