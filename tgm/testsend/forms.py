"""Reading the test-send form as it was posted, and the words beside its fields."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from flask_babel import lazy_gettext as _
from werkzeug.datastructures import FileStorage, MultiDict

from tgm.shared.ids import new_id, parse_id
from tgm.telegram import catalog
from tgm.testsend import fields, keyboard
from tgm.testsend.compose import Upload
from tgm.testsend.draft import Draft

# Other parameters go by their own names, which are the same in every language.
LABELS = {
    "chat_id": _("Chat"),
    "text": _("Text"),
    "caption": _("Caption"),
    "parse_mode": _("Parse mode"),
    "photo": _("Photo"),
    "document": _("Document"),
    "message_id": _("Message id"),
    "reply_markup": _("Inline keyboard"),
    "callback_query_id": _("Id of the button press"),
    "show_alert": _("Show as an alert"),
    "latitude": _("Latitude"),
    "longitude": _("Longitude"),
    "question": _("Question"),
    "options": _("Answers, one on each line"),
    "is_anonymous": _("Anonymous"),
    "allows_multiple_answers": _("More than one answer may be chosen"),
}
HELP = {
    "callback_query_id": _("The callback_query's id. Telegram takes an answer for a short time."),
    "correct_option_ids": _("For a quiz, such as [0]: the first answer is the right one."),
    "message_id": _("Of a message that this bot has sent."),
}
ATTACHED = "f-attached"
_LONGEST_NAME = 120


def label(field: fields.Field) -> Any:
    """Return a field's label: words for what the usual methods show, else the parameter's name."""
    return LABELS.get(field.name, field.name) if field.is_main else field.name


def posted(form: Mapping[str, str], files: MultiDict[str, FileStorage]) -> Draft:
    """Return the draft that was typed; unknown fields do not count."""
    method = known_method(form.get("method", ""))
    texts = {
        one.name: form[f"p-{one.name}"] for one in fields.of(method) if f"p-{one.name}" in form
    }
    is_json = form.get("mode") == "json"
    names = {name: upload.name for name, upload in uploads(files).items()}
    return Draft(
        method=method,
        texts=texts,
        rows=keyboard.read(form),
        body=form.get("body", "") if is_json else None,
        file_names=names,
    )


def known_method(text: str) -> str:
    """Return the method's name as Telegram writes it; one that is not known stays as it is."""
    name = text.strip()
    canonical = catalog.canonical(name)
    return canonical if canonical in catalog.METHODS else name


def uploads(files: MultiDict[str, FileStorage]) -> dict[str, Upload]:
    """Return the files that came, by parameter; those of the JSON tab by their own names."""
    found = {}
    for field in files:
        for file in files.getlist(field):
            if not file.filename or not field.startswith("f-"):
                continue
            name = _file_name(file.filename)
            parameter = name if field == ATTACHED else field.removeprefix("f-")
            found[parameter] = Upload(name, file.stream, file.mimetype)  # type: ignore[arg-type]
    return found


def once(form: Mapping[str, str]) -> Any:
    """Return what stands for this press of the button."""
    return parse_id(form.get("once", "")) or new_id()


def _file_name(name: str) -> str:
    last = PurePath(name.replace("\\", "/")).name
    kept = "".join(c for c in last if c.isprintable()).strip()[-_LONGEST_NAME:]
    return kept.encode(errors="replace").decode() or "file"
