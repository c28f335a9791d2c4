"""A package index on 127.0.0.1 which tests can make say what they like, and a proxy in front of it.

Simple API: PEP 503 (HTML), PEP 691 (JSON), PEP 592 (yanked), PEP 658 and 714 (metadata beside the files).
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import http.client
import json
import socket
import ssl
import threading
import time
import zipfile
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Index", "Proxy", "serving", "serving_proxy"]

_JSON: Final = "application/vnd.pypi.simple.v1+json"


@dataclass(slots=True)
class _File:
    content: bytes
    metadata: bytes
    yanked: bool = False


@dataclass(slots=True)
class Index:
    """What the index holds, and how it answers.

    Attributes:
        projects: files by name, by project.
        requests: method and path of each request, as they came.
        sent: bytes of all answers' bodies.
        statuses: what to answer at a path instead, by path.
        missing: the status of a project that is not there.
        json: whether pages come as JSON to who likes them so.
        etag: whether pages have an ETag, and 304 is answered.
        dated: whether pages have a date of change.
        compress: whether pages are compressed for who likes them so.
        hashes: whether pages give hashes.
        metadata: whether files' metadata is offered.
        users: ``user:password`` of those who are let in; everyone where there is none.
        redirect: whether pages are at another URL.
        delay: seconds that each page takes.
        pause: seconds between the halves of a file; its metadata come at once.
        short: whether the end of every page is kept back, and the connection closed.
        on_page: called with the project's name after its page was read, before it is sent.
    """

    directory: Path
    url: str = ""
    projects: dict[str, dict[str, _File]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    missing: int = 404
    json: bool = True
    etag: bool = False
    dated: bool = False
    compress: bool = False
    hashes: bool = True
    metadata: bool = False
    users: frozenset[str] = frozenset()
    redirect: bool = False
    delay: float = 0.0
    pause: float = 0.0
    short: bool = False
    on_page: Callable[[str], object] = lambda name: None

    @property
    def simple(self) -> str:
        """URL for ``--index-url``."""
        return f"{self.url}/simple/"

    @property
    def pages(self) -> list[str]:
        """The projects whose pages have been asked for."""
        return [path.split("/")[2] for _, path in self.requests if path.startswith("/simple/")]

    def publish(self, name: str, version: str, *requires: str, more: str = "", tag: str = "py3-none-any") -> str:
        """Publish a wheel with one module, and return its file name."""
        lines = [f"Requires-Dist: {requirement}" for requirement in requires]
        text = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines, more])
        module = f"VERSION = {version!r}\n".encode()
        metadata = f"{text.rstrip()}\n".encode()
        made = make_wheel(
            self.directory, name, version, {f"{name.replace('-', '_')}.py": module}, metadata=metadata, tag=tag
        )
        return self.add(name, made)

    def add(self, name: str, path: Path) -> str:
        """Publish the file at *path*, and return its name."""
        metadata = b""
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                (inside,) = [entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA")]
                metadata = archive.read(inside)
        self.projects.setdefault(name, {})[path.name] = _File(path.read_bytes(), metadata)
        return path.name

    def yank(self, name: str, file: str, yanked: bool = True) -> None:
        self.projects[name][file].yanked = yanked

    def delete(self, name: str, file: str) -> None:
        del self.projects[name][file]

    def page(self, name: str, *, as_json: bool) -> bytes:
        files = self.projects[name].items()
        if as_json:
            entries = [self._entry(file, found) for file, found in files]
            return json.dumps({"meta": {"api-version": "1.0"}, "name": name, "files": entries}).encode()
        return ("<!DOCTYPE html><html><body>\n" + "".join(self._anchor(*item) for item in files)).encode()

    def _entry(self, file: str, found: _File) -> dict[str, Any]:
        hashes = {"sha256": hashlib.sha256(found.content).hexdigest()} if self.hashes else {}
        entry: dict[str, Any] = {"filename": file, "url": f"{self.url}/files/{file}", "hashes": hashes}
        if self.metadata:
            entry["core-metadata"] = {"sha256": hashlib.sha256(found.metadata).hexdigest()}
        return {**entry, "yanked": found.yanked, "upload-time": "2020-02-02T02:02:02Z"}

    def _anchor(self, file: str, found: _File) -> str:
        fragment = f"#sha256={hashlib.sha256(found.content).hexdigest()}" if self.hashes else ""
        yanked = ' data-yanked="broken"' if found.yanked else ""
        digest = hashlib.sha256(found.metadata).hexdigest()
        metadata = f' data-core-metadata="sha256={digest}"' if self.metadata else ""
        return f'<a href="../../files/{file}{fragment}"{yanked}{metadata}>{file}</a>\n'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    index: Index

    def do_GET(self) -> None:
        index, path = self.index, urlsplit(self.path).path
        index.requests.append((self.command, path))
        if index.users and not self._is_let_in():
            self._answer(401, b"", {"WWW-Authenticate": 'Basic realm="index"'})
        elif path in index.statuses:
            self._answer(index.statuses[path], b"sorry")
        elif path.startswith("/simple/") and index.redirect:
            self._answer(302, b"", {"Location": path.replace("/simple/", "/elsewhere/")})
        elif path.startswith(("/simple/", "/elsewhere/")):
            self._page(path.split("/")[2])
        else:
            self._file(path.rpartition("/")[2])

    do_HEAD = do_GET  # noqa: N815

    def _is_let_in(self) -> bool:
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        return kind == "Basic" and base64.b64decode(value).decode() in self.index.users

    def _page(self, name: str) -> None:
        index = self.index
        if name not in index.projects:
            self._answer(index.missing, b"no such project")
            return
        time.sleep(index.delay)
        as_json = index.json and _JSON in self.headers.get("Accept", "")
        content = index.page(name, as_json=as_json)
        index.on_page(name)
        headers = {"Content-Type": _JSON if as_json else "text/html; charset=utf-8"}
        if index.dated:
            headers["Last-Modified"] = formatdate(usegmt=True)
        if index.etag:
            headers["ETag"] = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
            if self.headers.get("If-None-Match") == headers["ETag"]:
                self._answer(304, b"", headers)
                return
        if index.compress and "gzip" in self.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            content = gzip.compress(content, mtime=time.time())  # never the same twice
        self._answer(200, content, headers, keep=20 if index.short else 0)

    def _file(self, file: str) -> None:
        name = file.removesuffix(".metadata")
        found = next((files[name] for files in self.index.projects.values() if name in files), None)
        if found is None:
            self._answer(404, b"no such file")
        else:
            whole = name == file
            self._answer(200, found.content if whole else found.metadata, pause=self.index.pause if whole else 0)

    def _answer(
        self,
        status: int,
        content: bytes,
        headers: dict[str, str] | None = None,
        *,
        keep: int = 0,
        pause: float = 0.0,
    ) -> None:
        with contextlib.suppress(ConnectionError):  # who asked has gone
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                half = len(content) // 2 if pause else 0
                self.wfile.write(content[:half])
                time.sleep(pause)
                self.wfile.write(content[half : len(content) - keep])
                self.close_connection = keep > 0
                self.index.sent += len(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is printed."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 50

    def handle_error(self, request: object, client_address: object) -> None:
        """Who asked has gone."""


@contextlib.contextmanager
def serving(directory: Path, *, certificate: Path | None = None) -> Iterator[Index]:
    """Serve an index which writes the wheels it publishes into *directory*.

    Args:
        certificate: file with the server's certificate and key, for https.
    """
    index = Index(directory)
    handler = type("Handler", (_Handler,), {"index": index})
    with _Server(("127.0.0.1", 0), handler) as server:
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            scheme = "https"
        index.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield index
        finally:
            server.shutdown()
            thread.join()


@dataclass(slots=True)
class Proxy:
    """A proxy.

    Attributes:
        url: without user name and password.
        user: ``user:password`` that it wants to hear, empty for none.
        targets: what it was asked for.
    """

    url: str = ""
    user: str = ""
    targets: list[str] = field(default_factory=list)


class _ProxyHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def do_GET(self) -> None:
        if not self._is_let_in():
            return
        parts = urlsplit(self.path)
        connection = http.client.HTTPConnection(parts.netloc)
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        connection.request("GET", parts.path, headers=headers)
        response = connection.getresponse()
        content = response.read()
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in {"server", "date", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    def do_CONNECT(self) -> None:
        if not self._is_let_in():
            return
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_pump, args=(there, self.connection), daemon=True)
            back.start()
            _pump(self.connection, there)
            back.join()
        self.close_connection = True

    def _is_let_in(self) -> bool:
        self.proxy.targets.append(self.path)
        _, _, value = self.headers.get("Proxy-Authorization", "").partition(" ")
        if self.proxy.user and base64.b64decode(value).decode() != self.proxy.user:
            self.send_response(407)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        return True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is printed."""


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(1 << 16):
            target.sendall(block)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def serving_proxy(user: str = "") -> Iterator[Proxy]:
    """Serve a proxy for http and https."""
    proxy = Proxy(user=user)
    handler = type("Handler", (_ProxyHandler,), {"proxy": proxy})
    with _Server(("127.0.0.1", 0), handler) as server:
        proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
