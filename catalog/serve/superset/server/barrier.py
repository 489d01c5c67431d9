"""What keeps an expression from the rows that its account may not see, also where it only fails on them.

DuckDB evaluates the conditions of one WHERE in an order of its own. An expression that fails on another's row would
tell by its failure what stands there, and by its message the value itself. Needs only the standard library and DuckDB.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import duckdb

from catalog.serve.superset.server.gate import CATALOGUES, Reading
from warehouse.identifiers import literal, quoted
from warehouse.lake.statements import nodes

# No condition is moved below a LIMIT, as it would change what the LIMIT counts. A materialised CTE is no such barrier:
# DuckDB moves conditions into it.
_ALL = 2**63 - 1
# These speak of the query's text and of the machine; every other kind may name a value of a row.
_WITHOUT_VALUES = (
    *(duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.SyntaxException),
    *(duckdb.PermissionException, duckdb.InterruptException, duckdb.IOException, duckdb.OutOfMemoryException),
)
log = logging.getLogger("gridlake.superset")


def behind_rules(connection: duckdb.DuckDBPyConnection, reading: Reading, statement: str, tree: Any) -> str:
    """The statement with each table replaced by those of its rows that the row rules let pass.

    Args:
        connection: any; its results are left alone.
        reading: what the query may read; without row rules the statement stays as it is.
        statement: one SELECT that `refuse_beyond` let pass.
        tree: its syntax tree, which is changed.

    Raises:
        duckdb.PermissionException: a table that somebody's SQL names may not be read by this account.
        duckdb.Error: the tree cannot be written as SQL again.
    """
    found = [node for node in nodes(tree) if node.get("type") == "BASE_TABLE"]
    ruled = [(node, rules) for node in found if (rules := _rules(connection, reading, node))]
    if not ruled:
        return statement
    for node, rules in ruled:
        allowed = _allowed(connection, node, rules)
        alias = node["alias"] or node["table_name"]
        kept = {"sample": node["sample"], "column_name_alias": node["column_name_alias"]}
        node.clear()
        node.update(allowed, alias=alias, **kept)
    ((text,),) = connection.cursor().execute(f"SELECT json_deserialize_sql({literal(json.dumps(tree))})").fetchall()
    return str(text)


def _rules(connection: duckdb.DuckDBPyConnection, reading: Reading, table: dict[str, Any]) -> tuple[str, ...]:
    rules = (reading.rules or ()) if reading.tables else ()
    name = str(table["table_name"]).lower()
    if reading.rules_of is None or str(table["schema_name"]).lower() in CATALOGUES:
        return rules
    found = reading.rules_of(name)
    if found is None and (table["schema_name"] or _is_table(connection, name)):
        raise duckdb.PermissionException(f"{name} has no row rules: it is for accounts that see every row")
    return (*rules, *(rule for rule in found or () if rule not in rules))


def _is_table(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether a name without a schema may be a table, and not only what WITH calls so."""
    asked = f"SELECT count(*) FROM information_schema.tables WHERE lower(table_name) = {literal(name)}"
    ((count,),) = connection.cursor().execute(asked).fetchall()
    return bool(count)


def _allowed(connection: duckdb.DuckDBPyConnection, table: dict[str, Any], rules: tuple[str, ...]) -> dict[str, Any]:
    parts = ("catalog_name", "schema_name", "table_name")
    name = ".".join(quoted(table[part]) for part in parts if table[part])
    held = " AND ".join(f"({rule})" for rule in rules)
    rows = f"SELECT 1 FROM (SELECT * FROM {name} WHERE {held} LIMIT {_ALL}) AS allowed"
    ((text,),) = connection.cursor().execute(f"SELECT json_serialize_sql({literal(rows)})").fetchall()
    made: dict[str, Any] = json.loads(text)["statements"][0]["node"]["from_table"]
    return made


def without_values(error: duckdb.Error) -> duckdb.Error:
    """The error as an account may read it: what the engine says of a row's value is neither told nor written down."""
    if isinstance(error, _WITHOUT_VALUES):
        return error
    log.warning("a chart's query failed on a value: %s", type(error).__name__)
    return duckdb.InvalidInputException(
        "查询中的某个表达式或筛选条件无法用于该数据集的某个值，请检查类型转换和计算。"
        " / An expression or a filter of this query cannot be computed for a value of the data set:"
        " check its casts and its arithmetic."
    )
