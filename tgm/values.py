"""What a setting's value may be: each function reads one from its text, or raises Wrong."""

import ipaddress
import os
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from tgm.security.secret import Secret
from tgm.security.vault import KEY_BYTES
from tgm.shared import sqlite_limits  # noqa: F401 - so that its addresses are known

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
IN_MEMORY = "memory://"


class Wrong(Exception):
    """What is wrong with a value, in words that fit behind the setting's name."""


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return what reads a whole number."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
            raise Wrong(f"is not a whole number from {low} to {high}")
        return int(text)

    return parse


def on_or_off(text: str) -> str:
    """Read a switch."""
    if text.lower() not in {"on", "off"}:
        raise Wrong("is neither on nor off")
    return text.lower()


def web_address(text: str) -> str:
    """Read an address without a path's end."""
    parts = urlsplit(text)
    try:
        good = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
    except ValueError:
        good = False
    if not good or not text.isascii() or any(character.isspace() for character in text):
        raise Wrong("is not an address that starts with http:// or https://")
    if parts.query or parts.fragment or parts.username is not None:
        raise Wrong("must be an address only, without user name, ? or #")
    return text.rstrip("/")


def proxy_address(text: str) -> Secret:
    """Read an HTTP proxy's address, which may hold a password."""
    parts = urlsplit(text)
    try:
        good = parts.scheme == "http" and parts.hostname and parts.port
    except ValueError:
        good = False
    if not good or parts.path.strip("/") or parts.query:
        raise Wrong("is not an HTTP proxy's address with its port")
    return Secret(text.rstrip("/"))


def existing(kind: str) -> Callable[[str], Path]:
    """Return what reads the path of a file or folder that is there."""

    def parse(text: str) -> Path:
        path = Path(text).expanduser()
        if not (path.is_dir() if kind == "folder" else path.is_file()):
            raise Wrong(f"is not a {kind} that exists")
        if not os.access(path, os.R_OK):
            raise Wrong(f"is a {kind} that cannot be read")
        return path.resolve()

    return parse


def folder(text: str) -> Path:
    """Read the path of a folder, which may still be made."""
    path = Path(text).expanduser()
    if path.exists() and not path.is_dir():
        raise Wrong("is not a folder")
    return path.resolve()


def database(text: str) -> Secret:
    """Read a database's address."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise Wrong("is not a database URL") from None
    backend = url.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise Wrong("names neither sqlite nor postgresql")
    if backend == "sqlite" and not url.database:
        raise Wrong("names no file: a database in memory would be lost, and cannot be shared")
    try:
        url.get_dialect().import_dbapi()
    except ImportError as missing:
        raise Wrong(f"needs the package {missing.name}, which is not installed") from None
    return Secret(text)


def limit_storage(text: str) -> Secret:
    """Read the address of a storage of the package limits."""
    try:
        # Making one in memory would start a thread, and a process that has any must not fork.
        if text != IN_MEMORY:
            storage_from_string(text)
    except ConfigurationError:
        raise Wrong("is not a storage that the package limits can use here") from None
    return Secret(text)


def secret_key(text: str) -> Secret:
    """Read a key for signing."""
    if len(text) < 32:
        raise Wrong("is shorter than 32 characters")
    return Secret(text)


def encryption_keys(text: str) -> tuple[Secret, ...]:
    """Read keys for sealing."""
    keys = tuple(part.strip() for part in text.split(","))
    for position, key in enumerate(keys, 1):
        try:
            size = len(b64decode(key, validate=True))
        except (Base64Error, ValueError):
            size = 0
        if size != KEY_BYTES:
            raise Wrong(f"has no 32 bytes in base64 at place {position}")
    return tuple(Secret(key) for key in keys)


def host(text: str) -> str:
    """Read an address or a name."""
    name = text.strip("[]")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        if not all(part.replace("-", "").isalnum() for part in name.split(".")):
            raise Wrong("is neither an IP address nor a host name") from None
        return name


def networks(text: str) -> tuple[Network, ...]:
    """Read networks with commas between them."""
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(","))
    except ValueError:
        raise Wrong("is no list of networks such as 192.168.1.0/24, with commas") from None


def level(text: str) -> str:
    """Read how much is logged."""
    if text.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise Wrong("is none of DEBUG, INFO, WARNING and ERROR")
    return text.upper()
