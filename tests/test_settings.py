"""Settings: read, checked, and refused by name."""

from base64 import b64encode
from pathlib import Path

import pytest

from tgm.settings import OPTIONS, PROJECT, BadSetting, Settings, Source


def load(**given: str) -> Settings:
    return Settings.load(given, dotenv=None)


def test_the_defaults_serve_on_this_box_alone() -> None:
    settings = load()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.telegram_api_base_url == "https://api.telegram.org"
    assert settings.rate_limit_per_minute == 60
    assert settings.trusted_proxies == 0
    assert settings.max_upload_mb == 50
    assert settings.max_body_bytes > settings.max_upload_bytes == 50 * 1024 * 1024
    assert settings.instance_path == PROJECT / "instance"
    assert settings.database_url.value == f"sqlite:///{PROJECT}/instance/tgm.sqlite3"


def test_the_database_lies_in_the_instance_folder(tmp_path: Path) -> None:
    settings = load(INSTANCE_PATH=str(tmp_path))
    assert settings.database_url.value == f"sqlite:///{tmp_path}/tgm.sqlite3"


def test_the_environment_beats_the_file_and_the_file_beats_the_default(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("PORT=9001\nTHREADS=9\n# a comment\nLOG_LEVEL=debug\n")
    settings = Settings.load({"PORT": "9002"}, dotenv)
    assert (settings.port, settings.threads, settings.log_level) == (9002, 9, "DEBUG")


def test_an_empty_value_counts_as_not_given() -> None:
    assert load(PORT="", HOST=" ").port == 8080


BAD = [
    ("TELEGRAM_API_BASE_URL", "api.telegram.org"),
    ("TELEGRAM_API_BASE_URL", "ftp://x"),
    ("TELEGRAM_API_BASE_URL", "http://x/?a=1"),
    ("TELEGRAM_API_BASE_URL", "http://user:pass@x"),
    ("TELEGRAM_API_BASE_URL", "http://x:99999"),
    ("TELEGRAM_PROXY_URL", "socks5://127.0.0.1:1080"),
    ("TELEGRAM_PROXY_URL", "http://127.0.0.1"),
    ("TELEGRAM_CA_FILE", "/does/not/exist"),
    ("TELEGRAM_FILES_DIR", "/does/not/exist"),
    ("TELEGRAM_TIMEOUT_SECONDS", "0"),
    ("DATABASE_URL", "nonsense"),
    ("DATABASE_URL", "mysql://x/y"),
    ("DATABASE_URL", "sqlite://"),
    ("INSTANCE_PATH", "/etc/hostname"),
    ("HOST", "not a host!"),
    ("PORT", "abc"),
    ("PORT", "70000"),
    ("PORT", "-1"),
    ("THREADS", "0"),
    ("RATE_LIMIT_PER_MINUTE", "0"),
    ("RATE_LIMIT_PER_MINUTE", "1.5"),
    ("PROCESSES", "0"),
    ("PIN_TO_CORE", "perhaps"),
    ("RATE_LIMIT_STORAGE_URI", "nonsense://"),
    ("SECRET_KEY", "short"),
    ("ENCRYPTION_KEYS", "not base64"),
    ("ENCRYPTION_KEYS", b64encode(b"x" * 16).decode()),
    ("TRUSTED_PROXIES", "many"),
    ("MAX_UPLOAD_MB", "0"),
    ("REQUEST_LOG_DAYS", "0"),
    ("LOG_LEVEL", "loud"),
    ("WEBHOOK_BASE_URL", "tgm.example.com"),
    ("WEBHOOK_ALLOWED_NETWORKS", "192.168.1.1/24"),
    ("WEBHOOK_ALLOWED_NETWORKS", "everything"),
    ("UPDATE_RETENTION_DAYS", "0"),
    ("UPDATE_RETENTION_GB", "0"),
    ("DELIVERIES_AT_ONCE", "0"),
    ("DELIVERY_HOLD_MINUTES", "-1"),
    ("DELIVERY_DRAIN_PER_SECOND", "0"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_one_is_named_with_what_is_wrong_and_an_example(name: str, value: str) -> None:
    with pytest.raises(BadSetting) as refused:
        load(**{name: value})
    text = str(refused.value)
    assert text.startswith(f"{name}: ")
    assert f"Example: {name}=" in text
    assert "\n" not in text


def test_every_setting_has_a_bad_value_in_the_test_above() -> None:
    assert {name for name, _ in BAD} == {option.name for option in OPTIONS}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "canary"),
        ("ENCRYPTION_KEYS", "canary"),
        ("DATABASE_URL", "mysql://canary@x/y"),
        ("TELEGRAM_PROXY_URL", "http://me:canary@x"),
        ("RATE_LIMIT_STORAGE_URI", "nonsense://canary"),
    ],
)
def test_a_secret_one_is_not_repeated(name: str, value: str) -> None:
    with pytest.raises(BadSetting) as refused:
        load(**{name: value})
    assert "canary" not in str(refused.value)


def test_settings_print_no_secret(tmp_path: Path) -> None:
    key = b64encode(b"k" * 32).decode()
    settings = load(
        SECRET_KEY="canary-" * 8,
        ENCRYPTION_KEYS=key,
        DATABASE_URL="sqlite:////tmp/canary.sqlite3",
        TELEGRAM_PROXY_URL="http://me:canary@127.0.0.1:3128",
    )
    assert "canary" not in repr(settings)
    assert key not in repr(settings)


def test_the_command_line_beats_the_environment() -> None:
    settings = Settings.load({"PROCESSES": "2"}, None, words={"PROCESSES": "3"})
    assert settings.processes == 3
    assert settings.sources["PROCESSES"] is Source.COMMAND_LINE
    assert settings.sources["PORT"] is Source.DEFAULT
