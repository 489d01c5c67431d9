"""Running declared suites with Great Expectations over an open lake.

Imported only by `suite_run.run_suites`, because importing Great Expectations takes seconds. Nothing of its own
results is kept but counts and key columns: its samples repeat values, which may be personal data.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import duckdb

from quality.results import MAX_FAILED_KEYS, CheckResult, key_texts, position, without_values
from quality.suites.declared import Expectation, Suite
from quality.suites.engine import lake_url
from quality.texts import CheckText
from warehouse.identifiers import checked, quoted
from warehouse.lake.layout import tables
from warehouse.lake.session import open_lake
from warehouse.settings import Settings

# Read at import: nothing may call home.
os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
import great_expectations.expectations
from great_expectations.data_context.types.base import ProgressBarsConfig

# The package does not export its expectations in a way that type checkers see.
gxe: Any = great_expectations.expectations
_RULE = "rule"


def run(settings: Settings, suites: Sequence[Suite]) -> list[CheckResult]:
    """The results of all suites, in their order."""
    with open_lake(settings, read_only=True) as session, lake_url(session) as url:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
        results: list[CheckResult] = []
        sources: dict[str, Any] = {}
        for suite in suites:
            if suite.layer not in sources:
                # No temporary tables: a copy of ten million rows would not fit into memory.
                sources[suite.layer] = context.data_sources.add_sql(
                    suite.layer, connection_string=f"{url}/{suite.layer}", create_temp_table=False
                )
            at = position(session, suite.table if suite.layer == "raw" else None)
            results += _run_suite(session, sources[suite.layer], suite, at)
        for source in sources.values():
            source.get_engine().dispose()
        return results


def _run_suite(session: duckdb.DuckDBPyConnection, source: Any, suite: Suite, at: int) -> list[CheckResult]:
    table = f"lake.{checked(suite.layer)}.{checked(suite.table)}"
    if (suite.layer, suite.table) not in tables(session):
        missing = Expectation("table_exists", "no_rows")
        return [_result(suite, missing, at, is_passed=False, text=CheckText.of("no_table", suite.name))]
    if not suite.expectations:
        return []
    asset = source.add_table_asset(suite.name, table_name=suite.table)
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    by_rule = _verdicts(batch, suite, suite.expectations, {"result_format": "BOOLEAN_ONLY"})
    # Counts and keys cost three more queries a demand, so only those that are broken are asked for them.
    broken = [e for e in suite.expectations if e.kind != "no_rows" and not by_rule[e.rule].success]
    keys = {"unexpected_index_column_names": list(suite.key), "partial_unexpected_count": MAX_FAILED_KEYS}
    by_rule |= _verdicts(batch, suite, broken, {"result_format": "SUMMARY", **keys})
    ((count,),) = session.execute(f"SELECT count(*) FROM {table}").fetchall()
    return [_judged(session, suite, e, by_rule[e.rule], table, int(count), at) for e in suite.expectations]


def _verdicts(
    batch: Any, suite: Suite, expectations: Sequence[Expectation], result_format: dict[str, object]
) -> dict[str, Any]:
    """What Great Expectations says of each demand, by its rule."""
    if not expectations:
        return {}
    declared = gx.ExpectationSuite(name=suite.name, expectations=[_native(e) for e in expectations])
    report = batch.validate(declared, result_format=result_format)
    return {r.expectation_config.meta[_RULE]: r for r in report.results}


def _native(expectation: Expectation) -> Any:
    meta = {_RULE: expectation.rule}
    column = expectation.column
    match expectation.kind:
        case "not_null":
            return gxe.ExpectColumnValuesToNotBeNull(column=column, meta=meta)
        case "unique":
            return gxe.ExpectColumnValuesToBeUnique(column=column, meta=meta)
        case "in_set":
            return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(expectation.values), meta=meta)
        case "between":
            return gxe.ExpectColumnValuesToBeBetween(
                column=column,
                min_value=_limit(expectation.minimum),
                max_value=_limit(expectation.maximum),
                meta=meta,
            )
        case "no_rows":
            # One row at most: Great Expectations fetches all rows of the query, which may be millions.
            counted = f"SELECT count(*) AS failed FROM {{batch}} WHERE {_escaped(expectation.broken)}"
            query = f"SELECT failed FROM ({counted}) AS counted WHERE failed > 0"
            return gxe.UnexpectedRowsExpectation(unexpected_rows_query=query, meta=meta)


def _limit(value: float | str | None) -> float | datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _escaped(sql: str) -> str:
    """SQL for a query that is first formatted (braces) and then read for bound names (colons)."""
    return sql.replace("{", "{{").replace("}", "}}").replace(":", "\\:")


def _judged(
    session: duckdb.DuckDBPyConnection,
    suite: Suite,
    expectation: Expectation,
    verdict: Any,
    table: str,
    count: int,
    at: int,
) -> CheckResult:
    details = verdict.result or {}
    exception = _exception(verdict.exception_info)
    if exception:
        return _result(suite, expectation, at, is_passed=False, text=CheckText.of("not_evaluated", exception))
    if expectation.kind == "no_rows":
        failed, keys = _failing(session, suite, expectation, table) if not verdict.success else (0, ())
    else:
        failed = int(details.get("unexpected_count") or 0)
        found = details.get("partial_unexpected_index_list") or []
        # The list also repeats the judged column's value; only the key leaves this function.
        keys = key_texts({name: row[name] for name in suite.key} for row in found) if suite.key else ()
    return _result(
        suite,
        expectation,
        at,
        is_passed=bool(verdict.success),
        text=CheckText.of("rows_break_rule", failed, count),
        checked_count=count,
        failed_count=failed,
        failed_keys=keys,
    )


def _failing(
    session: duckdb.DuckDBPyConnection, suite: Suite, expectation: Expectation, table: str
) -> tuple[int, tuple[str, ...]]:
    """How many rows break a demand of the kind `no_rows`, and the first of their keys."""
    rows = f"FROM {table} WHERE {expectation.broken}"
    ((failed,),) = session.execute(f"SELECT count(*) {rows}").fetchall()
    if not suite.key:
        return int(failed), ()
    columns = ", ".join(quoted(name) for name in suite.key)
    found = session.execute(f"SELECT DISTINCT {columns} {rows} ORDER BY ALL LIMIT {MAX_FAILED_KEYS}").fetchall()
    return int(failed), key_texts(dict(zip(suite.key, row, strict=True)) for row in found)


def _exception(info: dict[str, Any]) -> str:
    """The first exception of a verdict, without values; Great Expectations nests it by metric or not at all."""
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if isinstance(entry, dict) and entry.get("raised_exception"):
            return without_values(str(entry.get("exception_message") or "unknown error"))
    return ""


def _result(
    suite: Suite,
    expectation: Expectation,
    at: int,
    *,
    is_passed: bool,
    text: CheckText,
    checked_count: int | None = None,
    failed_count: int | None = None,
    failed_keys: tuple[str, ...] = (),
) -> CheckResult:
    return CheckResult(
        check_id=f"gx.{suite.name}.{expectation.rule}",
        kind="gx",
        layer=suite.layer,
        dataset=suite.table,
        rule=expectation.rule,
        severity=expectation.severity,
        is_passed=is_passed,
        checked_count=checked_count,
        failed_count=failed_count,
        failed_keys=failed_keys,
        text=text,
        data_position=at,
    )
