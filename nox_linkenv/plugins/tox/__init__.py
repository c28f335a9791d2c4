"""The tox plugin: run environments ``linked`` and ``linked-pep-723``, package environment ``linked-pep-517``.

tox finds it by the entry point ``tox``, and calls it in every run, whichever environments are configured: so nothing is
imported here but what tox has imported already.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tox.plugin import impl

if TYPE_CHECKING:
    from tox.execute.api import Outcome
    from tox.tox_env.api import ToxEnv
    from tox.tox_env.register import ToxEnvRegister

__all__ = ["tox_after_run_commands", "tox_register_tox_env"]


@impl
def tox_after_run_commands(tox_env: ToxEnv, exit_code: int, outcomes: list[Outcome]) -> None:
    """Tell an environment of ours how its commands have ended: it may have to clean up."""
    del outcomes
    if hasattr(tox_env, "linkenv_exit_code"):
        tox_env.linkenv_exit_code = exit_code


@impl
def tox_register_tox_env(register: ToxEnvRegister) -> None:
    """Register the environments.  Where tox has changed so that they cannot work, it is left as it was."""
    try:
        from nox_linkenv.plugins.tox.environments import LinkedPackager, LinkedRunner
    except (ImportError, AttributeError, TypeError) as error:
        logging.warning("nox-linkenv does not know this version of tox (%s); its environments are missing.", error)
        return
    register.add_run_env(LinkedRunner)
    register.add_package_env(LinkedPackager)
    try:
        from nox_linkenv.plugins.tox.scripts import LinkedScriptRunner
    except ImportError:
        return  # this tox does not run scripts with inline metadata (PEP 723)
    register.add_run_env(LinkedScriptRunner)
