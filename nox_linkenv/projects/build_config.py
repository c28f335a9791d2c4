"""What the files that configure a project's build tell about what else the build reads."""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Configuration", "Declaration", "above", "read_declared", "read_run", "users_files"]

#: Files beside ``pyproject.toml`` that configure builds, as far as they may name files outside of the project.
_FILES: Final = (
    "setup.cfg",
    "setup.py",
    "MANIFEST.in",
    "hatch.toml",
    "hatch_build.py",
    "pdm_build.py",
    "build.py",
    "Cargo.toml",
    "CMakeLists.txt",
    "meson.build",
)
# Most texts hold nothing that these look for, so they are compiled only where a part of them is found.

#: What leads one directory up, as many as the number says, or one less than how often it stands there: the first
#: ``.parent`` or ``dirname(`` leads from a file to the directory that holds it.
_CLIMBING: Final = (
    r"""(?P<one>(?<![.\w])\.\.(?=[/\\"'])|\bpardir\b)|\bparents\[(?P<many>[1-9]\d*)\]"""
    r"""|(?P<less>\.parent\b|\bdirname\()"""
)
_CLIMBS: Final = ("..", "pardir", "parents[", ".parent", "dirname(")
_DIRECTORY: Final = r"(?m)^[ \t]*(\w+)[ \t]*=(?=.*__file__)(?=.*(?:\.parent\b|\bdirname\(|\bparents\[))"
#: In pyproject.toml: a path from the root or a home directory that a build may take files from.  Lists are left out:
#: they hold patterns, which begin with the project where they begin with ``/``.
_ABSOLUTE: Final = (
    r"""(?:\b(?:file|from|path|readme|reference)|["'])[ \t]*=[ \t]*["'](?P<value>(?:/|~/)[^"'\n]+)["']"""
    r"""|["'](?P<key>(?:/|~/)[^"'\n]+)["'](?=[ \t]*=)"""
)
#: More directories up than there are: out of every project.
_OUT: Final = 1_000
#: What makes versions of dates, or may.
_DATED: Final = (
    r"(?i)scm|vcs|calver|versioneer|versioningit|dunamai|dynamic[-_]versioning|tag_date|strftime|\bpbr\b"
    r"|\bdate(?:time)?\b|\btime\.[a-z]*time"
)
_DIST: Final = r"""\bdist[/\\]|["']dist["'][ \t]*="""
#: The first words of what is imported, and the lines that say where else modules are looked for.
_IMPORTED: Final = r"(?m)^[ \t]*(?:from|import)[ \t]+(\w+)"
_PATHS: Final = r"(?m)^.*(?:sys\.path|backend-path).*$"
_QUOTED: Final = r"""["']([^"'\n]+)["']"""
_FIELD: Final = r"\{env:(\w+)[:}]"
#: PATH differs from session to session, and which programs are found on it counts elsewhere; the last one is pytest's
#: and differs from test to test; "_" is no name to look for.
_UNNAMED: Final = frozenset({"PATH", "_", "PYTEST_CURRENT_TEST"})


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is known of the build of a declarative project.

    Args:
        repository: whether the backend asks the repository around the project which files are ignored.
        copied: beginnings of the paths, with ``/``, of what an editable wheel, too, may hold a copy of; ``""`` is all.
        files: of the project, each of which would make it another one: it brings code into the build, or configures it.
        above: such files as the backend also looks for in the directories above the project.
    """

    repository: bool
    copied: tuple[str, ...]
    files: tuple[str, ...]
    above: tuple[str, ...]

    def holds(self, project: str) -> bool:
        """Return whether nothing in or above the directory *project*, an absolute path, speaks against it."""
        if any(os.path.lexists(os.path.join(project, name)) for name in self.files):
            return False
        places = [os.path.join(parent, name) for parent in above(project) for name in self.above]
        return not any(map(os.path.lexists, places))

    def counts(self, name: str, *, inner: str, text: str) -> bool:
        """Return whether the Python module *name* counts for an editable with its content, not only by being there.

        Args:
            inner: path of the project within the tree, empty or with ``/`` at its end.
            text: of ``pyproject.toml``: a module that it names may be read for a version, or copied.
        """
        path = name.removeprefix(inner)
        return path in text or path.startswith(self.copied)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The texts that configure a build.

    Args:
        declared: that of ``pyproject.toml``.
        run: the same and those of files that the build runs, or that other tools read which it runs.
        helpers: those of modules that the former import, as far as can be told.
    """

    declared: str
    run: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()

    @property
    def climb(self) -> int:
        """How many directories up they reach."""
        rooted = any(start in self.declared for start in ('"/', "'/", '"~', "'~"))
        for found in re.finditer(_ABSOLUTE, self.declared) if rooted else ():
            if os.path.lexists(os.path.expanduser(found["value"] or found["key"])):
                return _OUT
        return max(map(_climb, self.run or (self.declared,)))

    @property
    def dated(self) -> bool:
        """Whether today's date may get into what is built, as it does into versions of work that is not committed."""
        return any(re.search(_DATED, text) for text in (*self.run, *self.helpers))

    @property
    def names_dist(self) -> bool:
        """Whether something in ``dist/`` may be taken into what is built."""
        return any("dist" in text and re.search(_DIST, text) for text in self.run or (self.declared,))

    def variables(self, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield those of the variables *environ* that are named: as ``{env:NAME}``, or anywhere in what is run.

        Source: hatchling's documentation, "Context formatting".
        """
        declared = set(re.findall(_FIELD, self.declared)) if "{env:" in self.declared else ()
        for name, value in environ.items():
            if name in declared or any(_names(text, name) for text in (*self.run, *self.helpers)):
                yield name, value


def read_declared(project: str) -> Configuration:
    """Read what configures the build of the project in the directory *project* if ``pyproject.toml`` alone does.

    Raises:
        OSError: it is there and cannot be read.
    """
    return Configuration(_read(f"{project}/pyproject.toml"))


def read_run(project: str, declared: str) -> Configuration:
    """Read all that configures the build of *project*, whose ``pyproject.toml`` is *declared*.

    Raises:
        OSError: a file of it cannot be read.
    """
    # Modules beside setup.py are what it imports; those of test tools are not.
    modules = {
        name
        for name in os.listdir(project)
        if name.endswith((".py", ".cmake")) and name not in ("noxfile.py", "conftest.py")
    }
    run = (declared, *(_read(f"{project}/{name}") for name in sorted({*_FILES, *modules})))
    return Configuration(declared, run, tuple(_helpers(project, run)))


def above(directory: str) -> Iterator[str]:
    """Yield the directories above *directory*, an absolute path, the closest first."""
    while (parent := os.path.dirname(directory)) != directory:
        yield parent
        directory = parent


def _helpers(project: str, run: Sequence[str]) -> Iterator[str]:
    """Yield the texts of modules in directories of *project* that one of the texts *run* imports from."""
    words: set[str] = set()
    for text in run:
        words.update(re.findall(_IMPORTED, text))
        for found in re.findall(_PATHS, text):
            words.update(re.findall(_QUOTED, found))
    for word in sorted(words):
        directory = os.path.normpath(os.path.join(project, word))
        if directory.startswith(project + os.sep) and os.path.isdir(directory):
            for name in sorted(os.listdir(directory)):
                if name.endswith(".py"):
                    yield _read(f"{directory}/{name}")


def users_files(project: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the files around *project* and in the user's home in which git and backends are told what to do.

    Sources: gitignore(5), git-config(1); hatchling's documentation ("File selection"), distutils' of its files.
    """
    home = environ.get("HOME") or os.path.expanduser("~")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    for name in (".gitconfig", ".pydistutils.cfg"):
        yield os.path.join(home, name)
    for name in ("config", "ignore", "attributes"):
        yield os.path.join(config, "git", name)
    if extra := environ.get("DIST_EXTRA_CONFIG"):
        yield extra
    for inner, directory in itertools.pairwise((project, *above(project))):
        if os.path.lexists(os.path.join(inner, ".git")):
            return
        for name in (".gitignore", ".hgignore", "hatch.toml"):
            yield os.path.join(directory, name)


def _climb(text: str) -> int:
    """Return how many directories up the line of *text* leads that leads up most."""
    if not any(part in text for part in _CLIMBS):
        return 0
    lines: dict[int, list[int]] = {}
    # A name for a directory, such as HERE, from which another line goes on.
    for name in re.findall(_DIRECTORY, text) if "__file__" in text else ():
        if re.search(rf"\b{name}\.parent\b|\bdirname\(\s*{name}\b", text):
            lines[-1] = [1, 0]
    for found in re.finditer(_CLIMBING, text):
        line = lines.setdefault(text.rfind("\n", 0, found.start()), [0, 0])
        if found["less"]:
            line[1] += 1
        else:
            line[0] += int(found["many"] or 1)
    return max((up + max(0, less - 1) for up, less in lines.values()), default=0)


def _names(text: str, name: str) -> bool:
    return name in text and name not in _UNNAMED and re.search(rf"\b{re.escape(name)}\b", text) is not None


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
