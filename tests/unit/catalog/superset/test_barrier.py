"""An account's expressions are computed over its own rows only: another's rows are not told by an error either."""

from __future__ import annotations

import json
from collections.abc import Iterator

import duckdb
import pytest
import yaml

from catalog.serve.superset.server.barrier import behind_rules, without_values
from catalog.serve.superset.server.gate import EVERYTHING_PUBLISHED, Reading
from warehouse.identifiers import literal
from warehouse.settings import PROJECT_ROOT

RULE = "dept_id IN ('a', 'b')"
OWN = Reading(frozenset({("zh", "mart_case")}), (RULE,))


@pytest.fixture(scope="module")
def serving() -> Iterator[duckdb.DuckDBPyConnection]:
    """Rows of departments a and b hold numbers, those of c and d names."""
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA zh")
        connection.execute(
            "CREATE TABLE zh.mart_case AS SELECT ['a', 'b', 'c', 'd'][i % 4 + 1] AS dept_id, i AS n,"
            " CASE WHEN i % 4 < 2 THEN i::VARCHAR ELSE 'Secret' || i END AS handler FROM range(20000) AS r(i)"
        )
        yield connection


def behind(connection: duckdb.DuckDBPyConnection, sql: str, reading: Reading = OWN) -> str:
    ((text,),) = connection.execute(f"SELECT json_serialize_sql({literal(sql)})").fetchall()
    return behind_rules(connection, reading, sql, json.loads(text))


FAILS_ON_OTHERS = [
    "CAST(handler AS INTEGER) >= 0",
    "CASE WHEN handler LIKE 'Secret%' THEN error(handler) IS NULL ELSE true END",
    "CASE WHEN dept_id = 'c' THEN 9223372036854775807 + n > 0 ELSE true END",
]


@pytest.mark.parametrize("condition", FAILS_ON_OTHERS)
def test_a_condition_never_meets_a_row_of_another(serving: duckdb.DuckDBPyConnection, condition: str) -> None:
    for order in (f"({condition}) AND {RULE}", f"{RULE} AND ({condition})"):
        asked = behind(serving, f"SELECT count(*) FROM zh.mart_case WHERE {order}")
        assert serving.execute(asked).fetchall() == [(10000,)]


def test_the_plan_keeps_the_condition_above_the_rows_of_the_rule(serving: duckdb.DuckDBPyConnection) -> None:
    asked = behind(serving, f"SELECT count(*) FROM zh.mart_case WHERE CAST(handler AS INTEGER) >= 0 AND {RULE}")
    ((_, plan),) = serving.execute(f"EXPLAIN {asked}").fetchall()
    assert plan.index("AS INTEGER") < plan.index("STREAMING_LIMIT") < plan.index("SEQ_SCAN")
    assert "AS INTEGER" not in plan[plan.index("STREAMING_LIMIT") :]
    assert "│         n " not in plan


def test_a_part_within_a_join_is_held_back_too(serving: duckdb.DuckDBPyConnection) -> None:
    asked = behind(
        serving,
        f"SELECT sum(m.n) FROM zh.mart_case AS m JOIN (SELECT n AS k FROM zh.mart_case WHERE {RULE}"
        f" AND handler::INT >= 0 ORDER BY k LIMIT 2) AS top ON m.n = top.k WHERE {RULE} AND handler::INT >= 0",
    )
    assert asked.count("9223372036854775807") == 2
    assert serving.execute(asked).fetchall() == [(1,)]


def test_an_error_over_its_own_rows_stands_and_names_no_value(serving: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.ConversionException, match="x") as caught:
        serving.execute(behind(serving, f"SELECT (handler || 'x')::INT FROM zh.mart_case WHERE {RULE}"))
    assert str(without_values(caught.value)).startswith("查询中的某个表达式")
    with pytest.raises(duckdb.InvalidInputException) as raised:
        serving.execute(behind(serving, f"SELECT error('kept ' || handler) FROM zh.mart_case WHERE {RULE}"))
    assert "kept" not in str(without_values(raised.value))


def test_an_error_of_the_text_is_told_as_it_is(serving: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.BinderException) as caught:
        serving.execute(behind(serving, f"SELECT nothing FROM zh.mart_case WHERE {RULE}"))
    assert without_values(caught.value) is caught.value


@pytest.mark.parametrize("reading", [EVERYTHING_PUBLISHED, Reading(OWN.tables, ())])
def test_without_row_rules_the_statement_stays(serving: duckdb.DuckDBPyConnection, reading: Reading) -> None:
    asked = "SELECT  count(*)  FROM zh.mart_case"
    assert behind(serving, asked, reading) == asked


def test_every_metric_of_the_marts_is_written_again_as_it_was(serving: duckdb.DuckDBPyConnection) -> None:
    def columns(sql: str) -> object:
        ((text,),) = serving.execute(f"SELECT json_serialize_sql({literal(sql)})").fetchall()
        return _without_places(json.loads(text)["statements"][0]["node"]["select_list"])

    count = 0
    for file in (PROJECT_ROOT / "dbt" / "models" / "mart").glob("*.yml"):
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", []):
            meta = (model.get("config") or {}).get("meta") or model.get("meta") or {}
            for metric in meta.get("metrics", []):
                asked = f"SELECT {metric['sql']} FROM zh.mart_case WHERE {RULE}"
                assert columns(behind(serving, asked)) == columns(asked)
                count += 1
    assert count > 100


def _without_places(part: object) -> object:
    if isinstance(part, dict):
        return {name: _without_places(value) for name, value in part.items() if name != "query_location"}
    return [_without_places(value) for value in part] if isinstance(part, list) else part
