"""The secrets behind sessions and sealing: given by the environment, or kept in the instance."""

import secrets
from base64 import b64decode, b64encode
from pathlib import Path

from tgm.security import keyfiles
from tgm.security.vault import KEY_BYTES, Vault, new_key
from tgm.settings import BadSetting, Settings

SESSION_KEY_FILE = "secret_key"
ENCRYPTION_KEYS_FILE = "encryption_keys"


def session_key(settings: Settings) -> str:
    """Return the key that signs sessions and forms; made on the first start if none is given."""
    if settings.secret_key is not None:
        return settings.secret_key.value
    path = settings.instance_path / SESSION_KEY_FILE
    return keyfiles.read_or_make(path, lambda: secrets.token_urlsafe(48))


def vault(settings: Settings) -> Vault:
    """Return the vault; its key is made on the first start if none is given."""
    if settings.encryption_keys:
        return Vault([b64decode(key.value) for key in settings.encryption_keys])
    path = settings.instance_path / ENCRYPTION_KEYS_FILE
    keyfiles.read_or_make(path, _new_key_text)
    return Vault(_read_keys(path), reload=lambda: _read_keys(path))


def add_encryption_key(settings: Settings) -> None:
    """Put a new key in front of those in the instance folder, where the older ones stay."""
    path = settings.instance_path / ENCRYPTION_KEYS_FILE
    keyfiles.replace(path, f"{_new_key_text()}\n{path.read_text().strip()}")


def _new_key_text() -> str:
    return b64encode(new_key()).decode()


def _read_keys(path: Path) -> list[bytes]:
    try:
        keys = [b64decode(line, validate=True) for line in path.read_text().split()]
    except ValueError:
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise BadSetting(
            f"ENCRYPTION_KEYS: none are given, and {path} does not hold keys of 32 bytes in base64,"
            " one a line. Put the file back from a backup."
        )
    return keys
