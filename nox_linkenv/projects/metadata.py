"""What the METADATA of a wheel that was built says about other distributions."""

from __future__ import annotations

from email.parser import Parser
from pathlib import Path
from typing import TYPE_CHECKING

from nox_linkenv.resolve.report import FIELDS
from nox_linkenv.store.layout import object_name

if TYPE_CHECKING:
    from nox_linkenv.store import Manifest, Store

__all__ = ["metadata_fields"]


def metadata_fields(store: Store, manifest: Manifest) -> dict[str, list[str]]:
    """Return the fields of METADATA that can change what else is installed, with their values in order.

    Raises:
        OSError: METADATA has gone from the store.
    """
    name = f"{manifest.dist_info}/METADATA"
    address = next(file.address for file in manifest.files if file.name == name)
    path = store.find(object_name(address)) or store.layout.object(address)
    message = Parser().parsestr(Path(path).read_text(encoding="utf-8"), headersonly=True)
    return {field: sorted(message.get_all(field, [])) for field in FIELDS}
