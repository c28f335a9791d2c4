"""Programs that builds run: of which it is known what they read, and of which it is not.

A program that is no Python of the build environment is not watched.  Known are those that read nothing but what their
arguments, the variables and their configuration name, and the tools for compiling, whose headers and libraries are
looked at (:mod:`nox_linkenv.projects.surroundings`).  Whatever else runs may read anything: then nothing is kept.
"""

from __future__ import annotations

import enum
import os
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["Command", "Sort", "commands_of", "is_led", "is_script", "names_in_scripts", "sort_of", "subcommand"]


class Sort(enum.Enum):
    """What is known of a program."""

    PLAIN = "plain"  # reads what its arguments name
    TOOL = "tool"  # a compiler or a tool like it, which runs only others of its kind
    DRIVER = "driver"  # runs what files of the project say
    BACKEND = "backend"  # reads what lies about in the project, with what its configuration names
    CONFIG = "config"  # says how a library was built
    VCS = "vcs"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Command:
    """One program that is run.

    Attributes:
        program: absolute path, or a name where there is none of that name on PATH.
        words: what it is called with, its own name first.
    """

    program: str
    words: tuple[str, ...]


_PLAIN: Final = frozenset(
    {
        "[", "arch", "basename", "cat", "chmod", "cksum", "cmp", "cp", "cut", "date", "diff", "dirname",
        "dpkg-architecture", "echo", "egrep", "env", "expr", "false", "fgrep", "getconf", "grep", "gunzip", "gzip",
        "head", "install", "ldconfig", "ldd", "ln", "ls", "lsb_release", "md5sum", "mkdir", "mv", "nproc", "od",
        "paste", "printenv", "printf", "pwd", "readlink", "realpath", "rm", "rmdir", "seq", "sha1sum", "sha256sum",
        "sort", "sw_vers", "tail", "tee", "test", "touch", "tr", "true", "uname", "uniq", "wc", "which",
        "xcode-select", "xcrun",
    }
)  # fmt: skip
_TOOL: Final = re.compile(
    r"(.*-)?(cc|c\+\+|gcc|g\+\+|clang|clang\+\+|cpp|gfortran|as|ld|ar|nm|ranlib|strip|objcopy|objdump|readelf)(-[\d.]+)?"
    r"|mpi(cc|cxx|c\+\+|CC|f77|f90|fort)|cc1(plus)?|collect2|ccache|pkg-config|pkgconf|swig"
    r"|install_name_tool|otool|lipo|codesign|patchelf"
)
_CONFIG: Final = re.compile(
    r"(pg|mysql|mariadb)_config"
    r"|(llvm|gdal|geos|curl|xml2|xslt|krb5|nc|nf|sdl2?|freetype|libpng|gsl|pcap|icu|apr-1|python3?(\.\d+)?)-config(-[\d.]+)?"
)
_SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
#: Between simple commands of a shell.
_BETWEEN: Final = frozenset({"&&", "||", ";", "|"})
#: To nowhere, or from one stream into the other.
_REDIRECTED: Final = re.compile(r"\s*(?:[12&]?>>?\s*/dev/null|2>&1|</?\s*/dev/null)")
#: In the text for a shell: what means more than a word.
_SPECIAL: Final = re.compile(r"[`*?\[{}~#\n\\<>()&!]|\$[^A-Za-z_]")
_ASSIGNED: Final = re.compile(r"[A-Za-z_]\w*=.*", re.S)
#: What a shell does by itself.
_SAYING: Final = frozenset({"echo", "printf", "true", "false", ":"})
#: What a shell does by itself, with the consequence that its other words mean more or something else.
_STEERING: Final = frozenset(
    {
        "!", ".", "alias", "bind", "builtin", "case", "cd", "command", "coproc", "declare", "do", "done", "elif",
        "else", "enable", "esac", "eval", "exec", "export", "fi", "for", "function", "hash", "if", "let", "local",
        "mapfile", "popd", "pushd", "read", "readarray", "readonly", "select", "shift", "shopt", "source", "then",
        "time", "trap", "type", "typeset", "ulimit", "umask", "unalias", "unset", "until", "wait", "while",
    }
)  # fmt: skip
#: Options by which programs that read what they are told read what a file tells them.
_LISTED: Final = re.compile(r"--files0-from\b.*|--check|-[a-z]*c[a-z]*")
#: Options of git that have a value of their own.
_VALUED: Final = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env"})
#: What git says of nothing but the repository and its configuration.
_ASKING: Final = frozenset(
    {
        "archive", "blame", "branch", "cat-file", "check-attr", "check-ignore", "config", "describe", "diff",
        "diff-files", "diff-index", "diff-tree", "for-each-ref", "grep", "log", "ls-files", "ls-tree", "merge-base",
        "name-rev", "remote", "rev-list", "rev-parse", "shortlog", "show", "show-ref", "status", "symbolic-ref", "tag",
        "update-index", "var", "version", "--version", "--help",
    }
)  # fmt: skip

#: In the files that say what is to be built: what has other programs run, or fetched.
_RUNNING: Final = re.compile(
    r"\b(?:exec_program|ExternalProject\w*|FetchContent\w*|CPM\w*|file\s*\(\s*DOWNLOAD"
    r"|custom_target|generator\s*\(|vcs_tag|run_target)",
    re.I,
)
_COMMAND: Final = re.compile(r"\bCOMMAND\s+\"?([^\s\")]+)")
#: What may be run there, because it is watched or known.
_HARMLESS: Final = re.compile(r"\$\{(?:Python\d?|PYTHON|GIT)_EXECUTABLE\}|\$\{CMAKE_COMMAND\}|\$<.*|git|python3?")
_MAY_RUN: Final = re.compile(r"\b(?:execute_process|add_custom_command|add_custom_target)\s*\(", re.I)
_READ: Final = re.compile(r"\bfile\s*\(\s*(?:READ|STRINGS)\s+\"?([^\s\")]+)", re.I)
#: In the project, or at a place that is looked at because it is named.
_TOLD: Final = re.compile(r"[\w.]|/[^$]*$|\$\{(?:CMAKE_(?:CURRENT_)?(?:SOURCE|BINARY|LIST)_DIR|PROJECT_SOURCE_DIR)\}")
_VARIABLE: Final = re.compile(r"\$ENV\{(\w+)\}")


def sort_of(program: str) -> Sort:
    """Return what is known of the program at the path *program*."""
    name = os.path.basename(program)
    if name in _PLAIN:
        return Sort.PLAIN
    if name in ("git", "hg"):
        return Sort.VCS
    if name in ("cmake", "ninja"):
        return Sort.DRIVER
    if name in ("uv", "uv-build"):
        return Sort.BACKEND
    if _CONFIG.fullmatch(name):
        return Sort.CONFIG
    return Sort.TOOL if _TOOL.fullmatch(name) else Sort.UNKNOWN


def commands_of(program: str, words: Sequence[str], path: Sequence[str]) -> Iterator[Command | None]:
    """Yield what runs when *program* is called with *words*: itself, and what a shell is told to; ``None`` where
    that cannot be told.

    Args:
        path: directories in which programs are looked for.
    """
    name = os.path.basename(program)
    if name == "env":
        rest = list(words[1:])
        while rest and (_ASSIGNED.fullmatch(rest[0]) or rest[0] in ("-i", "-")):
            del rest[0]
        yield Command(program, ("env",))
        if rest:
            yield None if rest[0].startswith("-") else Command(_found(rest[0], path), tuple(rest))
    elif name == "zsh":  # whose files in the user's directory are read each time
        yield None
    elif name in _SHELLS:
        yield Command(program, ("sh",))
        yield from _told(words[2], path) if len(words) == 3 and words[1] in ("-c", "-ec") else [None]
    else:
        yield Command(program, tuple(words))


def _told(text: str, path: Sequence[str]) -> Iterator[Command | None]:
    """Yield the simple commands of the *text* for a shell."""
    text = _REDIRECTED.sub(" ", text)
    if _SPECIAL.search(text.replace("&&", "")):
        yield None
        return
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";|&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        tokens = [*lexer, ";"]
    except ValueError:
        yield None
        return
    for token in tokens:
        if token not in _BETWEEN:
            words.append(token)
            continue
        while words and _ASSIGNED.fullmatch(words[0]):
            del words[0]
        if words and words[0] in _STEERING:
            yield None
        elif words and any("$" in word for word in words) and words[0] not in _SAYING:
            yield None  # a path may be in it
        elif words and words[0] not in (*_SAYING, "exit", "set"):
            yield Command(_found(words[0], path), tuple(words))
        words = []


def _found(name: str, path: Sequence[str]) -> str:
    if "/" in name:
        return name
    places = (f"{place}/{name}" for place in path)
    return next((place for place in places if os.access(place, os.X_OK)), name)


def subcommand(words: Sequence[str]) -> str | None:
    """Return what git is asked with *words*; ``None`` where its answer rests on more than the repository."""
    rest = iter(words[1:])
    for word in rest:
        if word in _VALUED:
            next(rest, None)
        elif not word.startswith("-") or word in _ASKING:
            return word if word in _ASKING else None
    return "--help"


def is_led(program: str, words: Sequence[str]) -> bool:
    """Return whether *program* is told by its arguments to read what a file or its input names."""
    name, sort = os.path.basename(program), sort_of(program)
    if sort is Sort.TOOL:
        # What a compiler has defined, and where it looks, is asked with nothing as its input.
        return ("-" in words[1:] and not {"-dM", "-v"} & set(words)) or any(word.startswith("@") for word in words[1:])
    if sort is Sort.PLAIN and (name.endswith("sum") or name in ("sort", "wc")):
        checks = name.endswith("sum")
        return any(_LISTED.fullmatch(word) and (checks or "files0" in word) for word in words[1:])
    return False


def is_script(program: str) -> bool:
    """Return whether *program* is a text that an interpreter runs."""
    try:
        with open(program, "rb") as stream:
            return stream.read(2) == b"#!"
    except OSError:
        return False


def names_in_scripts(texts: Collection[str]) -> frozenset[str] | None:
    """Return the variables that the *texts* of CMake's or Meson's files read.

    Returns:
        ``None`` where they have programs run of which it is not known what they read.
    """
    for text in texts:
        if _RUNNING.search(text):
            return None
        if _MAY_RUN.search(text) and not all(map(_HARMLESS.fullmatch, _COMMAND.findall(text))):
            return None
        if not all(map(_TOLD.match, _READ.findall(text))):
            return None
    return frozenset(name for text in texts for name in _VARIABLE.findall(text))
