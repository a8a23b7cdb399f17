"""The answers of TGM's addresses, for the OpenAPI document: each status, its headers, its body."""

from typing import Any

_NAMES = {
    "200": "Ok",
    "202": "Accepted",
    "206": "Part",
    "304": "NotModified",
    "400": "BadRequest",
    "401": "Unauthorized",
    "403": "Forbidden",
    "404": "NotFound",
    "405": "MethodNotAllowed",
    "409": "Conflict",
    "413": "TooLarge",
    "416": "RangeNotSatisfiable",
    "422": "IdempotencyMismatch",
    "429": "TooManyRequests",
    "431": "HeadersTooLarge",
    "500": "InternalError",
    "501": "NotImplemented",
    "502": "BadGateway",
}
_TEXTS = {
    "400": "Telegram refuses the call; or the Idempotency-Key or the request itself is malformed.",
    "401": "The API key is missing, wrong, expired or revoked; or Telegram refuses the bot's token,"
    " and X-TGM-Source says telegram.",
    "403": "The bot is disabled, the key may not call this method, or Telegram forbids it.",
    "404": "The bot was not found or is not one of the key's; or what was asked for is not there.",
    "405": "A verb that this address does not take: Allow names those that it does.",
    "409": "TGM receives the bot's updates itself, a call with this Idempotency-Key is still"
    " running, or Telegram sees a conflict.",
    "413": "The body is too large.",
    "416": "The file has no such part.",
    "422": "The Idempotency-Key was used for another request.",
    "429": "The key's rate limit, or one of Telegram's, is reached. Wait as retry_after says.",
    "431": "The request's headers are too large.",
    "500": "Something went wrong in TGM, or in Telegram.",
    "501": "A transfer encoding that TGM does not know.",
    "502": "Telegram could not be reached or broke its answer off. Whether it acted is unknown.",
}
_OFTEN = ["400", "401", "403", "404", "405", "413", "429", "431", "500", "501", "502"]
CALL = sorted(["200", "409", "422", *_OFTEN])
QUEUED = sorted(["202", *CALL])
FILE = sorted(["206", "304", "416", *_OFTEN])
INTAKE = ["400", "401", "404", "405", "413", "431", "500", "501"]
# Here the key is known, and its limit with it.
_LIMITED = {"200", "202", "403", "409", "422", "429", "502"}

_LIMIT = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_FURTHER = {
    "200": ("Idempotency-Replayed",),
    "202": ("Location", "Preference-Applied"),
    "400": ("Idempotency-Replayed",),
    "405": ("Allow",),
    "409": ("Retry-After",),
    "429": ("Retry-After",),
}

HEADERS: dict[str, Any] = {
    "X-TGM-Source": {
        "description": "Who answered: Telegram, or TGM itself.",
        "required": True,
        "schema": {"type": "string", "enum": ["telegram", "gateway"]},
    },
    "X-RateLimit-Limit": {
        "description": "How many calls a minute the key has.",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Remaining": {
        "description": "How many of them are left.",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Reset": {
        "description": "When they are counted anew, in epoch seconds.",
        "schema": {"type": "integer"},
    },
    "Retry-After": {
        "description": "After how many seconds to try again.",
        "schema": {"type": "integer"},
    },
    "Idempotency-Replayed": {
        "description": "There where the answer was remembered, and Telegram was not called.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Location": {
        "description": "Where the queued call tells how it stands.",
        "schema": {"type": "string"},
    },
    "Preference-Applied": {
        "description": "What was heeded of Prefer.",
        "schema": {"type": "string"},
    },
    "Allow": {"description": "The verbs that the address takes.", "schema": {"type": "string"}},
}

SCHEMAS: dict[str, Any] = {
    "Success": {
        "type": "object",
        "required": ["ok", "result"],
        "properties": {
            "ok": {"type": "boolean", "enum": [True]},
            "result": {"description": "What the method returns."},
            "description": {"type": "string"},
        },
    },
    "Job": {
        "type": "object",
        "required": ["job_id", "state", "url"],
        "properties": {
            "job_id": {"type": "string"},
            "state": {
                "type": "string",
                "enum": ["queued", "sending", "done", "failed", "unknown"],
            },
            "url": {"type": "string"},
            "method": {"type": "string"},
            "created_at": {"type": "string", "format": "date-time"},
            "started_at": {"description": "A time, null before it."},
            "finished_at": {"description": "A time, null before it."},
            "status": {"description": "The status of Telegram's answer, null where it has none."},
            "answer": {"description": "Telegram's answer, null where there is none."},
            "error": {"description": "The kind of error, null where there was none."},
        },
    },
    "JobAnswer": {
        "type": "object",
        "required": ["ok", "result"],
        "properties": {
            "ok": {"type": "boolean", "enum": [True]},
            "result": {"$ref": "#/components/schemas/Job"},
        },
    },
    "Error": {
        "type": "object",
        "required": ["ok", "error_code", "description"],
        "properties": {
            "ok": {"type": "boolean", "enum": [False]},
            "error_code": {"type": "integer"},
            "description": {"type": "string"},
            "parameters": {"$ref": "#/components/schemas/ResponseParameters"},
        },
    },
}


def components() -> dict[str, Any]:
    """Return every answer that more than one address gives."""
    errors = {_NAMES[status]: _answer(status, text, "Error") for status, text in _TEXTS.items()}
    done = _answer("200", "Telegram has done it: its answer, as it came.", "Success")
    later = _answer("202", "The call is queued, and will be made at Telegram's pace.", "JobAnswer")
    return {_NAMES["200"]: done, _NAMES["202"]: later, **errors}


def of(statuses: list[str]) -> dict[str, Any]:
    """Return references to the answers of these statuses."""
    return {one: {"$ref": f"#/components/responses/{_NAMES[one]}"} for one in statuses}


def of_file() -> dict[str, Any]:
    """Return the answers of a download."""
    body = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    headers = _headers("200")
    whole = {"description": "The file.", "headers": headers, "content": body}
    part = {"description": "The part that was asked for.", "headers": headers, "content": body}
    same = {"description": "The caller has it already.", "headers": headers}
    errors = of([status for status in FILE if status >= "400"])
    return {"200": whole, "206": part, "304": same, **errors}


def of_job() -> dict[str, Any]:
    """Return the answers of a queued call's address."""
    told = _answer("200", "How the call stands, for 24 hours after its end.", "JobAnswer")
    return {"200": told, **of(_OFTEN)}


def of_intake() -> dict[str, Any]:
    """Return the answers that Telegram gets. It repeats an update until it hears 200."""
    ok = {"type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}}}
    body = {"application/json": {"schema": ok}}
    return {"200": {"description": "The update is on disk.", "content": body}, **of(INTAKE)}


def _answer(status: str, text: str, schema: str) -> dict[str, Any]:
    body = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": text, "headers": _headers(status), "content": body}


def _headers(status: str) -> dict[str, Any]:
    names = ["X-TGM-Source", *_LIMIT, *_FURTHER.get(status, ())]
    found: dict[str, Any] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    if status in _LIMITED:
        found |= {name: {**HEADERS[name], "required": True} for name in _LIMIT}
    return found
