"""Circumstances under which only real pip knows what to do."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_linkenv.resolve.arguments import Arguments

__all__ = ["configuration_files", "configures_builds", "unmodelled"]

#: Settings of pip which change where or whether it installs.
_REDIRECTING: Final = frozenset(
    {
        "target",
        "prefix",
        "root",
        "user",
        "python",
        "dry-run",
        "report",
        "requirement",
        "editable",
        "ignore-installed",
        "src",
        "source",
        "source-dir",
        "source-directory",
        "only-deps",
        "only-dependencies",
        "platform",
        "python-version",
        "abi",
        "implementation",
        "group",
        "requirements-from-script",
    }
)


#: The option, as options, variables and configuration files name it.
_CONFIG_SETTINGS: Final = re.compile(r"(--|PIP_|\b)config[-_]settings?\b|-C", re.I)


def configuration_files(environ: Mapping[str, str], prefix: str) -> list[str]:
    """Return the configuration files that pip reads with these variables in the environment at *prefix*.

    Source: https://pip.pypa.io/en/stable/topics/configuration/#location
    """
    single = environ.get("PIP_CONFIG_FILE")
    if single == os.devnull:
        return []
    home = environ.get("HOME", os.path.expanduser("~"))
    if os.name == "nt":
        shared = [os.path.join(environ.get("PROGRAMDATA", ""), "pip", "pip.ini")]
        user = [os.path.join(home, "pip", "pip.ini"), os.path.join(environ.get("APPDATA", ""), "pip", "pip.ini")]
        site = os.path.join(prefix, "pip.ini")
    else:
        shared = [
            os.path.join(base, "pip", "pip.conf")
            for base in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
        ]
        shared += ["/etc/pip.conf", "/Library/Application Support/pip/pip.conf"]
        config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        user = [os.path.join(home, ".pip", "pip.conf"), os.path.join(config, "pip", "pip.conf")]
        user.append(os.path.join(home, "Library", "Application Support", "pip", "pip.conf"))
        site = os.path.join(prefix, "pip.conf")
    return [*shared, *user, site, *([single] if single else [])]


def unmodelled(environ: Mapping[str, str], prefix: str, directory: str) -> str | None:
    """Return why a request under these variables and configuration files must go to real pip, or ``None``.

    Args:
        environ: variables that pip runs with.
        prefix: absolute path of the environment.
        directory: the directory that pip runs in.
    """
    for variable, value in environ.items():
        name = _plain(variable[4:]) if variable.startswith("PIP_") else ""
        if name in _REDIRECTING and value.lower() not in ("", "0", "f", "false", "n", "no", "off"):
            return f"{variable} is set"
    for path in configuration_files(environ, prefix):
        try:
            with open(os.path.join(directory, path), encoding="utf-8") as stream:
                text = stream.read()
        except OSError:
            continue
        except UnicodeDecodeError:
            return f"{path} is not UTF-8"
        import configparser  # only where there is something to read

        parser = configparser.RawConfigParser()
        try:
            parser.read_string(text)
        except configparser.Error:
            return f"{path} cannot be read"
        for section in ("global", "install"):
            if parser.has_section(section):
                for name in parser.options(section):
                    if _plain(name) in _REDIRECTING:
                        return f"{path} sets {name}"
    return None


def configures_builds(arguments: Arguments, environ: Mapping[str, str], prefix: str, directory: str) -> bool:
    """Return whether settings for build backends are given, which reach some distributions of a request and not others.

    Those that requirement files name get none, their own lines apart.
    Source: https://pip.pypa.io/en/stable/cli/pip_install/#cmdoption-C
    """
    if any(_CONFIG_SETTINGS.fullmatch(option) for _, option, _ in arguments.options):
        return True
    if any(value and _CONFIG_SETTINGS.fullmatch(variable) for variable, value in environ.items()):
        return True
    for path in configuration_files(environ, prefix):
        try:
            with open(os.path.join(directory, path), encoding="utf-8", errors="replace") as stream:
                if _CONFIG_SETTINGS.search(stream.read()):
                    return True
        except OSError:
            continue
    return False


def _plain(name: str) -> str:
    """Return the name of an option as pip reads it from a variable or a configuration file."""
    return name.lower().replace("_", "-").removeprefix("--")
