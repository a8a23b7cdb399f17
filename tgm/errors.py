"""What callers and people see of an error: Telegram's shape for programs, a page for people."""

import logging
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError

from tgm.shared.errors import N_, TgmError
from tgm.shared.marks import FOR_PROGRAMS, GATEWAY, SOURCE

log = logging.getLogger(__name__)

_SENTENCES = {
    400: N_("The request could not be understood."),
    401: N_("Please sign in first."),
    403: N_("Your role does not allow this."),
    404: N_("There is nothing at this address."),
    405: N_("This address does not take this kind of request."),
    413: N_("What was sent is too large."),
    429: N_("Too many tries. Please wait a little."),
}
_FAULT = N_("Something went wrong on our side. It has been written to the log.")


def init_app(app: Flask) -> None:
    """Register the handlers: the only place where an error becomes an answer."""
    app.register_error_handler(TgmError, _on_tgm_error)
    app.register_error_handler(CSRFError, _on_csrf_error)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, _on_fault)


def sentence(error: TgmError) -> str:
    """Return the error's sentence in the reader's language."""
    text: str = gettext(error.message, **error.params)
    return text


def api_error(code: int, description: str, retry_after: int | None = None) -> Response:
    """Return an error as Telegram would shape it."""
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    if retry_after is not None:
        body["parameters"] = {"retry_after": retry_after}
    answer = jsonify(body)
    answer.status_code = code
    answer.headers[SOURCE] = GATEWAY
    if retry_after is not None:
        answer.headers["Retry-After"] = str(retry_after)
    return answer


def _page(code: int, text: str, headers: Mapping[str, str] | None = None) -> ResponseReturnValue:
    page = render_template("error.html", code=code, sentence=text, is_error=True)
    return page, code, dict(headers or {})


def _on_tgm_error(error: TgmError) -> ResponseReturnValue:
    if request.path.startswith(FOR_PROGRAMS):
        return api_error(error.code, error.description, error.retry_after)
    wait = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return _page(error.code, sentence(error), wait)


def _on_csrf_error(_error: CSRFError) -> ResponseReturnValue:
    return _page(400, gettext("This form is too old. Please go back, reload the page, try again."))


def _on_http_error(error: HTTPException) -> ResponseReturnValue:
    code = error.code or 500
    if code < 400:
        return error.get_response()
    # A 405 has to say which verbs are taken.
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    if request.path.startswith(FOR_PROGRAMS):
        answer = api_error(code, error.name)
        answer.headers.update(headers)
        return answer
    return _page(code, gettext(_SENTENCES.get(code, _FAULT)), headers)


def _on_fault(error: Exception) -> ResponseReturnValue:
    # The formatter redacts the traceback; the answer says nothing of it.
    log.error("unexpected error in %s", request.endpoint, exc_info=error)
    if request.path.startswith(FOR_PROGRAMS):
        return api_error(500, InternalServerError().name)
    return _page(500, gettext(_FAULT))
