"""The sites of the warm path's tests serve here, too."""

from __future__ import annotations

from tests.provision.conftest import _plain_process, here, make_site

__all__ = ["_plain_process", "here", "make_site"]
