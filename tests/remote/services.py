"""Servers as they are met, each started for one test with nothing in it: S3 by moto, WebDAV by nginx, Azure by azurite.

Each is a context manager of the address of a remote store there, and of the variables that its clients need.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import hmac
import http.client
import os
import re
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.support.capabilities import Capability, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

__all__ = ["SERVICES", "Service"]

_PATIENCE: Final = 30.0
_NGINX: Final = """\
daemon off;
{user}
pid {root}/pid;
error_log {root}/errors;
events {{}}
http {{
    access_log off;
    client_body_temp_path {root}/bodies;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    client_max_body_size 0;
    server {{
        listen 127.0.0.1:{port};
        root {root}/files;
        dav_methods PUT DELETE;
        create_full_put_path on;
    }}
}}
"""
#: The account that azurite has, and its key, as its documentation says them.
_ACCOUNT: Final = "devstoreaccount1"
_ACCOUNT_KEY: Final = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class Service(NamedTuple):
    """A server that runs.

    Attributes:
        url: of a remote store in it.
        variables: how its clients find it, and who they are.
        lists: whether it says what it holds.
    """

    url: str
    variables: Mapping[str, str]
    lists: bool = True


@contextlib.contextmanager
def _s3() -> Iterator[Service]:
    require(Capability.MOTO)
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        who = {"aws_access_key_id": "someone", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=f"http://{host}:{port}", **who).create_bucket(Bucket="shared")
        variables = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "someone",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }
        # What a server of moto holds, all of them in this process hold.
        yield Service(f"s3://shared/{uuid.uuid4().hex}", variables)
    finally:
        server.stop()


@contextlib.contextmanager
def _webdav() -> Iterator[Service]:
    """Nginx with the module that it is built with, which takes and removes files, and lists none."""
    require(Capability.NGINX)
    with tempfile.TemporaryDirectory(prefix="linkenv-nginx-") as root:
        Path(root, "files").mkdir()
        port = _free_port()
        user = "user root root;" if os.geteuid() == 0 else ""
        Path(root, "conf").write_text(_NGINX.format(root=root, port=port, user=user))
        with _running(["nginx", "-p", root, "-c", f"{root}/conf", "-e", f"{root}/errors"], port):
            yield Service(f"http://127.0.0.1:{port}/linkenv", {}, lists=False)


@contextlib.contextmanager
def _azure() -> Iterator[Service]:
    require(Capability.AZURITE)
    with tempfile.TemporaryDirectory(prefix="linkenv-azurite-") as root:
        port = _free_port()
        where = ["--location", root, "--blobHost", "127.0.0.1", "--blobPort", str(port)]
        with _running(["azurite-blob", "--silent", "--skipApiVersionCheck", "--disableTelemetry", *where], port):
            _make_container(port, "shared")
            variables = {
                "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": _ACCOUNT_KEY,
                "AZURE_STORAGE_USE_EMULATOR": "true",
                "AZURITE_BLOB_STORAGE_URL": f"http://127.0.0.1:{port}",
                "AZURE_ALLOW_HTTP": "true",
            }
            yield Service("az://shared/linkenv", variables)


SERVICES: Final[Mapping[str, Callable[[], AbstractContextManager[Service]]]] = {
    "s3": _s3,
    "webdav": _webdav,
    "azure": _azure,
}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[None]:
    """Run the server *command* until the context ends; it is there when something answers at *port*."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            limit = time.monotonic() + _PATIENCE
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
                    break
                if process.poll() is not None or time.monotonic() > limit:
                    said.seek(0)
                    raise AssertionError(f"{command[0]} does not serve: {said.read().decode(errors='replace')}")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def _make_container(port: int, name: str) -> None:
    """Ask Azure's interface for a new container, signed with the account's key ("Authorize with Shared Key")."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"x-ms-date": now, "x-ms-version": "2021-08-06"}
    canonical = "".join(f"{key}:{value}\n" for key, value in sorted(headers.items()))
    resource = f"/{_ACCOUNT}/{_ACCOUNT}/{name}\nrestype:container"
    signed = hmac.new(
        base64.b64decode(_ACCOUNT_KEY), ("PUT" + "\n" * 12 + canonical + resource).encode(), hashlib.sha256
    )
    headers["Authorization"] = f"SharedKey {_ACCOUNT}:{base64.b64encode(signed.digest()).decode()}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    connection.request("PUT", f"/{_ACCOUNT}/{name}?restype=container", headers={**headers, "Content-Length": "0"})
    answer = connection.getresponse()
    assert answer.status == 201, re.sub(r"\s+", " ", answer.read().decode())
    connection.close()
