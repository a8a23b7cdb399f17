"""What each method of the Bot API takes: names, types and which are required.

The facts lie in parameters.json, which make_catalog.py writes; they are read when first asked for.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True)
class Parameter:
    """One parameter. `type` is in the reference's words, such as `Array of String`."""

    name: str
    type: str
    required: bool


def of(method: str) -> tuple[Parameter, ...]:
    """Return a method's parameters in the reference's order, none for a method not known.

    The name has to be as Telegram writes it.
    """
    return _all().get(method, ())


@cache
def _all() -> Mapping[str, tuple[Parameter, ...]]:
    facts = json.loads(Path(__file__).with_name("parameters.json").read_text())
    return MappingProxyType(
        {method: tuple(Parameter(*one) for one in given) for method, given in facts.items()}
    )
