"""The OpenAPI document: TGM's own addresses, and every method of the Bot API under them.

The methods and their parameters come from the catalogue; the frame around them is written here.
"""

import re
from collections import Counter
from typing import Any

from tgm.docs import answers, schemas
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
_FILES = """\
`getFile` answers with a `file_path` such as `photos/file_0.jpg`: its folder and its name go here. A
path with more parts goes in as it is, slashes and all. The key needs the method `getFile`.
"""
# A verb of its own among the methods' names from so many on; the others stand together.
_OFTEN = 4
_OTHERS = "other methods"
_OWN_TAGS = ("files", "Telegram's own addresses", "updates", "this document")
_VERB = re.compile(r"[a-z]+")
_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"


def document(base_url: str, version: str) -> dict[str, Any]:
    """Return the whole document. `base_url` is this installation's own, without a last slash."""
    about = _ABOUT.format(bot_api=catalog.VERSION)
    return {
        "openapi": "3.1.0",
        "info": {"title": "TGM", "version": version, "description": about},
        "servers": [{"url": base_url}],
        "security": [{"apiKey": []}, {"bearer": []}],
        "tags": [{"name": name} for name in [*_tags(), *_OWN_TAGS]],
        "paths": {**_calls(), **_own(), **_dropin()},
        "webhooks": {"update": {"post": _delivery()}},
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
    shared = [_parameter("botId"), _parameter("idempotencyKey")]
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
        for verb, operation in (("post", post), ("get", get)):
            item[verb] = {**operation, "responses": answers.of(answers.CALL)}
        found[f"/api/v1/bots/{{botId}}/{method}"] = item
    return found


def _summary(method: str, tag: str) -> dict[str, Any]:
    return {"summary": method, "tags": [tag]}


def _parameter(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/parameters/{name}"}


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
    content = {_JSON: form, _FORM: {**form, **written}, _MULTIPART: {**form, **written}}
    if any(map(schemas.takes_file, given)):
        content[_MULTIPART] = {"schema": schemas.with_files(method), **written}
    if schemas.needs_file(method):
        content = {_MULTIPART: content[_MULTIPART]}
    is_required = any(one.required for one in given)
    return {"requestBody": {"required": is_required, "content": content}}


def _own() -> dict[str, Any]:
    """Return the addresses that are no method."""
    return {
        "/api/v1/bots/{botId}/file/{folder}/{name}": {
            "parameters": [_parameter("botId"), _text("folder"), _text("name")],
            "get": {
                "operationId": "downloadFile",
                "summary": "Download a file",
                "description": _FILES,
                "tags": ["files"],
                "parameters": [_text("Range", place="header", required=False)],
                "responses": answers.of_file(),
            },
        },
        "/api/v1/tg-webhook/{pathToken}": {
            "parameters": [_text("pathToken")],
            "post": {
                "operationId": "takeUpdate",
                "summary": "Take an update from Telegram",
                "tags": ["updates"],
                "security": [{"telegram": []}],
                "requestBody": {"required": True, **_update()},
                "responses": answers.of_intake(),
            },
        },
        "/openapi.json": {
            "get": {
                "operationId": "getDescription",
                "summary": "This document",
                "tags": ["this document"],
                "security": [],
                "responses": {
                    "200": {
                        "description": "The document.",
                        "content": {_JSON: {"schema": {"type": "object"}}},
                    },
                    "304": {"description": "The caller has it already."},
                },
            }
        },
    }


def _dropin() -> dict[str, Any]:
    """Return Telegram's own addresses, where programs call that were written for Telegram."""
    tag = {"tags": ["Telegram's own addresses"], "security": []}
    anything = {"schema": {"type": "object"}}
    body = {"requestBody": {"content": dict.fromkeys((_JSON, _FORM, _MULTIPART), anything)}}
    call = {"summary": "Call any method", **tag, "responses": answers.of(answers.CALL)}
    return {
        "/bot{token}/{method}": {
            "parameters": [_parameter("token"), _text("method"), _parameter("idempotencyKey")],
            "post": {"operationId": "callMethod", **call, **body},
            "get": {"operationId": "callMethod.get", **call},
        },
        "/file/bot{token}/{folder}/{name}": {
            "parameters": [_parameter("token"), _text("folder"), _text("name")],
            "get": {
                "operationId": "downloadFile.token",
                "summary": "Download a file",
                **tag,
                "parameters": [_text("Range", place="header", required=False)],
                "responses": answers.of_file(),
            },
        },
    }


def _text(name: str, *, place: str = "path", required: bool = True) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": {"type": "string"}}


def _update() -> dict[str, Any]:
    return {"content": {_JSON: {"schema": {"$ref": "#/components/schemas/Update"}}}}


def _delivery() -> dict[str, Any]:
    """Return what TGM sends to a team's endpoint, once for each update."""
    names = [f"X-Webhook-{name}" for name in ("Bot-Id", "Attempt", "Signature")]
    names += [f"webhook-{name}" for name in ("id", "timestamp", "signature")]
    return {
        "summary": "An update, delivered to an endpoint",
        "description": "Any 2xx within 15 seconds is success; everything else is tried again.",
        "tags": ["updates"],
        "security": [],
        "parameters": [_text(name, place="header") for name in names],
        "requestBody": {"required": True, **_update()},
        "responses": {
            "200": {"description": "Taken."},
            "204": {"description": "Taken."},
            "410": {"description": "Pauses the endpoint."},
        },
    }
