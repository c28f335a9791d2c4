"""The modules of ours that warm sessions load, host by host; what is not among them is imported where it is needed."""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["IN_DOUBT", "LOCAL_FILES", "NOX_END", "NOX_WARM", "check_modules"]

NOX_WARM: Final = frozenset(
    [
        "nox_linkenv",
        "nox_linkenv._hook",
        "nox_linkenv.config",
        "nox_linkenv.digest",
        "nox_linkenv.env",
        "nox_linkenv.env.assembly",
        "nox_linkenv.env.assembly.apply",
        "nox_linkenv.env.assembly.assembler",
        "nox_linkenv.env.assembly.donor",
        "nox_linkenv.env.assembly.link_source",
        "nox_linkenv.env.assembly.recycle",
        "nox_linkenv.env.bytecode",
        "nox_linkenv.env.installed",
        "nox_linkenv.env.interpreter",
        "nox_linkenv.env.interpreter.facts",
        "nox_linkenv.env.interpreter.search_cache",
        "nox_linkenv.env.links",
        "nox_linkenv.env.paths",
        "nox_linkenv.env.plan",
        "nox_linkenv.env.receipt",
        "nox_linkenv.env.record",
        "nox_linkenv.env.skeleton",
        "nox_linkenv.env.stat_signature",
        "nox_linkenv.errors",
        "nox_linkenv.linking",
        "nox_linkenv.linking.trace",
        "nox_linkenv.plugins",
        "nox_linkenv.plugins.nox",
        "nox_linkenv.plugins.nox.environment",
        "nox_linkenv.plugins.nox.installing",
        "nox_linkenv.provision",
        "nox_linkenv.provision.draft",
        "nox_linkenv.provision.environment",
        "nox_linkenv.provision.gc_pause",
        "nox_linkenv.provision.installer",
        "nox_linkenv.provision.keys",
        "nox_linkenv.provision.policy",
        "nox_linkenv.regular",
        "nox_linkenv.resolve",
        "nox_linkenv.resolve.cache",
        "nox_linkenv.resolve.inputs",
        "nox_linkenv.resolve.key",
        "nox_linkenv.resolve.pip_arguments",
        "nox_linkenv.resolve.pip_config",
        "nox_linkenv.resolve.request",
        "nox_linkenv.resolve.requirement_files",
        "nox_linkenv.resolve.specifiers",
        "nox_linkenv.store",
        "nox_linkenv.store.compile",
        "nox_linkenv.store.description",
        "nox_linkenv.store.directories",
        "nox_linkenv.store.files",
        "nox_linkenv.store.layout",
        "nox_linkenv.store.notes",
        "nox_linkenv.store.objects",
        "nox_linkenv.store.roots",
        "nox_linkenv.store.spares",
        "nox_linkenv.store.store",
        "nox_linkenv.store.trash",
        "nox_linkenv.wheel",
        "nox_linkenv.wheel.model",
    ]
)


#: What is loaded besides where a tree that is taken over has to be gone through.
IN_DOUBT: Final = frozenset({"nox_linkenv.env.assembly.walk"})
#: What is loaded besides where a request names local wheels, or directories of them.
LOCAL_FILES: Final = frozenset({"nox_linkenv.resolve.archive_digests", "nox_linkenv.resolve.local_files"})
#: What the end of a session loads besides.
NOX_END: Final = frozenset(
    [
        "nox_linkenv.env.assembly.spares",
        "nox_linkenv.env.audit",
        "nox_linkenv.env.contents",
        "nox_linkenv.env.interpreter.isolated",
        "nox_linkenv.maintenance",
        "nox_linkenv.maintenance.background",
        "nox_linkenv.maintenance.turn",
        "nox_linkenv.provision.cleanup",
        "nox_linkenv.provision.session_end",
        "nox_linkenv.store.journal",
    ]
)


def check_modules(loaded: set[str], warm: frozenset[str], *, may: frozenset[str] = frozenset()) -> None:
    """Check that of all modules *loaded* on the warm path ours are exactly *warm*, and none is from a third party.

    Args:
        may: what may be loaded besides.
    """
    ours = {name for name in loaded if name.partition(".")[0] == "nox_linkenv"}
    assert sorted(ours - warm - may) == [], "loaded, and not in the list"
    assert sorted(warm - ours) == [], "in the list, and not loaded"
    # nox and virtualenv import these when they are first used, on interpreters that know how to (PEP 810, Python 3.15).
    late = {"humanize", "packaging"} if sys.version_info >= (3, 15) else set()
    others = {name.partition(".")[0] for name in loaded} - {"nox_linkenv"} - sys.stdlib_module_names
    assert sorted(others - late) == []
