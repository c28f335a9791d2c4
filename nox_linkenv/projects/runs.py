"""From what builds have run to what that may have read."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, Protocol

from nox_linkenv.projects.includes import included
from nox_linkenv.projects.looking import plain_path, within
from nox_linkenv.projects.programs import (
    Sort,
    commands_of,
    is_led,
    is_script,
    names_in_scripts,
    sort_of,
    subcommand,
)
from nox_linkenv.projects.surroundings import MANY
from nox_linkenv.projects.vcs_config import configuration_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.projects.looking import Watched

__all__ = ["Collected", "Runs"]

#: Files that tell programs what to read.
_CONFIGURING: Final = (
    "pyproject.toml", "setup.cfg", "Cargo.toml", "CMakeLists.txt", "meson.build", "Makefile", "MANIFEST.in",
)  # fmt: skip
#: A path in them that may lead out of the project.
_NAMED: Final = re.compile(r"""(?<![\w./~])((?:/|~/|\.\./)[^\s"'(),;]+)""")
#: A path in an argument, from its beginning or after what an option is called.
_PATH: Final = re.compile(r"(?:^|=|^-[A-Za-z]+)((?:\.\.)?/.*|\.\.)$")
#: A directory or file in the option of a compiler.
_LED: Final = re.compile(r"-(?:I|L|isystem|iquote|idirafter|include)(?=.)([^-=].*)")
#: Variables that lead compilers and their like to files.
_LEADING: Final = (
    "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH", "LIBRARY_PATH", "LD_RUN_PATH",
    "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "CMAKE_PREFIX_PATH", "CMAKE_INCLUDE_PATH", "CMAKE_LIBRARY_PATH",
    "CMAKE_MODULE_PATH", "CMAKE_TOOLCHAIN_FILE", "CMAKE_ARGS", "SKBUILD_CMAKE_ARGS", "CFLAGS", "CXXFLAGS", "CPPFLAGS",
    "LDFLAGS", "FFLAGS", "SDKROOT", "SYSROOT",
)  # fmt: skip
#: What a package manager looks after.
_SYSTEM: Final = ("/usr/", "/lib", "/etc/", "/opt/", "/nix/", "/bin/", "/Library/", "/System/", "/Applications/")


class Collected(Protocol):
    """What is collected of a build, :class:`nox_linkenv.projects.notes._Collector`."""

    watched: Watched
    sets: dict[str, set[str]]
    flags: set[str]
    path: list[str]
    ancestors: set[str]

    def look_at(self, path: str, *, content: bool) -> None:
        """Take in that what is at *path* counts, with its *content* or only as it looks."""
        ...

    def followed(self, path: str) -> str:
        """Return where *path* leads by the links that the build has made."""
        ...

    def is_own(self, plain: str) -> bool:
        """Return whether the build has made what is at the path *plain*, or it is known anyway."""
        ...

    def is_left_out(self, name: str) -> bool:
        """Return whether what is at *name* in the project is no part of its fingerprint."""
        ...


class Runs:
    """Adds to *collected* what the programs may have read that a build has run."""

    def __init__(self, collected: Collected) -> None:
        self._collected = collected
        self._given: set[str] = set()
        self._sorts: set[Sort] = set()
        self._sources: set[str] = set()  # that compilers were given

    def add(self, program: str, words: Sequence[str], directory: str, *, is_watched: bool) -> None:
        """Take in that *program* was called with *words* in *directory*.

        Args:
            is_watched: whether it is a Python that notes what it reads.
        """
        if is_watched and not _without_site(words):
            return
        for command in commands_of(program, words, self._collected.path):
            if command is None:
                self._unseen()
            elif "/" not in command.program or not os.path.exists(command.program):
                self._missing(command.program)
            else:
                self._run(command.program, command.words, directory)

    def finish(self) -> None:
        """Take in what could only be told when all was known that ran."""
        tree = self._collected.watched.tree
        if self._sorts & {Sort.TOOL, Sort.DRIVER}:
            self._follow(_LEADING)
        if Sort.DRIVER in self._sorts:
            names = None if tree is None else names_in_scripts(list(_scripts(tree)))
            if names is None:
                self._unseen()
            else:
                self._follow(sorted(names))
        if tree is not None and Sort.DRIVER in self._sorts:
            self._sources.update(f"{tree.root}/{name}" for name in tree.entries)
        for path in included(self._sources):
            if self._is_out(path):
                self.give(path)
        if tree is not None and self._sorts & {Sort.DRIVER, Sort.BACKEND}:
            self._look_around(tree)

    def _unseen(self) -> None:
        self._collected.flags |= {"all_variables", "path", "tools", "commands", "unseen"}

    def _missing(self, program: str) -> None:
        if "/" in program:
            self._collected.look_at(program, content=False)
        else:
            self._collected.sets["programs"].add(program)
            self._collected.flags.add("path")

    def _run(self, program: str, words: Sequence[str], directory: str) -> None:
        collected, name, sort = self._collected, os.path.basename(program), sort_of(program)
        self._sorts.add(sort)
        collected.flags |= {"all_variables", "path"}
        collected.look_at(program, content=False)
        if words == ("sh",):
            return  # what it was told is looked at by itself
        if sort is not Sort.PLAIN:
            collected.flags.add("tools")
        if sort in (Sort.DRIVER, Sort.BACKEND):
            collected.flags.add("commands")
        if sort is Sort.UNKNOWN or (sort is not Sort.CONFIG and not program.startswith(_SYSTEM) and is_script(program)):
            self._unseen()
        elif sort is Sort.CONFIG and is_script(program):
            self._read_script(program)
        elif sort is Sort.VCS:
            self._ask(name, words, directory)
        if name == "which":
            collected.sets["programs"].update(words[1:])
        if is_led(program, words):
            self._unseen()
        for word in _parts(words[1:]):
            found = _PATH.search(word)
            path = os.path.join(directory, found[1] if found is not None else word)
            if sort is Sort.TOOL and not word.startswith("-"):
                self._sources.add(path)
            elif sort is Sort.TOOL and found is None and (led := _LED.match(word)) is not None:
                path = os.path.realpath(collected.followed(os.path.join(directory, led[1])))
                if self._is_out(path):
                    self.give(path, deep=not word.startswith("-L"))
            if found is not None or (not word.startswith("-") and self._is_out(path)):
                self.give(path, deep=not word.startswith("-L"))  # a linker looks for nothing deeper
        self.give(directory)

    def _is_out(self, path: str) -> bool:
        """Return whether *path*, which an argument may be or not, leads to something that the fingerprint has not."""
        tree = self._collected.watched.tree
        name = None if tree is None else within(plain_path(path), tree.root)
        if name is None:
            return os.path.lexists(path) or plain_path(os.path.dirname(path)) in self._collected.ancestors
        return self._collected.is_left_out(name) and os.path.lexists(path)

    def _ask(self, name: str, words: Sequence[str], directory: str) -> None:
        """Take in what git or Mercurial are told, and what a repository has that is no part of a fingerprint."""
        collected, watched = self._collected, self._collected.watched
        if name == "git" and subcommand(words) is None:
            self._unseen()
        place = directory if os.path.isdir(directory) else watched.tree.project if watched.tree is not None else "/"
        for path in configuration_files(name, place, watched.environ):
            collected.look_at(path, content=True)
        if watched.tree is not None:
            references = os.path.join(watched.tree.root, ".git", "refs")
            if os.path.isdir(references):
                collected.sets["trees"].add(references)

    def _read_script(self, program: str) -> None:
        """Take in what the text of *program* names."""
        with open(program, encoding="utf-8", errors="replace") as stream:
            names = _NAMED.findall(stream.read(1 << 20))
        for path in map(os.path.expanduser, names):
            if not os.path.isdir(path):
                self.give(path)

    def _follow(self, variables: Sequence[str]) -> None:
        """Take in what *variables* lead to."""
        for name in variables:
            for word in re.split(rf"[\s;{os.pathsep}]", self._collected.watched.environ.get(name, "")):
                found = _PATH.search(word)
                if found is not None:
                    self.give(found[1])

    def _look_around(self, tree: Tree) -> None:
        """Take in what programs may read that is no part of the fingerprint of *tree*: archives, and what is named."""
        if os.path.isdir(f"{tree.project}/dist"):
            names = sorted(os.listdir(f"{tree.project}/dist"))
            paths = [f"{tree.project}/dist/{name}" for name in names]
            self._collected.sets["files"].update(path for path in paths if os.path.isfile(path))
        texts = [*_scripts(tree), *(_text(f"{tree.project}/{name}") for name in _CONFIGURING)]
        for found in {found for text in texts for found in _NAMED.findall(text)}:
            path = os.path.join(tree.project, os.path.expanduser(found))
            if not os.path.isdir(path):
                self.give(path)

    def give(self, path: str, *, deep: bool = True) -> None:
        """Take in that a program which is not watched was given *path*.

        Args:
            deep: whether it may read what is in directories below a directory.
        """
        path = self._collected.followed(path)
        if path in self._given:
            return
        self._given.add(path)
        collected, watched = self._collected, self._collected.watched
        plain = plain_path(path)
        if collected.is_own(plain) or plain.startswith((f"{watched.prefix}/", "/dev/", "/proc/", "/sys/")):
            return
        if plain in collected.ancestors:
            return
        name = None if watched.tree is None else within(plain, watched.tree.root)
        if name is not None and not collected.is_left_out(name):
            return
        if not os.path.isdir(plain):
            collected.look_at(plain, content=True)
            return
        collected.sets["trees" if deep else "scans"].add(plain)
        if deep and not plain.startswith(_SYSTEM) and _is_large(plain):
            self._unseen()


def _parts(words: Sequence[str]) -> Iterator[str]:
    """Yield *words*, and those that a compiler hands on to its parts."""
    for word in words:
        if word.startswith(("-Wl,", "-Wa,", "-Wp,")):
            yield from word[4:].split(",")
        else:
            yield word


def _scripts(tree: Tree) -> Iterator[str]:
    """Yield the texts of CMake's and Meson's files in *tree*."""
    for name in tree.entries:
        if name.endswith((".cmake", ".cmake.in")) or os.path.basename(name) in ("CMakeLists.txt", "meson.build"):
            yield _text(f"{tree.root}/{name}")


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def _is_large(path: str) -> bool:
    count = 0
    for _, _, files in os.walk(path):
        count += len(files)
        if count > MANY:
            return True
    return False


def _without_site(arguments: Sequence[str]) -> bool:
    """Return whether an interpreter that is called with *arguments* leaves ``.pth`` files alone."""
    for argument in arguments[1:]:
        if not argument.startswith("-") or argument.startswith(("-c", "-m")):
            return False
        if not argument.startswith("--") and "S" in argument:
            return True
    return False
