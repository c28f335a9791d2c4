"""The seam to pip: what a host must be able to do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Pip"]


class Pip(Protocol):
    """Runs ``python -m pip`` of one environment, with the host's variables, directory, output and error handling."""

    def ask(self, arguments: Sequence[str]) -> bool:
        """Run the user's ``install`` with *arguments* added, which keep it from installing.

        A failure is the user's: it is reported as if the command had been the user's own, and raises what the host
        raises.  Returns false where the host takes a failure for a success.
        """
        ...

    def fetch(self, arguments: Sequence[str]) -> bool:
        """Run ``pip`` with *arguments*, quietly.  Returns whether it succeeded."""
        ...

    def install(self, arguments: Sequence[str]) -> bool:
        """Run ``pip install`` with *arguments*, as the host would have run the user's."""
        ...
