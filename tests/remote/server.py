"""A web server over a directory, which fails in the way that it is told."""

from __future__ import annotations

import contextlib
import enum
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Fault", "FaultyServer", "faulty"]

_MANY: Final = 600


class Fault(enum.Enum):
    """How a request fails."""

    NONE = "not at all"
    UNAVAILABLE = "503"
    HANG = "no answer"
    CUT = "half of the body"
    DRIP = "a byte a second"


class FaultyServer(ThreadingHTTPServer):
    """Serves *directory*; ``requests`` are the paths that were asked for; the first ``healthy`` of them do not fail."""

    daemon_threads = True

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.directory = directory
        self.fault = Fault.NONE
        self.healthy = 0
        self.requests: list[str] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: FaultyServer

    def do_GET(self) -> None:
        server = self.server
        server.requests.append(self.path)
        fault = server.fault if len(server.requests) > server.healthy else Fault.NONE
        if fault is Fault.HANG:
            server.over.wait(_MANY)
            return
        path = server.directory / self.path.lstrip("/")
        if fault is Fault.UNAVAILABLE or not path.is_file():
            self.send_error(503 if fault is Fault.UNAVAILABLE else 404)
            return
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
        self.end_headers()
        if fault is Fault.CUT:
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self.connection.close()
        elif fault is Fault.DRIP:
            with contextlib.suppress(OSError):
                for byte in content:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    if server.over.wait(1.0):
                        return
        else:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def faulty(directory: Path) -> Iterator[FaultyServer]:
    """Serve *directory* for as long as the context lasts."""
    with FaultyServer(directory) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
