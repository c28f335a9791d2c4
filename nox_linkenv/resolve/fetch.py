"""Getting wheels which the store does not have: from disk where they lie there, else through pip."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name, parse_wheel_filename

from nox_linkenv.errors import UnsupportedWheelError, WheelError
from nox_linkenv.progress import doing
from nox_linkenv.resolve.pip_arguments import Arguments, Kind
from nox_linkenv.resolve.report import Origin, Resolved
from nox_linkenv.store.layout import WHEELS
from nox_linkenv.store.temporary import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nox_linkenv.resolve.cache import WheelSource
    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.store import Manifest, Store

__all__ = ["fetch", "fetch_again", "note_on", "store_downloaded", "wheels_to_have"]


def fetch(
    store: Store, wanted: Sequence[Resolved], arguments: Arguments, pip: Pip, *, notes: list[str]
) -> dict[str, Manifest] | None:
    """Return the manifest of each of *wanted* by its name, stored now if it was not before.

    Returns ``None`` where pip could not fetch or build one of them in this way.

    Args:
        notes: gets a line on each wheel stored now whose RECORD says less than it should.

    Raises:
        WheelError: a wheel is hostile, broken, or not the one that pip resolved to.
        UnsupportedWheelError: none is, but one is odd.
        StoreUnwritableError: the store cannot be written.
    """
    _seek(store, wanted)
    found: dict[str, Manifest] = {}
    here: dict[str, Path] = {}
    missing: list[Resolved] = []
    for item in wanted:
        manifest = store.manifest(item.sha256) if item.origin is Origin.WHEEL and item.sha256 else None
        if manifest is not None:
            found[item.name] = manifest
        elif item.origin is Origin.WHEEL and item.path is not None and os.path.isfile(item.path):
            here[item.name] = Path(item.path)
        else:
            missing.append(item)
    if not here and not missing:
        return found
    with temporary_directory(store.layout) as directory:
        if missing:
            wheels = _ask([(item.name, item.requirement()) for item in missing], arguments, pip, Path(directory))
            if wheels is None:
                return None
            here.update((item.name, wheels[canonicalize_name(item.name)]) for item in missing)
        added, refused = _store_all(store, [item for item in wanted if item.name in here], here)
    if refused:
        raise min(refused, key=lambda error: isinstance(error, UnsupportedWheelError))  # a hostile one comes first
    notes.extend(filter(None, map(note_on, added.values())))
    return {**found, **added}


def _ask(missing: Sequence[tuple[str, str]], arguments: Arguments, pip: Pip, directory: Path) -> dict[str, Path] | None:
    """Let pip put a wheel of each of *missing* (name, requirement) into *directory*; return them by canonical name."""
    requirements = directory / "requirements.txt"
    requirements.write_text("".join(f"{requirement}\n" for _, requirement in missing), encoding="utf-8")
    wheels = directory / "wheels"
    command = ["wheel", "--no-deps", "--disable-pip-version-check", "--progress-bar", "off", "-w", str(wheels)]
    names = [name for name, _ in missing]
    with doing(f"pip downloads or builds {', '.join(names[:3])}{f' and {len(names) - 3} more' * (len(names) > 3)}"):
        got = pip.fetch([*command, *arguments.again(Kind.INDEX, Kind.BUILD), "-r", str(requirements)])
    if not got:
        return None
    by_name = {str(parse_wheel_filename(path.name)[0]): path for path in wheels.glob("*.whl")}
    if any(canonicalize_name(name) not in by_name for name, _ in missing):
        return None
    return by_name


def wheels_to_have(store: Store, resolved: Sequence[Resolved], directory: Path) -> list[Resolved]:
    """Return the wheels of *resolved* which neither the store has, nor the remote store, nor *directory*."""
    _seek(store, [item for item in resolved if not (directory / item.file_name).is_file()])
    return [item for item in resolved if _lacks(store, item) and not (directory / item.file_name).is_file()]


def _lacks(store: Store, item: Resolved) -> bool:
    """Return whether *item* is a wheel of a known digest that the store does not have."""
    if item.origin is not Origin.WHEEL or not item.sha256:
        return False
    return store.manifest(item.sha256) is None


def _seek(store: Store, items: Sequence[Resolved]) -> None:
    """Have the wheels of *items* which the store lacks brought from the remote store, all at once."""
    if store.remote is not None:
        digests = [item.sha256 for item in items if item.origin is Origin.WHEEL and item.sha256]
        store.seek(*(WHEELS.file(digest) for digest in digests if store.manifest(digest) is None))


def store_downloaded(store: Store, resolved: Sequence[Resolved], directory: Path) -> tuple[str, ...]:
    """Store those wheels of *resolved* which have been downloaded into *directory*, where they are what pip says.

    Those that the store has already are not stored again: pip downloads all wheels that it is to say anything of.
    One that is refused is left for :func:`fetch` to be refused again: its outcome may not be needed at all.

    Returns:
        A line on each wheel whose RECORD says less than it should.

    Raises:
        StoreUnwritableError: the store cannot be written.
    """
    here = {}
    for item in resolved:
        path = directory / item.file_name
        if path.is_file() and _lacks(store, item):
            here[item.name] = path
    if not here:
        return ()
    added, _ = _store_all(store, [item for item in resolved if item.name in here], here)
    return tuple(filter(None, map(note_on, added.values())))


def _store_all(
    store: Store, items: Sequence[Resolved], wheels: Mapping[str, Path]
) -> tuple[dict[str, Manifest], list[WheelError]]:
    """Store the wheels of *items* over all cores: hashing and inflating release the interpreter's lock.

    Returns:
        The manifests by name, and why others were refused.
    """
    from concurrent.futures import ThreadPoolExecutor

    def add(item: Resolved) -> Manifest | WheelError:
        digest = item.sha256 if item.origin is Origin.WHEEL else None
        try:
            return store.add(wheels[item.name], digest=digest)
        except WheelError as refused:
            return refused

    added: dict[str, Manifest] = {}
    refused: list[WheelError] = []
    with doing("storing wheels") as step, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for number, (item, result) in enumerate(zip(items, pool.map(add, items), strict=True), 1):
            step.text = f"storing wheels: {number} of {len(items)} are stored"
            if isinstance(result, WheelError):
                refused.append(result)
            else:
                added[item.name] = result
    return added, refused


def note_on(manifest: Manifest) -> str | None:
    """Return what a user should know of a wheel that has been stored."""
    names = manifest.unhashed
    if not names:
        return None
    which = names[0] if len(names) == 1 else f"{len(names)} files, such as {names[0]}"
    return (
        f"The RECORD of {manifest.name} {manifest.version} has no secure hash of {which};"
        " what the wheel holds has been stored, as pip installs it."
    )


def fetch_again(store: Store, wheels: Sequence[WheelSource], arguments: Arguments, pip: Pip) -> bool:
    """Store *wheels* anew, exactly those.  Returns whether all could be had."""
    if not wheels or not all(wheel.requirement for wheel in wheels):
        return False
    with temporary_directory(store.layout) as directory:
        found = _ask([(wheel.name, wheel.requirement) for wheel in wheels], arguments, pip, Path(directory))
        if found is None:
            return False
        for wheel in wheels:
            store.add(found[canonicalize_name(wheel.name)], digest=wheel.digest)
    return True
