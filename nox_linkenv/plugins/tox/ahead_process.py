"""The process that works for the environments of tox to come: interpreters are found as virtualenv finds them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from virtualenv import session_via_cli

from nox_linkenv.provision.ahead.process import NotFoundError, serve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nox_linkenv.store import Store


def _find(store: Store, asked: tuple[Sequence[str], Mapping[str, str]]) -> str:
    """Return the interpreter that virtualenv finds.

    Args:
        asked: the interpreters that tox asks for, by preference, and the variables of virtualenv's that tox gives it.
    """
    del store  # tox asks virtualenv more than this, and remembers it by itself
    specs, variables = asked
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VIRTUALENV_")}
    try:
        session = session_via_cli(
            [os.path.join(os.sep, "none"), *(f"--python={spec}" for spec in specs)],
            setup_logging=False,
            env={**environ, **variables},
        )
    except (RuntimeError, SystemExit) as error:  # there is none
        raise NotFoundError(str(error)) from error
    return str(session.creator.interpreter.system_executable)


if __name__ == "__main__":
    sys.exit(serve(_find))
