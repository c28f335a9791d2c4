"""Capturing a skeleton.

virtualenv is run in process at two different places.  What is the same in both results is stored; what differs only
by the place becomes a template.  If filling the first place's template does not give the second place's content,
byte by byte, no skeleton is stored and every environment is made by virtualenv itself.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nox_linkenv.digest import address, mtime_of
from nox_linkenv.env.bytecode import index_bytecode, pyc_path, sources
from nox_linkenv.env.interpreter.facts import NAME, PREFIX, Facts, fill
from nox_linkenv.env.interpreter.other_pip import remembered_facts
from nox_linkenv.env.interpreter.probe import learn
from nox_linkenv.env.links import Links
from nox_linkenv.env.plan import STARTUP_FILES
from nox_linkenv.env.skeleton import Skeleton, creator, fits, stored_skeleton
from nox_linkenv.env.temporary import scratch
from nox_linkenv.errors import CaptureError, EnvError
from nox_linkenv.store.compile import store_bytecode
from nox_linkenv.store.layout import object_name
from nox_linkenv.store.objects import put_file
from nox_linkenv.store.store import writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nox_linkenv.store import Store

__all__ = ["capture", "capture_as"]

_PRIVATE: Final = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
#: Parameters of virtualenv that change neither where pip puts files nor what it writes.
_WITHOUT_EFFECT: Final = ("--no-setuptools", "--no-wheel", "--activators=", "--no-vcs-ignore")
_LOGGERS: Final = ("virtualenv", "python_discovery", "filelock", "distlib")


def capture_as(
    name: str, store: Store, interpreter: str, parameters: Sequence[str], *, again: bool = False
) -> Skeleton | None:
    """Capture a skeleton and store it under *name*; who else wants it waits for that, and takes it.

    Args:
        again: capture it even where it is stored, because its objects are damaged.

    Raises:
        CaptureError: as for :func:`capture`.
        StoreUnwritableError: the store cannot be written.
    """
    with writing(store.layout), store.locked(), store.locked_for(name.rpartition("/")[2]):
        skeleton = None if again else stored_skeleton(store, name)
        if skeleton is not None:
            return skeleton
        skeleton = capture(store, interpreter, parameters)
        if skeleton is not None:
            store.publish(name, skeleton.dumps())
            index_bytecode(store, name, sources(skeleton.links, [], skeleton.facts), skeleton.facts)
    return skeleton


def capture(store: Store, interpreter: str, parameters: Sequence[str]) -> Skeleton | None:
    """Let virtualenv make two environments and return what they have in common, or ``None`` if that is not exact.

    Raises:
        CaptureError: virtualenv refuses this interpreter or these parameters, or its result has no working pip.
        StoreUnwritableError: the store cannot be written.
    """
    with scratch(store.layout, "place-one/name-one") as base:
        first, second = f"{base}/place-one/name-one", f"{base}/place-two/name-two"
        _make(first, interpreter, parameters)
        one = dict(_entries(first))
        identity = _identity(interpreter, parameters, one)
        with ThreadPoolExecutor(1) as pool:  # pip works for a second, and another core has nothing to do
            learning = pool.submit(remembered_facts, store, identity, lambda: learn(first, base, undo=False))
            _make(second, interpreter, parameters)
            if not fits(first) or {path: _filled(entry, second) for path, entry in one.items()} != {
                path: _filled(entry, second) for path, entry in _entries(second)
            }:
                return None
            shutil.rmtree(second)
            with writing(store.layout):
                _put_objects(store, first, one)
            try:
                facts = learning.result()
            except EnvError as error:
                raise CaptureError(error.what, path=error.path, remedy=error.remedy) from error
        with writing(store.layout):
            return _skeleton(store, first, one, facts)


def _identity(interpreter: str, parameters: Sequence[str], entries: Mapping[str, _Entry]) -> list[object]:
    """Return what the facts of an environment with *entries* depend on: its interpreter and its pip."""
    real = os.path.realpath(interpreter)
    status = os.stat(real)
    pips = [(path, entry.digest) for path, entry in entries.items() if fnmatch(path, "*/pip-*.dist-info/METADATA")]
    deciding = [parameter for parameter in parameters if not parameter.startswith(_WITHOUT_EFFECT)]
    return [interpreter, real, status.st_size, status.st_mtime_ns, creator(), deciding, pips]


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


def _make(place: str, interpreter: str, parameters: Sequence[str]) -> None:
    """Let virtualenv make an environment at *place*: in this process, with its log kept out of the host's."""
    import virtualenv

    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        virtualenv.session_via_cli(
            [place, "-p", interpreter, "--no-periodic-update", *parameters], setup_logging=False
        ).run()
    except (Exception, SystemExit) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        words = " ".join(dict.fromkeys([*lines[:1], *lines[-1:]]))  # between them there may be a traceback
        raise CaptureError(
            f"virtualenv failed: {words}", path=place, remedy="See virtualenv's message for what to change."
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


def _put_objects(store: Store, place: str, entries: Mapping[str, _Entry]) -> None:
    for path, entry in entries.items():
        file = os.path.join(place, path)
        if entry.digest is not None and os.path.getsize(file):
            addr = address(entry.digest, executable=entry.executable)
            put_file(store.layout, file, addr, mtime_of(addr))


def _skeleton(store: Store, place: str, entries: Mapping[str, _Entry], facts: Facts) -> Skeleton:
    """Return the skeleton of *entries*, the objects of which are stored, and store the bytecode that is there."""
    links = Links()
    texts: list[tuple[str, str, bool]] = []
    copies: list[tuple[str, str]] = []
    inside = tuple(f"{path}/" for path in facts.site_packages)
    for path, entry in entries.items():
        if entry == _Entry():
            links.directories.append(path)
        elif entry.text is not None:
            texts.append((path, entry.text, entry.executable))
        elif entry.digest is not None:
            size = os.path.getsize(os.path.join(place, path))
            if size == 0:
                texts.append((path, "", entry.executable))
                continue
            addr = address(entry.digest, executable=entry.executable)
            if path.startswith(inside) and os.path.basename(path) not in _PRIVATE and not path.endswith(STARTUP_FILES):
                links.add(path, addr, size)
            else:
                copies.append((path, object_name(addr)))
    _store_bytecode(store, place, links, facts)
    symlinks = [(path, entry.target) for path, entry in entries.items() if entry.target is not None]
    return Skeleton(facts=facts, links=links, symlinks=symlinks, texts=texts, copies=copies)


def _store_bytecode(store: Store, place: str, links: Links, facts: Facts) -> None:
    """Store the bytecode that pip's run has left at *place*, so that no session compiles that pip another time."""
    modules = sources(links, [], facts)
    left = {addr: f"{place}/{pyc_path(path, facts.cache_tag)}" for path, addr in modules.items()}
    store_bytecode(store.layout, facts.tag, {addr: path for addr, path in left.items() if os.path.exists(path)})
