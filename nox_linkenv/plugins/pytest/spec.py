"""What a test asks of its environments, in its markers and calls."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

__all__ = ["EnvironmentSpec", "spec_of"]


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """What an environment is made with.

    Args:
        requirements: what is installed in it at once.
        python: its interpreter; ``None`` for the run's.
        system_packages: whether it sees the packages of its base interpreter.
        extra_args: arguments for virtualenv.
    """

    requirements: tuple[str, ...] = ()
    python: str | None = None
    system_packages: bool = False
    extra_args: tuple[str, ...] = ()

    def but(
        self,
        *,
        requirements: tuple[str, ...],
        python: str | None = None,
        system_packages: bool | None = None,
        extra_args: tuple[str, ...] | None = None,
    ) -> EnvironmentSpec:
        """Return the same with other *requirements*, and with whatever else is not ``None``."""
        return EnvironmentSpec(
            requirements,
            self.python if python is None else python,
            self.system_packages if system_packages is None else system_packages,
            self.extra_args if extra_args is None else extra_args,
        )


def spec_of(request: pytest.FixtureRequest) -> EnvironmentSpec:
    """Return what the markers of the test ask for; the closest one wins, value by value."""

    def values(
        requirements: tuple[str, ...] = (),
        *,
        python: str | None = None,
        system_packages: bool | None = None,
        extra_args: tuple[str, ...] | None = None,
    ) -> EnvironmentSpec:
        if isinstance(requirements, str):
            raise TypeError("requirements is a sequence of strings, not one string")
        return wanted.but(
            requirements=tuple(os.fspath(each) for each in requirements) or wanted.requirements,
            python=python,
            system_packages=system_packages,
            extra_args=None if extra_args is None else tuple(extra_args),
        )

    wanted = EnvironmentSpec()
    for marker in reversed(list(request.node.iter_markers("linked_venv"))):
        try:
            wanted = values(*marker.args, **marker.kwargs)
        except TypeError as error:
            reason = str(error).replace(f"{values.__qualname__}()", "it")
            raise pytest.UsageError(f"{request.node.nodeid}: the marker linked_venv: {reason}") from None
    return wanted
