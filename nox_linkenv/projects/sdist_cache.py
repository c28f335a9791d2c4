"""Wheels that pip has built from sdists and commits: built once for a source, an interpreter and a configuration.

pip itself keeps such wheels only in its cache, which a machine need not have, and which does not ask for variables that
builds read.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Final

from nox_linkenv.errors import StoreUnwritableError
from nox_linkenv.projects.build_cache import digest_of
from nox_linkenv.projects.build_inputs import build_inputs_digest
from nox_linkenv.resolve.key import Unkeyable, request_key
from nox_linkenv.resolve.pip_arguments import Arguments, Kind
from nox_linkenv.resolve.report import Origin, Resolved
from nox_linkenv.store.layout import SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.resolve.pip_config import PipConfig
    from nox_linkenv.resolve.request import Request
    from nox_linkenv.store import Manifest, Store

__all__ = ["SourceBuilds"]

_CONFIGURATION: Final = (Kind.INDEX, Kind.BUILD)


class SourceBuilds:
    """What has been built for requests that build as *request* does.

    Args:
        config: pip's configuration.
        prefix: absolute path of the environment.
        receipt: of the environment.
    """

    def __init__(
        self, store: Store, request: Request, arguments: Arguments, config: PipConfig, prefix: str, receipt: Receipt
    ) -> None:
        self.store = store
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
        )
        self._build_inputs = (
            None
            if isinstance(key, Unkeyable)
            else digest_of([key.digest, build_inputs_digest(request.environ), receipt.interpreter])
        )

    def known(self, items: Sequence[Resolved]) -> dict[str, Manifest]:
        """Return the manifests of the wheels that were built from any of *items* before, by the items' names."""
        found = {}
        for item in items:
            name = self._name(item)
            text = None if name is None else self.store.read(name)
            with contextlib.suppress(ValueError, KeyError, TypeError):
                manifest = None if text is None else self.store.manifest(json.loads(text)["wheel"])
                if manifest is not None and manifest.version == item.version:
                    found[item.name] = manifest
        return found

    def keep(self, items: Sequence[Resolved], manifests: Mapping[str, Manifest]) -> None:
        """Remember what was built from *items*; a store that cannot be written does without."""
        for item in items:
            name = self._name(item)
            if name is not None:
                with contextlib.suppress(StoreUnwritableError):
                    self.store.publish(name, json.dumps({"wheel": manifests[item.name].digest}))

    def _name(self, item: Resolved) -> str | None:
        """Return the name of the record of *item*, ``None`` where nothing says that its content stays the same."""
        fixed = item.commit if item.origin is Origin.VCS else item.sha256 if item.origin is Origin.SDIST else None
        if fixed is None or self._build_inputs is None:
            return None
        return SOURCES.file(digest_of([item.requirement(), self._build_inputs]))
