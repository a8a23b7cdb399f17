"""Files of a local Bot API server, which it keeps in a folder for each bot, named by its token."""

from pathlib import Path

from tgm.telegram.token import BotToken

_SERVERS_OWN = (".binlog", ".sqlite", ".db", "-wal", "-shm", "-journal")


def relative(path: str, token: BotToken) -> str:
    """Return the part of a `file_path` below the bot's folder; a local server's is absolute."""
    for name in _folders(token):
        if name in path:
            return path.rpartition(name)[2].replace("\\", "/").lstrip("/")
    return path


def find(files_dir: Path, token: BotToken, path: str) -> Path | None:
    """Return where a download lies, None unless it is one and inside the bot's own folder."""
    for name in _folders(token):
        folder = (files_dir / name).resolve()
        found = (folder / path).resolve()
        # Resolved first: a link that leads out of the bot's folder is not followed.
        is_inside = found.is_relative_to(folder)
        if is_inside and _is_download(found.relative_to(folder)) and found.is_file():
            return found
    return None


def _folders(token: BotToken) -> tuple[str, str]:
    # A server on Windows cannot have a colon in the name of a folder.
    return token.value, token.value.replace(":", "~")


def _is_download(path: Path) -> bool:
    # What users sent lies in folders, by kind. Beside those the server keeps its own session, which
    # is worth as much as the token.
    return len(path.parts) > 1 and not path.name.endswith(_SERVERS_OWN)
