"""Getting wheels which the store does not have: from disk where they lie there, else through pip."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name, parse_wheel_filename

from nox_linkenv.resolve.pip_arguments import Arguments, Kind
from nox_linkenv.resolve.report import Origin, Resolved
from nox_linkenv.store.temporary import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_linkenv.resolve.cache import WheelSource
    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.store import Manifest, Store

__all__ = ["fetch", "fetch_again"]


def fetch(store: Store, wanted: Sequence[Resolved], arguments: Arguments, pip: Pip) -> dict[str, Manifest] | None:
    """Return the manifest of each of *wanted* by its name, stored now if it was not before.

    Returns ``None`` where pip could not fetch or build one of them in this way.

    Raises:
        WheelError: a wheel is hostile, broken, or not the one that pip resolved to.
        StoreUnwritableError: the store cannot be written.
    """
    found: dict[str, Manifest] = {}
    missing: list[Resolved] = []
    for item in wanted:
        manifest = store.manifest(item.sha256) if item.origin is Origin.WHEEL and item.sha256 else None
        if manifest is None and item.origin is Origin.WHEEL and item.path is not None and os.path.isfile(item.path):
            manifest = store.add(Path(item.path), digest=item.sha256)
        if manifest is None:
            missing.append(item)
        else:
            found[item.name] = manifest
    if not missing:
        return found
    with temporary_directory(store.layout) as directory:
        wheels = _ask([(item.name, item.requirement()) for item in missing], arguments, pip, Path(directory))
        if wheels is None:
            return None
        _store_all(store, missing, wheels, found)
    return found


def _ask(missing: Sequence[tuple[str, str]], arguments: Arguments, pip: Pip, directory: Path) -> dict[str, Path] | None:
    """Let pip put a wheel of each of *missing* (name, requirement) into *directory*; return them by canonical name."""
    requirements = directory / "requirements.txt"
    requirements.write_text("".join(f"{requirement}\n" for _, requirement in missing), encoding="utf-8")
    wheels = directory / "wheels"
    command = ["wheel", "--no-deps", "--disable-pip-version-check", "--progress-bar", "off", "-w", str(wheels)]
    if not pip.fetch([*command, *arguments.again(Kind.INDEX, Kind.BUILD), "-r", str(requirements)]):
        return None
    by_name = {str(parse_wheel_filename(path.name)[0]): path for path in wheels.glob("*.whl")}
    if any(canonicalize_name(name) not in by_name for name, _ in missing):
        return None
    return by_name


def _store_all(store: Store, missing: Sequence[Resolved], wheels: dict[str, Path], found: dict[str, Manifest]) -> None:
    """Store the *missing* wheels over all cores: hashing and inflating release the interpreter's lock."""
    from concurrent.futures import ThreadPoolExecutor

    def add(item: Resolved) -> Manifest:
        digest = item.sha256 if item.origin is Origin.WHEEL else None
        return store.add(wheels[canonicalize_name(item.name)], digest=digest)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for item, manifest in zip(missing, pool.map(add, missing), strict=True):
            found[item.name] = manifest


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
