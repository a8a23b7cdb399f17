"""A call as it stands in the form: what was typed, and what becomes of it."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tgm.shared.errors import N_, Invalid, TgmError
from tgm.testsend import fields, keyboard
from tgm.testsend.fields import Kind

BODY = "body"
# Never kept: neither in a template nor in the history.
SECRETS = frozenset({"secret_token", "provider_token"})


@dataclass(frozen=True)
class Draft:
    """A call in the making. `texts` holds what was typed, by parameter.

    `body` is the whole body as JSON text where the JSON tab is open, else None. `rows` is the
    keyboard; a text for `reply_markup` in `texts` comes before it. `file_names` tells which files
    have to be chosen again.
    """

    method: str
    texts: Mapping[str, str] = field(default_factory=dict)
    rows: keyboard.Rows = ()
    body: str | None = None
    file_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def form_fields(self) -> tuple[fields.Field, ...]:
        """The fields of its form."""
        return fields.of(self.method)

    def parameters(
        self, uploads: Collection[str] = (), *, is_whole: bool = True
    ) -> tuple[dict[str, Any], dict[str, TgmError]]:
        """Return the parameters, and what is wrong, by field.

        `uploads` names the parameters that come as files. Without `is_whole`, required ones may
        be missing.
        """
        if self.body is not None:
            return self._of_body()
        found: dict[str, Any] = {}
        wrong: dict[str, TgmError] = {}
        for one in self.form_fields:
            if one.name in uploads:
                continue
            try:
                value = self._value(one)
            except Invalid as error:
                wrong[one.name] = error
                continue
            if value is not None:
                found[one.name] = value
            elif one.required and is_whole:
                wrong[one.name] = Invalid(N_("This is needed."), field=one.name)
        return found, wrong

    def _value(self, one: fields.Field) -> Any:
        text = self.texts.get(one.name, "")
        if one.kind is Kind.KEYBOARD and not text.strip():
            return keyboard.markup(self.rows)
        return fields.value(one, text)

    def _of_body(self) -> tuple[dict[str, Any], dict[str, TgmError]]:
        try:
            found = fields.read_json(self.body or "{}", BODY) if (self.body or "").strip() else {}
        except Invalid as error:
            return {}, {BODY: error}
        if not isinstance(found, dict):
            return {}, {BODY: Invalid(N_("This has to be a JSON object: {…}."), field=BODY)}
        return found, {}

    def as_json(self) -> tuple["Draft", dict[str, TgmError]]:
        """Return the draft with the JSON tab open, and what could not be taken along."""
        found, wrong = self.parameters(is_whole=False)
        return (self, wrong) if wrong else (replace(self, body=dumped(found)), {})

    def as_form(self) -> tuple["Draft", dict[str, TgmError]]:
        """Return the draft with the form open; what no field takes stays behind as an error."""
        found, wrong = self.parameters(is_whole=False)
        if wrong:
            return self, wrong
        strange = sorted(set(found) - {one.name for one in self.form_fields})
        if strange:
            error = Invalid(
                N_("The form has no field for “%(name)s”."), field=BODY, name=strange[0][:64]
            )
            return self, {BODY: error}
        return of(self.method, found), {}


def of(
    method: str, parameters: Mapping[str, Any], left_out: Mapping[str, str] | None = None
) -> Draft:
    """Return the draft that makes this call; the JSON tab is open where the form cannot make it."""
    texts: dict[str, str] = {}
    rows: keyboard.Rows = ()
    known = {one.name: one for one in fields.of(method)}
    for name, value in parameters.items():
        one = known.get(name)
        if one is None:
            return Draft(method, body=dumped(parameters))
        made = keyboard.rows_of(value) if one.kind is Kind.KEYBOARD else None
        if made is not None:
            rows = made
        else:
            texts[name] = fields.written(one, value)
    draft = Draft(method, texts, rows, file_names=dict(left_out or {}))
    read, wrong = draft.parameters(is_whole=False)
    if wrong or read != parameters:
        return Draft(method, body=dumped(parameters))
    return draft


def dumped(parameters: Mapping[str, Any]) -> str:
    """Return parameters as a person reads them."""
    return json.dumps(parameters, ensure_ascii=False, indent=2)


def kept(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters without the secrets among them."""
    return {name: value for name, value in parameters.items() if name not in SECRETS}
