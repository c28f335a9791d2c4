"""The object store of an address: S3, GCS, Azure, WebDAV, or a directory, all through obstore.

Nothing here lasts longer than a few seconds without a byte coming or going.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from nox_linkenv.errors import RemoteError, remedy_for
from nox_linkenv.store.layout import FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["SILENCE", "Bucket", "Object"]

#: Seconds to wait for a connection, and for the next byte.
_CONNECT: Final = 3.0
SILENCE: Final = 5.0
#: Seconds within which what failed is tried again.
_AGAIN: Final = 3.0
#: Seconds after which fewer bytes a second than so many are too few to wait for.
_PATIENCE: Final = 10.0
_PACE: Final = 256 << 10
#: Bytes from which on the end of an object is worth a request of its own.
_LARGE: Final = 32 << 20
#: How long one object may take at most.
_LONGEST: Final = timedelta(minutes=15)
#: Variables of the services that let their server be reached without TLS: options given here take their place.
_PLAIN: Final = ("AWS_ALLOW_HTTP", "AZURE_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP")
#: What to do where the store is not even opened, and where it fails later.
_OPENING: Final = "Correct the address in the setting remote, or the variables with the credentials for it."
_USING: Final = "linkenv remote check says what can be done from here; sessions run without it."
#: Ends the names of entries.
_SUFFIX: Final = ".zst"


class Object(NamedTuple):
    """An entry that is there.

    Attributes:
        name: of the entry.
        size: bytes.
        modified: when it was written, in seconds since the epoch, as the object store says.
    """

    name: str
    size: int
    modified: float


class Bucket:
    """Entries at an address; several threads may use it.

    Args:
        url: the address.
        making: whether a directory is to be made that is not there.

    Raises:
        RemoteError: obstore is not installed, or cannot reach such an address.
    """

    def __init__(self, url: str, *, making: bool = False) -> None:
        self.url = url
        parts = urlsplit(url)
        try:
            from obstore import store
            from obstore.exceptions import BaseError
        except ImportError as error:
            raise RemoteError(
                f"The remote store {url} is reached by obstore, which is not installed",
                remedy="Install nox-linkenv[remote].",
            ) from error
        self._failures: tuple[type[Exception], ...] = (BaseError, OSError, ValueError)
        self._directory: Path | None = None
        self._whole = parts.scheme.startswith("http")  # such servers take an object in one piece only
        if parts.scheme == "file":
            self._directory = self._there(Path(unquote(parts.path)), making=making)
        with self._reaching("cannot be opened", remedy=_OPENING):
            self._store: Any
            if self._directory is not None:
                self._store = store.LocalStore(self._directory)
            else:
                self._store = store.from_url(
                    url,
                    client_options={
                        "connect_timeout": timedelta(seconds=_CONNECT),
                        "read_timeout": timedelta(seconds=SILENCE),
                        "timeout": _LONGEST,
                        "allow_http": parts.scheme == "http" or any(os.environ.get(name) == "true" for name in _PLAIN),
                    },
                    retry_config={
                        "max_retries": 2,
                        "retry_timeout": timedelta(seconds=_AGAIN),
                        "backoff": {
                            "init_backoff": timedelta(seconds=0.1),
                            "max_backoff": timedelta(seconds=1),
                            "base": 2,
                        },
                    },
                )

    def _there(self, path: Path, *, making: bool) -> Path:
        """Return the directory *path*, which is made if need be and wanted."""
        try:
            if making:
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._error(
                f"cannot be made ({error.strerror})", remedy=f"{remedy_for(error)} The setting remote names it."
            ) from error
        if not path.is_dir():
            raise self._error(
                "is not there: it should be a directory",
                remedy="Mount it, or correct the setting remote; linkenv remote push makes it where there is a key.",
            )
        return path

    def get(self, name: str, path: str, *, end: int = 0, check: Callable[[bytes], object] | None = None) -> bool:
        """Write the entry *name* to the new file *path*; return whether there is one.

        Args:
            end: of how many bytes at its end *check* says, by what it raises, whether a large one is worth reading.

        Raises:
            RemoteError: the object store does not answer, or too slowly.
            OSError: the file cannot be written.
        """
        if not self._may_be(name):
            return False
        began, come = time.monotonic(), 0
        with self._reaching("cannot be read"):
            try:
                found = self._store.get(_key(name))
            except FileNotFoundError:
                return False
            size = found.meta["size"]
        if check is not None and size >= max(_LARGE, end) and not self._whole:
            with self._reaching("cannot be read"):
                last = bytes(self._store.get_range(_key(name), start=size - end, length=end))
            check(last)
        with self._reaching("cannot be read"):
            blocks = iter(found.stream(min_chunk_size=1))
        with open(path, "xb") as stream:
            while True:
                with self._reaching("cannot be read"):
                    block = next(blocks, None)
                if block is None:
                    return True
                stream.write(block)
                come += len(block)
                took = time.monotonic() - began
                if took > _PATIENCE and come < took * _PACE:
                    raise self._error(f"is too slow ({come} bytes in {took:.0f} s)")

    def _may_be(self, name: str) -> bool:
        """Return whether the entry *name* may be there: in a directory, what is no file is none.

        Reading a pipe would wait for ever, and a link may lead to what has no end.
        """
        if self._directory is None:
            return True
        try:
            return stat.S_ISREG(os.lstat(self._directory / _key(name)).st_mode)
        except FileNotFoundError:
            return False
        except OSError:  # obstore says what is wrong
            return True

    def find(self, name: str) -> Object | None:
        """Return the entry *name*, ``None`` where there is none.

        Raises:
            RemoteError: the object store does not answer.
        """
        with self._reaching("cannot be read"):
            try:
                found = self._store.head(_key(name))
            except FileNotFoundError:
                return None
            return Object(name, found["size"], found["last_modified"].timestamp())

    def put(self, name: str, path: str) -> None:
        """Write the file at *path* as the entry *name*.

        Raises:
            RemoteError: the object store does not take it.
        """
        with self._reaching("cannot be written"):
            content = Path(path)
            self._store.put(
                _key(name),
                content.read_bytes() if self._whole else content,
                use_multipart=None if not self._whole else False,
            )

    def entries(self) -> Iterator[Object]:
        """Yield all entries.

        Raises:
            RemoteError: the object store does not list them.
        """
        with self._reaching("cannot be listed"):
            for chunk in self._store.list(f"v{FORMAT}"):
                for found in chunk:
                    name = found["path"].removeprefix(f"v{FORMAT}/")
                    if name.endswith(_SUFFIX):
                        yield Object(name.removesuffix(_SUFFIX), found["size"], found["last_modified"].timestamp())

    def delete(self, name: str) -> None:
        """Remove the entry *name*.

        Raises:
            RemoteError: the object store does not allow it.
        """
        with self._reaching("does not let an entry be removed"), contextlib.suppress(FileNotFoundError):
            self._store.delete(_key(name))

    @contextlib.contextmanager
    def _reaching(self, what: str, *, remedy: str = _USING) -> Iterator[None]:
        """Turn the failures of the object store into errors that say what to do; *what* is a verb with its object."""
        try:
            yield
        except self._failures as error:
            raise self._error(f"{what} ({_first(str(error))})", remedy=remedy) from error

    def _error(self, what: str, *, remedy: str = _USING) -> RemoteError:
        return RemoteError(f"The remote store {self.url} {what}", remedy=remedy)


def _key(name: str) -> str:
    return f"v{FORMAT}/{name}{_SUFFIX}"


def _first(text: str) -> str:
    """Return what matters of the message *text*, in one line."""
    line = text.partition("\n\nDebug source")[0].strip().replace("\n", " ")
    return line if len(line) < 300 else f"{line[:300]}..."
