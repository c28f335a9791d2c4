"""The environment variables of child processes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.interpreters import pyenv_selection

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["clean_environment", "steady_base"]

_REMOVED: Final = ("PIP_", "NOX_", "TOX_", "UV_", "LINKENV_", "VIRTUALENV_", "PYTEST_")
_REMOVED_NAMES: Final = {
    "CI",  # nox fails on missing interpreters with it
    "FORCE_COLOR",
    "NOXSESSION",
    "NOXPYTHON",
    "NOXFORCEPYTHON",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONPYCACHEPREFIX",
    "SOURCE_DATE_EPOCH",
    "VIRTUAL_ENV",
}
# How this machine reaches the index. Nothing here changes what is installed.
_KEPT: Final = {"PIP_CERT", "PIP_CLIENT_CERT", "PIP_DEFAULT_TIMEOUT", "PIP_INDEX_URL", "PIP_PROXY"}


def clean_environment(outer: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return *outer* (default: this process's environment) without what would colour a test's result.

    Settings of pip, nox, tox, uv and this package are removed, but not the ways to the index (proxy, certificates).
    Where pyenv has interpreters and none is selected, all target versions are.
    """
    outer = os.environ if outer is None else outer
    result = {
        name: value
        for name, value in outer.items()
        if name in _KEPT or not (name.startswith(_REMOVED) or name in _REMOVED_NAMES)
    }
    result["PIP_CONFIG_FILE"] = os.devnull
    result["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    if not result.get("PYENV_VERSION") and (selection := pyenv_selection()) is not None:
        result["PYENV_VERSION"] = selection
    return result


def steady_base() -> Path:
    """Return where places lie whose path is the same in each run; the directory may not exist yet."""
    return Path(tempfile.gettempdir()).resolve() / f"linkenv-tests-{os.getuid()}"
