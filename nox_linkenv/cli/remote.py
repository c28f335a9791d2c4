"""``linkenv remote``: the store that is shared between machines."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nox_linkenv.cli.options import duration, opened, settings_of
from nox_linkenv.cli.output import Style
from nox_linkenv.env.registry import find_known
from nox_linkenv.errors import RemoteError, SettingsError
from nox_linkenv.maintenance.background import wait
from nox_linkenv.remote.bucket import Bucket
from nox_linkenv.remote.reading import trusted
from nox_linkenv.remote.signing import KEY_VARIABLE, generate, key_file, private_key, public
from nox_linkenv.remote.upload import upload
from nox_linkenv.remote.writing import prune
from nox_linkenv.store.files import write_new
from nox_linkenv.transfer.selection import EVERYTHING, last_run
from nox_linkenv.units import bytes_

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from nox_linkenv.cli.output import Output
    from nox_linkenv.config import Settings

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Look after the store that is shared between machines, which the setting remote names: check says whether it can "
    "be reached, read and written, and whose entries are believed; push writes what the last run used; prune removes "
    "entries that were written long ago; key makes the pair of keys that a writer needs."
)
EXAMPLES: Final = {
    "linkenv remote check": "whether it can be used from here",
    "linkenv remote key": "make a key to write with, and print what readers set as remote-keys",
    "linkenv remote push": "write what the last run used, and wait for it, as at the end of a job",
    "linkenv remote push --all": "write all that is in the store",
    "linkenv remote prune --older-than 60d": "remove what was written more than 60 days ago",
}
_DEFAULT_AGE: Final = 30 * 86_400.0
#: Seconds to wait for background work, which compiles what was imported.
_PATIENCE: Final = 600.0
#: The name of what check writes and removes again.
_PROBE: Final = "check"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("action", metavar="ACTION", choices=sorted(_ACTIONS), help=", ".join(_ACTIONS))
    parser.add_argument("--all", action="store_true", help="with push: everything, not what the last run used")
    parser.add_argument(
        "--older-than", type=duration, metavar="AGE", default=_DEFAULT_AGE, help="with prune: written before that (30d)"
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Do what the action says."""
    return _ACTIONS[arguments.action](arguments, settings_of(arguments), output)


def _check(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    del arguments
    keys, own = trusted(settings), private_key(settings)
    counts: Counter[str] = Counter()
    size = 0
    found: dict[str, str | None] = {
        "read": None,
        "listed": "that is tried where it can be read",
        "written": "that is tried where it can be read" if own is not None else "there is no private key here",
    }
    bucket = _bucket(settings, making=own is not None)
    with output.progress() as progress:
        progress("asking the remote store")
        found["read"] = _failure(lambda: bucket.find(_PROBE))
        if found["read"] is None:
            if own is not None:
                found["written"] = _failure(lambda: _try_writing(bucket))
            with contextlib.suppress(RemoteError):
                for entry in bucket.entries():
                    counts[entry.name.rpartition("/")[0].removesuffix(entry.name.split("/")[-2]).strip("/")] += 1
                    size += entry.size
            found["listed"] = _failure(lambda: next(iter(bucket.entries()), None))
    good = found["read"] is None and bool(keys)
    output.data(
        {
            "remote": settings.remote,
            "mode": settings.remote_mode.value,
            "readable": found["read"] is None,
            "writable": found["written"] is None,
            "listable": found["listed"] is None,
            "failures": {name: why for name, why in found.items() if why is not None},
            "trusted_keys": sorted(keys),
            "own_key": None if own is None else public(own),
            "entries": dict(sorted(counts.items())),
            "bytes": size,
        }
    )
    output.line(f"remote: {settings.remote} ({settings.remote_mode.value})")
    for name, why in found.items():
        said = output.painted("yes", Style.GOOD) if why is None else output.painted(f"no: {why}", Style.DOUBT)
        output.line(f"can be {name}: {said}")
    for key in sorted(keys):
        output.line(f"trusted: {key}{' (its private key is here)' if own is not None and key == public(own) else ''}")
    if not keys:
        output.line("trusted: nobody, so nothing is read; set remote-keys to the public key of the writer")
    output.line(f"holds: {sum(counts.values())} entries, {bytes_(size)}")
    for kind, count in sorted(counts.items()):
        output.line(f"  {kind}: {count}")
    return 0 if good else 1


def _push(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    store = opened(settings, exactly=bool(arguments.store))
    with output.progress() as progress:
        progress("waiting for background work")
        with contextlib.suppress(OSError):  # no locks here: bytecode that is still compiled is missing, no more
            wait(store, within=_PATIENCE)
        wanted = EVERYTHING if arguments.all else last_run(store, find_known(store))
        pushed = upload(store, settings, wanted, progress=progress)
    output.data(
        {
            "remote": settings.remote,
            "written": dict(sorted(pushed.counts.items())),
            "written_bytes": pushed.size,
            "there_before": pushed.there,
        }
    )
    output.line(
        f"{sum(pushed.counts.values())} entries written ({bytes_(pushed.size)}), {pushed.there} were there before"
    )
    return 0


def _prune(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    with output.progress() as progress:
        progress("removing old entries")
        count, size = prune(_bucket(settings), arguments.older_than)
    output.data({"remote": settings.remote, "removed": count, "removed_bytes": size})
    output.line(f"{count} entries removed ({bytes_(size)})")
    return 0


def _key(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Make the private key, unless there is one; show the public one, and never the private one."""
    del arguments
    path, made = key_file(settings), False
    if KEY_VARIABLE not in os.environ and not os.path.lexists(path):
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        write_new(path, f"{generate().hex()}\n".encode(), 0o600)
        made = True
    key = private_key(settings)
    assert key is not None
    where = KEY_VARIABLE if KEY_VARIABLE in os.environ else path
    output.data({"public": public(key), "private_key_in": where, "made": made})
    output.line(f"private key: {'made' if made else 'there already'}, in {where}; whoever has it may write")
    output.line(f"public key:  {public(key)}; readers set it as remote-keys, or in LINKENV_REMOTE_KEYS")
    return 0


_ACTIONS: Final[Mapping[str, Callable[[argparse.Namespace, Settings, Output], int]]] = {
    "check": _check,
    "push": _push,
    "prune": _prune,
    "key": _key,
}


def _bucket(settings: Settings, *, making: bool = False) -> Bucket:
    if not settings.remote:
        raise SettingsError(
            "No remote store is set", remedy="Set remote in your own file of settings, or LINKENV_REMOTE."
        )
    return Bucket(settings.remote, making=making)


def _try_writing(bucket: Bucket) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, _PROBE)
        path.write_bytes(b"linkenv remote check")
        bucket.put(_PROBE, str(path))
        bucket.delete(_PROBE)


def _failure(action: Callable[[], object]) -> str | None:
    """Return what is wrong where *action* fails, in one clause."""
    try:
        action()
    except RemoteError as error:
        return error.what
    return None
