"""What a finished environment should hold of the store, by its receipt."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from packaging.utils import canonicalize_name

from nox_linkenv.env.plan import Plan
from nox_linkenv.env.skeleton import Skeleton

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nox_linkenv.env.links import Links
    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.store import Store

__all__ = ["Content", "contents"]

#: Packages of setuptools that are not named like it.
_OF_SETUPTOOLS: Final = frozenset({"_distutils_hack", "pkg_resources"})


class Content(NamedTuple):
    """What one stored plan or skeleton has brought, less what later plans have replaced.

    Args:
        name: of the stored plan or skeleton.
        links: all of them.
        empty: paths of the empty files.
        current: positions of the links that are still to be expected.
    """

    name: str
    links: Links
    empty: list[str]
    current: list[int]


def contents(
    store: Store,
    prefix: str,
    receipt: Receipt,
    *,
    read: Mapping[str, Plan | Skeleton] = MappingProxyType({}),
) -> Iterator[Content]:
    """Yield the contents of the environment at *prefix*, the latest first.

    Distributions without a RECORD have been uninstalled or replaced since, by pip and on purpose; they are left out.

    Args:
        read: plans and skeletons by name which have been read already.
    """
    replaced: set[str] = set()
    taken: set[str] = set()
    for name in reversed(receipt.plans):
        plan = read.get(name) or store.load(name, Plan.from_json)
        if not isinstance(plan, Plan):
            continue
        gone = {canonicalize_name(entry[0]) for entry in plan.distributions if _is_gone(f"{prefix}/{entry[2]}")}
        current, paths = _current(plan, replaced | gone), plan.links.paths
        if taken:
            current = [at for at in current if paths[at] not in taken]
        yield Content(name, plan.links, [path for path, _ in plan.empty], current)
        replaced.update(canonicalize_name(entry[0]) for entry in plan.distributions)
        taken.update(paths)
    if receipt.skeleton is not None:
        skeleton = read.get(receipt.skeleton) or store.load(receipt.skeleton, Skeleton.from_json)
        if not isinstance(skeleton, Skeleton):
            return
        metadata = [path for path in skeleton.links.directories if path.endswith(".dist-info")]
        replaced.update(_seed(path) for path in metadata if _is_gone(f"{prefix}/{path}"))
        former = tuple(replaced.intersection(map(_seed, metadata)))
        current = [at for at, path in enumerate(skeleton.links.paths) if path not in taken and not _under(path, former)]
        yield Content(receipt.skeleton, skeleton.links, [], current)


def _seed(metadata: str) -> str:
    """Return the name of the seed with this metadata directory."""
    return canonicalize_name(metadata.rpartition("/")[2].partition("-")[0])


def _is_gone(metadata: str) -> bool:
    return not os.path.lexists(f"{metadata}/RECORD")


def _current(plan: Plan, replaced: set[str]) -> list[int]:
    """Return the positions of the links of distributions that are not among *replaced*."""
    starts = [entry[4] for entry in plan.distributions] + [len(plan.links.paths)]
    current: list[int] = []
    for entry, start, end in zip(plan.distributions, starts, starts[1:], strict=False):
        if canonicalize_name(entry[0]) not in replaced:
            current.extend(range(start, end))
    return current


def _under(path: str, names: tuple[str, ...]) -> bool:
    """Return whether *path* lies in a package or metadata directory named like one of the replaced seeds."""
    parts = path.split("/")
    if not _OF_SETUPTOOLS.isdisjoint(parts):
        return True
    return bool(names) and any(part.partition("-")[0] in names for part in parts)
