"""Large tables of a serving file: kept in parts, most of them by month, of which a publish writes only what changed.

What a part is and which of them change belongs here; how one is written, and how a file shows them, to `parts`.
"""

from __future__ import annotations

import calendar
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from warehouse.errors import LakeError
from warehouse.identifiers import literal, quoted
from warehouse.lake.history import History, Name, Relation, fingerprint, month_of, without

log = logging.getLogger(__name__)

# Rows of one part: a changed day of a month with more costs the writing of no more than about so many (3 s of CPU
# for 70 columns). Parts ten times smaller would be read noticeably slower.
PART_ROWS = 500_000
_SPANS = (31, 16, 8, 4, 2, 1)
# The span of the one part of a table without a base.
_WHOLE = ("", 1, 31)
_REGULAR_MONTH = re.compile(r"(?!0000)\d{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class Partitioned:
    """A table that is kept in parts.

    Its rows with one `key` must follow from the rows of `base` whose `moment` lies in that month ('2026-04',
    '0000-00' where it is empty), of the `looks_back` months before it, and from tables other than `base`. A view that
    looks at all of `base`, for its newest row or a total, is no such table. A table without a base is one part, written
    again when anything that it reads changed: for what is large and seldom changes.

    Attributes:
        table: its name in the serving file.
        source: `schema.table` of the lake, a view over `base`.
        base: `schema.table` of the lake whose changed rows tell what to write again; none for a table in one part.
        moment: column of `base`, a date or timestamp.
        key: column of `source` that holds the month.
        by_row: each row comes from one row of `base`, so that a large month can be kept in several parts.
        horizon: `schema.table.column` of a table with one row that matters by this date or timestamp alone, and only
            to rows of its month and later ones; when it moves, the months before the earlier of both stay.
        looks_back: how many months before its own a row also looks at, as one that tells a change does; not with
            `by_row`.
    """

    table: str
    source: str
    base: str = ""
    moment: str = ""
    key: str = "month"
    by_row: bool = False
    horizon: str = ""
    looks_back: int = 0


@dataclass(frozen=True)
class Part:
    """One part file: the rows of `table` for `days` days of the month `key`, from day `first` on.

    Of a table in one part, `key` is empty. `path` is relative to the folder of the serving file; `filled` names the
    label columns that are nowhere empty.
    """

    table: str
    key: str
    first: int
    days: int
    path: str
    row_count: int
    byte_count: int
    filled: tuple[str, ...]

    @property
    def span(self) -> tuple[str, int, int]:
        """What of the table it holds."""
        return self.key, self.first, self.days


@dataclass(frozen=True)
class Changed:
    """What of the base is another than in the served version.

    `days` holds month and day of the month of every changed row. From the month `first` on, all is to be written.
    """

    days: frozenset[tuple[str, int]]
    first: str | None = None

    def has(self, month: str) -> bool:
        """Whether all of the month is to be written."""
        return self.first is not None and not (_REGULAR_MONTH.fullmatch(month) and month < self.first)


@dataclass(frozen=True)
class Plan:
    """What one publish does for one table: parts that stay, and spans (key, first day, days) to be written."""

    of: Partitioned
    stay: tuple[Part, ...]
    spans: tuple[tuple[str, int, int], ...]


def part_fingerprint(of: Partitioned, found: Mapping[Name, Relation]) -> str:
    """Changes when any part of the table must be written again for another reason than changed rows.

    Raises:
        LakeError: the base or the horizon is no table behind the source.
    """
    base_of(of, found)
    _horizon(of, found)
    return fingerprint([of, PART_ROWS, duckdb.__version__], found.values())


def changed(
    of: Partitioned, found: Mapping[Name, Relation], history: History, served: Sequence[Part], folder: Path
) -> Changed | None:
    """What must be written again since the served version.

    None when that is everything: something else that the table reads changed, the history does not tell, or a part
    is gone.
    """
    base, horizon = base_of(of, found), _horizon(of, found)
    is_there = all(_is_there(part, folder) for part in served)
    if not is_there or history.is_touched(without(found, [each.name for each in (*base, *horizon)])):
        return None
    days = history.changed_days(base[0], of.moment) if base else frozenset()
    if days is not None:
        # Day 0: of the months that look back at a changed one all is written.
        days |= {(later, 0) for month, _ in days for later in _months_from(month, of.looks_back)}
    if days is None or not history.is_touched(horizon):
        return None if days is None else Changed(days)
    first = history.earlier_month(horizon[0], of.horizon.rpartition(".")[2])
    return Changed(days, first) if first else None


def plan(
    connection: duckdb.DuckDBPyConnection,
    of: Partitioned,
    what: Changed | None,
    served: Sequence[Part],
) -> Plan:
    """Decide which parts to write.

    Args:
        connection: a session with the lake at the snapshot that is published.
        of: the table.
        what: see `changed`.
        served: the table's parts in the served version.
    """
    if not of.base:
        return Plan(of, tuple(served), ()) if what else Plan(of, (), (_WHOLE,))
    counts = _rows_by_month(connection, of) if what is None or what.first else {}
    if what is None:
        log.info("%s: all %d months are written", of.table, len(counts))
        return Plan(of, (), tuple(span for key, rows in counts.items() for span in _spans(of, key, rows)))
    keys = {key for key, _ in what.days} | {key for key in (*counts, *(part.key for part in served)) if what.has(key)}
    stay = [part for part in served if part.key not in keys]
    spans: list[tuple[str, int, int]] = []
    for key in sorted(keys):
        days = {day for month, day in what.days if month == key}
        before = [part for part in served if part.key == key]
        # How many rows a month has matters only where it may be cut; an empty one writes no part.
        now = _spans(of, key, _rows_of(connection, of, key) if of.by_row else PART_ROWS)
        # Day 0 is of no month that has days.
        is_other = what.has(key) or 0 in days or not {part.days for part in before} <= {days for *_, days in now}
        same = {span for span in now if not is_other and days.isdisjoint(range(span[1], span[1] + span[2]))}
        stay += [part for part in before if part.span in same]
        spans += [span for span in now if span not in same]
    return Plan(of, tuple(stay), tuple(spans))


def filled_columns(parts: Iterable[Part]) -> frozenset[str]:
    """The label columns that are nowhere empty in any of the parts."""
    columns = [frozenset(part.filled) for part in parts]
    return frozenset.intersection(*columns) if columns else frozenset()


def base_of(of: Partitioned, found: Mapping[Name, Relation]) -> list[Relation]:
    """The base among all that stands behind the table, if it has one.

    Raises:
        LakeError: it is not there, or no table.
    """
    fix = f"name the table whose {of.moment} dates the rows of {of.source}"
    return [_table(of, of.base, fix, found)] if of.base else []


def _horizon(of: Partitioned, found: Mapping[Name, Relation]) -> list[Relation]:
    """The table of the horizon, if there is one."""
    name = of.horizon.rpartition(".")[0]
    return [_table(of, name, "name a table and its column as schema.table.column", found)] if of.horizon else []


def _table(of: Partitioned, name: str, fix: str, found: Mapping[Name, Relation]) -> Relation:
    schema, _, table = name.partition(".")
    relation = found.get((schema, table))
    if relation is None or relation.text:
        problem = f"{of.source} does not read it" if relation is None else "is a view, not a table"
        raise LakeError(problem, where=of.table, value=name, fix=fix)
    return relation


def _is_there(part: Part, folder: Path) -> bool:
    path = folder.parent / part.path
    return path.exists() and path.stat().st_size == part.byte_count


def _rows_by_month(connection: duckdb.DuckDBPyConnection, of: Partitioned) -> dict[str, int]:
    # Grouped before the months are written out: 5 times faster.
    months = f"SELECT date_trunc('month', {quoted(of.moment)}) AS moment, count(*) AS row_count FROM lake.{of.base}"
    rows = connection.execute(
        f"SELECT {month_of('moment')}, sum(row_count)::BIGINT FROM ({months} GROUP BY 1) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return dict(rows)


def _rows_of(connection: duckdb.DuckDBPyConnection, of: Partitioned, key: str) -> int:
    month = condition(of.moment, (key, 1, 31))
    ((rows,),) = connection.execute(f"SELECT count(*) FROM lake.{of.base} WHERE {month}").fetchall()
    return int(rows)


def _spans(of: Partitioned, key: str, rows: int) -> list[tuple[str, int, int]]:
    """How a month of so many rows is cut: into 1, 2, 4, 8, 16 or 31 parts, or none where it is empty."""
    if not rows:
        return []
    is_whole = not of.by_row or not _REGULAR_MONTH.fullmatch(key)
    days = 31 if is_whole else next((days for days in _SPANS if rows * days <= PART_ROWS * 31), _SPANS[-1])
    return [(key, first, days) for first in range(1, 32, days)]


def _months_from(key: str, count: int) -> list[str]:
    """So many months after (or with a negative count before) a regular one, the nearest first; else none."""
    if not _REGULAR_MONTH.fullmatch(key):
        return []
    year, month = map(int, key.split("-"))
    numbers = [year * 12 + month - 1 + step * (1 if count > 0 else -1) for step in range(1, abs(count) + 1)]
    found = [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in numbers]
    return [each for each in found if _REGULAR_MONTH.fullmatch(each)]


def months_behind(of: Partitioned, key: str) -> list[str]:
    """The months before `key` whose rows of the base the rows of `key` look at."""
    return _months_from(key, -of.looks_back) if of.looks_back else []


def condition(moment: str, span: tuple[str, int, int]) -> str:
    """SQL: that a row of the base belongs to the span; where it can, one that reaches the files' statistics."""
    key, first, days = span
    column = quoted(moment)
    if key == "0000-00":
        return f"{column} IS NULL"
    if not _REGULAR_MONTH.fullmatch(key):
        # Years below 1 and above 9999, and infinity: typing errors, found the slow way.
        return f"{month_of(column)} = {literal(key)}"
    year, month = map(int, key.split("-"))
    last = calendar.monthrange(year, month)[1]
    if first > last:
        return "false"
    start = f"DATE '{key}-{first:02d}'"
    end = f"DATE '{key}-{first + days:02d}'" if first + days <= last else f"DATE '{key}-{last:02d}' + 1"
    return f"{column} >= {start} AND {column} < {end}"
