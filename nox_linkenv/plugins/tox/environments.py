"""The environments: tox's own on virtualenv, made and furnished through the provision entry."""

from __future__ import annotations

import logging
import os
from abc import ABC
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tox.tox_env.api import ToxEnv
from tox.tox_env.errors import Fail, Recreate
from tox.tox_env.python.virtual_env.package.pyproject import Pep517VirtualEnvPackager
from tox.tox_env.python.virtual_env.runner import VirtualEnvRunner

from nox_linkenv.errors import EnvError, LinkenvError, explained
from nox_linkenv.plugins.tox.cached_virtualenv import CachedVirtualenv
from nox_linkenv.plugins.tox.installing import LinkedExecutor, beginning
from nox_linkenv.plugins.tox.packaging import KEY, is_agreed
from nox_linkenv.plugins.tox.settings import add_settings, read_settings, warn_of_misspelt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tox.execute.api import Execute
    from tox.tox_env.api import ToxEnvCreateArgs

    from nox_linkenv.plugins.tox.policy import ToxPolicy
    from nox_linkenv.provision.ahead.leader import Queue
    from nox_linkenv.provision.environment import Environment

__all__ = ["LinkedEnv", "LinkedPackager", "LinkedRunner", "Recycling"]

#: Variables of virtualenv that tox sets itself, from configuration which is looked at here.
_SET_BY_TOX: Final = {
    f"VIRTUALENV_{name}"
    for name in (
        "CLEAR",
        "COPIES",
        "DOWNLOAD",
        "NO_PERIODIC_UPDATE",
        "NO_VENV_REDIRECT",
        "PYTHON",
        "SYSTEM_SITE_PACKAGES",
        "TRY_FIRST_WITH",
    )
}


#: Up to this verbosity tox shows no output of installs.
_OUTPUT_HIDDEN: Final = 3


class LinkedEnv(CachedVirtualenv, ABC):
    """What run and package environments have in common."""

    def __init__(self, create_args: ToxEnvCreateArgs) -> None:
        self._policy: ToxPolicy | None = None
        self._linked: Environment | None = None
        self._ready = False
        self._made = False
        super().__init__(create_args)

    def register_config(self) -> None:
        """Add the keys ``linkenv_*``."""
        super().register_config()
        add_settings(self.conf, self.core)

    @property
    def linked(self) -> Environment:
        """This environment, as it is linked from the store, which is opened when it is first asked for.

        Raises:
            Fail: a setting is wrong, or the store cannot be used.
        """
        if self._linked is None:
            from nox_linkenv.plugins.tox.ending import note_ended
            from nox_linkenv.plugins.tox.policy import ToxPolicy
            from nox_linkenv.provision.environment import Environment

            prefix = str(self.env_dir).replace(os.sep, "/")
            try:
                settings = read_settings(self.conf)
                self._policy = ToxPolicy(
                    prefix,
                    settings,
                    quiet=not self._is_alone(),
                    project=str(self.core["tox_root"]),
                    coming=self.coming,
                    queue=self.queue,
                    ended=lambda session: None if settings.quiet else note_ended(session, self.options.verbosity),
                )
                self._linked = Environment(prefix, settings, session=self.name, policy=self._policy)
                warn_of_misspelt(self.conf)
            except (LinkenvError, OSError) as error:
                raise Fail(str(explained(error))) from error
        return self._linked

    def coming(self) -> list[str]:
        """Return the paths of the linked environments that tox comes to after this one."""
        return []

    def queue(self) -> Queue | None:
        """Return what is known of the environments after this one, ``None`` where nothing is to be done for them."""
        return None

    @property
    def executor(self) -> Execute:
        """What runs commands: tox's own executor, which leaves installs to us."""
        if self._executor is None:
            self._executor = LinkedExecutor(self.options.is_colored, self._answering)
        return self._executor

    def python_cache(self) -> dict[str, Any]:
        """Add to what tox compares: an environment of another format of the store is made anew."""
        from nox_linkenv.store.layout import FORMAT

        return {**super().python_cache(), "linkenv store format": FORMAT}

    def ensure_python_env(self) -> None:
        """Make the environment if there is none, and make it anew if a killed run has left it half-made."""
        if os.path.isdir(self.env_dir / ".linkenv") and self.linked.receipt is None:
            raise Recreate("it was left half-made")
        if os.path.isdir(self.env_dir / ".linkenv"):
            try:
                self.linked.check()
            except EnvError as error:
                raise Recreate(str(error)) from error
            if spread := self.linked.spread_edits():
                raise Recreate(f"{spread[0]} was edited through a link, maybe elsewhere")
        super().ensure_python_env()
        self._ready = True
        self.save_answers()

    def create_python_env(self) -> None:
        """Make the environment from the store, or let virtualenv make it where only virtualenv can."""
        self._made = False
        parameters = self.parameters()
        interpreter = str(self.base_python.extra["executable"]) if parameters is None else self.interpreter()
        try:
            self._made = self.linked.ensure(interpreter, parameters, super().create_python_env)
        except (LinkenvError, OSError) as error:
            raise Fail(str(explained(error))) from error
        if self.linked.not_linked is not None:
            logging.warning("linked: %s", self.linked.not_linked)

    def parameters(self) -> list[str] | None:
        """Return the parameters that tox gives virtualenv, ``None`` where only virtualenv itself knows what they do."""
        spec = "virtualenv_spec" in self.conf and self.conf["virtualenv_spec"]
        if self.conf["download"] or spec:
            return None
        from nox_linkenv.env.skeleton import HARMLESS

        names = {name for name in self.virtualenv_env_vars() if name.startswith("VIRTUALENV_")}
        if names - _SET_BY_TOX - set(HARMLESS):
            return None
        parameters = []
        if self.conf["system_site_packages"]:
            parameters.append("--system-site-packages")
        if self.conf["always_copy"]:
            parameters.append("--copies")
        return parameters

    def _answering(self) -> Environment | None:
        """Return what answers installs, unless the user has an ``install_command`` that is not pip's."""
        if beginning(self.conf["install_command"].args) is not None:
            return self.linked
        logging.info("linked: left to the install_command, which does not begin as pip's install does here")
        return None

    def _is_alone(self) -> bool:
        """Return whether nothing but tox's own lines is seen: no output of pip, no spinner, no other environment's."""
        shown = logging.getLogger().isEnabledFor(logging.WARNING) and self.options.verbosity <= _OUTPUT_HIDDEN
        return shown and getattr(self.options, "parallel", 0) == 0

    def _untouched(self) -> bool:
        """Return whether nothing has run in the environment since it was made, file by file, of what was looked at."""
        return self._made and isinstance(self._executor, LinkedExecutor) and not self._executor.ran

    def _teardown(self) -> None:
        super()._teardown()
        if not self._ready or not os.path.isdir(self.env_dir / ".linkenv"):
            return
        try:
            for message in self.linked.close(self.environment_variables, untouched=self._untouched()):
                logging.warning(message)
        except (LinkenvError, OSError) as error:
            logging.warning("%s", error)


class Recycling(ToxEnv, ABC):
    """Puts the environment aside when tox removes it.

    To be named last among the bases, so that it comes right before tox's own removal, after the commands which the user
    has for that moment.
    """

    def _clean(self, transitive: bool = False) -> None:
        if isinstance(self, LinkedEnv) and not self._run_state["clean"] and os.path.isdir(self.env_dir / ".linkenv"):
            linked = self.linked  # which makes the policy
            assert self._policy is not None
            self._policy.put_aside(linked)
        super()._clean(transitive)


class LinkedRunner(LinkedEnv, VirtualEnvRunner, Recycling):
    """The run environment ``linked``."""

    #: Exit code of its commands, ``None`` until they have been run.
    linkenv_exit_code: int | None = None
    #: Those of the run that tox has not come to the end of, in its order.
    _active: ClassVar[list[LinkedRunner]] = []

    def mark_active(self) -> None:
        """Take note, before any environment is made, that this one is among them."""
        super().mark_active()
        self._active.append(self)

    def coming(self) -> list[str]:
        """Return the paths of the linked environments that tox comes to after this one."""
        return [str(runner.env_dir).replace(os.sep, "/") for runner in self._after()]

    def _after(self) -> Sequence[LinkedRunner]:
        return self._active[self._active.index(self) + 1 :] if self in self._active else ()

    def queue(self) -> Queue | None:
        """Return what is known of those after this one, unless tox itself works on several at a time."""
        if getattr(self.options, "parallel", 0) or not (after := self._after()):
            return None
        from nox_linkenv.plugins.tox.ahead import ToxQueue

        return ToxQueue(self, after)

    def ensure_python_env(self) -> None:
        """Make the environment, for which nothing more is done ahead."""
        from nox_linkenv.provision.policy import LeadingPolicy

        if LeadingPolicy.ahead is not None:
            LeadingPolicy.ahead.begun(self.name)
        super().ensure_python_env()

    def _teardown(self) -> None:
        super()._teardown()
        if not self._ready or getattr(self.options, "no_test", False):
            return
        from nox_linkenv.provision.cleanup import remove_environment, wants_removal

        if wants_removal(self.linked.settings.cleanup, success=self.linkenv_exit_code == 0):
            try:
                remove_environment(self.linked.store, self.linked.prefix)
            except OSError as error:
                logging.warning("%s cannot be removed (%s)", self.linked.prefix, error.strerror)

    @staticmethod
    def id() -> str:
        """Return the name by which it is chosen: ``runner = linked``."""
        return "linked"

    def register_config(self) -> None:
        """Add the choice of the package environment, which tox leaves to the run environment."""
        super().register_config()
        self.conf.add_config(
            keys=[KEY],
            of_type=bool,
            default=lambda conf, _name: is_agreed(conf),
            desc="build packages in an environment that is linked, too; by default where all environments are linked",
        )

    @property
    def _package_tox_env_type(self) -> str:
        if self.conf[KEY]:
            return LinkedPackager.id()
        return super()._package_tox_env_type


class LinkedPackager(LinkedEnv, Pep517VirtualEnvPackager, Recycling):
    """The package environment ``linked-pep-517``: build requirements are linked."""

    def _untouched(self) -> bool:
        return False  # tox has another executor for builds

    @staticmethod
    def id() -> str:
        """Return the name of the type."""
        return "linked-pep-517"
