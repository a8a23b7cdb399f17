"""Downloads. Telegram's address of a file contains the token, so TGM fetches it for the caller."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.utils import send_file

from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.forward import get_file
from tgm.proxy.target import FILE_NOT_FOUND, FileTarget
from tgm.shared.errors import NotFound, TgmError
from tgm.telegram import local_files
from tgm.telegram.client import TelegramClient
from tgm.telegram.token import BotToken

_PASSED_ON = {
    "HTTP_RANGE": "Range",
    "HTTP_IF_RANGE": "If-Range",
    "HTTP_IF_NONE_MATCH": "If-None-Match",
    "HTTP_IF_MODIFIED_SINCE": "If-Modified-Since",
}


def download(
    telegram: TelegramClient,
    token: BotToken,
    target: FileTarget,
    environ: Mapping[str, Any],
    files_dir: Path | None,
) -> ProxyAnswer:
    """Return the file, or the part of it that was asked for.

    With `files_dir`, a local Bot API server's folder, it is read from the bot's folder there and
    nowhere else, unless the bot is at Telegram's own server. Raises NotFound, TelegramUnreachable.
    """
    if files_dir is not None and not telegram.is_cloud(token):
        found = local_files.find(files_dir, token, target.path)
        if found is None:
            raise NotFound(FILE_NOT_FOUND)
        return _from_disk(found, environ)
    headers = {name: environ[key] for key, name in _PASSED_ON.items() if key in environ}
    return get_file(telegram, token, target.quoted, headers)


def _from_disk(path: Path, environ: Mapping[str, Any]) -> ProxyAnswer:
    try:
        # As Telegram does: a browser must not take somebody's upload for a page of this host.
        response = send_file(
            path, dict(environ), mimetype="application/octet-stream", conditional=True
        )
    except OSError:
        raise NotFound(FILE_NOT_FOUND) from None
    except RequestedRangeNotSatisfiable:
        raise TgmError("Requested Range Not Satisfiable", code=416) from None
    body, _, headers = response.get_wsgi_response(dict(environ))
    return ProxyAnswer(response.status_code, list(headers), body)
