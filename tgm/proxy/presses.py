"""Noticing that a program has answered a button press itself."""

from collections.abc import Mapping
from typing import Any

from tgm.proxy import parameters

ANSWERS = "answercallbackquery"


def answered_press(environ: Mapping[str, Any], query: str) -> str | None:
    """Return the callback_query_id of an answerCallbackQuery call, None where none is found.

    Reads the body, which must be rewound before and may be left anywhere.
    """
    found = parameters.read(environ, query).get("callback_query_id")
    return found if isinstance(found, str) else None
