"""What stands in an environment, and which of it the plans that were carried out there have put there."""

from __future__ import annotations

import json
import os
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from packaging.utils import canonicalize_name

from nox_linkenv.env.installed import find_distributions
from nox_linkenv.env.plan import Plan
from nox_linkenv.errors import EnvError

if TYPE_CHECKING:
    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.store import Store

__all__ = ["Part", "Standing", "look"]

#: What virtualenv seeds: part of a lock only where it was asked for.
_SEEDS: Final = frozenset({"pip", "setuptools", "wheel"})
#: By which tox knows its environments.
_TOX: Final = ".tox-info.json"


class Part(NamedTuple):
    """One distribution.

    Args:
        name: canonical name.
        version: as its metadata have it.
        wheel: hexadecimal SHA-256 of the wheel that a plan has linked; ``None`` where something else put it there.
        direct: what ``direct_url.json`` says (PEP 610), ``None`` where it came from an index.
    """

    name: str
    version: str
    wheel: str | None
    direct: dict[str, Any] | None


class Standing(NamedTuple):
    """What stands in an environment.

    Args:
        parts: by their names.
        replaced: what a later request took the place of: name, version before, version now.
        by_tox: whether tox made it, which installs the package under test by itself.
    """

    parts: tuple[Part, ...]
    replaced: tuple[tuple[str, str, str], ...]
    by_tox: bool


def look(store: Store, prefix: str, receipt: Receipt) -> Standing:
    """Return what stands in the environment at *prefix*, which has this *receipt*.

    Raises:
        EnvError: it cannot be told what a distribution is.
    """
    planned: dict[str, tuple[str, str, str]] = {}
    replaced = []
    for plan in (store.load(name, Plan.from_json) for name in receipt.plans):
        for name, version, info, wheel, _ in () if plan is None else plan.distributions:
            before = planned.get(canonicalize_name(name))
            if before is not None and before[0] != version:
                replaced.append((canonicalize_name(name), before[0], version))
            planned[canonicalize_name(name)] = (version, info, wheel)
    parts = []
    for found in find_distributions(prefix, receipt.facts):
        if not found.info.endswith(".dist-info"):
            raise EnvError(
                f"{found.name} was installed without a .dist-info directory, so that nobody knows from where",
                path=os.path.join(prefix, found.info),
                remedy="Have it installed by pip from a wheel or an sdist.",
            )
        ours = planned.get(found.name)
        linked = ours[2] if ours is not None and os.path.basename(ours[1]) == os.path.basename(found.info) else None
        if linked is None and found.name in _SEEDS:
            continue
        parts.append(_part(prefix, found.info, found.name, linked))
    return Standing(tuple(sorted(parts)), tuple(dict.fromkeys(replaced)), os.path.isfile(os.path.join(prefix, _TOX)))


def _part(prefix: str, info: str, name: str, wheel: str | None) -> Part:
    path = os.path.join(prefix, info)
    distribution = PathDistribution(Path(path))
    try:
        text = distribution.read_text("direct_url.json")
        direct = None if text is None else json.loads(text)
        version = distribution.version
    except (KeyError, ValueError, OSError) as error:
        raise EnvError(
            f"The metadata of {name} cannot be read ({error!r})", path=path, remedy="Have the environment made anew."
        ) from error
    return Part(name, version, wheel, direct)
