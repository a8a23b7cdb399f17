"""The Bot API's types and parameters as JSON Schema, from the catalogue.

Only words that OpenAPI 3.0 and 3.1 share: what shows the document to people reads 3.0.
"""

import re
from typing import Any

from tgm.telegram import parameters, types
from tgm.telegram.parameters import Parameter

Schema = dict[str, Any]

_SIMPLE: dict[str, Schema] = {
    "String": {"type": "string"},
    "Integer": {"type": "integer", "format": "int64"},
    "Float": {"type": "number"},
    "Boolean": {"type": "boolean"},
    "True": {"type": "boolean", "enum": [True]},
}
_FILE: Schema = {"type": "string", "format": "binary"}
_BETWEEN = re.compile(r", | or | and ")
_ARRAY = "Array of "


def of_type(words: str) -> Schema:
    """Return the schema of a type in the reference's words, such as `Array of A or B`."""
    if words.startswith(_ARRAY):
        return {"type": "array", "items": of_type(words.removeprefix(_ARRAY))}
    several = _BETWEEN.split(words)
    if len(several) > 1:
        return {"anyOf": [of_type(one) for one in several]}
    return dict(_SIMPLE.get(words) or {"$ref": f"#/components/schemas/{words}"})


def of_types() -> dict[str, Schema]:
    """Return the schema of every type by its name, but of uploads: only a form can hold those."""
    found: dict[str, Schema] = {}
    for name, given in types.every().items():
        if name != "InputFile":
            found[name] = of_type(given) if isinstance(given, str) else _object(given)
    return found


def of_parameters(method: str) -> Schema:
    """Return the schema of what a method takes in JSON. Where a file may go, its id or URL goes."""
    return _object(tuple(one for one in map(_without_file, parameters.of(method)) if one))


def in_query(method: str) -> list[dict[str, Any]]:
    """Return what a method takes behind the question mark: what is no plain value goes as JSON."""
    found = []
    for one in filter(None, map(_without_file, parameters.of(method))):
        schema = of_type(one.type)
        given = {"content": {"application/json": {"schema": schema}}}
        if is_plain(one):
            given = {"schema": schema}
        found.append({"name": one.name, "in": "query", "required": one.required, **given})
    return found


def with_files(method: str) -> Schema:
    """Return the schema of a method's multipart form, with its files."""
    schema = of_parameters(method)
    for one in parameters.of(method):
        if takes_file(one):
            schema["properties"][one.name] = dict(_FILE)
    return _requiring(schema, parameters.of(method))


def encodings(method: str) -> dict[str, Any]:
    """Return how a form writes what is no plain value."""
    return {
        one.name: {"contentType": "application/json"}
        for one in parameters.of(method)
        if not (is_plain(one) or takes_file(one))
    }


def takes_file(one: Parameter) -> bool:
    """Tell whether a file may be sent."""
    return "InputFile" in _BETWEEN.split(one.type)


def needs_file(method: str) -> bool:
    """Tell whether the method cannot be called without sending a file."""
    return any(one.required and one.type == "InputFile" for one in parameters.of(method))


def is_plain(one: Parameter) -> bool:
    """Tell whether a value is written as it is, not as JSON."""
    return set(_BETWEEN.split(one.type)) <= set(_SIMPLE)


def _without_file(one: Parameter) -> Parameter | None:
    rest = [word for word in _BETWEEN.split(one.type) if word != "InputFile"]
    if not takes_file(one):
        return one
    return Parameter(one.name, " or ".join(rest), one.required) if rest else None


def _object(fields: tuple[Parameter, ...]) -> Schema:
    properties = {one.name: of_type(one.type) for one in fields}
    return _requiring({"type": "object", "properties": properties}, fields)


def _requiring(schema: Schema, fields: tuple[Parameter, ...]) -> Schema:
    # OpenAPI 3.0 takes no empty list here.
    names = [one.name for one in fields if one.required]
    return {**schema, "required": names} if names else schema
