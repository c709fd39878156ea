"""The root key wraps every secret in the store: AES-256-GCM (NIST SP 800-38D), bound to the place it is stored for.

A wrapped secret is ``0x01 || 12 random bytes || ciphertext and tag``. The place (project, key name, version) is
associated data, so that a row copied to another place in the database does not unwrap there.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cape_airflow.coordinator.settings import Settings
from cape_airflow.errors import KeyUnavailable
from cape_airflow.keys import Secret
from cape_airflow.keys.encoding import from_base64url, to_base64url
from cape_airflow.keys.material import derive

_VERSION = b"\x01"
KEY_BYTES = 32
_NONCE_BYTES = 12


class RootKey:
    """Wraps and unwraps secrets; shows itself to nobody."""

    def __init__(self, text: str) -> None:
        material = _decode(text.strip())
        if len(material) != KEY_BYTES:
            raise KeyUnavailable(f"the root key must be base64url of {KEY_BYTES} bytes")
        self._material = Secret(material)
        self._cipher = AESGCM(material)

    def derive(self, purpose: str) -> Secret:
        """Return a key of 32 bytes for one purpose other than wrapping (HKDF-SHA-256, RFC 5869)."""
        return derive(self._material, purpose=purpose, domain="coordinator", length=KEY_BYTES)

    def wrap(self, secret: Secret, *place: str) -> bytes:
        """Return `secret` encrypted for the store, at that place only."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret.reveal(), _associated(place))

    def unwrap(self, wrapped: bytes, *place: str) -> Secret:
        """Return the secret that was wrapped for that place.

        Raises:
            KeyUnavailable: another root key, another place, or changed bytes.
        """
        nonce, ciphertext = wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
        try:
            if wrapped[:1] != _VERSION or len(nonce) != _NONCE_BYTES:
                raise InvalidTag
            return Secret(self._cipher.decrypt(nonce, ciphertext, _associated(place)))
        except InvalidTag:
            raise KeyUnavailable(
                f"the stored {place[0]} cannot be unwrapped: it is not of this root key, or the database was edited"
            ) from None


def load_root_key(settings: Settings, *, fresh: bool) -> RootKey:
    """Return the root key that the settings name; make its file where there is nothing wrapped yet.

    Args:
        settings: where it is.
        fresh: nothing was wrapped so far, so that a missing file may be made.

    Raises:
        KeyUnavailable: missing, unreadable by the rules, or not a key.
    """
    if settings.root_key is not None:
        return RootKey(settings.root_key.get_secret_value())
    if settings.root_key_file is not None:
        return RootKey(read_root_key_file(settings.root_key_file))
    if settings.database.get_backend_name() != "sqlite":
        raise KeyUnavailable("with PostgreSQL the root key must be given: set CAPE_ROOT_KEY, _FILE or _URI")
    file = settings.folder / "root.key"
    if not file.exists():
        if not fresh:
            raise KeyUnavailable(f"{file} is missing, and the database holds keys wrapped by it; put it back")
        make_root_key_file(file)
    return RootKey(read_root_key_file(file))


def make_root_key_file(file: Path) -> None:
    """Write a new root key from the system's randomness; never over an existing file."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Opened with the final mode and never over an existing file; on disk before anything is wrapped by it.
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as stream:
        stream.write(to_base64url(secrets.token_bytes(KEY_BYTES)) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def read_root_key_file(file: Path) -> str:
    """Return the text of a root key file.

    Raises:
        KeyUnavailable: it cannot be read, or others than its owner can read it.
    """
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise KeyUnavailable(f"others can read the root key file {file}; run: chmod 600 {file}")
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnavailable(f"the root key file {file} cannot be read ({type(error).__name__})") from None


def _decode(text: str) -> bytes:
    try:
        return from_base64url(text)
    except ValueError:
        raise KeyUnavailable("the root key is not base64url") from None


def _associated(place: tuple[str, ...]) -> bytes:
    return json.dumps(["cape-airflow/1", *place]).encode()
