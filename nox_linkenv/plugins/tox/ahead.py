"""What of tox's run is worth doing ahead; see :mod:`nox_linkenv.provision.ahead.leader`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, TypeVar

from nox_linkenv.provision.ahead.leader import Coming, host_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nox_linkenv.plugins.tox.cached_virtualenv import CachedVirtualenv

__all__ = ["ToxQueue"]

_Value = TypeVar("_Value")

#: Decides, besides the interpreter, what an environment asks pip for; older versions of tox have not all of it.
_KEYS: Final = (
    "deps",
    "constraints",
    "extras",
    "dependency_groups",
    "pylock",
    "package",
    "skip_install",
    "no_package",
    "install_command",
    "pip_pre",
    "constrain_package_deps",
    "use_frozen_constraints",
)


class ToxQueue:
    """An environment of tox, and those after it.

    Args:
        runner: of the environment.
        coming: those that come after it, in tox's order.
    """

    def __init__(self, runner: CachedVirtualenv, coming: Sequence[CachedVirtualenv]) -> None:
        self._runner = runner
        self._coming = coming

    def command(self) -> list[str]:
        return host_command("nox_linkenv.plugins.tox.ahead_process")

    def present(self) -> Coming | None:
        return _coming(self._runner)

    def coming(self) -> Sequence[Coming]:
        return _known(self._coming)

    def kind(self) -> object:
        return _kind(self._runner)

    def alike(self) -> Sequence[Coming]:
        kind = _kind(self._runner)
        if kind is None:
            return []
        return _known(runner for runner in self._coming if _kind(runner) == kind and not os.path.exists(runner.env_dir))


def _known(runners: Iterable[CachedVirtualenv]) -> list[Coming]:
    return [coming for coming in map(_coming, runners) if coming is not None]


def _coming(runner: CachedVirtualenv) -> Coming | None:
    specs = _read(lambda: list(runner.conf["base_python"]))
    parameters = _read(runner.parameters)
    variables = _read(runner.virtualenv_env_vars)
    if specs is None or parameters is None or variables is None:
        return None
    own = {name: value for name, value in variables.items() if name.startswith("VIRTUALENV_")}
    names = {"TOX_ENV_NAME": runner.name, "TOX_ENV_DIR": str(runner.env_dir)}
    return Coming(runner.name, [specs, own], parameters, names)


def _kind(runner: CachedVirtualenv) -> object:
    """Return what tells it from others, its Python aside; ``None`` where that cannot be told."""
    conf = runner.conf
    return _read(lambda: tuple((key, _plain(conf[key])) for key in _KEYS if key in conf))


def _plain(value: object) -> str:
    lines = getattr(value, "lines", None)  # requirements
    args = getattr(value, "args", None)  # a command
    return repr(lines() if callable(lines) else value if args is None else args)


def _read(read: Callable[[], _Value]) -> _Value | None:
    """Return what *read* returns; ``None`` where the configuration is wrong, which tox says when it comes to it."""
    try:
        return read()
    except Exception:  # noqa: BLE001 # nothing that is done ahead may end a run
        return None
