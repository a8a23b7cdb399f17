"""Encryption at rest: AES-256-GCM, several keys at once so that they can be rotated.

A sealed text reads `<key id>.<base64url of nonce and ciphertext>`. The place it belongs to (table,
row and column) is bound in as associated data, so a sealed text copied to another row cannot be
opened there.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12


class SealBroken(Exception):
    """A sealed text cannot be opened: its key is missing, or it was changed or moved."""


def new_key() -> bytes:
    """Return a fresh 256-bit key."""
    return AESGCM.generate_key(bit_length=KEY_BYTES * 8)


def key_id(key: bytes) -> str:
    """Return eight hexadecimal characters that name `key` without revealing it."""
    return sha256(b"tgm key id:" + key).hexdigest()[:8]


class Vault:
    """Seals with the newest key and opens with any of them."""

    def __init__(
        self, keys: Sequence[bytes], reload: Callable[[], Sequence[bytes]] | None = None
    ) -> None:
        """`keys` holds 32 bytes each, the newest first.

        `reload` is asked for the keys again when a sealed text names an unknown one: another
        process may have rotated them meanwhile.
        """
        self._reload = reload
        self._use(keys)

    def __repr__(self) -> str:
        return f"<Vault of {len(self._ciphers)} keys>"

    def _use(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("a vault needs at least one key")
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self._newest = key_id(keys[0])

    def seal(self, plain: str, *, place: str) -> str:
        """Return `plain` sealed for `place`, which names table, row and column."""
        nonce = os.urandom(_NONCE_BYTES)
        box = self._ciphers[self._newest].encrypt(nonce, plain.encode(), place.encode())
        return f"{self._newest}.{urlsafe_b64encode(nonce + box).decode()}"

    def open(self, sealed: str, *, place: str) -> str:
        """Return what was sealed for `place`.

        Raises SealBroken, which says nothing of the content.
        """
        name, _, text = sealed.partition(".")
        if name not in self._ciphers and self._reload is not None:
            self._use(self._reload())
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise SealBroken(f"the encryption key {name} is not among ENCRYPTION_KEYS")
        try:
            data = urlsafe_b64decode(text)
            return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place.encode()).decode()
        except (InvalidTag, Base64Error, ValueError):
            raise SealBroken("a sealed value was changed or moved") from None

    def is_newest(self, sealed: str) -> bool:
        """Tell whether `sealed` already uses the newest key."""
        return sealed.startswith(self._newest + ".")

    def reseal(self, sealed: str, *, place: str) -> str:
        """Return the same content under the newest key. Raises SealBroken."""
        return self.seal(self.open(sealed, place=place), place=place)
