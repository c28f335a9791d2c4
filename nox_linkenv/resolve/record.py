"""What the observer has written down of one run of pip: the pages it read, and whether that is all its answer rests on.

An answer can be renewed without pip where it is a function of the request, of these pages, and of files of which the
pages give the hashes.  Whatever else pip has looked at stands against it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.resolve.cache import Reading
from nox_linkenv.resolve.inputs import UnkeyableError, veiled
from nox_linkenv.resolve.pages import GONE, Page, PageState, save_state
from nox_linkenv.resolve.pip_config import setting_name, settings_of
from nox_linkenv.resolve.report import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nox_linkenv.resolve.pip_config import PipConfig
    from nox_linkenv.resolve.report import Resolved
    from nox_linkenv.store import Store

__all__ = [
    "KEPT",
    "ObstacleError",
    "is_timed",
    "means_digest",
    "netrc_files",
    "note_reading",
    "page_in",
    "plain_files",
    "read_record",
]

#: What an entry has that tells of a wheel which pip has downloaded.
KEPT: Final = "kept"
#: Variables that say how pages are reached, and are not part of a request's key, in lower case.
_MEANS: Final = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
#: Variables that name certificates: the first of them that is not empty counts, after pip's own setting.
_BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
#: What counts where there is none of these.
_TRUSTED: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
#: Setting of pip by which its answer changes though no page does, unless it names a moment for all time zones.
_TIMED: Final = "uploaded-prior-to"
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{3,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
#: Settings of pip that say how pages are reached.
_SETTINGS: Final = frozenset({"proxy", "no-proxy-env", "cert", "client-cert", "keyring-provider"})


def is_timed(name: str, value: str) -> bool:
    """Return whether pip's answer depends on when it is given, where its setting *name* has this *value*."""
    return name == _TIMED and _MOMENT.fullmatch(value) is None


class ObstacleError(Exception):
    """An answer cannot be renewed from what was written down; *clause* says why."""

    def __init__(self, clause: str) -> None:
        super().__init__(clause)
        self.clause = clause


def means_digest(environ: Mapping[str, str]) -> str:
    """Return a digest of the variables among *environ* that say how pages are reached, and of where passwords stand.

    Hosts differ in which variables with certificates they hand on: those that have no effect are not among them.

    Source: https://requests.readthedocs.io/en/latest/user/advanced/#ssl-cert-verification
    """
    settings = {name: setting_name(name[4:]) for name in environ if name.startswith("PIP_")}
    parts = sorted(
        (name, value) for name, value in environ.items() if name.lower() in _MEANS or settings.get(name) in _SETTINGS
    )
    given = [environ[name] for name, setting in settings.items() if setting == "cert"]
    bundle = next(filter(None, [*given, *(environ.get(name) for name in _BUNDLES)]), None)
    trusted = [(name, environ[name]) for name in _TRUSTED if name in environ]
    parts += trusted if bundle is None else [("certificates", bundle)]
    parts += [("netrc", path) for path in netrc_files(environ)]
    return hashlib.sha256(veiled(json.dumps(parts).encode("utf-8", "surrogatepass"))).hexdigest()[:32]


def netrc_files(environ: Mapping[str, str]) -> list[str]:
    """Return the files there are in which pip looks for the passwords of indexes, the first one first.

    Source: https://requests.readthedocs.io/en/latest/user/authentication/#netrc-authentication
    """
    home = environ.get("HOME") or os.path.expanduser("~")
    places = [environ["NETRC"]] if "NETRC" in environ else [os.path.join(home, name) for name in (".netrc", "_netrc")]
    return [place for place in places if os.path.exists(place)]


def note_reading(
    store: Store, path: str, environ: Mapping[str, str], config: PipConfig, resolved: Sequence[Resolved]
) -> Reading:
    """Return what pip read, and keep the states of the pages.

    Args:
        path: of the observer's record, which need not exist.
        environ: the variables that pip ran with.
        config: its configuration.
        resolved: what it answered.
    """
    try:
        states = read_record(path)
        _check(environ, config, resolved)
    except ObstacleError as obstacle:
        return Reading(obstacle=obstacle.clause)
    for state in states:
        save_state(store, state)
    return Reading(tuple((state.page.name, state.identity) for state in states), means_digest(environ))


def plain_files(path: str) -> frozenset[str]:
    """Return the URLs of the requirement files that pip has had of servers, and that say no more than versions.

    Args:
        path: of the observer's record, which need not exist.
    """
    return frozenset(entry["url"] for entry in _entries(path) if entry.get("plain") and entry["status"] == 200)


def _entries(path: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as stream:
        entries = [json.loads(line) for line in stream]
    return [entry for entry in entries if KEPT not in entry]


def read_record(path: str) -> list[PageState]:
    """Return the pages that the record at *path* says pip has read, each once.

    Raises:
        ObstacleError: they are not all that pip has read, or not known well enough.
    """
    entries = _entries(path)
    if not entries or "end" not in entries[-1]:
        raise ObstacleError("what pip read is not known")
    end = entries.pop()
    if end["unseen"]:
        raise ObstacleError("pip read what is not known")
    if end["programs"]:
        raise ObstacleError(f"pip ran {end['programs'][0]}")
    states: dict[Page, PageState] = {}
    for entry in entries:
        state = _state(entry)
        if state is None:
            continue
        former = states.setdefault(state.page, state)
        if former.identity != state.identity:
            raise ObstacleError(f"{state.page.url} changed while pip was reading it")
    return list(states.values())


def page_in(entry: Mapping[str, Any]) -> Page | None:
    """Return the page which the *entry* of a record says was read, ``None`` where it is none.

    Raises:
        ObstacleError: it is not known well enough.
    """
    state = _state(entry)
    return None if state is None else state.page


def _state(entry: Mapping[str, Any]) -> PageState | None:
    """Return the page that was read, ``None`` for a file that can only be the one that it was."""
    url: str = entry["url"]
    if "error" in entry:
        raise ObstacleError(f"{url} could not be read")
    if entry.get("file") or entry["method"] != "GET":
        if entry.get("listed") and url.removesuffix(".metadata").endswith(".whl"):
            return None
        raise ObstacleError(f"{url} is no wheel on a page")
    if entry["status"] not in (200, *GONE):
        raise ObstacleError(f"{url} was answered with the status {entry['status']}")
    if entry["status"] == 200 and not entry["hashed"]:
        raise ObstacleError(f"{url} does not give the hash of every file")
    cert = entry["cert"]
    page = Page(
        url,
        entry["accept"],
        entry["proxy"],
        entry["proxy_authorized"],
        entry["authorized"],
        entry["verify"],
        tuple(cert) if isinstance(cert, list) else cert,
        entry["insecure"],
    )
    identity = PageState.identify(entry["status"], entry["final"], entry["type"], entry["digest"])
    return PageState(page, identity, entry["final"], entry["etag"], entry["time"] if entry["sent"] else 0.0)


def _check(environ: Mapping[str, str], config: PipConfig, resolved: Sequence[Resolved]) -> None:
    """Look for what the answer depends on besides pages and hashed files.

    Raises:
        ObstacleError: there is something.
    """
    try:
        settings = settings_of(environ, config)
    except UnkeyableError as error:
        raise ObstacleError(error.reason) from error
    if any(is_timed(name, value) for _, name, value in settings):
        raise ObstacleError("what pip takes depends on the time")
    for item in resolved:
        remote = not item.url.startswith("file:")
        if item.origin in (Origin.SDIST, Origin.VCS) or (remote and item.direct_url is not None):
            raise ObstacleError(f"{item.name} comes from {os.path.basename(item.url) or item.url}")
