"""Noticing that a program has answered a button press itself."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from werkzeug.formparser import parse_form_data

_LONGEST_BODY = 64 * 1024


def answered_press(environ: Mapping[str, Any], query: str) -> str | None:
    """Return the callback_query_id of an answerCallbackQuery call, None where none is found.

    Reads the body, which must be rewound before and may be left anywhere.
    """
    found = parse_qs(query).get("callback_query_id")
    if found:
        return found[-1]
    text = environ.get("CONTENT_LENGTH") or "0"
    if not text.isdecimal() or int(text) > _LONGEST_BODY:
        return None
    if "json" in str(environ.get("CONTENT_TYPE", "")).lower():
        return _in_json(environ["wsgi.input"].read(int(text)))
    _, form, _ = parse_form_data(dict(environ), silent=True)
    return form.get("callback_query_id")


def _in_json(body: bytes) -> str | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = said.get("callback_query_id") if isinstance(said, dict) else None
    return found if isinstance(found, str) else None
