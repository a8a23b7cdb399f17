"""The OpenAPI document: TGM's own addresses, and every method of the Bot API under them.

The methods and their parameters come from the catalogue; the frame around them is written here.
"""

import re
from collections import Counter
from typing import Any

from tgm.docs import answers, further, schemas
from tgm.docs.further import FORM, JSON, MULTIPART, reference
from tgm.telegram import catalog, parameters

_ABOUT = """\
TGM passes calls on to the Telegram Bot API. What it takes and answers is the Bot API's own: here
are the names, types and required parameters of each method, as of Bot API {bot_api}. A method that
is newer is passed on too.

Parameters go as JSON, as a form, or behind the question mark of a GET. Where a file can be sent,
that is done in `multipart/form-data`; everywhere else an id or a URL of the file goes in its place.
Fields with lists or objects hold JSON in forms and addresses. Method names may be written in any
case.
"""
# A verb of its own among the methods' names from so many on; the others stand together.
_OFTEN = 4
_OTHERS = "other methods"
# A POST of these may be made later, but not of the last.
_LATER = {"send", "forward", "copy", "edit", "delete"}
_NEVER_LATER = "deleteWebhook"
_VERB = re.compile(r"[a-z]+")


def document(base_url: str, version: str) -> dict[str, Any]:
    """Return the whole document. `base_url` is this installation's own, without a last slash."""
    about = _ABOUT.format(bot_api=catalog.VERSION)
    return {
        "openapi": "3.1.0",
        "info": {"title": "TGM", "version": version, "description": about},
        "servers": [{"url": base_url}],
        "security": [{"apiKey": []}, {"bearer": []}],
        "tags": [{"name": name} for name in [*_tags(), *further.TAGS]],
        "paths": {**_calls(), **further.paths()},
        "webhooks": {"update": {"post": further.delivery()}},
        "components": {
            "schemas": {**schemas.of_types(), **_taken(), **answers.SCHEMAS},
            "responses": answers.components(),
            "headers": answers.HEADERS,
            "parameters": _PARAMETERS,
            "securitySchemes": _SCHEMES,
        },
    }


_SCHEMES = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "The API key again."},
    "telegram": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Telegram-Bot-Api-Secret-Token",
        "description": "Telegram's, which TGM gave it for this bot.",
    },
}
_PARAMETERS: dict[str, Any] = {
    "botId": {
        "name": "botId",
        "in": "path",
        "required": True,
        "description": "The bot's id in TGM, 26 characters. Not the token.",
        "schema": {"type": "string", "pattern": "^[0-9A-HJKMNP-TV-Z]{26}$"},
    },
    "token": {
        "name": "token",
        "in": "path",
        "required": True,
        "description": "The bot's number at Telegram, a colon, and the API key without tgm_live_.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,20}:.+$"},
    },
    "prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "respond-async: queue the call and answer 202 at once. wait=10: hold it for"
        " so many seconds at most where the bot has to wait its turn.",
        "schema": {"type": "string"},
    },
    "idempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The call's own name: a repeat within 24 hours gets the first answer again.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
}


def _tags() -> list[str]:
    """Return the verbs that many methods begin with, and what the others stand under."""
    verbs = Counter(_verb(method) for method in catalog.METHODS)
    return [*sorted(verb for verb, count in verbs.items() if count >= _OFTEN), _OTHERS]


def _verb(method: str) -> str:
    found = _VERB.match(method)
    return found.group() if found else method


def _calls() -> dict[str, Any]:
    """Return each method's address."""
    shared = [reference("botId"), reference("idempotencyKey")]
    tags = _tags()
    found = {}
    for method in catalog.METHODS:
        tag = _verb(method) if _verb(method) in tags else _OTHERS
        post = {"operationId": method, **_summary(method, tag), **_body(method)}
        get = {
            "operationId": f"{method}.get",
            **_summary(method, tag),
            "parameters": schemas.in_query(method),
        }
        item: dict[str, Any] = {"parameters": shared}
        item["get"] = {**get, "responses": answers.of(answers.CALL)}
        item["post"] = {**post, "responses": answers.of(answers.CALL)}
        if _may_wait(method):
            item["post"]["parameters"] = [reference("prefer")]
            item["post"]["responses"] = answers.of(answers.QUEUED)
        found[f"/api/v1/bots/{{botId}}/{method}"] = item
    return found


def _may_wait(method: str) -> bool:
    return _verb(method) in _LATER and method != _NEVER_LATER


def _summary(method: str, tag: str) -> dict[str, Any]:
    return {"summary": method, "tags": [tag]}


def _taken() -> dict[str, Any]:
    """Return what each method takes, under its name. Types begin with a capital, methods do not."""
    return {method: schemas.of_parameters(method) for method in catalog.METHODS}


def _body(method: str) -> dict[str, Any]:
    given = parameters.of(method)
    if not given:
        return {}
    form: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{method}"}}
    encoding = schemas.encodings(method)
    written = {"encoding": encoding} if encoding else {}
    content = {JSON: form, FORM: {**form, **written}, MULTIPART: {**form, **written}}
    if any(map(schemas.takes_file, given)):
        content[MULTIPART] = {"schema": schemas.with_files(method), **written}
    if schemas.needs_file(method):
        content = {MULTIPART: content[MULTIPART]}
    is_required = any(one.required for one in given)
    return {"requestBody": {"required": is_required, "content": content}}
