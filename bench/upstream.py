"""nginx in Telegram's place, and the bots that it knows."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import machine
from bench.processes import Program, free_port, running

PLAIN_TOKEN = "123456789:AAbotWhoseAnswersComeAtOnce_0123456789a"
SLOW_TOKEN = "987654321:AAbotWhoseAnswersTakeFiftyMillisecond"
SLOW_SECONDS = 0.05
FILE_BYTES = 50 * 1024 * 1024
POLL_SECONDS = 20
BODY = json.dumps({"chat_id": 523067421, "text": "Ada orderan masuk #2437234. Konfirmasi?"})

_FRAME = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/{name}.pid;
error_log stderr error;
{more}
events {{ worker_connections 20000; }}
http {{
    access_log off;
    server_tokens off;
    tcp_nodelay on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    client_max_body_size 60m;
    client_body_temp_path {folder}/{name}-body;
    proxy_temp_path {folder}/{name}-proxy;
    fastcgi_temp_path {folder}/{name}-fastcgi;
    uwsgi_temp_path {folder}/{name}-uwsgi;
    scgi_temp_path {folder}/{name}-scgi;
{http}
}}
"""

_TELEGRAM = """
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        root {folder}/files;
        location ~ ^/file/bot[^/]+/(.+)$ {{ try_files /$1 =404; }}
        location = /bot{plain}/sendMessage {{ return 200 '{message}'; }}
        location = /bot{plain}/getMe {{ return 200 '{me}'; }}
        location = /bot{slow}/getMe {{ return 200 '{other}'; }}
        location ~ /getFile$ {{ return 200 '{file}'; }}
        location ~ /getUpdates$ {{
            echo_read_request_body;
            echo_sleep {poll};
            echo '{{"ok":true,"result":[]}}';
        }}
        location ~ /getUserProfilePhotos$ {{ return 200 '{photos}'; }}
        location ~ /getWebhookInfo$ {{ return 200 '{webhook}'; }}
        location ~ /(set|delete)Webhook$ {{ return 200 '{{"ok":true,"result":true}}'; }}
        location = /bot{plain}/sendDocument {{
            # By itself nginx answers before it has read a body to its end.
            echo_read_request_body;
            echo -n '{message}';
        }}
        location /bot{plain}/ {{ return 200 '{message}'; }}
        location /bot{slow}/ {{
            echo_read_request_body;
            echo_sleep {delay};
            echo -n '{message}';
        }}
    }}
"""


@contextmanager
def nginx(
    folder: Path, name: str, http: str, port: int, on: Sequence[int], more: str = ""
) -> Iterator[Program]:
    """Run nginx, with one worker, by what stands in its http block."""
    path = folder / f"{name}.conf"
    path.write_text(_FRAME.format(folder=folder, name=name, http=http, more=more))
    command = [machine.nginx() or "nginx", "-p", str(folder), "-e", "stderr", "-c", str(path)]
    with running(command, port, log=folder / f"{name}.log", on=on) as program:
        yield program


@contextmanager
def telegram(folder: Path, on: Sequence[int]) -> Iterator[Program]:
    """Run what answers like Telegram: one bot's calls at once, the other's after SLOW_SECONDS."""
    port, files = free_port(), folder / "files"
    files.mkdir(exist_ok=True)
    with (files / "document.bin").open("wb") as document:
        document.truncate(FILE_BYTES)
    http = _TELEGRAM.format(
        port=port,
        folder=folder,
        plain=PLAIN_TOKEN,
        slow=SLOW_TOKEN,
        delay=SLOW_SECONDS,
        poll=POLL_SECONDS,
        me=_answer(_bot()),
        other=_answer({**_bot(), "id": 987654321, "username": "tgm_lambat_bot"}),
        file=_answer({"file_id": "d", "file_size": FILE_BYTES, "file_path": "document.bin"}),
        photos=_answer({"total_count": 0, "photos": []}),
        webhook=_answer({"url": "", "has_custom_certificate": False, "pending_update_count": 0}),
        message=_answer(_message()),
    )
    module = f"load_module {machine.ECHO_MODULE};"
    with nginx(folder, "telegram", http, port, on, module) as program:
        yield program


def _answer(result: dict[str, object]) -> str:
    return json.dumps({"ok": True, "result": result}, separators=(",", ":"))


def _bot() -> dict[str, object]:
    return {"id": 123456789, "is_bot": True, "first_name": "Kasir", "username": "tgm_kasir_bot"}


def _message() -> dict[str, object]:
    """Return what Telegram answers to BODY: about 300 bytes."""
    person = {"id": 523067421, "first_name": "Ani", "username": "ani_wijaya", "type": "private"}
    text = "Ada orderan masuk #2437234. Konfirmasi?"
    return {"message_id": 4711, "from": _bot(), "chat": person, "date": 1767225600, "text": text}
