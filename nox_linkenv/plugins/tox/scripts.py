"""Scripts with inline metadata (PEP 723), for the versions of tox that run them."""

from __future__ import annotations

from tox.tox_env.python.virtual_env.pep723_runner import Pep723Runner

from nox_linkenv.plugins.tox.environments import LinkedEnv, Recycling

__all__ = ["LinkedScriptRunner"]


class LinkedScriptRunner(LinkedEnv, Pep723Runner, Recycling):
    """Runs a script in an environment with the packages that it names itself."""

    @staticmethod
    def id() -> str:
        """Return the name by which tox.ini chooses it."""
        return "linked-pep-723"
