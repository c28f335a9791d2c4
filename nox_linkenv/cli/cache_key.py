"""``linkenv cache-key``: what an archive is to be saved under, so that the one that fits is found again."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from nox_linkenv.errors import ArchiveError
from nox_linkenv.regular import read_regular
from nox_linkenv.resolve.inputs import veiled
from nox_linkenv.store.layout import FORMAT
from nox_linkenv.transfer.container import FORMAT as ARCHIVE_FORMAT

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from nox_linkenv.cli.output import Output

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Print a key of what the requests of the noxfile or tox file in the current directory depend on: these files and "
    "those of the project's declaration, the requirement files that they name, the interpreters that they name as "
    "PATH has them, the platform, and the formats of stores and archives. Nothing is run."
)
EXAMPLES: Final = {
    "linkenv cache-key": "of the project here",
    "linkenv cache-key -f ci/noxfile.py": "of another noxfile",
}
_HOSTS: Final = ("noxfile.py", "tox.ini", "tox.toml")
_DECLARATIONS: Final = ("pyproject.toml", "setup.cfg", "setup.py", ".python-version")
#: How files end that requests name.
_NAMED: Final = (".txt", ".in", ".toml", ".cfg", ".lock")
#: What may stand before the name of such a file.
_BEFORE: Final = re.compile(r"-r|-c|--(?:requirement|constraint)s?=|\{(?:toxinidir|tox_root)\}[/\\]")
_WORD: Final = re.compile(r"[^\s\"',;=\[\]()]+")
_VERSION: Final = re.compile(r"(?<![\d.])(3\.\d{1,2}t?)(?![\d])|\bpy(3)(\d{1,2}t?)\b")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument(
        "-f", "--file", metavar="FILE", help="the noxfile or tox file (noxfile.py, tox.ini and tox.toml that are there)"
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Print the key."""
    hosts = _HOSTS if arguments.file is None else (arguments.file,)
    directory = os.path.dirname(os.path.abspath(hosts[0]))
    hosts = tuple(name for name in map(os.path.basename, hosts) if os.path.isfile(os.path.join(directory, name)))
    if not hosts:
        raise ArchiveError(
            "There is no noxfile or tox file",
            path=arguments.file or directory,
            remedy="Run the command in the directory of noxfile.py, tox.ini or tox.toml, or name the file with -f.",
        )
    files = _files(directory, hosts)
    words = " ".join(text.decode("utf-8", "replace") for name, text in files.items() if name in hosts)
    interpreters = dict(_interpreters(words))
    digests = [[name, hashlib.sha256(veiled(text)).hexdigest()] for name, text in sorted(files.items())]
    parts = [digests, sorted(interpreters.items()), _machine()]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]
    output.data({"key": key, "files": sorted(files), "interpreters": interpreters})
    output.line(key)
    return 0


def _files(directory: str, hosts: tuple[str, ...]) -> dict[str, bytes]:
    """Return the contents of the files that count, by their names relative to *directory*, with ``/``."""
    found: dict[str, bytes] = {}
    waiting = [*hosts, *_DECLARATIONS]
    while waiting:
        name = waiting.pop()
        path = os.path.normpath(os.path.join(directory, name))
        shown = os.path.relpath(path, directory).replace(os.sep, "/")
        if shown in found or not os.path.isfile(path):
            continue
        found[shown] = read_regular(os.path.realpath(path))
        bases = {directory, os.path.dirname(path)}
        for word in _words(shown, found[shown].decode("utf-8", "replace")):
            plain = _BEFORE.sub("", word, count=2)
            if plain.endswith(_NAMED):
                waiting += [os.path.join(base, plain) for base in bases]
    return found


def _words(name: str, text: str) -> Iterator[str]:
    """Yield the words of *text* that may name files: of Python, those in its strings."""
    if name.endswith(".py"):
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):  # whoever runs it is told
            return
        text = "\n".join(
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
    yield from _WORD.findall(text)


def _interpreters(text: str) -> Iterator[tuple[str, str]]:
    """Yield each version of Python that *text* names, with what stands for the interpreter on ``PATH``."""
    found = {match[1] or f"{match[2]}.{match[3]}" for match in _VERSION.finditer(text)}
    for number in sorted(found):
        path = shutil.which(f"python{number}")
        if path is not None:
            real = os.path.realpath(path)
            yield number, f"{real} {os.path.getsize(real)}"


def _machine() -> list[str]:
    """Return what else decides whether an archive is of use."""
    try:
        made_by = version("virtualenv")
    except PackageNotFoundError:
        made_by = ""
    libc = "-".join(platform.libc_ver())
    # A version manager's program stands for all interpreters, and chooses by this.
    chosen = os.environ.get("PYENV_VERSION", "")
    return [sys.platform, platform.machine(), libc, sys.version, made_by, chosen, f"{FORMAT}.{ARCHIVE_FORMAT}"]
