"""The store: objects, manifests, bytecode, resolutions and skeletons, shared by every environment."""

from __future__ import annotations

from nox_linkenv.store.manifest import Manifest, StoredFile
from nox_linkenv.store.store import Store

__all__ = ["Manifest", "Store", "StoredFile"]
