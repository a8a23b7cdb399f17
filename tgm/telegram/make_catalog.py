"""Make catalog.py from a Bot API reference in JSON: `python -m tgm.telegram.make_catalog FILE`."""

import json
import sys
from pathlib import Path

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
    """Write the catalogue of the methods in `source` beside this file."""
    reference = json.loads(source.read_text())
    names = "\n".join(f'    "{name}",' for name in sorted(reference["methods"], key=str.lower))
    fields = reference["types"]["Update"]
    kinds = "\n".join(f'    "{name}",' for name in fields if name != "update_id")
    catalog = Path(__file__).with_name("catalog.py")
    catalog.write_text(_HEAD.format(version=reference["version"], names=names, kinds=kinds))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
