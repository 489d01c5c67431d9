"""What a SQL text would do, told by DuckDB's own parser before anything is run.

Belongs here: reading a statement's syntax tree. Does not belong here: running statements (`query`, `publish`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from warehouse.errors import ReadOnlyViolation
from warehouse.identifiers import literal
from warehouse.lake.layout import SCHEMAS

# Only these table functions: a deny list would miss what the next DuckDB release adds. The sqlite and postgres
# scanners ignore `enable_external_access`, and DuckLake's own upkeep can be called from FROM.
_HISTORY = ("snapshots", "current_snapshot", "table_info", "table_changes", "table_insertions", "table_deletions")
TABLE_FUNCTIONS = frozenset(
    ("range", "generate_series", "unnest", "json_each", "json_tree", *_HISTORY, *(f"ducklake_{n}" for n in _HISTORY))
)
# Scalar functions compute from their arguments, except these: they plan a hidden statement, change the session
# or hold it up.
FORBIDDEN_FUNCTIONS = frozenset(
    ("json_serialize_plan", "write_log", "nextval", "currval", "setseed", "sleep_ms", "pg_sleep")
)
_SHOWN = frozenset(("__show_tables_expanded", "tables", "databases", "schemas"))

Reference = tuple[str, str, str]


def only_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[str, duckdb.StatementType]:
    """The text and type of the one statement of `sql`.

    Raises:
        ReadOnlyViolation: there is none, or more than one.
        duckdb.Error: `sql` does not parse.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise ReadOnlyViolation(
            "exactly one statement is allowed", where="SQL", value=len(statements), fix="send one statement at a time"
        )
    return statements[0].query, statements[0].type


def syntax_tree(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    """The syntax tree of one SELECT (or FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE).

    Raises:
        ReadOnlyViolation: it is any other statement.
        duckdb.Error: it does not parse.
    """
    ((text,),) = connection.execute(f"SELECT json_serialize_sql({literal(sql)})").fetchall()
    tree: dict[str, Any] = json.loads(text)
    if tree["error"]:
        if tree.get("error_type") == "parser":
            raise duckdb.ParserException(str(tree.get("error_message")))
        raise ReadOnlyViolation("only reading is allowed", where="SQL", fix="use SELECT, DESCRIBE, SHOW or EXPLAIN")
    return tree


def referenced_tables(tree: Any) -> set[Reference]:
    """Every table or view named in the tree as (catalog, schema, name), lower case; without the names of CTEs."""
    named = _cte_names(tree)
    found = set()
    for node in nodes(tree):
        if node.get("type") == "BASE_TABLE":
            reference = _reference(node)
            if reference[:2] != ("", "") or reference[2] not in named:
                found.add(reference)
    return found


def refuse_unless_reading(tree: Any, system_views: set[str]) -> None:
    """Refuse a tree that reaches anything but the lake's own tables.

    Args:
        tree: of `syntax_tree`.
        system_views: names that DuckDB resolves without a schema; they show settings, paths and addresses.

    Raises:
        ReadOnlyViolation: naming the function or table.
    """
    named = _cte_names(tree) - system_views
    for node in nodes(tree):
        kind = node.get("type")
        if kind == "TABLE_FUNCTION":
            name = str(node["function"].get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS:
                raise _refused("this table function is not allowed", name)
        elif kind == "FUNCTION" and str(node.get("function_name", "")).lower() in FORBIDDEN_FUNCTIONS:
            raise _refused("this function is not allowed", node["function_name"])
        elif kind == "BASE_TABLE":
            _refuse_foreign(_reference(node), named)
        elif kind == "SHOW_REF" and not node.get("query"):
            shown = str(node.get("table_name") or "").strip('"').lower()
            schema = str(node.get("schema_name") or "").lower()
            if shown not in _SHOWN and not (shown == "" and schema in (*SCHEMAS, "lake")):
                raise _refused("cannot be shown", shown or schema)


def _refuse_foreign(reference: Reference, named: set[str]) -> None:
    catalog, schema, name = reference
    if (catalog, schema) == ("", ""):
        allowed = name in named
    elif schema == "information_schema":
        allowed = catalog in ("", "system", "memory")
    else:
        allowed = catalog in ("", "lake") and schema in SCHEMAS
    if not allowed:
        raise _refused("only tables of the lake may be read", ".".join(part for part in reference if part))


def _refused(problem: str, value: object) -> ReadOnlyViolation:
    return ReadOnlyViolation(
        problem, where="SQL", value=value, fix="read tables as schema.table, schema one of " + ", ".join(SCHEMAS)
    )


def _reference(node: dict[str, Any]) -> Reference:
    return tuple(str(node.get(part) or "").lower() for part in ("catalog_name", "schema_name", "table_name"))  # type: ignore[return-value]


def _cte_names(tree: Any) -> set[str]:
    names: set[str] = set()
    for node in nodes(tree):
        entries = (node.get("cte_map") or {}).get("map") or []
        names.update(str(entry["key"]).lower() for entry in entries)
    return names


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object within a syntax tree."""
    # A stack instead of recursion: a long chain of operators nests deeper than Python's limit.
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
