"""Runs pip as ``python -m pip`` does, and writes down what it reads over the network.

``python OPTIONS observer.py RECORD -m install ...`` is ``python OPTIONS -m pip install ...``; with ``-c`` in the place
of ``-m`` nothing is imported from the current directory.  The environment's interpreter runs it, whatever its version
(3.8 or newer), so it imports nothing of this package.  pip, its arguments and its answer are as they are without it.
One method of pip's copy of requests is wrapped, through which goes all that pip reads; Python's own audit events
(PEP 578) tell whether anything went past it, and whether pip ran a program.

RECORD becomes a file of JSON lines, one for each thing that was read, and a last one.  Without the last line it is of
no use.  :mod:`nox_linkenv.resolve.record` reads it.  No password or token is written.

Wheels that pip has downloaded, and removes when it ends, are kept in the directory ``wheels`` beside RECORD, each as
soon as pip looks into it.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

#: Where pip keeps its copy of requests.
_SESSIONS = "pip._vendor.requests.sessions"
#: What pip runs to describe itself to an index.
_DESCRIBING = frozenset({"rustc", "lsb_release", "uname", "ldd", "getconf"})
#: A line that names a distribution: no path, no URL, no variable, no option.
_NAMED = (
    rb"([A-Za-z0-9][A-Za-z0-9._-]*) *(?:\[[A-Za-z0-9._, -]*\])? *"
    rb"(?:[<>=!~(][A-Za-z0-9._, <>=!~*+()-]*)?(?:;[A-Za-z0-9._, <>=!~*+()'\"-]*)?$"
)
_ARCHIVE = rb"\.(whl|zip|tar|t[a-z]z|tar\.[a-z0-9]+)$"


def main() -> None:
    """Run pip, which ends the process with its own exit code."""
    # With -m, the first place to import from is the current directory, which pip then removes.  Until pip runs it is
    # neither this script's directory nor that one, which may hold modules of familiar names.
    placed = not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))
    if placed:
        del sys.path[0]
    import os
    import runpy

    path, way = sys.argv[1:3]
    del sys.argv[1:3]
    record = _Record(path)
    sys.addaudithook(record.audit)
    sys.meta_path.insert(0, _Trigger(record))  # type: ignore[arg-type]
    if placed and way == "-m":
        sys.path.insert(0, os.getcwd())
    try:
        runpy.run_module("pip", run_name="__main__", alter_sys=True)
    finally:
        record.finish()


class _Trigger:
    """Has pip's sessions wrapped when they are imported."""

    def __init__(self, record: _Record) -> None:
        self._record = record

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        """Find what others find, to be wrapped when it has been executed."""
        if name != _SESSIONS:
            return None
        from importlib.util import find_spec

        sys.meta_path.remove(self)  # type: ignore[arg-type]
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_wrap(module: ModuleType) -> None:
            execute(module)
            self._record.wrap(module.Session)

        spec.loader.exec_module = execute_and_wrap  # type: ignore[method-assign]
        return spec


class _Record:
    """What has been read so far.

    Args:
        path: of the file it is written to.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._broken = False
        self._pages: list[bytes] = []
        self._inside = False
        self._keeping = False
        self._sent: list[str] = []
        self._programs: list[str] = []

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note requests as they leave the process, programs that are run, and a look at wheels of pip's own making."""
        if event == "http.client.send":
            if isinstance(arguments[1], bytes):
                self._sent.append(arguments[1].partition(b"\r\n")[0].decode("latin-1"))
        elif event == "subprocess.Popen":
            command = arguments[1]
            program = str(command if isinstance(command, (str, bytes)) else command[0]).replace("\\", "/")
            if program.rpartition("/")[2] not in _DESCRIBING:
                self._programs.append(program.rpartition("/")[2])
        elif event == "os.listdir":
            parts = str(arguments[0]).replace("\\", "/").split("/")
            if parts[-5:-4] == ["wheels"] and len(parts[-4]) == 2:  # pip's own, of an sdist that it has built before
                self._programs.append("pip wheel")
        elif event == "open":
            path, mode = arguments[0], arguments[1]
            if mode in ("r", "rb") and isinstance(path, str) and path.endswith(".whl"):  # it is whole, then
                self._keep_wheel(path)
        elif event == "shutil.rmtree":
            self._keep_wheels(str(arguments[0]))

    def wrap(self, session_class: Any) -> None:
        """Have all that the sessions of *session_class* read written down."""
        send = session_class.send

        def observed(session: Any, request: Any, **options: Any) -> Any:
            if self._inside:  # a redirection: the outermost call has its end
                return send(session, request, **options)
            import time

            entry = {"method": request.method, "url": _bare(request.url), "time": time.time()}
            before = len(self._sent)
            self._inside = True
            try:
                response = send(session, request, **options)
            except BaseException as error:
                self._write({**entry, "error": type(error).__name__})
                raise
            finally:
                self._inside = False
                sent = len(self._sent) > before  # else it was in pip's own cache
                del self._sent[before:]
            try:
                more = self._describe(session, request, response, options)
            except Exception as error:  # noqa: BLE001 # pip must work, whatever has become of it
                more = {"error": repr(error)}
            self._write({**entry, "sent": sent, **more})
            return response

        session_class.send = observed

    def finish(self) -> None:
        """Write the last line."""
        self._write({"end": True, "unseen": len(self._sent), "programs": self._programs})

    def _keep_wheels(self, directory: str) -> None:
        """Keep the wheels in *directory*, which is about to be removed, if pip has downloaded them there."""
        import os

        try:
            for name in os.listdir(directory):
                if name.endswith(".whl"):
                    self._keep_wheel(os.path.join(directory, name))
        except OSError:  # they can be had again
            return

    def _keep_wheel(self, path: str) -> None:
        """Keep the wheel at *path*, if pip has downloaded it there, and write down that it is whole."""
        import os
        import shutil

        directory, name = os.path.split(path)
        if not os.path.basename(directory).startswith("pip-unpack-"):
            return
        kept = os.path.join(os.path.dirname(self._path), "wheels", name)
        if self._keeping or os.path.exists(kept):
            return
        self._keeping = True  # what follows opens files, too
        try:
            os.makedirs(os.path.dirname(kept), exist_ok=True)
            try:
                os.link(path, kept)
            except OSError:  # it is on another filesystem
                shutil.copyfile(path, kept)
            self._write({"kept": name})
        except OSError:  # it can be had again
            return
        finally:
            self._keeping = False

    def _describe(self, session: Any, request: Any, response: Any, options: dict[str, Any]) -> dict[str, Any]:
        if options.get("stream"):  # an archive, or the metadata of one
            listed = self._listing(_bare(request.url))
            return {"file": True, "listed": listed is not None, "sha256": listed}
        import hashlib

        content: bytes = response.content
        kind = response.headers.get("Content-Type")
        # What is taken in any form is no page of an index but a file of requirements.
        plain = is_plain(content) if request.headers.get("Accept") == "*/*" else None
        self._pages.append(content)
        proxy = sys.modules["pip._vendor.requests.utils"].select_proxy(request.url, options.get("proxies"))
        if proxy and "://" not in proxy:
            proxy = "http://" + proxy
        final = getattr(response, "request", None) or request
        return {
            "accept": request.headers.get("Accept"),
            "status": response.status_code,
            "final": _bare(response.url),
            "type": kind,
            "etag": response.headers.get("ETag"),
            "digest": hashlib.sha256(content).hexdigest(),
            "hashed": plain or _is_hashed(content, str(kind).lower()),
            "plain": plain,
            "authorized": "Authorization" in request.headers or "Authorization" in final.headers,
            "proxy": _bare(proxy) if proxy else None,
            "proxy_authorized": "@" in proxy if proxy else False,
            "verify": options.get("verify", True),
            "cert": options.get("cert"),
            "insecure": type(session.get_adapter(request.url)).__name__.startswith("Insecure"),
        }

    def _listing(self, url: str) -> str | None:
        """Return what a page that has been read says is the SHA-256 of the file at *url*, or of that with its metadata.

        ``None`` where it is on no page, an empty text where the digest is not plain to see.  A page may name it by a
        relative URL; such a page is in HTML, and the file's hash follows its name there.
        """
        if url.endswith(".metadata"):
            url = url[: -len(".metadata")]
        whole, name = url.encode(), url.rpartition("/")[2].encode()
        for content in reversed(self._pages):
            if whole in content or name + b"#sha256=" in content:
                return _digest(content, name)
        return None

    def _write(self, entry: dict[str, Any]) -> None:
        """Write a line; where that fails, as on a full disk, nothing more: pip must work all the same."""
        if self._broken:
            return
        import json

        try:
            with open(self._path, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(entry) + "\n")
        except OSError:
            self._broken = True


def _bare(url: str) -> str:
    """Return *url* without user name, password and fragment."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


def _digest(content: bytes, name: bytes) -> str:
    """Return the SHA-256 that the page *content* seems to give of the file *name*, an empty text where there is none.

    Pages are not parsed a second time for this; who has the file can tell whether it was the right one.
    """
    import re

    found = re.search(re.escape(name) + rb"#sha256=([0-9a-f]{64})", content)
    if found is None:
        entry = re.search(rb'"filename": ?"' + re.escape(name) + rb'"', content)
        rest = b"" if entry is None else content[entry.end() : entry.end() + 4096].partition(b'"filename"')[0]
        found = re.search(rb'"hashes": ?\{"sha256": ?"([0-9a-f]{64})"', rest)
    return "" if found is None else found.group(1).decode()


def is_plain(content: bytes) -> bool:
    """Return whether the file of requirements *content* has only names with versions, extras, markers and hashes in it.

    Anything else could lead to something that is not known, such as a file on this disk, another index or a variable.
    """
    import re

    if re.search(rb"[^\t\r\n\x20-\x7e]", content) is not None:  # lines may end there, in some encoding
        return False
    content = re.sub(rb"\\\r?\n\s*(?=--hash=)", b" ", content)
    for line in content.splitlines():
        line = re.sub(rb"(^|\s+)#.*", b"", line)
        line = re.sub(rb"(\s+--hash=[a-z0-9]+:[0-9a-f]+)+\s*$", b"", line).strip()
        found = re.match(_NAMED, line)
        if line and (found is None or re.search(_ARCHIVE, found.group(1).lower()) is not None or b" -" in line):
            return False
    return True


def _is_hashed(content: bytes, kind: str) -> bool:
    """Return whether each file on the page *content*, of the content type *kind*, can be one file only.

    Where that is not plain it says no.  Metadata that is offered without a hash could be other metadata tomorrow.
    """
    if kind.startswith("application/vnd.pypi.simple.v1+json"):
        hashed = content.count(b'"hashes": {"sha256"') + content.count(b'"hashes":{"sha256"')
        loose = content.count(b'metadata": true') + content.count(b'metadata":true')
        return loose == 0 and content.count(b'"filename"') == hashed
    metadata = content.count(b'metadata="sha256=') + content.count(b"metadata='sha256=")
    return content.count(b"href") == content.count(b"#sha256=") and content.count(b"metadata=") == metadata


if __name__ == "__main__":
    main()
