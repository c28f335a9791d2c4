"""The configuration keys ``linkenv_*``: one for each setting, with the value in force as its default."""

from __future__ import annotations

import functools
import logging
import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tox.tox_env.errors import Fail

from nox_linkenv.config import PERSONAL, Cleanup, Settings, load_settings, misspelt_variables, similar_to
from nox_linkenv.errors import SettingsError
from nox_linkenv.linking import LinkMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tox.config.main import Config
    from tox.config.sets import ConfigSet, EnvConfigSet

__all__ = ["add_settings", "read_settings", "warn_of_misspelt"]

_PREFIX: Final = "linkenv_"
_NAMES: Final = tuple(field.name for field in fields(Settings) if field.name not in PERSONAL)
_PATHS: Final = ("store", "lower_store", "companion")
_DESCRIPTIONS: Final = {
    "store": "directory of the store that environments are linked from",
    "lower_store": "directory of a store that is only read, where the other one lacks something",
    "companion": "directory of the store on the environments' filesystem, where the other cannot be linked; or none",
    "link_mode": f"how files are linked - {' | '.join(mode.value for mode in LinkMode)}",
    "resolution_age": "for how many seconds a resolution answers the same request again; 0 asks pip every time",
    "offline": "answer from remembered resolutions of any age, and ask nobody",
    "bytecode": "share bytecode between environments",
    "spares": "make trees of links ahead, so that the next environment only moves them",
    "ahead": "bring into the store what later sessions need while one works",
    "cleanup": f"which environments are removed after their run - {' | '.join(choice.value for choice in Cleanup)}",
    "max_size": "how large the store may be after a run, as 5GB: what was used least recently goes; 0 for any size",
    "journal_days": "for how many days it is kept what was done for each session; 0 keeps nothing",
    "quiet": "do not sum up at the end of a run what was done for it",
    "verify": "re-hash every file of the store before it is linked",
}


def add_settings(conf: EnvConfigSet, core: ConfigSet) -> None:
    """Define a key for every setting that a project may have.

    Raises:
        Fail: when a key is read that cannot have its value, or a file of settings is wrong.
    """
    for name in _NAMES:
        kind = type(getattr(Settings(), name))
        conf.add_config(
            keys=[_PREFIX + name],
            of_type=kind if kind in {bool, float} else str,
            default=_default(name, core),
            post_process=_checked(name, core),
            desc=_DESCRIPTIONS.get(name, f"the setting {name} of nox-linkenv"),
        )


def read_settings(conf: EnvConfigSet) -> Settings:
    """Return the settings of one environment.

    Raises:
        Fail: a key cannot have its value, or a file of settings is wrong.
    """
    explicit = {name: conf[_PREFIX + name] for name in _NAMES}
    try:
        return load_settings(explicit=explicit)
    except SettingsError as error:
        raise Fail(str(error)) from error


def warn_of_misspelt(conf: EnvConfigSet) -> None:
    """Warn of the keys of one environment, and of variables once in a run, that set nothing of ours."""
    known = {_PREFIX + name for name in _NAMES}
    for key in conf.unused():
        if key.startswith(_PREFIX) and key not in known:
            logging.warning("The key %s sets nothing%s.", key, similar_to(key, known, prefix=_PREFIX))
    _warn_of_misspelt_variables()


@functools.cache
def _warn_of_misspelt_variables() -> None:
    for line in misspelt_variables():
        logging.warning(line)


def _default(name: str, core: ConfigSet) -> Callable[[Config, str | None], object]:
    def default(conf: Config, env_name: str | None) -> object:
        del conf, env_name
        try:
            settings = load_settings(directory=str(core["tox_root"]))
        except SettingsError as error:
            raise Fail(str(error)) from error
        return settings.store_root if name == "store" else _shown(getattr(settings, name))

    return default


def _checked(name: str, core: ConfigSet) -> Callable[[object], object]:
    def checked(value: object) -> object:
        try:
            settings = load_settings(explicit={name: value})
        except SettingsError as error:
            raise Fail(f"{_PREFIX}{name} cannot be {value!r}. {error.remedy}") from error
        if name in _PATHS and value and str(value).lower() != "none":
            # As with every path in tox's configuration, what it is relative to is the configuration.
            return str(Path(core["tox_root"], os.path.expanduser(str(value))))
        if name == "store":
            return settings.store_root
        return _shown(getattr(settings, name))

    return checked


def _shown(value: object) -> object:
    """Return *value* as ``tox config`` can show it."""
    return value.value if isinstance(value, LinkMode | Cleanup) else value
