"""Putting right what verifying has found: damaged files go out of the store, and their wheels are stored again."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from nox_linkenv.env.activation import activated
from nox_linkenv.env.plan import Plan
from nox_linkenv.env.registry import find_known
from nox_linkenv.errors import LinkenvError
from nox_linkenv.maintenance.leftovers import put_back
from nox_linkenv.maintenance.links import refuse_links
from nox_linkenv.maintenance.verify import Finding, Problem
from nox_linkenv.provision.ephemeral import ShellPip, throwaway
from nox_linkenv.resolve.cache import WheelSource, cached_wheels
from nox_linkenv.resolve.fetch import fetch_again
from nox_linkenv.resolve.pip_arguments import parse
from nox_linkenv.resolve.request import Request
from nox_linkenv.store.layout import ARCHIVES, BYTECODE, STAGING, TESTS, WHEELS
from nox_linkenv.store.objects import discard
from nox_linkenv.store.store import writing
from nox_linkenv.store.trash import empty_trash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nox_linkenv.config import Settings
    from nox_linkenv.store import Store

__all__ = ["mend", "version_for"]

_TAG: Final = re.compile(r"[a-z]+(\d)(\d+)")


def mend(
    store: Store, settings: Settings, findings: Sequence[Finding], *, progress: Callable[[str], None]
) -> dict[str, str]:
    """Put right what can be; return what was done, by the name of the file.

    Foreign files are left alone: nobody here knows what they are for.

    Raises:
        StoreUnwritableError: the store cannot be written.
        StoreError: a directory of the store is a link to somewhere else.
    """
    refuse_links(store.layout)
    with writing(store.layout):
        return _Mending(store, settings, progress).run(findings)


class _Mending:
    def __init__(self, store: Store, settings: Settings, progress: Callable[[str], None]) -> None:
        self.store = store
        self.settings = settings
        self.progress = progress
        self.again: dict[str, bool] = {}  # wheel digest -> whether it was stored again
        self.sources: dict[str, WheelSource] | None = None

    def run(self, findings: Sequence[Finding]) -> dict[str, str]:
        done: dict[str, str] = {}
        for finding in findings:  # everything that is wrong goes first, so that nothing of it is linked meanwhile
            if finding.problem is Problem.LEFTOVER:
                self._leftover(finding.name)
                done[finding.name] = "removed"
            elif finding.problem is Problem.DAMAGED:
                self._remove(finding.name)
        for finding in findings:
            if finding.problem not in (Problem.DAMAGED, Problem.MISSING):
                continue
            if finding.name.startswith(f"{BYTECODE.name}/"):
                done[finding.name] = "removed, compiled again when it is needed"
            elif not finding.name.startswith(("objects/", "wheels/")):
                done[finding.name] = "removed, made again when it is needed"
            elif not finding.wheels:
                done[finding.name] = "removed, no wheel needs it"
            else:
                stored = [self._store_again(digest) for digest in finding.wheels]
                if all(stored) and (
                    os.path.exists(f"{self.store.layout.base}/{finding.name}")
                    or finding.name.startswith(f"{WHEELS.name}/")
                ):
                    done[finding.name] = "stored again"
                elif finding.name.startswith(f"{WHEELS.name}/"):
                    done[finding.name] = "removed, fetched again when it is needed"
        return done

    def _leftover(self, name: str) -> None:
        if name.startswith((f"{STAGING.name}/", f"{TESTS.name}/", "../")):
            empty_trash(os.path.join(self.store.layout.base, name))
        else:
            with self.store.removing(within=60.0):
                put_back(self.store.layout)

    def _remove(self, name: str) -> None:
        path = f"{self.store.layout.base}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            empty_trash(path)
        else:
            discard(self.store.layout, name)

    def _store_again(self, digest: str) -> bool:
        """Store the wheel *digest* again; return whether it could be had."""
        if digest not in self.again:
            self.again[digest] = self._from_archive(digest) or self._from_index(digest)
        return self.again[digest]

    def _from_archive(self, digest: str) -> bool:
        for path in Path(self.store.layout.base, ARCHIVES.name, digest).glob("*.whl"):
            with contextlib.suppress(LinkenvError):
                self.store.add(path, digest=digest)
                return True
        return False

    def _from_index(self, digest: str) -> bool:
        if self.sources is None:
            self.sources = {wheel.digest: wheel for wheel in cached_wheels(self.store)}
        source = self.sources.get(digest)
        if source is None or not source.requirement or self.settings.offline:
            return False
        self.progress(f"fetching {source.name} again")
        arguments = parse(())
        assert arguments is not None
        for prefix in self._environments(source):
            request = Request((), activated(prefix), os.getcwd())
            with contextlib.suppress(LinkenvError):
                if fetch_again(self.store, [source], arguments, ShellPip(prefix, request)):
                    return True
        return False

    def _environments(self, source: WheelSource) -> Iterator[str]:
        """Yield environments whose pip takes that wheel: those which have it, then one made for it."""
        for known in find_known(self.store):
            for name in () if known.receipt is None else known.receipt.plans:
                plan = self.store.load(name, Plan.from_json)
                if plan is not None and any(entry[3] == source.digest for entry in plan.distributions):
                    yield known.prefix
                    break
        version = version_for(source.requirement)
        with (
            contextlib.suppress(LinkenvError),
            throwaway(self.settings, version, session="linkenv verify") as environment,
        ):
            yield environment.linked.prefix


def version_for(requirement: str) -> str | None:
    """Return the version of Python that a wheel's name asks for, ``None`` where the running one will do.

    Args:
        requirement: ``name @ URL``, a URL or a path; the wheel is named at its end.

    A version that ends in ``t`` is free-threaded: its extension modules are not those of the other builds (PEP 703).
    """
    name = unquote(requirement.partition("#")[0].rpartition("/")[2])
    try:
        tags = parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return None
    here, free_here = sys.version_info[:2], "t" in getattr(sys, "abiflags", "")
    wanted: list[tuple[int, int, bool]] = []
    for tag in tags:
        found = _TAG.fullmatch(tag.interpreter)
        if found is None:
            continue
        version, free = (int(found[1]), int(found[2])), tag.abi.rstrip("d").endswith("t")
        if free == free_here and (version == here or (tag.abi == "abi3" and version <= here)):
            return None
        wanted.append((*version, free))
    if not wanted:
        return None
    major, minor, free = max(wanted)
    return f"{major}.{minor}{'t' if free else ''}"
