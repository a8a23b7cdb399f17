"""Every setting: read once at the start from the environment and `.env`, checked, then frozen.

This is the only module that reads the environment. The environment beats `.env`; an empty value
counts as not given. README documents each setting, and a test compares the two.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dotenv import dotenv_values

from tgm import values
from tgm.security.secret import Secret
from tgm.values import IN_MEMORY, Network

PROJECT = Path(__file__).resolve().parent.parent
MEBIBYTE = 1024 * 1024


class BadSetting(Exception):
    """A setting cannot be used. Its text names the setting, what is wrong, and an example."""


class Source(StrEnum):
    """Where a setting's value comes from."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    DOTENV = ".env"
    COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Option:
    """One setting. `parse` raises `values.Wrong`, and no error repeats a secret one's value."""

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

    @property
    def has_others(self) -> bool:
        """Whether other processes with this instance folder may serve beside this one."""
        return self.processes > 1 or not self.counts_in_memory

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
        read: dict[str, Any] = {option.name.lower(): _read(option, given) for option in OPTIONS}
        if read["database_url"] is None:
            read["database_url"] = Secret(f"sqlite:///{read['instance_path']}/tgm.sqlite3")
        sources = {option.name: _source(option, given, environ) for option in OPTIONS}
        return cls(**read, sources=sources | dict.fromkeys(words, Source.COMMAND_LINE))


def _read(option: Option, given: Mapping[str, str | None]) -> Any:
    text = (given.get(option.name) or "").strip()
    if not text:
        return option.default
    try:
        return option.parse(text)
    except values.Wrong as wrong:
        shown = "its value" if option.secret else repr(text)
        raise BadSetting(
            f"{option.name}: {shown} {wrong}. Example: {option.name}={option.example}"
        ) from None


def _source(option: Option, given: Mapping[str, str | None], environ: Mapping[str, str]) -> Source:
    if not (given.get(option.name) or "").strip():
        return Source.DEFAULT
    return Source.ENVIRONMENT if option.name in environ else Source.DOTENV


OPTIONS = (
    Option(
        "TELEGRAM_API_BASE_URL",
        values.web_address,
        "https://api.telegram.org",
        "https://api.telegram.org",
    ),
    Option("TELEGRAM_PROXY_URL", values.proxy_address, None, "http://127.0.0.1:3128", secret=True),
    Option("TELEGRAM_CA_FILE", values.existing("file"), None, "/etc/ssl/certs/ca-certificates.crt"),
    Option("TELEGRAM_FILES_DIR", values.existing("folder"), None, "/var/lib/telegram-bot-api"),
    Option("TELEGRAM_TIMEOUT_SECONDS", values.whole(1, 600), 65, "65"),
    Option("DATABASE_URL", values.database, None, "sqlite:////srv/tgm/tgm.sqlite3", secret=True),
    Option("INSTANCE_PATH", values.folder, PROJECT / "instance", "/srv/tgm"),
    Option("HOST", values.host, "127.0.0.1", "0.0.0.0"),  # noqa: S104 - an example in a message
    Option("PORT", values.whole(0, 65535), 8080, "8080"),
    Option("THREADS", values.whole(4, 1024), 256, "256"),
    Option("PROCESSES", values.whole(1, 64), 1, "2"),
    Option("PIN_TO_CORE", values.on_or_off, "on", "off"),
    Option("RATE_LIMIT_PER_MINUTE", values.whole(1, 1_000_000), 60, "60"),
    Option(
        "RATE_LIMIT_STORAGE_URI",
        values.limit_storage,
        Secret(IN_MEMORY),
        "redis://127.0.0.1:6379/0",
        secret=True,
    ),
    Option("SECRET_KEY", values.secret_key, None, "<64 random characters>", secret=True),
    Option("ENCRYPTION_KEYS", values.encryption_keys, (), "<newest key>,<older key>", secret=True),
    Option("TRUSTED_PROXIES", values.whole(0, 10), 0, "1"),
    Option("MAX_UPLOAD_MB", values.whole(1, 4000), 50, "50"),
    Option("REQUEST_LOG_DAYS", values.whole(1, 3650), 14, "14"),
    Option("LOG_LEVEL", values.level, "INFO", "INFO"),
    Option("WEBHOOK_BASE_URL", values.web_address, None, "https://tgm.example.com"),
    Option("WEBHOOK_ALLOWED_NETWORKS", values.networks, (), "192.168.1.0/24,10.0.0.5/32"),
    Option("UPDATE_RETENTION_DAYS", values.whole(1, 3650), 30, "30"),
    Option("UPDATE_RETENTION_GB", values.whole(1, 10_000), 5, "5"),
    Option("DELIVERIES_AT_ONCE", values.whole(1, 256), 16, "16"),
    Option("DELIVERY_HOLD_MINUTES", values.whole(0, 10_000), 10, "10"),
    Option("DELIVERY_DRAIN_PER_SECOND", values.whole(1, 1000), 10, "10"),
)
