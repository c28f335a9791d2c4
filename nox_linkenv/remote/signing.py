"""Who wrote an entry of the remote store: an Ed25519 signature (RFC 8032) at its end, and the keys that are trusted.

Which keys these are is said by the user alone, see :data:`nox_linkenv.config.PERSONAL`.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.config import user_directory
from nox_linkenv.digest import BLOCK
from nox_linkenv.errors import RemoteError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_linkenv.config import Settings

__all__ = [
    "END",
    "KEY_VARIABLE",
    "SignatureError",
    "generate",
    "key_file",
    "private_key",
    "public",
    "sign",
    "signer_and_signature",
    "unsign",
]

#: The variable that holds the private key; it is no setting, so that nothing shows it.
KEY_VARIABLE: Final = "LINKENV_REMOTE_KEY"
#: A frame that zstd skips (RFC 8878, 3.1.2): its magic number, the bytes that follow; name, public key, signature.
_FRAME: Final = struct.Struct("<LL8s32s64s")
_MAGIC: Final = 0x184D2A5F
#: Bytes at the end of an entry that say who has signed it.
END: Final = _FRAME.size
_NAME: Final = b"signed\0\0"
#: What is signed begins so, that no signature for anything else is taken for one.
_CONTEXT: Final = b"nox-linkenv remote entry 1\0"
#: Bytes of a key, private or public.
_SIZE: Final = 32


class SignatureError(Exception):
    """An entry is not one of somebody who is trusted; the message says why, in one clause."""


def sign(path: str, name: str, key: bytes) -> None:
    """Sign the archive at *path* with the private *key*, as the entry *name*."""
    digest = _digest(path, os.path.getsize(path))
    frame = _FRAME.pack(
        _MAGIC, _FRAME.size - 8, _NAME, bytes.fromhex(public(key)), _private(key).sign(_said(name, digest))
    )
    with open(path, "ab") as stream:
        stream.write(frame)


def unsign(path: str, name: str, trusted: frozenset[str]) -> None:
    """Take the signature off the file at *path*, which is an archive then.

    Args:
        name: of the entry that it has to be.
        trusted: public keys, hexadecimal.

    Raises:
        SignatureError: it has none, or none of a trusted key for that very name and content.
        OSError: the file cannot be read or written.
    """
    ed25519, invalid = _cryptography()
    size = os.path.getsize(path) - _FRAME.size
    if size < 0:
        raise SignatureError("it is not signed")
    with open(path, "rb") as stream:
        stream.seek(size)
        key, signature = signer_and_signature(stream.read(_FRAME.size), trusted)
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, _said(name, _digest(path, size)))
    except (invalid, ValueError) as error:
        raise SignatureError("its signature is not one of what it is") from error
    os.truncate(path, size)


def signer_and_signature(end: bytes, trusted: frozenset[str]) -> tuple[bytes, bytes]:
    """Return the public key and the signature in the last :data:`END` bytes of an entry; *trusted* has the key.

    Raises:
        SignatureError: there is none, or it is not trusted.
    """
    if len(end) != END:
        raise SignatureError("it is not signed")
    magic, length, label, key, signature = _FRAME.unpack(end)
    if (magic, length, label) != (_MAGIC, END - 8, _NAME):
        raise SignatureError("it is not signed")
    if key.hex() not in trusted:
        raise SignatureError(f"it is signed with the key {key.hex()}, which is not trusted here")
    return key, signature


def generate() -> bytes:
    """Return a new private key."""
    key: bytes = _cryptography()[0].Ed25519PrivateKey.generate().private_bytes_raw()
    return key


def public(key: bytes) -> str:
    """Return the public key of the private *key*, hexadecimal."""
    found: bytes = _private(key).public_key().public_bytes_raw()
    return found.hex()


def key_file(settings: Settings, environ: Mapping[str, str] = os.environ) -> str:
    """Return the path of the file that the private key is in, if it is in one."""
    return os.path.expanduser(settings.remote_key_file) or os.path.join(user_directory(environ), "remote.key")


def private_key(settings: Settings, environ: Mapping[str, str] = os.environ) -> bytes | None:
    """Return the private key to write with: of the variable, else of the file; ``None`` where there is none.

    Raises:
        SettingsError: what is there is no key.
    """
    text, where = environ.get(KEY_VARIABLE, ""), KEY_VARIABLE
    if not text:
        where = key_file(settings, environ)
        try:
            with open(where, encoding="ascii", errors="replace") as stream:
                text = stream.read(4 * _SIZE)
        except FileNotFoundError:
            if settings.remote_key_file:
                raise SettingsError("The file with the private key is not there", path=where, remedy=_REMEDY) from None
            return None
        except OSError as error:
            raise SettingsError(
                f"The private key cannot be read ({error.strerror})", path=where, remedy=_REMEDY
            ) from error
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != _SIZE:
        raise SettingsError(f"What {where} holds is no private key of 64 hexadecimal digits", remedy=_REMEDY)
    return key


_REMEDY: Final = "linkenv remote key makes one."


def _said(name: str, digest: bytes) -> bytes:
    """Return what is signed for the entry *name* with that *digest*."""
    return _CONTEXT + name.encode() + b"\0" + digest


def _digest(path: str, size: int) -> bytes:
    """Return the SHA-256 of the first *size* bytes of the file at *path*."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:
        while size and (block := stream.read(min(size, BLOCK))):
            size -= len(block)
            digest.update(block)
    return digest.digest()


def _private(key: bytes) -> Any:
    return _cryptography()[0].Ed25519PrivateKey.from_private_bytes(key)


def _cryptography() -> tuple[Any, type[Exception]]:
    """Return the module of these keys, and what it raises for a signature that is none.

    Raises:
        RemoteError: it is not installed.
    """
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise RemoteError(
            "Entries of a remote store are signed by cryptography, which is not installed",
            remedy="Install nox-linkenv[remote].",
        ) from error
    return ed25519, InvalidSignature
