"""Environments of tox that ask virtualenv only what is not remembered: a session of it takes longer than linking."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, cast

from tox.tox_env.errors import Fail
from tox.tox_env.python.virtual_env.api import VirtualEnv

from nox_linkenv.plugins.tox.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tox.tox_env.api import ToxEnvCreateArgs
    from tox.tox_env.python.api import PythonInfo

    from nox_linkenv.plugins.tox.virtualenv_cache import Answers
    from nox_linkenv.provision.environment import Environment

__all__ = ["CachedVirtualenv"]


class CachedVirtualenv(VirtualEnv, ABC):
    """Answers tox as a session of virtualenv has answered before."""

    def __init__(self, create_args: ToxEnvCreateArgs) -> None:
        self._asked: tuple[list[str], dict[str, str]] | None = None
        self._answers: Answers | None = None
        self._looked_up = False
        super().__init__(create_args)

    @property
    @abstractmethod
    def linked(self) -> Environment:
        """This environment, as it is linked from the store."""

    @abstractmethod
    def parameters(self) -> list[str] | None:
        """Return the parameters that tox gives virtualenv, ``None`` where only virtualenv itself knows what they do."""

    def interpreter(self) -> str:
        """Return the path of the base interpreter, as virtualenv uses it."""
        known = self._known()
        return str(self.creator.interpreter.system_executable) if known is None else known.interpreter

    def save_answers(self) -> None:
        """Remember what virtualenv has answered, if it has been asked."""
        if self._asked is None or self._answers is not None:
            return
        from nox_linkenv.plugins.tox.virtualenv_cache import Answers, Question

        answers = Answers(
            python=self.base_python,
            interpreter=self.interpreter(),
            programs=tuple(self.prepend_env_var_path()),
            packages=self.env_site_package_dir(),
            platform_packages=self.env_site_package_dir_plat(),
            scripts=self.env_bin_dir(),
            executable=self.env_python(),
        )
        Question(self.linked.store, self.env_dir, *self._asked).save(answers, now=time.time())

    def _known(self) -> Answers | None:
        """Return what virtualenv has answered before to what it would be asked now."""
        if not self._looked_up:
            self._looked_up = True  # at once: variables may be made of the answers
            self._answers = self._load()
        return self._answers

    def _load(self) -> Answers | None:
        from nox_linkenv.plugins.tox.virtualenv_cache import Question, can_be_cached

        specs, environ = self.conf["base_python"], self.virtualenv_env_vars()
        if self.parameters() is None or not can_be_cached(self.env_dir, specs, environ):
            return None
        self._asked = (specs, environ)
        try:
            if not os.path.isdir(read_settings(self.conf).store_root):
                return None  # it is made when it is needed
            question = Question(self.linked.store, self.env_dir, specs, environ)
        except Fail:  # is told when the store is needed
            return None
        return question.load(now=time.time(), age=self.linked.settings.resolution_age)

    def _get_python(self, base_python: list[str]) -> PythonInfo | None:
        known = self._known()
        return super()._get_python(base_python) if known is None else known.python

    def prepend_env_var_path(self) -> list[Path]:
        """Return the directories that go first on PATH."""
        known = self._known()
        return super().prepend_env_var_path() if known is None else list(known.programs)

    def env_site_package_dir(self) -> Path:
        """Return where pure modules are installed."""
        known = self._known()
        return super().env_site_package_dir() if known is None else known.packages

    def env_site_package_dir_plat(self) -> Path:
        """Return where other modules are installed; older versions of tox do not ask."""
        known = self._known()
        if known is not None:
            return known.platform_packages
        asked = getattr(super(), "env_site_package_dir_plat", super().env_site_package_dir)
        return cast("Path", asked())

    def env_python(self) -> Path:
        """Return the environment's interpreter."""
        known = self._known()
        return super().env_python() if known is None else known.executable

    def env_bin_dir(self) -> Path:
        """Return where programs are installed."""
        known = self._known()
        return super().env_bin_dir() if known is None else known.scripts
