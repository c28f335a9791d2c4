"""A request as it is looked at in one environment: its arguments, pip's configuration, and the key of it all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nox_linkenv.env.installed import installed_digest
from nox_linkenv.resolve.key import Key, Unkeyable, is_numbered, request_key
from nox_linkenv.resolve.pip_arguments import Arguments, Kind, parse, without_file_names
from nox_linkenv.resolve.pip_config import PipConfig, read_config
from nox_linkenv.resolve.specifiers import LOCAL_PROJECT, SDISTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.projects.key import ProjectKey
    from nox_linkenv.projects.requirements import LocalProject
    from nox_linkenv.projects.surroundings import Surroundings
    from nox_linkenv.provision.environment import Environment
    from nox_linkenv.resolve.cache import Reading
    from nox_linkenv.resolve.request import Request

__all__ = ["RequestKeys"]


class RequestKeys:
    """One request in one environment, with everything that is read of it read once.

    Attributes:
        request: what was asked.
        mute: why the environment's pip cannot be asked, in one clause; ``None`` where it can.
        receipt: of the environment, as it was when the request came; ``None`` where it is not one of ours.
        arguments: those of the request, sorted; ``None`` where an option is not modelled.
        config: pip's configuration.
        key: of the request.
        not_reused: why a cached resolution was not used, where that is known.
    """

    def __init__(self, environment: Environment, request: Request) -> None:
        self._environment = environment
        self.request = request
        self.mute: str | None = environment.meet_pip()
        self.receipt: Receipt | None = environment.receipt
        self.arguments: Arguments | None = parse(request.arguments)
        self.config: PipConfig = read_config(request.environ, environment.prefix, request.directory)
        self.not_reused: str | None = None
        self.key: Key | ProjectKey | Unkeyable = self._read()

    @property
    def full(self) -> Key | Unkeyable:
        """The key with the trees of local projects in it."""
        return self.key if isinstance(self.key, Key | Unkeyable) else self.key.full

    @property
    def place(self) -> tuple[str, ...]:
        """What makes two requests the same one to a user: the environment and the arguments.

        Files that are named by absolute paths may be temporary ones, each time with another name.
        """
        arguments: Sequence[str] = self.request.arguments
        if self.arguments is not None and self.arguments.names_files():
            arguments = without_file_names(arguments, lambda name: os.path.isabs(name) and is_numbered(name))
        names = {} if isinstance(self.full, Unkeyable) else {path: name for name, path in self.full.archives.items()}
        return (self._environment.prefix, *(names.get(argument, argument) for argument in arguments))

    @property
    def overwrites(self) -> bool:
        """Whether pip would install over what is installed, and remove nothing of it."""
        return self.arguments is not None and self.arguments.has("-I", "--ignore-installed")

    @property
    def names_sdists(self) -> bool:
        """Whether a requirement may be an sdist in a file."""
        named = [] if self.arguments is None else self.arguments.requirements
        return any(name.lower().partition("[")[0].rstrip().endswith(SDISTS) for name in named)

    def surroundings(self) -> Surroundings:
        """Return what builds for the request can read, as it is now."""
        from nox_linkenv.projects.surroundings import Surroundings

        prefix, receipt = self._environment.prefix, self.receipt

        def installed() -> str | None:
            return None if receipt is None else installed_digest(prefix, receipt.facts)

        return Surroundings(self.request.environ, prefix, installed, self._environment.clock())

    def again(self) -> RequestKeys:
        """Return the same request as things stand now: whatever its key is made of is read anew."""
        return RequestKeys(self._environment, self.request)

    def holds_since(self, time: float, reading: Reading, *, pinned: bool = False) -> float | None:
        """Return when an answer was last known to be pip's, which it gave at *time*; ``None`` where it is too old.

        One that is too old is renewed, if the index says that nothing has changed.

        Args:
            time: in seconds since the epoch, as what is returned.
            reading: what pip read for the answer.
            pinned: whether the request allows no other answer.
        """
        settings, now = self._environment.settings, self._environment.clock()
        if settings.offline or (settings.resolution_age > 0 and (pinned or 0 <= now - time < settings.resolution_age)):
            return time
        if settings.resolution_age <= 0 or not settings.renew:
            return None
        from nox_linkenv.resolve.record import is_timed
        from nox_linkenv.resolve.renewal import NotRenewedError, renew

        options = [] if self.arguments is None else self.arguments.options
        if any(is_timed(option.removeprefix("--"), value or "") for _, option, value in options):
            self.not_reused = "the resolution is too old, and what pip takes depends on the time"
            return None

        indexes = self.full.indexes if isinstance(self.full, Key) else ()
        try:
            return renew(
                self._environment.store,
                reading,
                self.request.environ,
                indexes,
                now=now,
                age=settings.resolution_age,
            )
        except NotRenewedError as error:
            self.not_reused = f"the resolution is too old, and {error.clause}"
            return None
        finally:
            upcoming = self._environment.policy.upcoming()
            if upcoming:
                from nox_linkenv.provision.ahead.pages import ask_ahead

                age = settings.resolution_age
                ask_ahead(self._environment.store, upcoming, self.request.environ, indexes, age=age)

    def _read(self) -> Key | ProjectKey | Unkeyable:
        environment, request = self._environment, self.request
        if self.receipt is None:
            return Unkeyable("the environment is not one of ours")
        if self.mute is not None:
            return Unkeyable(self.mute)
        if self.arguments is None:
            return Unkeyable("an option is not modelled")
        installed = installed_digest(environment.prefix, self.receipt.facts)
        if installed is None:
            return Unkeyable("packages from outside of the environment are visible in it")
        if not environment.settings.reuse_builds:
            key = self._plain(installed)
            local = isinstance(key, Unkeyable) and key.reason == LOCAL_PROJECT
            return Unkeyable("reuse-builds is off, and a local project is among the requirements") if local else key
        if any(map(os.path.isdir, _paths(self.arguments, request.directory))):
            return self._of_projects(installed) or self._plain(installed)
        key = self._plain(installed)
        if isinstance(key, Unkeyable) and key.reason == LOCAL_PROJECT:  # in a file, or named by a URL
            return self._of_projects(installed) or key
        return key

    def _plain(self, installed: str) -> Key | Unkeyable:
        """Return the key of a request without local projects, given a digest of what is *installed*."""
        assert self.arguments is not None
        assert self.receipt is not None
        return request_key(
            self.arguments,
            verbatim=self.request.arguments,
            environ=self.request.environ,
            directory=self.request.directory,
            config=self.config,
            prefix=self._environment.prefix,
            facts=self.receipt.facts,
            installed=installed,
            store=self._environment.store,
        )

    def _of_projects(self, installed: str) -> ProjectKey | Unkeyable | None:
        """Return the key of a request with local projects, ``None`` where there are none to be built here."""
        from nox_linkenv.projects.key import project_key

        assert self.arguments is not None
        assert self.receipt is not None
        return project_key(
            self.request,
            self.arguments,
            config=self.config,
            prefix=self._environment.prefix,
            facts=self.receipt.facts,
            installed=installed,
            look=self._tree,
            store=self._environment.store,
        )

    def _tree(self, project: LocalProject) -> Tree:
        """Return the tree of *project* as the host has it seen.

        Raises:
            UnknownTreeError: it cannot be told what a build of it sees.
        """
        from nox_linkenv.projects.key import look

        environment = self._environment
        return environment.policy.tree(project, lambda: look(environment.store, project, environment.prefix))


def _paths(arguments: Arguments, directory: str) -> Iterator[str]:
    """Yield the requirements of *arguments* as the paths that they may be."""
    for requirement in [*arguments.requirements, *arguments.values(Kind.EDITABLE)]:
        yield os.path.join(directory, requirement.partition("[")[0].rstrip())
