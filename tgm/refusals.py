"""What a service refuses, said beside the form field it concerns. For views."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask_wtf import FlaskForm

from tgm.errors import sentence
from tgm.shared.errors import Forbidden, NotFound, TgmError


@contextmanager
def beside_fields(form: FlaskForm) -> Iterator[None]:
    """Swallow a TgmError that names one of the form's fields, and put its sentence beside it.

    What follows the `with` block then shows the form again. Any other error passes through.
    """
    try:
        yield
    except TgmError as error:
        if error.field is None or error.field not in form:
            raise
        field = form[error.field]
        field.errors = [*field.errors, sentence(error)]


@contextmanager
def beside_form(form: FlaskForm) -> Iterator[None]:
    """Do as `beside_fields` does, and put any other TgmError above the form but NotFound.

    For a form that one types much into, and that Telegram may have a say in.
    """
    try:
        with beside_fields(form):
            yield
    except (NotFound, Forbidden):
        raise
    except TgmError as error:
        form.form_errors.append(sentence(error))
