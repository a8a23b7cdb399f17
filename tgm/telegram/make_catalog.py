"""Make catalog.py and parameters.json from a Bot API reference in JSON:
`python -m tgm.telegram.make_catalog FILE`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_HEAD = '''"""The methods of Bot API {version}, by name. Made by make_catalog.py: do not edit."""

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


def main(source: Path) -> None:
    """Write the catalogue of the methods in `source`, and their parameters, beside this file."""
    reference = json.loads(source.read_text())
    methods = sorted(reference["methods"].items(), key=lambda item: str(item[0]).lower())
    names = "\n".join(f'    "{name}",' for name, _ in methods)
    fields = reference["types"]["Update"]
    kinds = "\n".join(f'    "{name}",' for name in fields if name != "update_id")
    here = Path(__file__)
    here.with_name("catalog.py").write_text(
        _HEAD.format(version=reference["version"], names=names, kinds=kinds)
    )
    # A line for each method, so that the next version's changes can be read.
    lines = ",\n".join(f"{json.dumps(name)}: {_parameters(method)}" for name, method in methods)
    here.with_name("parameters.json").write_text(f"{{\n{lines}\n}}\n")


def _parameters(method: Mapping[str, Any]) -> str:
    return json.dumps(
        [[name, one["type"], one["required"]] for name, one in method["params"].items()],
        separators=(",", ":"),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
