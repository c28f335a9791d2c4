"""The store: objects, manifests, bytecode, resolutions and skeletons, shared by every environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_linkenv.store.store import Store

if TYPE_CHECKING:
    from nox_linkenv.store.manifest import Manifest, StoredFile

__all__ = ["Manifest", "Store", "StoredFile"]


def __getattr__(name: str) -> object:
    """Import manifests when they are first asked for: the warm path has none."""
    if name in {"Manifest", "StoredFile"}:
        from nox_linkenv.store import manifest

        return getattr(manifest, name)
    raise AttributeError(name)
