"""Circumstances under which only real pip knows what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nox_linkenv.resolve.inputs import UnkeyableError
from nox_linkenv.resolve.pip_config import PipConfig, setting_name, settings_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_linkenv.resolve.pip_arguments import Arguments

__all__ = ["configures_builds", "unsupported"]

#: Settings of pip which change where or whether it installs.
_REDIRECTING: Final = frozenset(
    {
        "target", "prefix", "root", "user", "python", "dry-run", "report", "requirement", "requirements", "editable",
        "ignore-installed", "src", "source", "source-dir", "source-directory", "only-deps", "only-dependencies",
        "platform", "python-version", "abi", "implementation", "group", "requirements-from-script",
    }
)  # fmt: skip
#: The option, as options name it, and as variables and configuration files do.
_CONFIG_OPTIONS: Final = frozenset({"-C", "--config-settings", "--config-setting"})
_CONFIG_SETTINGS: Final = frozenset({"config-settings", "config-setting"})


def unsupported(environ: Mapping[str, str], config: PipConfig) -> str | None:
    """Return why a request under these variables and configuration files must go to real pip, or ``None``.

    Args:
        environ: variables that pip runs with.
        config: the files.
    """
    for variable, value in environ.items():
        name = setting_name(variable[4:]) if variable.startswith("PIP_") else ""
        if name in _REDIRECTING and value.lower() not in ("", "0", "f", "false", "n", "no", "off"):
            return f"{variable} is set"
    try:
        for path, text in config.files():
            for setting, _ in settings_in(path, text):
                if setting in _REDIRECTING:
                    return f"{path} sets {setting}"
    except UnkeyableError as error:
        return error.reason
    return None


def configures_builds(arguments: Arguments, environ: Mapping[str, str], config: PipConfig) -> bool:
    """Return whether settings for build backends are given, which reach some distributions of a request and not others.

    Those that requirement files name get none, their own lines apart.
    Source: https://pip.pypa.io/en/stable/cli/pip_install/#cmdoption-C
    """
    if any(option in _CONFIG_OPTIONS for _, option, _ in arguments.options):
        return True
    variables = (setting_name(name[4:]) for name, value in environ.items() if value and name.startswith("PIP_"))
    if not _CONFIG_SETTINGS.isdisjoint(variables):
        return True
    return any(name in _CONFIG_SETTINGS for path, text in config.files() for name, _ in settings_in(path, text))
