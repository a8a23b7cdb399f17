"""Statements that are put into words once.

To run a statement, SQLAlchemy looks up its words and its parameters' types each time, which takes
several times as long as a small statement itself. The relay runs about a dozen for each update.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Select, Update

Values = Mapping[str, Any]
_Processor = Callable[[Any], Any] | None


@dataclass(frozen=True)
class _Parameter:
    """A parameter: its name in the words, the value's name among those given, and its place there
    where that is a list; or a value that is always the same."""

    name: str
    source: str | None
    place: int | None
    fixed: Any
    to_driver: _Processor

    def of(self, values: Values) -> Any:
        """Return its value as the driver takes it."""
        value = self.fixed if self.source is None else values[self.source]
        if self.place is not None:
            # A list may be shorter than the words are: its last value stands in.
            value = value[min(self.place, len(value) - 1)]
        return value if self.to_driver is None else self.to_driver(value)


@dataclass(frozen=True)
class _Words:
    """A statement as the driver takes it, with what turns its rows' values into ours."""

    text: str
    parameters: Sequence[_Parameter]
    is_positional: bool
    columns: Sequence[_Processor]

    def laid_out(self, values: Values) -> Any:
        """Return the values as the driver takes them."""
        if self.is_positional:
            return tuple([one.of(values) for one in self.parameters])
        return {one.name: one.of(values) for one in self.parameters}

    def read(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """Return a row's values as the statement's columns have them."""
        return tuple(
            [
                value if process is None else process(value)
                for value, process in zip(row, self.columns, strict=True)
            ]
        )


class Prepared:
    """A statement, for any dialect. `lists` name those of its parameters that are `expanding`."""

    def __init__(self, statement: Select[Any] | Insert | Update, *lists: str) -> None:
        self._statement = statement
        self._lists = lists
        self._known: dict[tuple[object, ...], _Words] = {}

    def rows(self, connection: Connection, values: Values) -> list[tuple[Any, ...]]:
        """Run it, and return what it returns."""
        words = self._words(connection.dialect, values)
        found = connection.exec_driver_sql(words.text, words.laid_out(values))
        return [words.read(row) for row in found]

    def run(self, connection: Connection, values: Sequence[Values]) -> None:
        """Run it for each of these values, which have the same names."""
        words = self._words(connection.dialect, values[0])
        connection.exec_driver_sql(words.text, [words.laid_out(one) for one in values])

    def _words(self, dialect: Dialect, values: Values) -> _Words:
        # Lists are filled up to a power of two, so that few lengths are ever needed.
        lengths = [_length(len(values[name])) for name in self._lists]
        key = (dialect.name, *lengths)
        words = self._known.get(key)
        if words is None:
            words = self._known[key] = self._compiled(dialect, values, lengths)
        return words

    def _compiled(self, dialect: Dialect, values: Values, lengths: Sequence[int]) -> _Words:
        statement = self._statement
        compiled: Any = statement.compile(
            dialect=dialect, column_keys=list(values) if isinstance(statement, Insert) else None
        )
        filled = {
            name: list(islice(cycle(values[name]), length))
            for name, length in zip(self._lists, lengths, strict=True)
        }
        state = compiled.construct_expanded_state({**values, **filled})
        origins = {
            name: (source, place)
            for source, names in state.parameter_expansion.items()
            for place, name in enumerate(names)
        }
        parameters = []
        for name in state.positiontup if compiled.positional else state.parameters:
            source, place = origins.get(name, (name, None))
            is_given = source in values
            parameters.append(
                _Parameter(
                    name,
                    source if is_given else None,
                    place if is_given else None,
                    None if is_given else state.parameters[name],
                    compiled.binds[source].type.dialect_impl(dialect).bind_processor(dialect),
                )
            )
        columns = [
            column.type.dialect_impl(dialect).result_processor(dialect, None)
            for column in statement.exported_columns
        ]
        return _Words(state.statement, parameters, bool(compiled.positional), columns)


def _length(many: int) -> int:
    return 1 << (many - 1).bit_length() if many else 0
