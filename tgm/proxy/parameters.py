"""Reading a call's parameters, for the few methods that TGM answers or listens to itself."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.formparser import parse_form_data

LONGEST_BODY = 64 * 1024


def read(environ: Mapping[str, Any], query: str, *, longest: int = LONGEST_BODY) -> dict[str, Any]:
    """Return the parameters by name: text from a form or query, values from JSON; of a file that
    was sent along only what it is called.

    Reads the body, which must be rewound before and may be left anywhere. One that is longer than
    `longest` bytes, or cannot be read, counts as empty.
    """
    found: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    text = environ.get("CONTENT_LENGTH") or "0"
    if not text.isdecimal() or int(text) > longest:
        return found
    if "json" in str(environ.get("CONTENT_TYPE", "")).lower():
        return found | _json(environ["wsgi.input"].read(int(text)))
    _, form, files = parse_form_data(dict(environ), silent=True)
    names = {name: upload.filename for name, upload in files.items()}
    for uploads in files.listvalues():
        for upload in uploads:
            upload.close()
    return found | form.to_dict() | names


def _json(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
