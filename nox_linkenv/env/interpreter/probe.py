"""Learning from the environment's own pip where it puts files and what it writes into scripts.

The text of a console script is pip's and differs between its versions; the schemes differ between platforms and
distributors.  So pip installs one small wheel, and what it made of it is the answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nox_linkenv.env.interpreter.facts import PREFIX, Facts
from nox_linkenv.env.record import record_row
from nox_linkenv.errors import EnvError
from nox_linkenv.wheel.model import Scheme

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["child_environment", "learn", "python_of"]

_NAME: Final = "linkenv_probe"
_MODULE: Final = "linkenv_probe_module"
_ATTRIBUTE: Final = "linkenv_probe_attribute"
_OBJECT: Final = f"{_ATTRIBUTE}.linkenv_probe_function"
_FILES: Final[dict[Scheme, str]] = {scheme: f"linkenv_probe_{scheme.value}" for scheme in Scheme}
_ASK: Final = """
import importlib.util, json, sys
from importlib.metadata import version
print(json.dumps({
    "version": sys.version.split()[0],
    "cache_tag": sys.implementation.cache_tag or "",
    "magic": importlib.util.MAGIC_NUMBER.hex(),
    "pip": version("pip"),
}))
"""


def python_of(prefix: str) -> str:
    """Return the path of the interpreter in the environment at *prefix*."""
    return os.path.join(prefix, "Scripts", "python.exe") if os.name == "nt" else f"{prefix}/bin/python"


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* without what would change how a clean interpreter or pip works."""
    return {name: value for name, value in environ.items() if not name.startswith(("PYTHON", "PIP_", "VIRTUALENV_"))}


def learn(prefix: str, scratch: str, *, undo: bool) -> Facts:
    """Return the facts of the environment at *prefix*.

    Args:
        prefix: absolute path of an environment that has pip.
        scratch: an existing directory for the probe wheel.
        undo: whether to take the probe out again.

    Raises:
        EnvError: its interpreter or its pip does not work.
    """
    python = python_of(prefix)
    asked = json.loads(_run([python, "-I", "-c", _ASK]))
    wheel = _make_probe(Path(scratch))
    directories = set(_directories(prefix))
    pip = [python, "-I", "-m", "pip", "--isolated", "--disable-pip-version-check", "--no-input"]
    _run([*pip, "install", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "-q", str(wheel)])
    try:
        found = _find(prefix)
        schemes = {scheme: os.path.dirname(found[name]).replace(os.sep, "/") for scheme, name in _FILES.items()}
        schemes[Scheme.HEADERS] = schemes[Scheme.HEADERS].replace(_NAME.replace("_", "-"), "{name}")
        rewritten = _read(prefix, found[_FILES[Scheme.SCRIPTS]])
        return Facts(
            version=asked["version"],
            tag=f"{asked['cache_tag']}-{asked['magic']}",
            cache_tag=asked["cache_tag"],
            pip=asked["pip"],
            schemes=schemes,
            console=_template(_read(prefix, found["linkenv_probe_console"]), prefix),
            gui=_template(_read(prefix, found["linkenv_probe_gui"]), prefix),
            shebang=rewritten.removesuffix("\nprint()\n").replace(prefix, PREFIX),
        )
    finally:
        if undo:
            _run([*pip, "uninstall", "-y", "-q", _NAME])
            for directory in _directories(prefix):  # pip leaves those above of what it has removed
                if directory not in directories:
                    with contextlib.suppress(OSError):
                        os.rmdir(directory)


def _directories(prefix: str) -> Iterator[str]:
    """Yield the directories below *prefix*, each after those within it."""
    return (directory for directory, _, _ in os.walk(prefix, topdown=False))


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            env={**child_environment(os.environ), **_quick(command[0])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise EnvError(
            f"The environment's interpreter failed with exit code {error.returncode}: {error.stderr.strip()[-2000:]}",
            path=command[0],
            remedy="Check that this interpreter works on its own, or reinstall it.",
        ) from error
    return done.stdout


def _quick(python: str) -> dict[str, str]:
    """Return variables with which pip finds none of the programs that it describes the machine by to an index."""
    return {} if os.name == "nt" else {"PATH": os.path.dirname(python)}


def _template(text: str, prefix: str) -> str:
    for spelled, placeholder in ((_OBJECT, "{object}"), (_ATTRIBUTE, "{attribute}"), (_MODULE, "{module}")):
        text = text.replace(spelled, placeholder)
    return text.replace(prefix, PREFIX)


def _read(prefix: str, path: str) -> str:
    with open(os.path.join(prefix, path), encoding="utf-8", newline="") as stream:
        return stream.read()


def _find(prefix: str) -> dict[str, str]:
    """Return the path relative to *prefix* of every file of the probe, by the stem of its name."""
    found = {}
    for directory, _, files in os.walk(prefix):
        for name in files:
            if name.startswith(_NAME):
                found[name.partition(".")[0]] = os.path.relpath(os.path.join(directory, name), prefix)
    return found


def _make_probe(scratch: Path) -> Path:
    info = f"{_NAME}-0.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {_NAME.replace('_', '-')}\nVersion: 0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: nox-linkenv\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": (
            f"[console_scripts]\n{_NAME}_console = {_MODULE}:{_OBJECT}\n"
            f"[gui_scripts]\n{_NAME}_gui = {_MODULE}:{_OBJECT}\n"
        ),
    }
    for scheme, name in _FILES.items():
        files[f"{_NAME}-0.data/{scheme.value}/{name}"] = "#!python\nprint()\n"
    rows = [record_row(name, text.encode()) for name, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    path = scratch / f"{_NAME}-0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path
