"""pip's own configuration: the files that it reads, and the settings in them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nox_linkenv.resolve.inputs import UnkeyableError, read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["HARMLESS", "PipConfig", "keeps_wheels", "read_config", "setting_name", "settings_in", "settings_of"]

#: Settings of pip that do not change its answer, as in ``PIP_NO_COLOR``.
HARMLESS: Final = frozenset(
    {
        # what it prints, logs and asks
        "progress-bar", "no-color", "quiet", "verbose", "log", "log-file", "local-log", "debug", "no-input",
        "root-user-action", "no-warn-script-location", "no-warn-conflicts", "no-python-version-warning",
        "disable-pip-version-check", "auto-complete",
        # how an index is reached, not what it says
        "timeout", "default-timeout", "retries", "resume-retries", "cert", "client-cert", "proxy", "no-proxy-env",
        "keyring-provider", "user-agent-user-data",
        # where downloads are kept
        "cache-dir", "no-cache-dir", "no-clean",
        # whether it runs at all, and what it does after it has answered
        "require-virtualenv", "require-venv", "exists-action", "compile", "no-compile",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PipConfig:
    """pip's configuration files, as they were read for one request.

    Attributes:
        read: path and text of each, in pip's order, up to the first that is not text.
        problem: why only pip can tell what is in one of them, in one clause; ``None`` where all have been read.
    """

    read: tuple[tuple[str, str], ...] = ()
    problem: str | None = None

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield path and text of every file.

        Raises:
            UnkeyableError: one is not in UTF-8.
        """
        yield from self.read
        if self.problem is not None:
            raise UnkeyableError(self.problem)


def read_config(environ: Mapping[str, str], prefix: str, directory: str) -> PipConfig:
    """Read every configuration file that pip finds; like pip, it passes over what cannot be opened.

    Args:
        environ: the variables that pip runs with.
        prefix: absolute path of the environment.
        directory: absolute path of the directory that pip runs in.
    """
    found = []
    for name in _places(environ, prefix):
        path = os.path.join(directory, name)
        data = read_file(path)
        if data is not None:
            try:
                found.append((path, data.decode("utf-8")))
            except UnicodeDecodeError:
                return PipConfig(tuple(found), f"{path} is not in UTF-8")
    return PipConfig(tuple(found))


def _places(environ: Mapping[str, str], prefix: str) -> list[str]:
    """Return where pip looks for configuration files.

    Source: https://pip.pypa.io/en/stable/topics/configuration/#location
    """
    single = environ.get("PIP_CONFIG_FILE")
    if single == os.devnull:
        return []
    if sys.platform == "win32":  # where nothing but the profile says where home is
        home = environ.get("USERPROFILE") or os.path.expanduser("~")
        shared = [os.path.join(environ.get("PROGRAMDATA", ""), "pip", "pip.ini")]
        user = [os.path.join(home, "pip", "pip.ini"), os.path.join(environ.get("APPDATA", ""), "pip", "pip.ini")]
        site = os.path.join(prefix, "pip.ini")
    else:
        home = environ.get("HOME", os.path.expanduser("~"))
        if sys.platform == "darwin":
            support = "Library/Application Support/pip"
            shared = [f"/{support}/pip.conf"]
            own = os.path.join(home, support)
            config = own if os.path.isdir(own) else os.path.join(home, ".config", "pip")
        else:
            bases = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
            shared = [*(os.path.join(base, "pip", "pip.conf") for base in bases), "/etc/pip.conf"]
            config = os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "pip")
        user = [os.path.join(home, ".pip", "pip.conf"), os.path.join(config, "pip.conf")]
        site = os.path.join(prefix, "pip.conf")
    return [*shared, *user, site, *([single] if single else [])]


def settings_in(path: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of the settings for ``pip install`` in *text*, that of the configuration file at *path*.

    Raises:
        UnkeyableError: it is none.
    """
    import configparser  # only where there is something to read

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        raise UnkeyableError(f"{path} cannot be read") from None
    for section in ("global", "install"):
        if parser.has_section(section):
            for name, value in parser.items(section):
                yield setting_name(name), value


def settings_of(environ: Mapping[str, str], config: PipConfig) -> list[tuple[str, str, str]]:
    """Return pip's settings: the variable or the file that has each, its name, and its value; variables come first.

    Raises:
        UnkeyableError: a configuration file is none.
    """
    found = [
        (variable, setting_name(variable[4:]), value)
        for variable, value in environ.items()
        if value and variable.startswith("PIP_")
    ]
    for path, text in config.files():
        found += [(path, name, value) for name, value in settings_in(path, text)]
    return found


def keeps_wheels(options: Iterable[str], environ: Mapping[str, str], config: PipConfig) -> bool:
    """Return whether pip keeps the wheels that it builds, and takes them again whatever their builds have read.

    Args:
        options: of the request.

    Source: https://pip.pypa.io/en/stable/topics/caching/
    """
    if "--no-cache-dir" in options or environ.get("PIP_NO_CACHE_DIR"):
        return False
    try:
        settings = [name for path, text in config.files() for name, _ in settings_in(path, text)]
    except UnkeyableError:
        return False
    return "no-cache-dir" not in settings


def setting_name(name: str) -> str:
    """Return *name* of a variable or in a configuration file as pip compares it."""
    return name.lower().replace("_", "-").removeprefix("--")
