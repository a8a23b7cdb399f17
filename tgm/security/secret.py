"""A string that cannot print itself."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Secret:
    """Holds a secret string. `value` is the only way to it: str, repr and format are all hidden."""

    value: str = field(repr=False)

    def __str__(self) -> str:
        return "[hidden]"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return "[hidden]"

    def __bool__(self) -> bool:
        return bool(self.value)
