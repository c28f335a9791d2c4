"""Skeletons: what virtualenv makes of an interpreter, seeds included, kept so that it need not be made again.

virtualenv is run in process at two different places.  What is the same in both results is stored; what differs only
by the place becomes a template.  If filling the first place's template does not give the second place's content,
byte by byte, no skeleton is stored and every environment is made by virtualenv itself.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nox_linkenv.digest import address, mtime_of
from nox_linkenv.env.facts import NAME, PREFIX, Facts, fill
from nox_linkenv.env.probe import learn
from nox_linkenv.errors import EnvError
from nox_linkenv.store import Store
from nox_linkenv.store.objects import put_file

__all__ = ["KEPT_PARAMETERS", "Skeleton", "capture", "fits", "skeleton_name"]

#: Parameters of virtualenv under which the result depends on nothing but the interpreter and virtualenv itself.
KEPT_PARAMETERS: Final = re.compile(
    r"--(system-site-packages|symlinks|copies|always-copy|no-seed|without-pip|no-pip|no-setuptools|no-wheel"
    r"|no-vcs-ignore|no-periodic-update|(pip|setuptools|wheel)=bundle|activators=[a-z,]*)"
)
#: Paths which no shell, shebang or configuration file needs to quote; and how long a shebang may be (Linux: 127 bytes).
_PLAIN: Final = re.compile(r"/[A-Za-z0-9_./+-]+")
_LONGEST: Final = 127 - len("#!/bin/python3.99\n")
_PRIVATE: Final = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
_LOGGERS: Final = ("virtualenv", "python_discovery", "filelock", "distlib")


@dataclass(frozen=True, slots=True)
class Skeleton:
    """An environment as virtualenv makes it, before anything is installed.

    Args:
        facts: of its interpreter and pip.
        directories: relative paths, parents first.
        symlinks: (path, target); targets may hold the placeholders.
        texts: (path, content, executable) of files which every environment has for itself.
        links: (path, address, size) of files which are linked from the store.
        copies: the same for files which are copied.
    """

    facts: Facts
    directories: tuple[str, ...]
    symlinks: tuple[tuple[str, str], ...]
    texts: tuple[tuple[str, str, bool], ...]
    links: tuple[tuple[str, str, int], ...]
    copies: tuple[tuple[str, str, int], ...]

    def dumps(self) -> str:
        data = {name: getattr(self, name) for name in ("directories", "symlinks", "texts", "links", "copies")}
        return json.dumps({"facts": self.facts.to_json(), **data}, separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> Skeleton:
        """Return the skeleton that :meth:`dumps` wrote.

        Raises:
            KeyError, TypeError, ValueError: *text* is not one.
        """
        data: dict[str, Any] = json.loads(text)
        return cls(
            facts=Facts.from_json(data["facts"]),
            directories=tuple(data["directories"]),
            symlinks=tuple((path, target) for path, target in data["symlinks"]),
            texts=tuple((path, content, executable) for path, content, executable in data["texts"]),
            links=tuple((path, addr, size) for path, addr, size in data["links"]),
            copies=tuple((path, addr, size) for path, addr, size in data["copies"]),
        )


def fits(prefix: str) -> bool:
    """Return whether a stored skeleton gives exactly what virtualenv would make at *prefix*."""
    return (
        os.name == "posix"
        and _PLAIN.fullmatch(prefix) is not None
        and len(prefix) <= _LONGEST
        and os.path.realpath(os.path.dirname(prefix)) == os.path.dirname(prefix)
    )


def skeleton_name(interpreter: str, parameters: Sequence[str], *, creator: str) -> str | None:
    """Return the name under which a skeleton is stored, or ``None`` where it cannot be kept.

    Args:
        interpreter: absolute path of the base interpreter.
        parameters: of virtualenv.
        creator: whatever else decides what virtualenv makes: its version, the interpreter that runs it.
    """
    if not all(KEPT_PARAMETERS.fullmatch(parameter) for parameter in parameters):
        return None
    if any(name.startswith("VIRTUALENV_") for name in os.environ):
        return None
    try:
        real = os.path.realpath(interpreter)
        status = os.stat(real)
    except OSError:
        return None
    key = json.dumps([interpreter, real, status.st_size, status.st_mtime_ns, list(parameters), creator])
    return f"skeletons/{hashlib.sha256(key.encode()).hexdigest()}.json"


def capture(store: Store, interpreter: str, parameters: Sequence[str]) -> Skeleton | None:
    """Let virtualenv make two environments and return what they have in common, or ``None`` if that is not exact.

    Raises:
        EnvError: virtualenv refuses this interpreter or these parameters, or its result has no working pip.
    """
    with tempfile.TemporaryDirectory(prefix="linkenv-") as scratch:
        base = os.path.realpath(scratch)
        first, second = f"{base}/place-one/name-one", f"{base}/place-two/name-two"
        for place in (first, second):
            _virtualenv([place, "-p", interpreter, "--no-periodic-update", *parameters])
        one = dict(_entries(first))
        if not fits(first) or {path: _filled(entry, second) for path, entry in one.items()} != {
            path: _filled(entry, second) for path, entry in _entries(second)
        }:
            return None
        shutil.rmtree(second)
        return _store(store, first, one, learn(first, base, undo=False))


@dataclass(frozen=True, slots=True)
class _Entry:
    """One path of a tree: a directory (nothing else given), a symlink, or a file."""

    target: str | None = None
    text: str | None = None
    digest: str | None = None
    executable: bool = False


def _filled(entry: _Entry, prefix: str) -> _Entry:
    return _Entry(
        None if entry.target is None else fill(entry.target, prefix),
        None if entry.text is None else fill(entry.text, prefix),
        entry.digest,
        entry.executable,
    )


def _virtualenv(arguments: list[str]) -> None:
    """Run virtualenv in this process, keeping its log out of the host's."""
    import virtualenv

    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        virtualenv.session_via_cli(arguments, setup_logging=False).run()
    except (Exception, SystemExit) as error:
        raise EnvError(
            f"virtualenv failed: {error}", path=arguments[0], remedy="See virtualenv's message for what to change."
        ) from error


def _entries(place: str) -> Iterator[tuple[str, _Entry]]:
    name = os.path.basename(place)
    for directory, directories, files in os.walk(place):
        directories.sort()
        for child in [*directories, *sorted(files)]:
            path = os.path.join(directory, child)
            relative = os.path.relpath(path, place)
            if os.path.islink(path):
                yield relative, _Entry(target=os.readlink(path).replace(place, PREFIX))
            elif child in directories:
                yield relative, _Entry()
            else:
                content = Path(path).read_bytes()
                executable = bool(os.stat(path).st_mode & 0o100)
                if place.encode() in content or name.encode() in content:
                    text = content.decode().replace(place, PREFIX).replace(name, NAME)
                    yield relative, _Entry(text=text, executable=executable)
                else:
                    yield relative, _Entry(digest=hashlib.sha256(content).hexdigest(), executable=executable)


def _store(store: Store, place: str, entries: dict[str, _Entry], facts: Facts) -> Skeleton:
    texts: list[tuple[str, str, bool]] = []
    links: list[tuple[str, str, int]] = []
    copies: list[tuple[str, str, int]] = []
    inside = tuple(f"{path}/" for path in facts.site_packages)
    for path, entry in entries.items():
        if entry.text is not None:
            texts.append((path, entry.text, entry.executable))
        elif entry.digest is not None:
            size = os.path.getsize(os.path.join(place, path))
            if size == 0:
                texts.append((path, "", entry.executable))
                continue
            addr = address(entry.digest, executable=entry.executable)
            put_file(store.layout, os.path.join(place, path), addr, mtime_of(addr))
            private = os.path.basename(path) in _PRIVATE or path.endswith(".pth")
            (links if path.startswith(inside) and not private else copies).append((path, addr, size))
    return Skeleton(
        facts=facts,
        directories=tuple(path for path, entry in entries.items() if entry == _Entry()),
        symlinks=tuple((path, entry.target) for path, entry in entries.items() if entry.target is not None),
        texts=tuple(texts),
        links=tuple(links),
        copies=tuple(copies),
    )
