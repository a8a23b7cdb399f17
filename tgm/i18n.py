"""Two languages, English and Indonesian: chosen by a switch, else by the browser."""

from flask import Flask, has_request_context, request, session

from tgm.extensions import babel

LANGUAGES = {"en": "English", "id": "Bahasa Indonesia"}


def chosen_language() -> str:
    """Return the language of this request's answer."""
    if not has_request_context():
        return "en"
    chosen = session.get("language")
    if chosen in LANGUAGES:
        return str(chosen)
    return request.accept_languages.best_match(list(LANGUAGES)) or "en"


def init_app(app: Flask) -> None:
    """Bind the extension, and give templates the choice of languages."""
    babel.init_app(
        app,
        locale_selector=chosen_language,
        default_translation_directories=str(app.root_path) + "/translations",
    )
    app.context_processor(lambda: {"languages": LANGUAGES, "language": chosen_language()})
