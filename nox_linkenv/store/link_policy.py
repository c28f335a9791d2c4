"""Which store an environment is linked from, and how: decided here and nowhere else.

:func:`decide` is pure: what the system allows goes in, an :class:`Arrangement` comes out.  :func:`arrange` finds out
what the system allows and asks it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nox_linkenv.linking import LinkMode
from nox_linkenv.linking.probe import Abilities, existing, mount_of, probe
from nox_linkenv.store.description import make_probe
from nox_linkenv.store.layout import LAYER, OBJECTS, Layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "COMPANION",
    "Arrangement",
    "Option",
    "arrange",
    "companion_places",
    "decide",
    "is_own",
    "layer_of",
    "sample",
]

#: Name of a companion store where the user names no place.
COMPANION: Final = ".linkenv-store"
#: Values of the setting that ask for no companion.
_NONE: Final = frozenset({"none", "off", "no", "false", "0"})
#: In order of speed (decision 0012); symlinks are never chosen, only asked for.
_AUTOMATIC: Final = (LinkMode.HARDLINK, LinkMode.CLONE)
#: Tops of filesystems that belong to the system: nothing is put there unless the setting says so.
_SYSTEM: Final = frozenset({"/", "/home", "/opt", "/root", "/srv", "/tmp", "/usr", "/var", "/var/tmp"})
#: Files by which a directory is known as a project, whose top is no place for a store.
_PROJECT: Final = (".git", ".hg", "pyproject.toml", "noxfile.py", "tox.ini", "setup.py")


@dataclass(frozen=True, slots=True)
class Option:
    """A store that an environment could be linked from: its root and what the system allows from there."""

    root: str
    abilities: Abilities


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How one environment gets its files.

    Args:
        mode: any but ``AUTO``.
        source: root of the store that files are linked from.
        companion: whether that is a companion, to be filled from the main store.
        why: why it is not the first choice, a whole clause; ``None`` where it is.
        since: of a store on an overlay: status-change time in nanoseconds before which an object may lie in a lower
            layer; 0 elsewhere.
    """

    mode: LinkMode
    source: str
    companion: bool = False
    why: str | None = None
    since: int = 0

    def explain(self) -> str | None:
        """Return one line for the user, ``None`` where nothing is out of the ordinary."""
        if self.why is None:
            return None
        if self.companion:
            return f"Files are linked from the companion store {self.source}, because {self.why}."
        if self.mode is LinkMode.COPY:
            return (
                f"Files are copied, because {self.why}."
                " Name a place for a store beside your environments with LINKENV_COMPANION to have them linked."
            )
        return f"Files are made by {self.mode.value}, because {self.why}."


def decide(asked: LinkMode, main: Option, companions: Sequence[Option]) -> Arrangement:
    """Return how to link; pure.

    Args:
        asked: the setting.
        main: the store that wheels are added to.
        companions: the places for a companion, the best first.
    """
    if asked is LinkMode.COPY:
        return Arrangement(LinkMode.COPY, main.root)
    if asked is LinkMode.SYMLINK:
        why = main.abilities.refused.get(LinkMode.SYMLINK)
        return Arrangement(LinkMode.COPY if why else LinkMode.SYMLINK, main.root, why=why)
    modes = _AUTOMATIC if asked is LinkMode.AUTO else (asked,)
    refused = main.abilities.refused
    why = None
    for option in (main, *companions):
        for mode in modes:
            if option.abilities.works(mode):
                return Arrangement(mode, option.root, companion=option is not main, why=why)
            if option is main and why is None:
                why = refused[mode]
    return Arrangement(LinkMode.COPY, main.root, why=why)


def arrange(asked: LinkMode, layout: Layout, directory: str, companion: str = "") -> Arrangement:
    """Find out what the system allows and decide.

    Args:
        asked: the setting.
        layout: of the main store.
        directory: absolute path of the environment's parent; it need not exist yet.
        companion: the setting: a path, ``none``, or nothing for the default places.
    """
    here = existing(directory)
    main = Option(layout.root, _from_place(layout.root, here))
    found = decide(asked, main, ())
    if found.mode is LinkMode.COPY and asked is not LinkMode.COPY and asked is not LinkMode.SYMLINK:
        options = [
            Option(place, _from_place(place, here)) for place in companion_places(directory, companion) if is_own(place)
        ]
        found = decide(asked, main, options)
    since = _overlay_since(Layout(found.source)) if found.mode is LinkMode.HARDLINK else 0
    return Arrangement(found.mode, found.source, found.companion, found.why, since)


def companion_places(directory: str, setting: str) -> Iterator[str]:
    """Yield where a companion may be for environments in *directory*, the best place first.

    These are the path that was set, or else ``.linkenv-store`` at the top of the environment's filesystem, unless
    that top is the system's or a project's, and then ``.linkenv-store`` in *directory*.
    """
    if setting:
        if setting.lower() not in _NONE:
            yield os.path.abspath(os.path.expanduser(setting))
        return
    point = mount_of(existing(directory)).point
    if point not in _SYSTEM and not any(os.path.exists(os.path.join(point, name)) for name in _PROJECT):
        yield os.path.join(point, COMPANION)
    yield os.path.join(directory, COMPANION)


def sample(layout: Layout) -> str | None:
    """Return a file of the store to try links with, made if there is none; ``None`` where that is impossible."""
    path = layout.probe
    with contextlib.suppress(OSError):
        make_probe(layout)
    if os.path.exists(path):
        return path
    with contextlib.suppress(OSError):
        for shard in os.scandir(layout.directory(OBJECTS.name)):
            for entry in os.scandir(shard.path):
                return entry.path
    return None


def _from_place(place: str, directory: str) -> Abilities:
    """Return what would work from a store at *place*, which need not exist yet."""
    layout = Layout(place)
    source = sample(layout) if os.path.isdir(layout.base) else None
    if source is not None:
        return probe(source, directory)
    trial = os.path.join(existing(place), f".linkenv-probe-{os.getpid()}")
    try:
        with open(trial, "xb") as stream:
            stream.write(b"A file to try links with.\n")
    except OSError:
        return probe(None, directory)
    try:
        return probe(trial, directory)
    finally:
        os.unlink(trial)


def is_own(place: str) -> bool:
    """Return whether a companion at *place* is, or will be, this user's own: another's could hold anything."""
    try:
        status = os.lstat(place)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()


def layer_of(layout: Layout) -> str | None:
    """Return the name of the marker of the overlay's upper layer that the store is on, ``None`` where it is on none."""
    mount = mount_of(existing(layout.base))
    if mount.kind not in ("overlay", "fuse.fuse-overlayfs"):
        return None
    upper = next((option for option in mount.options.split(",") if option.startswith("upperdir=")), mount.options)
    return LAYER + hashlib.sha256(f"{upper}\0{os.stat(mount.point).st_ino}".encode()).hexdigest()[:16]


def _overlay_since(layout: Layout) -> int:
    """Return, for a store on an overlay, since when its objects have been put into the upper layer; 0 elsewhere.

    No system call tells in which layer a file lies.  What an upper layer's own marker is not older than has been
    written since that layer was there; the marker is named by the upper layer, so that one in an image does not count.
    """
    name = layer_of(layout)
    if name is None:
        return 0
    marker = layout.directory(name)
    with contextlib.suppress(OSError):
        with contextlib.suppress(FileExistsError), open(marker, "xb"):
            pass
        return os.stat(marker).st_ctime_ns
    return 1 << 63  # nothing can be written there: all of it is of a lower layer
