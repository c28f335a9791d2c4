"""Settings: defaults, then the user's file, then ``[tool.linkenv]``, then ``LINKENV_*``, then explicit arguments."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.errors import SettingsError
from nox_linkenv.linking import LinkMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "PERSONAL",
    "Cleanup",
    "RemoteMode",
    "Settings",
    "default_store_root",
    "load_settings",
    "misspelt_variables",
    "on_ci",
    "origins",
    "similar_to",
    "user_directory",
]

#: Begins the names of the variables that set something.
_PREFIX: Final = "LINKENV_"
#: Variables of this name that are no settings.
_OTHERS: Final = frozenset({"LINKENV_NOX_HOOK", "LINKENV_REMOTE_KEY", "LINKENV_TRACE"})
#: Settings that decide whom the user trusts, and with whose rights something is sent: no file of a project sets them.
PERSONAL: Final = frozenset({"remote", "remote_mode", "remote_keys", "remote_key_file"})
#: Hexadecimal digits of a public key.
_DIGITS: Final = 64
#: How the address of a remote store may begin.
_SCHEMES: Final = ("s3://", "gs://", "az://", "https://", "http://", "file://")

_BOOLEANS: Final = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


class Cleanup(enum.Enum):
    """Which environments are removed when their session is over."""

    KEEP = "keep"
    SUCCESS = "success"
    ALWAYS = "always"


class RemoteMode(enum.Enum):
    """What is done with the remote store."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Settings:
    """How environments are provisioned.

    Args:
        store: root directory of the store; empty for the user's cache directory.
        lower_store: root of a store which is only read, where the other one lacks something; empty for none.
        companion: root of the store on the environments' filesystem that is used where the store cannot be linked
            from; ``none`` for none, empty for the default places.
        link_mode: how files are linked.
        resolution_age: how long, in seconds, a resolution answers the same request again; 0 asks pip every time.
        renew: let a resolution that is too old stand where the index says that nothing pip read has changed.
        offline: answer from remembered resolutions of any age, and ask nobody.
        bytecode: share bytecode.
        spares: make trees of links ahead, so that a next environment with the same packages only moves them; off where
            the variable ``CI`` is true, unless something says otherwise.
        ahead: bring into the store what later sessions of a run need, in another process, while one works.
        reuse_builds: build local projects in linked build environments, and again only when something has changed.
        verify: re-hash every object before it is linked, not only look at its size and modification time.
        cleanup: which environments are removed when their session is over.
        max_size: bytes on the disk that upkeep keeps the store below after a run, if it can; 0 for any number.
        journal_days: for how many days it is kept what was done for each session; 0 keeps nothing.
        quiet: do not sum up at the end of a run what was done for it.
        remote: address of the store that is shared between machines; empty for none.
        remote_mode: whether what sessions make is written there, too.
        remote_keys: public keys, 64 hexadecimal digits each, of those whose entries of it are believed.
        remote_key_file: path of the file with the private key to write with; empty for that beside the user's file.
    """

    store: str = ""
    lower_store: str = ""
    companion: str = ""
    link_mode: LinkMode = LinkMode.AUTO
    resolution_age: float = 600.0
    renew: bool = True
    offline: bool = False
    bytecode: bool = True
    spares: bool = True
    ahead: bool = True
    verify: bool = False
    reuse_builds: bool = True
    cleanup: Cleanup = Cleanup.KEEP
    max_size: int = 0
    journal_days: float = 90.0
    quiet: bool = False
    remote: str = ""
    remote_mode: RemoteMode = RemoteMode.READ
    remote_keys: tuple[str, ...] = ()
    remote_key_file: str = ""

    @property
    def store_root(self) -> str:
        """The store's root directory, absolute."""
        if self.store:
            return os.path.abspath(os.path.expanduser(self.store))
        return default_store_root()

    @property
    def writes_remote(self) -> bool:
        """Whether what sessions make is written into a remote store."""
        return bool(self.remote) and self.remote_mode is RemoteMode.WRITE and not self.offline

    @property
    def lower_roots(self) -> tuple[str, ...]:
        """The root directory of the lower store, absolute, if there is one."""
        return (os.path.abspath(os.path.expanduser(self.lower_store)),) if self.lower_store else ()


def default_store_root() -> str:
    """Return where the store is when nothing says otherwise: in the user's cache directory."""
    import platformdirs

    return platformdirs.user_cache_dir("nox-linkenv", appauthor=False)


def on_ci(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the variable ``CI`` is true, as services that run jobs on fresh machines have it."""
    return _BOOLEANS.get(environ.get("CI", "").lower(), False)


def load_settings(
    environ: Mapping[str, str] = os.environ,
    *,
    directory: str | None = None,
    explicit: Mapping[str, object] | None = None,
) -> Settings:
    """Return the settings in force.

    Args:
        environ: variables; those named ``LINKENV_*`` count.
        directory: where a ``pyproject.toml`` with ``[tool.linkenv]`` may stand.
        explicit: values that win over all others, by setting name.

    Raises:
        SettingsError: a value is of the wrong kind, or a file holds an unknown name.
    """
    return Settings(**{name: value for name, (value, _) in _gather(environ, directory, explicit).items()})


def origins(
    environ: Mapping[str, str] = os.environ,
    *,
    directory: str | None = None,
    explicit: Mapping[str, object] | None = None,
) -> dict[str, str]:
    """Return where each setting comes from that is not a default: a file, a variable, or ``argument``.

    Raises:
        SettingsError: as for :func:`load_settings`.
    """
    return {name: where for name, (_, where) in _gather(environ, directory, explicit).items()}


def misspelt_variables(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return a line for each variable ``LINKENV_*`` that sets nothing, with the name that may have been meant."""
    known = {_PREFIX + field.name.upper() for field in fields(Settings)} | _OTHERS
    unknown = sorted(name for name in environ if name.startswith(_PREFIX) and name not in known)
    return [f"The variable {name} sets nothing{similar_to(name, known, prefix=_PREFIX)}." for name in unknown]


def similar_to(name: str, known: Iterable[str], *, prefix: str = "") -> str:
    """Return words that end a sentence about the unknown *name*: which of the *known* ones may be meant, if any.

    Args:
        prefix: with which all of them begin; it makes none of them more alike.
    """
    import difflib

    rest = [one.removeprefix(prefix) for one in known]
    near = difflib.get_close_matches(name.removeprefix(prefix), rest, n=1)
    return f"; {prefix}{near[0]} may be meant" if near else ""


def _unknown(name: str, names: set[str], path: str | None = None) -> SettingsError:
    return SettingsError(
        f"Unknown setting {name!r}{similar_to(name.replace('-', '_'), names)}",
        path=path,
        remedy=f"Known are: {', '.join(sorted(names))}.",
    )


def _not_for_projects(name: str, path: str | None = None) -> SettingsError:
    variable = _PREFIX + name.replace("-", "_").upper()
    return SettingsError(
        f"A project cannot set {name}: it is for the user to say which remote store is trusted, and with what key",
        path=path,
        remedy=f"Remove it there; set the variable {variable}, or {name} in the user's file of settings.",
    )


def _gather(
    environ: Mapping[str, str], directory: str | None, explicit: Mapping[str, object] | None
) -> dict[str, tuple[Any, str]]:
    """Return value and origin of each setting that is not a default."""
    values: dict[str, tuple[Any, str]] = {}
    names = {field.name for field in fields(Settings)}
    files: list[tuple[str, tuple[str, ...]]] = [(_user_file(environ), ())]
    if directory is not None:
        files.append((os.path.join(directory, "pyproject.toml"), ("tool", "linkenv")))
    for path, table in files:
        for name, value in _read(path, table).items():
            key = name.replace("-", "_")
            if key not in names:
                raise _unknown(name, names, path)
            if table and key in PERSONAL:
                raise _not_for_projects(name, path)
            values[key] = (_convert(key, value, path), path)
    for key in names:
        variable = _PREFIX + key.upper()
        if environ.get(variable):
            values[key] = (_convert(key, environ[variable], variable), variable)
    if "spares" not in values and on_ci(environ):
        values["spares"] = (False, "CI")  # the machine is gone before a next session, and a saved store should be small
    for key, value in (explicit or {}).items():
        if key not in names:
            raise _unknown(key, names)
        if key in PERSONAL:
            raise _not_for_projects(key)
        values[key] = (_convert(key, value, key), "argument")
    return values


def _user_file(environ: Mapping[str, str]) -> str:
    return os.path.join(user_directory(environ), "config.toml")


def _read(path: str, table: tuple[str, ...]) -> Mapping[str, Any]:
    try:
        with open(path, "rb") as stream:
            content = stream.read()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    if table and b"linkenv" not in content:
        return {}  # spares the warm path the TOML parser
    from nox_linkenv.toml import parse_toml

    try:
        data: Mapping[str, Any] = parse_toml(content.decode())
    except ValueError as error:
        raise SettingsError(f"The file is not TOML ({error})", path=path, remedy="Correct it.") from error
    for name in table:
        data = data.get(name, {})
        if not isinstance(data, dict):
            raise SettingsError(f"{'.'.join(table)} is not a table", path=path, remedy=f"Write [{'.'.join(table)}].")
    return data


def user_directory(environ: Mapping[str, str] = os.environ) -> str:
    """Return the directory of the user's own file of settings."""
    base = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(base, "nox-linkenv")


def _convert(name: str, value: object, where: str) -> object:
    kind = type(getattr(Settings(), name))
    try:
        if kind is bool:
            return value if isinstance(value, bool) else _BOOLEANS[str(value).lower()]
        if kind is float:
            number = float(str(value))
            if not number >= 0:  # neither negative nor nan
                raise ValueError(value)
            return number
        if kind is LinkMode:
            return value if isinstance(value, LinkMode) else LinkMode(str(value))
        if kind is Cleanup:
            return value if isinstance(value, Cleanup) else Cleanup(str(value))
        if kind is RemoteMode:
            return value if isinstance(value, RemoteMode) else RemoteMode(str(value))
        if kind is tuple:
            return _keys(value)
        if kind is int:
            return _size(value)
        if not isinstance(value, str | os.PathLike):
            raise ValueError(value)
        if name == "remote" and not os.fspath(value).startswith(_SCHEMES):
            raise ValueError(value)
        return os.fspath(value)
    except (KeyError, ValueError) as error:
        choices = {
            bool: "true or false",
            int: "a size with its unit, such as 5GB, 500M or 2GiB",
            float: f"a number of {'days' if name.endswith('_days') else 'seconds'} that is not negative",
            str: "an address that begins with " + " or ".join(_SCHEMES) if name == "remote" else "a path",
            tuple: "public keys of 64 hexadecimal digits, as linkenv remote key prints them",
            LinkMode: " or ".join(mode.value for mode in LinkMode),
            Cleanup: " or ".join(choice.value for choice in Cleanup),
            RemoteMode: " or ".join(mode.value for mode in RemoteMode),
        }[kind]
        raise SettingsError(f"{where} cannot set {name} to {value!r}", remedy=f"It is {choices}.") from error


def _size(value: object) -> int:
    """Return the bytes that *value* says: a number of them, or a text with a unit."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    from nox_linkenv.units import bytes_of

    return 0 if value == "0" else bytes_of(str(value))


def _keys(value: object) -> tuple[str, ...]:
    """Return the public keys in *value*: a list, or a text with spaces or commas between them."""
    keys = value if isinstance(value, list | tuple) else str(value).replace(",", " ").split()
    for key in keys:
        if not (isinstance(key, str) and len(key) == _DIGITS and len(bytes.fromhex(key)) * 2 == _DIGITS):
            raise ValueError(value)
    return tuple(key.lower() for key in keys)
