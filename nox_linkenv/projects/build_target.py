"""What projects are built for, and the environments that they are built in, as builds see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.projects.surroundings import Surroundings
    from nox_linkenv.resolve.cache import Reading
    from nox_linkenv.resolve.pip_config import PipConfig
    from nox_linkenv.resolve.request import Request
    from nox_linkenv.store import Store

__all__ = ["BuildEnvironment", "BuildTarget", "MakeBuildEnvironment"]


class BuildEnvironment(Protocol):
    """The environment that a project is built in."""

    @property
    def prefix(self) -> str:
        """Its absolute path."""
        ...

    @property
    def plans(self) -> tuple[str, ...]:
        """The names of the stored plans of what is installed in it."""
        ...

    @property
    def oldest(self) -> float:
        """When the oldest resolution was made that it consists of, in seconds since the epoch."""
        ...

    @property
    def reading(self) -> Reading:
        """What pip read for the resolutions that it consists of."""
        ...

    def install(self, request: Request) -> None:
        """Install what *request* asks for.

        Raises:
            BackendError: it cannot be installed, or not linked.
        """
        ...

    def wheels(self) -> dict[str, str] | None:
        """Return the digests of the wheels in it by name; ``None`` where it holds anything else."""
        ...

    def close(self, environ: Mapping[str, str]) -> None:
        """Look at it after the build, which ran with the variables *environ*."""
        ...


#: Makes the bare environment at a path, of an interpreter, for the project at another path; raises BackendError.
MakeBuildEnvironment: TypeAlias = "Callable[[str, str, str], BuildEnvironment]"


@dataclass(frozen=True, slots=True)
class BuildTarget:
    """What projects are built for.

    Attributes:
        store: where builds are kept.
        prefix: absolute path of the environment that they are to be installed in.
        receipt: of that environment.
        request: that asks for them.
        config: pip's configuration.
        surroundings: returns what builds can read besides projects, as it is now.
        holds_since: returns when a resolution was last known to be pip's, given when it was made and what was read for
            it, in seconds since the epoch; ``None`` where it is too old.
        pinned_tree: returns a tree in whose stead a build is kept that was made while the project was no more like it.
        make_environment: makes the environment that a project is built in.
    """

    store: Store
    prefix: str
    receipt: Receipt
    request: Request
    config: PipConfig
    surroundings: Callable[[], Surroundings]
    holds_since: Callable[[float, Reading], float | None]
    pinned_tree: Callable[[Tree], Tree | None]
    make_environment: MakeBuildEnvironment
