"""What ``linkenv doctor`` looks at; each examination returns what it found, and the remedy."""

from __future__ import annotations

import enum
import importlib.metadata
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from nox_linkenv.cli.options import arrangement_in, in_words
from nox_linkenv.env.skeleton import fits
from nox_linkenv.errors import LinkenvError
from nox_linkenv.linking import LinkMode
from nox_linkenv.linking.probe import existing, mount_of
from nox_linkenv.maintenance.disk_usage import filesystem_of
from nox_linkenv.store import Store
from nox_linkenv.store.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from nox_linkenv.config import Settings

__all__ = ["Result", "Severity", "examine"]

_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "virtiofs"})
_OLDEST: Final = {"nox": "2024.3.2", "tox": "4.11", "virtualenv": "20.26"}
#: Begins the name of what is made to see whether it can be.
_TRIAL: Final = ".linkenv-probe-"
#: Where an environment of nox is, as a rule.
_USUAL: Final = ".nox/tests-3-12"
#: Links that one file can have: ext2/3/4, and what others are known for.
_LINKS: Final = {"ext2": 32_000, "ext3": 32_000, "ext4": 65_000, "btrfs": 65_535, "ntfs": 1023, "ntfs3": 1023}
_NEXT_TO: Final = "Set LINKENV_STORE to a directory on the filesystem of your projects."


class Severity(enum.Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Result:
    """What an examination found.

    Args:
        name: of the examination.
        severity: how bad it is.
        found: in words.
        remedy: what to do, where something can be done.
    """

    name: str
    severity: Severity
    found: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """The directories that matter: *store* is the store's, or what exists of the way to it."""

    settings: Settings
    store: str
    directory: str


def examine(settings: Settings, directory: str) -> list[Result]:
    """Look at everything that can stand in the way between the store and *directory*."""
    place = _Place(settings, existing(settings.store_root), directory)
    examinations: list[Callable[[_Place], Result]] = [
        _permissions,
        _description,
        _links,
        _mounts,
        _path,
        _hardlinks,
        _overlay,
        _limit,
        _network,
        _clock,
        _hook,
        *(_version(name) for name in _OLDEST),
        _bytecode,
    ]
    return [examination(place) for examination in examinations]


def _permissions(place: _Place) -> Result:
    for directory in (place.store, place.directory):
        try:
            with tempfile.TemporaryDirectory(prefix=_TRIAL, dir=directory):
                pass
        except OSError as error:
            remedy = "Give yourself write permission there, or point LINKENV_STORE at a directory of your own."
            return Result("permissions", Severity.ERROR, f"{directory} cannot be written ({error.strerror})", remedy)
    return Result("permissions", Severity.OK, "the store and the directory can be written")


def _description(place: _Place) -> Result:
    root = place.settings.store_root
    if not os.path.exists(Layout(root).description):
        return Result("store", Severity.OK, f"{root} does not exist yet; the first session makes it")
    try:
        Store.open(root)
    except LinkenvError as error:
        return Result("store", Severity.ERROR, error.what, error.remedy)
    return Result("store", Severity.OK, f"{root} can be read")


def _links(place: _Place) -> Result:
    wanted = place.settings.link_mode
    found = arrangement_in(place.directory, place.settings)
    if found.mode is LinkMode.COPY and wanted is not LinkMode.COPY:
        return Result("links", Severity.WARNING, in_words(found, wanted), _NEXT_TO)
    return Result("links", Severity.OK, in_words(found, wanted))


def _mounts(place: _Place) -> Result:
    """``link(2)`` does not cross mounts, even of one filesystem (EXDEV)."""
    store, directory = os.stat(place.store), os.stat(place.directory)
    mounts = mount_of(place.store).point, mount_of(place.directory).point
    if store.st_dev != directory.st_dev:
        kinds = f"{filesystem_of(place.store)} and {filesystem_of(place.directory)}"
        return Result(
            "same filesystem", Severity.WARNING, f"the store and {place.directory} are on two ({kinds})", _NEXT_TO
        )
    if mounts[0] != mounts[1]:
        found = f"one filesystem, mounted twice: at {mounts[0]} and {mounts[1]} (a bind mount?)"
        remedy = "Links do not cross mounts. Mount one directory that holds both, or set LINKENV_STORE to one in there."
        return Result("same filesystem", Severity.WARNING, found, remedy)
    return Result("same filesystem", Severity.OK, f"both are on {filesystem_of(place.store)} at {mounts[0]}")


def _path(place: _Place) -> Result:
    """A shebang holds 127 bytes, and no character that a shell would have to quote; see virtualenv's long shebangs."""
    if fits(f"{place.directory}/{_USUAL}"):
        return Result("path", Severity.OK, f"environments in {place.directory} can be made from stored ones")
    found = f"the path of {place.directory} is too long, or has characters that scripts must quote"
    remedy = "Sessions work, but virtualenv makes each environment anew. Use a shorter, plain path."
    return Result("path", Severity.WARNING, found, remedy)


def _hardlinks(place: _Place) -> Result:
    """With ``fs.protected_hardlinks`` only the owner, or who may write it, links a file (proc_sys_fs(5))."""
    name = "protected hardlinks"
    try:
        with open("/proc/sys/fs/protected_hardlinks", encoding="ascii") as stream:
            on = stream.read().strip() == "1"
    except OSError:
        return Result(name, Severity.OK, "this system has no such rule")
    owner = os.stat(place.store).st_uid
    if on and hasattr(os, "geteuid") and os.geteuid() not in (0, owner):
        found = "fs.protected_hardlinks is on, and the store belongs to another user: no file of theirs can be linked"
        remedy = "Use a store of your own. In a group's, a companion, which is made where it can be, has files linked."
        return Result(name, Severity.WARNING, found, remedy)
    return Result(name, Severity.OK, "the rule does not stand in the way")


def _overlay(place: _Place) -> Result:
    if filesystem_of(place.store) != "overlay":
        return Result("overlay", Severity.OK, "the store is not on an overlay")
    found = "the store is on an overlay: what lies in a lower layer is copied up once before it is linked"
    remedy = "Keep the store on a volume, or use the link mode symlink for a store that is baked into an image."
    return Result("overlay", Severity.WARNING, found, remedy)


def _limit(place: _Place) -> Result:
    kind = filesystem_of(place.store)
    limit = _LINKS.get(kind)
    if limit is None:
        return Result("link limit", Severity.OK, f"none known for {kind}")
    found = f"{kind} has {limit} links a file; what exceeds that is copied"
    return Result("link limit", Severity.OK if limit > 10_000 else Severity.WARNING, found)


def _network(place: _Place) -> Result:
    for directory in (place.store, place.directory):
        kind = filesystem_of(directory)
        if kind in _NETWORK:
            found = f"{directory} is on a network filesystem ({kind}): slow, and its locks may not hold"
            return Result("network", Severity.WARNING, found, "Keep the store and the environments on a local disk.")
    return Result("network", Severity.OK, "no network filesystem")


def _clock(place: _Place) -> Result:
    """Ages of resolutions are taken from this machine's clock, and times of files from the filesystem's."""
    try:
        with tempfile.TemporaryDirectory(prefix=_TRIAL, dir=place.store) as path:
            skew = os.stat(path).st_mtime - time.time()
    except OSError:
        return Result("clock", Severity.OK, "not looked at, because nothing can be written")
    if abs(skew) > 5:
        found = f"the store's filesystem is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
        return Result("clock", Severity.WARNING, found, "Set the clocks by NTP on this machine and on the file server.")
    if time.time() < 1_700_000_000:
        return Result("clock", Severity.WARNING, "the clock is years behind", "Set it.")
    return Result("clock", Severity.OK, "agrees with the filesystem's")


def _hook(place: _Place) -> Result:
    del place
    if os.environ.get("LINKENV_NOX_HOOK") == "0":
        found = "LINKENV_NOX_HOOK=0 keeps the backend from being registered"
        return Result("nox hook", Severity.WARNING, found, "Unset it, or write import nox_linkenv into the noxfile.")
    if any(os.path.exists(os.path.join(path, "nox_linkenv.pth")) for path in sys.path):
        return Result("nox hook", Severity.OK, "nox_linkenv.pth is there")
    found = "nox_linkenv.pth is not in site-packages: nox does not know the backend by itself"
    return Result("nox hook", Severity.WARNING, found, "Install nox-linkenv again, or import it in the noxfile.")


def _version(name: str) -> Callable[[_Place], Result]:
    def examination(place: _Place) -> Result:
        del place
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return Result(name, Severity.OK, "is not installed beside nox-linkenv")
        if Version(version) < Version(_OLDEST[name]):
            found = f"{version} is older than {_OLDEST[name]}"
            return Result(name, Severity.ERROR, found, f"Upgrade it: pip install -U {name}")
        return Result(name, Severity.OK, version)

    return examination


def _bytecode(place: _Place) -> Result:
    if not place.settings.bytecode:
        return Result(
            "bytecode", Severity.WARNING, "sharing is switched off", "Set bytecode to true: imports are faster."
        )
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        found = "PYTHONDONTWRITEBYTECODE is set: what sessions import cannot be seen, and all modules are compiled"
        return Result("bytecode", Severity.OK, found)
    return Result("bytecode", Severity.OK, "is shared")
