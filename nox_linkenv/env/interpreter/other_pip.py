"""What is learnt of a pip is kept in the store, so that it is watched once for each interpreter.

The pip of an environment may be replaced, and another one writes other texts into scripts.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from nox_linkenv.env.interpreter.facts import Facts
from nox_linkenv.store.layout import INTERPRETERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nox_linkenv.env.installed import InstalledPip
    from nox_linkenv.store import Store

__all__ = ["facts_with", "remembered_facts"]


def facts_with(pip: InstalledPip, store: Store, prefix: str, facts: Facts) -> Facts:
    """Return the facts of the environment at *prefix* with the *pip* that is in it now.

    Args:
        facts: those with the pip that was there before.

    Raises:
        EnvError: its pip does not work.
    """
    with open(f"{prefix}/{pip.info}/METADATA", "rb") as stream:
        metadata = hashlib.sha256(stream.read()).hexdigest()
    return remembered_facts(store, [facts.to_json(), pip.version, metadata], lambda: _learn(store, prefix))


def remembered_facts(store: Store, identity: Sequence[object], learn: Callable[[], Facts]) -> Facts:
    """Return the facts that are stored, or those that *learn* returns, which are stored then.

    Args:
        identity: all that they depend on, as it can be written in JSON.
    """
    key = json.dumps(["facts", *identity], sort_keys=True)
    name = INTERPRETERS.file(hashlib.sha256(key.encode()).hexdigest())
    known = store.use(name, lambda data: Facts.from_json(data["facts"]))
    if known is not None:
        return known
    found = learn()
    store.note(name, json.dumps({"facts": found.to_json()}))
    return found


def _learn(store: Store, prefix: str) -> Facts:
    from nox_linkenv.env.interpreter.probe import learn
    from nox_linkenv.store.temporary import temporary_directory

    with temporary_directory(store.layout) as scratch:
        return learn(prefix, scratch, undo=True)
