"""What the Bot API's types consist of: names and types of fields, and which are always there.

The facts lie in types.json, which make_catalog.py writes; they are read when first asked for.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from tgm.telegram.parameters import Parameter

Described = str | tuple[Parameter, ...]


@cache
def every() -> Mapping[str, Described]:
    """Return all types by name: the fields, or as in `A or B` the types that one stands for.

    A type without fields stands for whatever Telegram takes there.
    """
    facts = json.loads(Path(__file__).with_name("types.json").read_text())
    return MappingProxyType(
        {
            name: given if isinstance(given, str) else tuple(Parameter(*one) for one in given)
            for name, given in facts.items()
        }
    )
