"""Results of checks: one type for all of them, kept in `ops.quality_result`.

Belongs here: what a result is, recording it, reading the newest. Where results come from: `contract_checks`
(deliveries), `suites` (Great Expectations), `dbt_results` (dbt tests).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import duckdb
import pyarrow as pa

from quality.texts import CheckText
from quality.withdrawals import last_change
from warehouse.identifiers import literal
from warehouse.lake.layout import tables
from warehouse.lake.session import lake_exists, open_lake, transact
from warehouse.settings import Settings

MAX_FAILED_KEYS = 20

Kind = Literal["contract", "dbt", "gx", "delivery"]
Severity = Literal["error", "warning"]

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_COLUMNS = (
    "check_id, kind, layer, dataset, rule, severity, is_passed, checked_count, failed_count, failed_keys,"
    " text_code, text_values, data_position"
)
_TABLE = pa.schema(
    [
        ("check_id", pa.string()),
        ("kind", pa.string()),
        ("layer", pa.string()),
        ("dataset", pa.string()),
        ("rule", pa.string()),
        ("severity", pa.string()),
        ("is_passed", pa.bool_()),
        ("checked_count", pa.int64()),
        ("failed_count", pa.int64()),
        ("failed_keys", pa.string()),
        ("text_code", pa.string()),
        ("text_values", pa.list_(pa.string())),
        ("data_position", pa.int64()),
        ("checked_at", pa.timestamp("us")),
        ("place", pa.int64()),
    ]
)


@dataclass(frozen=True)
class CheckResult:
    """The result of one check over one state of the data.

    `check_id` is the same in every run. `checked_count` and `failed_count` count rows (deliveries for the
    checks that say so), None where it is not known. `failed_keys` are at most 20 texts `column=value` of key
    columns that hold no personal data. `data_position` is the number of the landing transaction that the
    check has seen. `text` says what was found, without values of fields.
    """

    check_id: str
    kind: Kind
    layer: str
    dataset: str
    rule: str
    severity: Severity
    is_passed: bool
    checked_count: int | None
    failed_count: int | None
    failed_keys: tuple[str, ...]
    text: CheckText
    data_position: int

    @property
    def message(self) -> str:
        """The text in English, as the command line and Dagster show it."""
        return self.text.in_language("en")

    def outcome(self) -> tuple[object, ...]:
        """What makes two results differ; the text may tell a time and does not count."""
        return (
            self.data_position,
            self.severity,
            self.is_passed,
            self.checked_count,
            self.failed_count,
            self.failed_keys,
        )


def record(
    settings: Settings,
    results: Sequence[CheckResult],
    *,
    covering: Callable[[CheckResult], bool] = lambda _: False,
    connection: duckdb.DuckDBPyConnection | None = None,
    checked_at: datetime | None = None,
) -> int:
    """Write the results that differ from the last one of their check; returns how many were written.

    Args:
        settings: of the lake.
        results: in the order in which they came about; several of one check are compared one after another.
        covering: whether `results` are all that there are of such checks: a recorded one that is not among them is of
            a check that no longer exists, and is closed.
        connection: an open lake session; without it one is opened.
        checked_at: the time of the check for people, UTC without zone; now if absent. It decides nothing.

    Raises:
        WriteConflict: other writers came first again and again; nothing was written.
    """
    if connection is None:
        with open_lake(settings, spatial=False) as opened:
            return record(settings, results, covering=covering, connection=opened, checked_at=checked_at)
    moment = checked_at or datetime.now(UTC).replace(tzinfo=None)
    last = _last(connection)
    if not _changed(results, last) and not left_over(results, last.values(), covering):
        return 0  # an idle run leaves no snapshot behind

    def work(session: duckdb.DuckDBPyConnection) -> int:
        # Asked again under the writer's turn: another run may have recorded the same meanwhile.
        last = _last(session)
        changed = _changed(results, last)
        _close(session, left_over(results, last.values(), covering), moment)
        if changed:
            session.register("new_results", _table(changed, moment))
            session.execute(
                f"INSERT INTO lake.ops.quality_result ({_COLUMNS}, checked_at, result_seq)"
                f" SELECT {_COLUMNS}, checked_at, place + (SELECT coalesce(max(result_seq), 0)"
                " FROM lake.ops.quality_result) FROM new_results"
            )
            session.unregister("new_results")
        return len(changed)

    return transact(connection, settings, work, message=f"quality results of {len(results)} checks")


def latest(settings: Settings) -> list[CheckResult]:
    """The newest result of every check, ordered by check; empty for a lake that has none."""
    if not lake_exists(settings):
        return []
    with open_lake(settings, read_only=True, spatial=False) as connection:
        return latest_of(connection)


def latest_of(connection: duckdb.DuckDBPyConnection, kind: Kind | None = None) -> list[CheckResult]:
    """The newest result of every check (of one kind), ordered by check."""
    found = (result for result in _last(connection).values() if kind in (None, result.kind))
    return sorted(found, key=lambda result: result.check_id)


def changed_since(results: Sequence[CheckResult], last: Iterable[CheckResult]) -> list[CheckResult]:
    """Those results that `record` would write, because they differ from the last one of their check."""
    return _changed(results, {result.check_id: result for result in last})


def left_over(
    results: Iterable[CheckResult], last: Iterable[CheckResult], covering: Callable[[CheckResult], bool]
) -> list[CheckResult]:
    """Those of the last results whose checks no longer exist: covered by these results and not among them."""
    made = {result.check_id for result in results}
    return [result for result in last if covering(result) and result.check_id not in made]


def position(connection: duckdb.DuckDBPyConnection, dataset: str | None = None) -> int:
    """The number of the newest landing transaction or withdrawal (of one data set); 0 when nothing has landed."""
    # Quoted, not bound: the first bound value in a process makes DuckDB import pandas, a second of CPU.
    condition = "" if dataset is None else f"WHERE dataset = {literal(dataset)}"
    ((number,),) = connection.execute(f"SELECT coalesce(max(load_seq), 0) FROM lake.ops.load {condition}").fetchall()
    return max(int(number), last_change(connection, dataset))


def key_texts(rows: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    """Rows of key columns as texts `column=value, column=value`, each once, at most 20."""
    texts = (", ".join(f"{name}={value}" for name, value in row.items()) for row in rows)
    return tuple(dict.fromkeys(texts))[:MAX_FAILED_KEYS]


def without_values(message: str) -> str:
    """The first line of a message, without anything in quotes: databases repeat the offending value there."""
    lines = message.strip().splitlines()
    return _QUOTED.sub("…", lines[0]) if lines else ""


def _changed(results: Sequence[CheckResult], last: dict[str, CheckResult]) -> list[CheckResult]:
    changed = []
    known = dict(last)
    for result in results:
        before = known.get(result.check_id)
        if before is None or before.outcome() != result.outcome():
            changed.append(replace(result, failed_keys=result.failed_keys[:MAX_FAILED_KEYS]))
            known[result.check_id] = result
    return changed


def _close(session: duckdb.DuckDBPyConnection, results: Sequence[CheckResult], moment: datetime) -> None:
    if not results:
        return
    listing = ", ".join(literal(result.check_id) for result in results)
    session.execute(
        f"INSERT INTO lake.ops.quality_result ({_COLUMNS}, checked_at, result_seq, is_closed)"
        f" SELECT {_COLUMNS}, TIMESTAMP {literal(moment.isoformat(sep=' '))}, row_number() OVER (ORDER BY check_id)"
        " + (SELECT coalesce(max(result_seq), 0) FROM lake.ops.quality_result), true"
        f" FROM (SELECT * FROM lake.ops.quality_result WHERE check_id IN ({listing})"
        " QUALIFY row_number() OVER (PARTITION BY check_id ORDER BY result_seq DESC NULLS LAST) = 1)"
    )


def _last(connection: duckdb.DuckDBPyConnection) -> dict[str, CheckResult]:
    if ("ops", "quality_result") not in tables(connection):
        return {}
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM lake.ops.quality_result"
        " QUALIFY row_number() OVER (PARTITION BY check_id ORDER BY result_seq DESC NULLS LAST) = 1"
        " AND NOT coalesce(is_closed, false)"
    ).fetchall()
    return {row[0]: _result(row) for row in rows}


def _result(row: tuple[object, ...]) -> CheckResult:
    values = dict(zip(_COLUMNS.replace(" ", "").split(","), row, strict=True))
    values["failed_keys"] = tuple(json.loads(str(values["failed_keys"])))
    text_values: list[str] = values.pop("text_values")  # type: ignore[assignment]
    values["text"] = CheckText(str(values.pop("text_code")), tuple(text_values))
    return CheckResult(**values)  # type: ignore[arg-type]


def _table(results: Sequence[CheckResult], moment: datetime) -> pa.Table:
    rows = [
        {
            **vars(result),
            "failed_keys": json.dumps(result.failed_keys, ensure_ascii=False),
            "text_code": result.text.code,
            "text_values": result.text.values,
            "checked_at": moment,
            "place": place,
        }
        for place, result in enumerate(results, start=1)
    ]
    return pa.Table.from_pylist(rows, schema=_TABLE)
