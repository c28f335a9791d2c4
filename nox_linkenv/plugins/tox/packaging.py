"""Whether packages are built in an environment that is linked, where nobody has said so.

Run environments that name the same package environment share it, and tox fails where two of them want another type of
it.  So all must agree, and each of them must find out the same.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from tox.tox_env.errors import Fail, Skip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tox.config.main import Config
    from tox.config.sets import EnvConfigSet
    from tox.config.types import EnvList

__all__ = ["KEY", "is_agreed"]

KEY: Final = "linkenv_packaging"
#: Runners that build in a linked environment if they are not told otherwise, or that build nothing.
_AGREEING: Final = frozenset({"linked", "linked-pep-723", "virtualenv-pep-723"})
#: What tox raises where the configuration of an environment cannot be read.
_MISTAKES: Final = (RuntimeError, LookupError, ValueError, TypeError, AttributeError, OSError, Fail, Skip)


@functools.lru_cache(maxsize=1)
def is_agreed(conf: Config) -> bool:
    """Return whether every environment that tox knows is linked, and none says how packages are built."""
    try:
        return all(_agrees(conf, name) for name in dict.fromkeys(_names(conf)))
    except _MISTAKES:  # tox tells of one where it matters
        return False


def _names(conf: Config) -> Iterator[str]:
    """Yield the names of all environments that tox may come to define."""
    found = [*conf, *conf.core["env_list"], *(getattr(conf.options, "env", None) or ())]
    yield from found or ["py"]
    if "labels" in conf.core:
        labels: dict[str, EnvList] = conf.core["labels"]
        for names in labels.values():
            yield from names


def _agrees(conf: Config, name: str) -> bool:
    known = name in conf._env_to_conf_set  # to ask for one that is not known defines it, maybe as the other kind
    settings = conf.get_env(name)
    try:
        if _is_said(settings):
            return False
        if "runner" not in settings:
            if known:
                return True  # a package environment
            settings.add_config(keys="runner", of_type=str, default=conf.options.default_runner, desc="asked ahead")
        return settings["runner"] in _AGREEING
    finally:
        if not known:
            conf.clear_env(name)


def _is_said(settings: EnvConfigSet) -> bool:
    """Return whether the key stands anywhere in the *settings* of an environment."""
    return any(KEY in loader.found_keys() or KEY in loader.overrides for loader in settings.loaders)
