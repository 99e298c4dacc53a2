"""How a read model's table is described, and the changes that projections make to it.

A projection is a pure function from an event to operations; an operation sets some columns of
the row with a key, or adds to them. Operations of one batch on one row are merged first, so a
row is written once a batch. Owns the SQL of both; knows no particular table.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import asyncpg

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

Key = tuple[str | int, ...]
Value = str | int | bool | bytes

_DEFAULTS: Final = {
    "text": "''",
    "bigint": "0",
    "integer": "0",
    "boolean": "false",
    "jsonb": "'[]'",
    "bytea": "''",
}


@dataclass(frozen=True, slots=True)
class Table:
    """One read model. Columns map names to SQL types; a row may be made column by column.

    `guard` names columns by which an older fact never overwrites a newer one: needed where
    several topics write the same columns, because topics have no common order.
    """

    name: str
    key: Mapping[str, str]
    columns: Mapping[str, str]
    indexes: tuple[str, ...] = ()
    guard: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(slots=True)
class Change:
    """Sets columns of one row and adds to others."""

    table: Table
    key: Key
    sets: dict[str, Value] = field(default_factory=dict)
    adds: dict[str, int] = field(default_factory=dict)


def put(table: Table, *key: str | int, **sets: Value) -> Change:
    """Return the change that sets columns of a row, which is made if it is not there."""
    return Change(table, key, sets)


def add(table: Table, *key: str | int, **adds: int) -> Change:
    """Return the change that adds to columns of a row."""
    return Change(table, key, adds=adds)


Touched = dict[str, set[Key]]


class Changes:
    """The merged changes of one batch."""

    def __init__(self) -> None:
        self._rows: dict[Table, dict[Key, Change]] = {}

    def include(self, changes: Iterable[Change]) -> None:
        """Merge in changes, in the order of their events."""
        for change in changes:
            rows = self._rows.setdefault(change.table, {})
            merged = rows.get(change.key)
            if merged is None:
                rows[change.key] = change
                continue
            guard = change.table.guard
            if guard and _guard(change, guard) < _guard(merged, guard):
                continue
            merged.sets.update(change.sets)
            for name, delta in change.adds.items():
                merged.adds[name] = merged.adds.get(name, 0) + delta

    def touched(self) -> Touched:
        """Return the keys of the rows that change, by table."""
        return {table.name: set(rows) for table, rows in self._rows.items()}

    async def write(self, connection: Connection) -> None:
        """Write every row. Call within the transaction that records the events."""
        for table, rows in self._rows.items():
            groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Change]] = {}
            for change in rows.values():
                names = (tuple(sorted(change.sets)), tuple(sorted(change.adds)))
                groups.setdefault(names, []).append(change)
            for (sets, adds), group in groups.items():
                await connection.execute(
                    _upsert(table, sets, adds), *_columns(table, sets, adds, group)
                )


def ddl(table: Table) -> str:
    """Return the statements that make the table."""
    columns = [f"{name} {_typed(kind)} NOT NULL" for name, kind in table.key.items()]
    columns += [
        f"{name} {_typed(kind)} NOT NULL DEFAULT {_DEFAULTS[kind]}"
        for name, kind in table.columns.items()
    ]
    columns.append(f"PRIMARY KEY ({', '.join(table.key)})")
    statements = [f"CREATE TABLE read.{table.name} (\n    " + ",\n    ".join(columns) + "\n);"]
    statements += [f"CREATE INDEX ON read.{table.name} ({index});" for index in table.indexes]
    return "\n".join(statements)


def _typed(kind: str) -> str:
    # Plain byte order, so that a prefix is found by index.
    return 'text COLLATE "C"' if kind == "text" else kind


def _guard(change: Change, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(change.sets[name] for name in names)


@cache
def _upsert(table: Table, sets: tuple[str, ...], adds: tuple[str, ...]) -> str:
    names = [*table.key, *sets, *adds]
    kinds = {**table.key, **table.columns}
    # An array of jsonb is passed as text: the driver would want one codec for all of them.
    arrays = ", ".join(
        f"${number}::{'text' if kinds[name] == 'jsonb' else kinds[name]}[]"
        for number, name in enumerate(names, start=1)
    )
    picked = ", ".join(f"{name}::jsonb" if kinds[name] == "jsonb" else name for name in names)
    changes = [f"{name} = excluded.{name}" for name in sets]
    changes += [f"{name} = t.{name} + excluded.{name}" for name in adds]
    statement = (
        f"INSERT INTO read.{table.name} AS t ({', '.join(names)}) "
        f"SELECT {picked} FROM unnest({arrays}) AS u ({', '.join(names)}) "
        f"ON CONFLICT ({', '.join(table.key)}) "
    )
    if not changes:
        return statement + "DO NOTHING"
    statement += f"DO UPDATE SET {', '.join(changes)}"
    if table.guard:
        old = ", ".join(f"t.{name}" for name in table.guard)
        new = ", ".join(f"excluded.{name}" for name in table.guard)
        statement += f" WHERE ({old}) <= ({new})"
    return statement


def _columns(
    table: Table, sets: tuple[str, ...], adds: tuple[str, ...], group: Sequence[Change]
) -> list[list[Any]]:
    columns: list[list[Any]] = [
        [_storable(change.key[index]) for change in group] for index in range(len(table.key))
    ]
    columns += [[_storable(change.sets[name]) for change in group] for name in sets]
    columns += [[change.adds[name] for change in group] for name in adds]
    return columns


def _storable(value: Value) -> Value:
    # PostgreSQL's text holds everything but this one character; Protobuf's strings hold it.
    if isinstance(value, str) and "\0" in value:
        return value.replace("\0", "\ufffd")
    return value
