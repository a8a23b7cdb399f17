"""Make catalog.py, parameters.json and types.json from a Bot API reference in JSON:
`python -m tgm.telegram.make_catalog FILE`."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# The reference gives a type that stands for one of several no fields, and does not say which they
# are. Mostly their names begin as its own does, and one of these fields tells them apart.
_TELLING = ("type", "source", "status")
_OTHERWISE = {
    "InputMessageContent": r"Input\w+MessageContent",
    "MaybeInaccessibleMessage": r"(Inaccessible)?Message",
}
# Plain text, and several in a row, are rich text too.
_ALSO = {"RichText": ["String", "Array of RichText"]}

_HEAD = '''"""The methods of Bot API {version}, by name. Made by make_catalog.py: do not edit."""

VERSION = "{version}"

METHODS = (
{names}
)

# The kinds of update, as `allowed_updates` names them.
UPDATE_KINDS = (
{kinds}
)

_CANONICAL = {{name.lower(): name for name in METHODS}}


def canonical(method: str) -> str:
    """Return the method's name as Telegram writes it; one it does not know, in lower case."""
    return _CANONICAL.get(method.lower(), method.lower())
'''


def main(source: Path, folder: Path = Path(__file__).parent) -> None:
    """Write the catalogue of `source`, the methods' parameters and the types into `folder`."""
    reference = json.loads(source.read_text())
    methods = sorted(reference["methods"].items(), key=lambda item: str(item[0]).lower())
    names = "\n".join(f'    "{name}",' for name, _ in methods)
    fields = reference["types"]["Update"]
    kinds = "\n".join(f'    "{name}",' for name in fields if name != "update_id")
    (folder / "catalog.py").write_text(
        _HEAD.format(version=reference["version"], names=names, kinds=kinds)
    )
    parameters = {name: _facts(method["params"]) for name, method in methods}
    (folder / "parameters.json").write_text(_lines(parameters))
    types = reference["types"]
    described = {name: _one_of(name, types) or _facts(types[name]) for name in sorted(types)}
    (folder / "types.json").write_text(_lines(described))


def _facts(given: Mapping[str, Any]) -> list[list[object]]:
    return [[name, one["type"], one["required"]] for name, one in given.items()]


def _one_of(name: str, types: Mapping[str, Any]) -> str | None:
    """Return the types that `name` stands for, as in `A or B`; None if it stands for itself."""
    if types[name]:
        return None
    if name in _OTHERWISE:
        found = [one for one in types if re.fullmatch(_OTHERWISE[name], one) and types[one]]
    else:
        found = [one for one in types if one.startswith(name) and _tells(types[one])]
    return " or ".join([*_ALSO.get(name, []), *sorted(found)]) or None


def _tells(fields: Mapping[str, Any]) -> bool:
    return any(fields[name]["required"] for name in _TELLING if name in fields)


def _lines(facts: Mapping[str, object]) -> str:
    # A line for each name, so that the next version's changes can be read.
    lines = (
        f"{json.dumps(name)}: {json.dumps(one, separators=(',', ':'))}"
        for name, one in facts.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
