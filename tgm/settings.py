"""Every setting: read once at the start from the environment and `.env`, checked, then frozen.

This is the only module that reads the environment. The environment beats `.env`; an empty value
counts as not given. README documents each setting, and a test compares the two.
"""

import ipaddress
import os
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from tgm.security.secret import Secret
from tgm.security.vault import KEY_BYTES
from tgm.shared import sqlite_limits  # noqa: F401 - so that its addresses are known

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PROJECT = Path(__file__).resolve().parent.parent
MEBIBYTE = 1024 * 1024
IN_MEMORY = "memory://"


class BadSetting(Exception):
    """A setting cannot be used. Its text names the setting, what is wrong, and an example."""


class _Wrong(Exception):
    """What is wrong with a value, in words that fit behind the setting's name."""


class Source(StrEnum):
    """Where a setting's value comes from."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    DOTENV = ".env"
    COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Option:
    """One setting. `parse` raises `_Wrong`; a secret one's value is never repeated in an error."""

    name: str
    parse: Callable[[str], Any]
    default: Any
    example: str
    secret: bool = False


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings, checked. Sizes and times have their unit in the name.

    `sources` tells by an option's name where its value comes from.
    """

    sources: Mapping[str, Source]
    telegram_api_base_url: str
    telegram_proxy_url: Secret | None
    telegram_ca_file: Path | None
    telegram_files_dir: Path | None
    telegram_timeout_seconds: int
    database_url: Secret
    instance_path: Path
    host: str
    port: int
    threads: int
    processes: int
    pin_to_core: str
    rate_limit_per_minute: int
    rate_limit_storage_uri: Secret
    secret_key: Secret | None
    encryption_keys: tuple[Secret, ...]
    trusted_proxies: int
    max_upload_mb: int
    request_log_days: int
    log_level: str
    webhook_base_url: str | None
    webhook_allowed_networks: tuple[Network, ...]
    update_retention_days: int
    update_retention_gb: int
    deliveries_at_once: int
    delivery_hold_minutes: int
    delivery_drain_per_second: int

    @property
    def max_upload_bytes(self) -> int:
        """The largest file a caller may send."""
        return self.max_upload_mb * MEBIBYTE

    @property
    def max_body_bytes(self) -> int:
        """The largest request body: the file, and 1 MiB for the other fields and the frame."""
        return self.max_upload_bytes + MEBIBYTE

    @property
    def shared_path(self) -> Path:
        """The file for what several processes on one box must know of each other."""
        return self.instance_path / "shared.sqlite3"

    @property
    def counts_in_memory(self) -> bool:
        """Whether calls are counted in memory, which the processes of one `serve` share."""
        return self.rate_limit_storage_uri.value == IN_MEMORY

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str] | None = None,
        dotenv: Path | None = PROJECT / ".env",
        *,
        words: Mapping[str, str] = MappingProxyType({}),
    ) -> "Settings":
        """Read and check every setting. Raises BadSetting for the first bad one.

        `words` are settings by name that the command line gives: they beat the others.
        """
        given: dict[str, str | None] = {}
        if dotenv is not None and dotenv.is_file():
            given.update(dotenv_values(dotenv))
        environ = os.environ if environ is None else environ
        given.update(environ)
        given.update(words)
        values: dict[str, Any] = {option.name.lower(): _read(option, given) for option in OPTIONS}
        if values["database_url"] is None:
            values["database_url"] = Secret(f"sqlite:///{values['instance_path']}/tgm.sqlite3")
        sources = {option.name: _source(option, given, environ) for option in OPTIONS}
        return cls(**values, sources=sources | dict.fromkeys(words, Source.COMMAND_LINE))


def _read(option: Option, given: Mapping[str, str | None]) -> Any:
    text = (given.get(option.name) or "").strip()
    if not text:
        return option.default
    try:
        return option.parse(text)
    except _Wrong as wrong:
        shown = "its value" if option.secret else repr(text)
        raise BadSetting(
            f"{option.name}: {shown} {wrong}. Example: {option.name}={option.example}"
        ) from None


def _source(option: Option, given: Mapping[str, str | None], environ: Mapping[str, str]) -> Source:
    if not (given.get(option.name) or "").strip():
        return Source.DEFAULT
    return Source.ENVIRONMENT if option.name in environ else Source.DOTENV


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
            raise _Wrong(f"is not a whole number from {low} to {high}")
        return int(text)

    return parse


def _on_or_off(text: str) -> str:
    if text.lower() not in {"on", "off"}:
        raise _Wrong("is neither on nor off")
    return text.lower()


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    try:
        good = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
    except ValueError:
        good = False
    if not good or not text.isascii() or any(character.isspace() for character in text):
        raise _Wrong("is not an address that starts with http:// or https://")
    if parts.query or parts.fragment or parts.username is not None:
        raise _Wrong("must be an address only, without user name, ? or #")
    return text.rstrip("/")


def _proxy_address(text: str) -> Secret:
    parts = urlsplit(text)
    try:
        good = parts.scheme == "http" and parts.hostname and parts.port
    except ValueError:
        good = False
    if not good or parts.path.strip("/") or parts.query:
        raise _Wrong("is not an HTTP proxy's address with its port")
    return Secret(text.rstrip("/"))


def _existing(kind: str) -> Callable[[str], Path]:
    def parse(text: str) -> Path:
        path = Path(text).expanduser()
        if not (path.is_dir() if kind == "folder" else path.is_file()):
            raise _Wrong(f"is not a {kind} that exists")
        if not os.access(path, os.R_OK):
            raise _Wrong(f"is a {kind} that cannot be read")
        return path.resolve()

    return parse


def _folder(text: str) -> Path:
    path = Path(text).expanduser()
    if path.exists() and not path.is_dir():
        raise _Wrong("is not a folder")
    return path.resolve()


def _database(text: str) -> Secret:
    try:
        url = make_url(text)
    except ArgumentError:
        raise _Wrong("is not a database URL") from None
    backend = url.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise _Wrong("names neither sqlite nor postgresql")
    if backend == "sqlite" and not url.database:
        raise _Wrong("names no file: a database in memory would be lost, and cannot be shared")
    try:
        url.get_dialect().import_dbapi()
    except ImportError as missing:
        raise _Wrong(f"needs the package {missing.name}, which is not installed") from None
    return Secret(text)


def _limit_storage(text: str) -> Secret:
    try:
        # Making one in memory would start a thread, and a process that has any must not fork.
        if text != IN_MEMORY:
            storage_from_string(text)
    except ConfigurationError:
        raise _Wrong("is not a storage that the package limits can use here") from None
    return Secret(text)


def _secret_key(text: str) -> Secret:
    if len(text) < 32:
        raise _Wrong("is shorter than 32 characters")
    return Secret(text)


def _encryption_keys(text: str) -> tuple[Secret, ...]:
    keys = tuple(part.strip() for part in text.split(","))
    for position, key in enumerate(keys, 1):
        try:
            size = len(b64decode(key, validate=True))
        except (Base64Error, ValueError):
            size = 0
        if size != KEY_BYTES:
            raise _Wrong(f"has no 32 bytes in base64 at place {position}")
    return tuple(Secret(key) for key in keys)


def _host(text: str) -> str:
    name = text.strip("[]")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        if not all(part.replace("-", "").isalnum() for part in name.split(".")):
            raise _Wrong("is neither an IP address nor a host name") from None
        return name


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(","))
    except ValueError:
        raise _Wrong("is no list of networks such as 192.168.1.0/24, with commas") from None


def _level(text: str) -> str:
    if text.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise _Wrong("is none of DEBUG, INFO, WARNING and ERROR")
    return text.upper()


OPTIONS = (
    Option(
        "TELEGRAM_API_BASE_URL",
        _web_address,
        "https://api.telegram.org",
        "https://api.telegram.org",
    ),
    Option("TELEGRAM_PROXY_URL", _proxy_address, None, "http://127.0.0.1:3128", secret=True),
    Option("TELEGRAM_CA_FILE", _existing("file"), None, "/etc/ssl/certs/ca-certificates.crt"),
    Option("TELEGRAM_FILES_DIR", _existing("folder"), None, "/var/lib/telegram-bot-api"),
    Option("TELEGRAM_TIMEOUT_SECONDS", _whole(1, 600), 65, "65"),
    Option("DATABASE_URL", _database, None, "sqlite:////srv/tgm/tgm.sqlite3", secret=True),
    Option("INSTANCE_PATH", _folder, PROJECT / "instance", "/srv/tgm"),
    Option("HOST", _host, "127.0.0.1", "0.0.0.0"),  # noqa: S104 - an example in a message
    Option("PORT", _whole(0, 65535), 8080, "8080"),
    Option("THREADS", _whole(4, 1024), 128, "128"),
    Option("PROCESSES", _whole(1, 64), 1, "2"),
    Option("PIN_TO_CORE", _on_or_off, "on", "off"),
    Option("RATE_LIMIT_PER_MINUTE", _whole(1, 1_000_000), 60, "60"),
    Option(
        "RATE_LIMIT_STORAGE_URI",
        _limit_storage,
        Secret(IN_MEMORY),
        "redis://127.0.0.1:6379/0",
        secret=True,
    ),
    Option("SECRET_KEY", _secret_key, None, "<64 random characters>", secret=True),
    Option("ENCRYPTION_KEYS", _encryption_keys, (), "<newest key>,<older key>", secret=True),
    Option("TRUSTED_PROXIES", _whole(0, 10), 0, "1"),
    Option("MAX_UPLOAD_MB", _whole(1, 4000), 50, "50"),
    Option("REQUEST_LOG_DAYS", _whole(1, 3650), 14, "14"),
    Option("LOG_LEVEL", _level, "INFO", "INFO"),
    Option("WEBHOOK_BASE_URL", _web_address, None, "https://tgm.example.com"),
    Option("WEBHOOK_ALLOWED_NETWORKS", _networks, (), "192.168.1.0/24,10.0.0.5/32"),
    Option("UPDATE_RETENTION_DAYS", _whole(1, 3650), 30, "30"),
    Option("UPDATE_RETENTION_GB", _whole(1, 10_000), 5, "5"),
    Option("DELIVERIES_AT_ONCE", _whole(1, 256), 16, "16"),
    Option("DELIVERY_HOLD_MINUTES", _whole(0, 10_000), 10, "10"),
    Option("DELIVERY_DRAIN_PER_SECOND", _whole(1, 1000), 10, "10"),
)
