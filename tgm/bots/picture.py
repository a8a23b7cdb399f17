"""Asking Telegram for a bot's own photo."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tgm.telegram import local_files
from tgm.telegram.client import TelegramClient
from tgm.telegram.errors import Failure, TelegramUnreachable
from tgm.telegram.token import BotToken

MOST_BYTES = 64 * 1024
# It is shown 40 pixels wide, on fine screens with three pixels to each. Telegram's smallest: 160.
_LEAST_PIXELS = 120
_UNIQUE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_BEGINNINGS = {
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}


@dataclass(frozen=True)
class Size:
    """One size of a photo. `unique_id` is the same as long as the photo is, and safe in a URL."""

    file_id: str
    unique_id: str
    pixels: int


@dataclass(frozen=True)
class Picture:
    """A photo: `content_type` is what its first bytes say, whatever it was sent as."""

    unique_id: str
    content_type: str
    content: bytes


def newest(telegram: TelegramClient, token: BotToken) -> Size | None:
    """Return the bot's photo in the size to show, None where it has none.

    Raises TelegramRefused and TelegramUnreachable.
    """
    # A bot may ask for its own photos as for those of anybody it has met; the newest comes first.
    found = telegram.call(token, "getUserProfilePhotos", user_id=token.telegram_id, limit=1)
    try:
        photos = found["photos"]
        sizes = [_size(given) for given in photos[0]] if photos != [] else []
    except (LookupError, TypeError, ValueError, OverflowError):
        raise TelegramUnreachable(Failure.PROTOCOL) from None
    large = [size for size in sizes if size.pixels >= _LEAST_PIXELS]
    if large:
        return min(large, key=lambda size: size.pixels)
    return max(sizes, key=lambda size: size.pixels, default=None)


def download(
    telegram: TelegramClient, token: BotToken, size: Size, files_dir: Path | None
) -> Picture | None:
    """Return the photo, None where it is too large or no picture that every browser shows.

    With `files_dir`, a local Bot API server's folder, it is read from there. Raises TelegramRefused
    and TelegramUnreachable.
    """
    found = telegram.call(token, "getFile", file_id=size.file_id)
    path = found.get("file_path") if isinstance(found, dict) else None
    if not isinstance(path, str):
        raise TelegramUnreachable(Failure.PROTOCOL)
    if files_dir is not None and not telegram.is_cloud(token):
        content = _from_disk(local_files.find(files_dir, token, local_files.relative(path, token)))
    else:
        content = _from_telegram(telegram, token, path)
    kind = content_type(content)
    if kind is None or len(content) > MOST_BYTES:
        return None
    return Picture(size.unique_id, kind, content)


def _from_telegram(telegram: TelegramClient, token: BotToken, path: str) -> bytes:
    with telegram.open_file(token, quote(path, errors="replace"), {}) as answer:
        if answer.status != 200:
            raise TelegramUnreachable(Failure.PROTOCOL)
        return answer.read_up_to(MOST_BYTES)


def _from_disk(path: Path | None) -> bytes:
    try:
        if path is not None:
            with path.open("rb") as file:
                return file.read(MOST_BYTES + 1)
    except OSError:
        pass
    raise TelegramUnreachable(Failure.PROTOCOL)


def content_type(content: bytes) -> str | None:
    """Return which kind of picture this is by its first bytes, None for anything else."""
    kinds = (kind for kind, beginning in _BEGINNINGS.items() if beginning.match(content))
    return next(kinds, None)


def _size(given: dict[str, Any]) -> Size:
    file_id, unique_id = given["file_id"], given["file_unique_id"]
    if not isinstance(file_id, str) or not _UNIQUE_ID.fullmatch(unique_id):
        raise TypeError
    return Size(file_id, unique_id, min(int(given["width"]), int(given["height"])))
