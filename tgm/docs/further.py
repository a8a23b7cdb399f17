"""What the OpenAPI document has beside the methods: files, queued calls, updates, itself."""

from typing import Any

from tgm.docs import answers

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
TAGS = ("queued calls", "files", "Telegram's own addresses", "updates", "this document")

_FILES = """\
`getFile` answers with a `file_path` such as `photos/file_0.jpg`: its folder and its name go here. A
path with more parts goes in as it is, slashes and all. The key needs the method `getFile`.
"""


def paths() -> dict[str, Any]:
    """Return the addresses that are no method of the Bot API's."""
    return {**_of_programs(), **_of_telegram(), **_dropin(), **_of_everybody()}


def reference(name: str) -> dict[str, str]:
    """Return a reference to a parameter that several addresses have."""
    return {"$ref": f"#/components/parameters/{name}"}


def _of_programs() -> dict[str, Any]:
    return {
        "/api/v1/bots/{botId}/file/{folder}/{name}": {
            "parameters": [reference("botId"), _text("folder"), _text("name")],
            "get": {
                "operationId": "downloadFile",
                "summary": "Download a file",
                "description": _FILES,
                "tags": ["files"],
                "parameters": [_text("Range", place="header", required=False)],
                "responses": answers.of_file(),
            },
        },
        "/api/v1/bots/{botId}/jobs/{jobId}": {
            "parameters": [reference("botId"), _text("jobId")],
            "get": {
                "operationId": "getJob",
                "summary": "Tell how a queued call stands",
                "tags": ["queued calls"],
                "responses": answers.of_job(),
            },
        },
    }


def _of_telegram() -> dict[str, Any]:
    return {
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
    }


def _of_everybody() -> dict[str, Any]:
    return {
        "/openapi.json": {
            "get": {
                "operationId": "getDescription",
                "summary": "This document",
                "tags": ["this document"],
                "security": [],
                "responses": {
                    "200": {
                        "description": "The document.",
                        "content": {JSON: {"schema": {"type": "object"}}},
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
    body = {"requestBody": {"content": dict.fromkeys((JSON, FORM, MULTIPART), anything)}}
    later = {"parameters": [reference("prefer")], "responses": answers.of(answers.QUEUED)}
    call = {"summary": "Call any method", **tag, "responses": answers.of(answers.CALL)}
    return {
        "/bot{token}/{method}": {
            "parameters": [reference("token"), _text("method"), reference("idempotencyKey")],
            "post": {"operationId": "callMethod", **call, **body, **later},
            "get": {"operationId": "callMethod.get", **call},
        },
        "/file/bot{token}/{folder}/{name}": {
            "parameters": [reference("token"), _text("folder"), _text("name")],
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
    return {"content": {JSON: {"schema": {"$ref": "#/components/schemas/Update"}}}}


def delivery() -> dict[str, Any]:
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
