"""One expression over one table passes, everything else is refused; and what a finished query may read."""

from __future__ import annotations

import json
from collections.abc import Iterator

import duckdb
import pytest

from catalog.serve.superset.server.gate import CATALOGUE_ONLY, EVERYTHING_PUBLISHED, Reading, refuse_beyond, tables_of
from warehouse.identifiers import literal
from warehouse.lake.expressions import TELLING_FUNCTIONS, ExpressionRefused, refuse_unless_expression
from warehouse.settings import PROJECT_ROOT

OWN = Reading(frozenset({("zh", "mart_case")}), ("(dept_id IN ('a', 'b'))",))


@pytest.fixture(scope="module")
def parser() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    "text",
    [
        "count(*)",
        '"month"',
        "sum(a) / nullif(sum(b), 0)",
        "count(*) FILTER (WHERE a = 1)",
        "sum(sum(a)) OVER (PARTITION BY b ORDER BY c)",
        "CASE WHEN a THEN 'union select' ELSE '; -- from x' END",
        "a::date >= date '2026-01-01' AND (b IS NULL OR b IN ('x', 'y'))",
        "list_transform([1, 2], lambda x: x + 1)",
        "{'a': b}",
        "a  -- a remark within\n + b",
    ],
)
def test_one_expression_passes(text: str) -> None:
    refuse_unless_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "count(*) FROM t",
        "max(a) FROM t WHERE true UNION ALL SELECT b FROM u",
        "1 UNION SELECT 2",
        "1 EXCEPT SELECT 2",
        "1 INTERSECT SELECT 2",
        "(WITH a AS (SELECT 1) SELECT * FROM a)",
        "(SELECT 1)",
        "EXISTS (FROM t)",
        "a IN (SELECT b FROM t)",
        "ARRAY(SELECT 1)",
        "(TABLE t)",
        "(VALUES (1))",
        "(DESCRIBE t)",
        "(SUMMARIZE t)",
        "max(1) OVER (ORDER BY (SELECT 1))",
        "count(*) FILTER (WHERE (SELECT true))",
        "1; SELECT 2",
        "1;",
        "1) FROM t UNION ALL (SELECT 2",
        "a --",
        "a /*",
        "a /* b */ --",
        "'",
        "$a$",
        "a, b",
        "DISTINCT a",
        "a AS b",
        "a b",
        "*",
        "t.*",
        "COLUMNS(*)",
        "sum(COLUMNS('x'))",
        "a WHERE true",
        "a ORDER BY 1",
        "a LIMIT 1",
        "a GROUP BY ALL",
        "a USING SAMPLE 1",
        "a QUALIFY true",
        "$1",
        "?",
        "{{ a }}",
        "stats(a)",
        "current_setting('home_directory')",
        "pg_get_viewdef(1)",
        "nextval('a')",
        "",
        " ",
        "a\0",
        "+".join(["1"] * 15_000),
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ExpressionRefused, match=r"自定义 SQL.* / Custom SQL"):
        refuse_unless_expression(text)


def test_functions_that_read_a_table_behind_their_name_are_all_known(parser: duckdb.DuckDBPyConnection) -> None:
    """A release of DuckDB that brings another such macro fails here."""
    reading = parser.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'macro'"
        r" AND regexp_matches(macro_definition, '\b(from|select)\b', 'i')"
    ).fetchall()
    assert {name for (name,) in reading} <= TELLING_FUNCTIONS
    assert reading


def test_every_metric_of_the_marts_passes() -> None:
    import yaml

    found = []
    for file in (PROJECT_ROOT / "dbt" / "models" / "mart").glob("*.yml"):
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", []):
            meta = (model.get("config") or {}).get("meta") or model.get("meta") or {}
            found += [str(metric["sql"]) for metric in meta.get("metrics", [])]
    assert len(found) > 100
    for text in found:
        refuse_unless_expression(text)


def judged(parser: duckdb.DuckDBPyConnection, reading: Reading, sql: str) -> None:
    ((text,),) = parser.execute(f"SELECT json_serialize_sql({literal(sql)})").fetchall()
    refuse_beyond(reading, json.loads(text))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM zh.mart_case WHERE (dept_id IN ('a', 'b')) LIMIT 1",
        "SELECT a FROM ZH.Mart_Case WHERE a = 1 AND (dept_id IN ('a','b')) AND (b OR c) GROUP BY ALL",
        "SELECT count(*) FROM (SELECT a FROM zh.mart_case WHERE dept_id IN ('a', 'b')) AS t",
        "SELECT a FROM zh.mart_case WHERE false",
        "SELECT t.a FROM zh.mart_case AS t JOIN (SELECT a FROM zh.mart_case WHERE dept_id IN ('a', 'b')) AS u"
        " ON t.a = u.a WHERE dept_id IN ('a', 'b')",
        "SELECT 1",
    ],
)
def test_a_query_over_its_own_data_set_passes(parser: duckdb.DuckDBPyConnection, sql: str) -> None:
    judged(parser, OWN, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM zh.mart_case",
        "SELECT count(*) FROM zh.mart_case WHERE dept_id IN ('a', 'b') OR true",
        "SELECT count(*) FROM zh.mart_case WHERE dept_id IN ('a', 'b', 'c')",
        "SELECT count(*) FROM zh.mart_case WHERE (dept_id IN ('a', 'b')) UNION ALL SELECT 1 FROM zh.mart_case",
        "SELECT (SELECT max(a) FROM zh.mart_case) FROM zh.mart_case WHERE dept_id IN ('a', 'b')",
        "SELECT 1 FROM zh.mart_permit WHERE dept_id IN ('a', 'b')",
        "SELECT 1 FROM en.mart_case WHERE dept_id IN ('a', 'b')",
        "SELECT 1 FROM mart_case WHERE dept_id IN ('a', 'b')",
        "SELECT 1 FROM other.zh.mart_case WHERE dept_id IN ('a', 'b')",
        "SELECT 1 FROM information_schema.tables WHERE dept_id IN ('a', 'b')",
        "SELECT 1 FROM duckdb_tables() WHERE dept_id IN ('a', 'b')",
        "SELECT 1 FROM range(3)",
        "WITH mart_case AS (SELECT 1) SELECT 1 FROM zh.mart_permit WHERE dept_id IN ('a', 'b')",
        "SELECT stats(a) FROM zh.mart_case WHERE dept_id IN ('a', 'b')",
        "DESCRIBE zh.mart_case",
    ],
)
def test_a_query_that_reads_more_is_refused(parser: duckdb.DuckDBPyConnection, sql: str) -> None:
    with pytest.raises(duckdb.PermissionException):
        judged(parser, OWN, sql)


def test_without_its_row_rules_a_query_gives_no_row(parser: duckdb.DuckDBPyConnection) -> None:
    """Superset has not been asked for the account's rules: it is not known that there are none."""
    unknown = Reading(OWN.tables, None)
    judged(parser, unknown, "SELECT a FROM zh.mart_case WHERE false")
    with pytest.raises(duckdb.PermissionException, match="row rules"):
        judged(parser, unknown, "SELECT a FROM zh.mart_case")


def test_an_administrator_has_no_rule_and_still_one_table(parser: duckdb.DuckDBPyConnection) -> None:
    free = Reading(OWN.tables, ())
    judged(parser, free, "SELECT a FROM zh.mart_case")
    with pytest.raises(duckdb.PermissionException, match="mart_permit"):
        judged(parser, free, "SELECT a FROM zh.mart_permit")


def test_who_names_no_data_set_sees_the_catalogue_only(parser: duckdb.DuckDBPyConnection) -> None:
    judged(parser, CATALOGUE_ONLY, "SELECT * FROM information_schema.columns")
    judged(parser, CATALOGUE_ONLY, "SELECT * FROM duckdb_tables()")
    judged(parser, EVERYTHING_PUBLISHED, "SELECT * FROM zh.mart_case")
    for sql in ("SELECT * FROM zh.mart_case", "SELECT * FROM main._publication", "SELECT * FROM mart_case"):
        with pytest.raises(duckdb.PermissionException):
            judged(parser, CATALOGUE_ONLY, sql)


def test_a_data_set_made_from_sql_reads_the_tables_it_names() -> None:
    assert tables_of("SELECT * FROM zh.mart_case JOIN en.mart_permit USING (a)") == {
        ("zh", "mart_case"),
        ("en", "mart_permit"),
    }
    assert tables_of("WITH a AS (FROM zh.Mart_Case) SELECT * FROM a") == {("zh", "mart_case"), ("main", "a")}
    assert tables_of("SELECT FROM") == frozenset()
