"""A call, and the request that makes it: JSON, or a form with files."""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO

from tgm.proxy.target import PREFIX

_TYPE = re.compile(r"[\w.+-]{1,64}/[\w.+-]{1,64}", re.ASCII)
_UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Upload:
    """A file on its way. `stream` can be read more than once."""

    name: str
    stream: BinaryIO
    type: str = _UNKNOWN_TYPE


@dataclass(frozen=True)
class Call:
    """A method call: `uploads` are files by parameter."""

    bot_id: str
    method: str
    parameters: Mapping[str, Any]
    uploads: Mapping[str, Upload] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The address that a program would call."""
        return f"{PREFIX}{self.bot_id}/{self.method}"


def environ(call: Call, idempotency_key: str) -> dict[str, Any]:
    """Return the request as the proxy takes it."""
    content_type, body, length = _form(call) if call.uploads else _json(call)
    return {
        "REQUEST_METHOD": "POST",
        "REQUEST_URI": call.path,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(length),
        "HTTP_IDEMPOTENCY_KEY": idempotency_key,
        "wsgi.input": body,
    }


def as_text(value: Any) -> str:
    """Return a parameter's value as a form sends it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _json(call: Call) -> tuple[str, BinaryIO, int]:
    body = json.dumps(call.parameters, ensure_ascii=False).encode()
    return "application/json", BytesIO(body), len(body)


def _form(call: Call) -> tuple[str, "Joined", int]:
    boundary = secrets.token_hex(16)
    parts: list[bytes | BinaryIO] = []
    for name, value in call.parameters.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
        parts.append(f"{head}{as_text(value)}\r\n".encode())
    for name, upload in call.uploads.items():
        of_type = upload.type if _TYPE.fullmatch(upload.type) else _UNKNOWN_TYPE
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}";'
            f' filename="{_quoted(upload.name)}"\r\nContent-Type: {of_type}\r\n\r\n'
        )
        parts += [head.encode(), upload.stream, b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    body = Joined(parts)
    return f"multipart/form-data; boundary={boundary}", body, body.length


def _quoted(text: str) -> str:
    # As browsers write names in a form.
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


class Joined:
    """Several parts read as one file, without a copy of the large ones."""

    def __init__(self, parts: Sequence[bytes | BinaryIO]) -> None:
        self._parts = [BytesIO(part) if isinstance(part, bytes) else part for part in parts]
        self.length = sum(part.seek(0, 2) for part in self._parts)
        self.seek(0)

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, none at the end. Less is no sign of the end."""
        while self._at < len(self._parts):
            if block := self._parts[self._at].read(size):
                return block
            self._at += 1
        return b""

    def seek(self, place: int) -> int:
        """Go back to the start, the only place one can go to."""
        if place != 0:
            raise ValueError("only the start can be gone to")
        for part in self._parts:
            part.seek(0)
        self._at = 0
        return 0
