"""Headers that every page carries, whatever it shows."""

from flask import Flask, Response, request

from tgm.shared.marks import SOURCE

_PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def init_app(app: Flask) -> None:
    """Add the headers to everything but the proxy's answers, which go out as Telegram sent them."""

    @app.after_request
    def add(answer: Response) -> Response:
        if SOURCE in answer.headers:
            return answer
        for name, value in _PAGE_HEADERS.items():
            answer.headers.setdefault(name, value)
        if request.is_secure:
            answer.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        if answer.mimetype == "text/html":
            # Pages show a team's own data: no cache keeps them, and Back after sign-out is empty.
            answer.headers.setdefault("Cache-Control", "no-store")
        return answer
