"""Callers with large files: uploads and downloads of FILE_BYTES, several at once."""

import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from bench.upstream import FILE_BYTES

_BLOCK = 256 * 1024
_PATIENCE_SECONDS = 120
_FRAME = "a-boundary-that-no-file-holds"
_BEFORE = (
    f'--{_FRAME}\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\n523067421\r\n'
    f'--{_FRAME}\r\nContent-Disposition: form-data; name="document"; filename="a.bin"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n"
).encode()
_AFTER = f"\r\n--{_FRAME}--\r\n".encode()


class Broken(Exception):
    """A file did not arrive whole."""


def at_once(number: int, work: Callable[[], None]) -> float:
    """Do something `number` times at once; return the seconds until all are done."""
    began = time.monotonic()
    with ThreadPoolExecutor(number) as pool:
        for done in [pool.submit(work) for _ in range(number)]:
            done.result()
    return time.monotonic() - began


def upload(url: str, headers: Mapping[str, str], document: Path) -> None:
    """Send a file as a form. Raises Broken."""
    size = len(_BEFORE) + document.stat().st_size + len(_AFTER)
    lines = {
        "Content-Type": f"multipart/form-data; boundary={_FRAME}",
        "Content-Length": str(size),
        **headers,
    }
    with _asking("POST", url, lines) as connection, document.open("rb") as content:
        connection.sendall(_BEFORE)
        connection.sendfile(content)
        connection.sendall(_AFTER)
        head = connection.recv(_BLOCK)
    if b" 200 " not in head[:16]:
        raise Broken(f"The upload got {head[:300]!r}")


def download(url: str, headers: Mapping[str, str], pause: float) -> None:
    """Fetch a file, stopping for `pause` seconds after the first part of it. Raises Broken."""
    got = 0
    with _asking("GET", url, headers) as connection:
        while block := connection.recv(_BLOCK):
            if not got:
                time.sleep(pause)
            got += len(block)
    if got < FILE_BYTES:
        raise Broken(f"Of the download came {got} bytes")


def _asking(verb: str, url: str, headers: Mapping[str, str]) -> socket.socket:
    parts = urlsplit(url)
    connection = socket.create_connection(
        ("127.0.0.1", parts.port or 80), timeout=_PATIENCE_SECONDS
    )
    lines = {"Host": parts.netloc, "Connection": "close", **headers}
    fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    connection.sendall(f"{verb} {parts.path} HTTP/1.1\r\n{fields}\r\n".encode())
    return connection
