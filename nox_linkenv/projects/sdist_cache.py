"""Wheels that pip has built from sdists and commits: built once for a source, an interpreter and a configuration.

pip itself keeps such wheels only in its cache, which a machine need not have, and which does not ask for variables that
builds read.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.errors import StoreUnwritableError
from nox_linkenv.projects.build_cache import digest_of
from nox_linkenv.projects.reads import Reads
from nox_linkenv.projects.widening import load_names, load_wider, widen
from nox_linkenv.resolve.key import Unkeyable, request_key
from nox_linkenv.resolve.pip_arguments import Arguments, Kind
from nox_linkenv.resolve.report import Origin, Resolved
from nox_linkenv.store.layout import SOURCES
from nox_linkenv.store.notes import string

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.projects.surroundings import Surroundings
    from nox_linkenv.resolve.pip_config import PipConfig
    from nox_linkenv.resolve.request import Request
    from nox_linkenv.store import Manifest, Store

__all__ = ["SourceBuilds", "parse_source"]

_CONFIGURATION: Final = (Kind.INDEX, Kind.BUILD)


@dataclass(frozen=True, slots=True)
class SourceBuild:
    """A wheel that pip has built.

    Attributes:
        manifest: of the wheel.
        reads: what its build has read besides the source.
    """

    manifest: Manifest
    reads: Reads


class SourceBuilds:
    """What has been built for requests that build as *request* does.

    Args:
        config: pip's configuration.
        prefix: absolute path of the environment.
        receipt: of the environment.
        surroundings: returns what builds can read, as it is now.
    """

    def __init__(
        self,
        store: Store,
        request: Request,
        arguments: Arguments,
        config: PipConfig,
        prefix: str,
        receipt: Receipt,
        surroundings: Callable[[], Surroundings],
    ) -> None:
        self.store = store
        self.surroundings = surroundings
        chosen = Arguments(options=[option for option in arguments.options if option[0] in _CONFIGURATION])
        key = request_key(
            chosen,
            verbatim=chosen.again(*_CONFIGURATION),
            environ=request.environ,
            directory=request.directory,
            config=config,
            prefix=prefix,
            facts=receipt.facts,
            installed="",
            store=store,
        )
        self._base = None if isinstance(key, Unkeyable) else digest_of([key.digest, receipt.interpreter])

    def known(self, items: Sequence[Resolved]) -> dict[str, SourceBuild]:
        """Return the wheels that were built from any of *items* before, by the items' names."""
        found = {}
        surroundings = self.surroundings()
        for item in items:
            key = self._key(item)
            build = None if key is None else load_wider(self.store, SOURCES, key, surroundings, parse_source)
            manifest = None if build is None else self.store.manifest(build[0])
            if build is not None and manifest is not None and manifest.version == item.version:
                found[item.name] = SourceBuild(manifest, build[1])
        return found

    def keep(self, items: Sequence[Resolved], manifests: Mapping[str, Manifest], reads: Reads) -> None:
        """Remember what was built from *items*; a store that cannot be written does without.

        Args:
            reads: what the builds have read.
        """
        surroundings = self.surroundings()
        for item in items:
            key = self._key(item)
            if key is not None:
                before = load_names(self.store, SOURCES.file(key))
                widened = widen(key, before, reads, surroundings)
                data = {"wheel": manifests[item.name].digest, "reads": reads.to_json()}
                with contextlib.suppress(StoreUnwritableError):
                    self.store.publish(SOURCES.file(widened.key), json.dumps(data))
                    if widened.names != before:
                        self.store.publish(SOURCES.file(key), widened.dumps())

    def _key(self, item: Resolved) -> str | None:
        """Return what is known beforehand of *item*, ``None`` where nothing says that its content stays the same."""
        fixed = item.commit if item.origin is Origin.VCS else item.sha256 if item.origin is Origin.SDIST else None
        if fixed is None or self._base is None:
            return None
        return digest_of([item.requirement(), self._base])


def parse_source(data: dict[str, Any]) -> tuple[str, Reads]:
    """Return the digest of a built wheel, and what its build has read; it raises what is wrong with *data*."""
    return string(data["wheel"]), Reads.from_json(data["reads"])
