"""The second gate: what a finished query may read, judged by its syntax tree where it is run.

A chart's query reads the table of its own data set and nothing else, and each part of it that reads the table holds the
asking account's row rules. Which data set asks is noted in `reading`; SQL Lab has a rule of its own (`connection`).
Needs only the standard library and DuckDB.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import duckdb

from warehouse.identifiers import literal
from warehouse.lake.expressions import TELLING_FUNCTIONS
from warehouse.lake.statements import nodes

CATALOGUES = frozenset(("information_schema", "pg_catalog"))


@dataclass(frozen=True)
class Reading:
    """What a query may read.

    Attributes:
        tables: (schema, table) pairs; None means all that is published, as in SQL Lab.
        rules: conditions of which each part of the query that reads a table must hold every one; None means that they
            have not been asked for, so that no row may come.
        rules_of: for what people make themselves: gives the row rules of a table by its name, None where it may not
            be read.
    """

    tables: frozenset[tuple[str, str]] | None
    rules: tuple[str, ...] | None = ()
    rules_of: Callable[[str], tuple[str, ...] | None] | None = None


CATALOGUE_ONLY = Reading(frozenset())
EVERYTHING_PUBLISHED = Reading(None)


@lru_cache(maxsize=256)
def tables_of(sql: str) -> frozenset[tuple[str, str]]:
    """The published tables that a SELECT names, as (schema, table); none where it does not parse.

    What WITH calls by a name is among them: where the name is a table's too, either may be meant.
    """
    found = (node for node in nodes(_tree(sql)) if node.get("type") == "BASE_TABLE" and not node.get("catalog_name"))
    return frozenset(
        (str(node.get("schema_name") or "main").lower(), str(node.get("table_name")).lower()) for node in found
    )


def refuse_beyond(reading: Reading, tree: Any) -> None:
    """Let a query pass that keeps to what it may read.

    Args:
        reading: what it may read.
        tree: its syntax tree (`json_serialize_sql`).

    Raises:
        duckdb.PermissionException: it reads another table, or leaves a row rule out.
    """
    if reading.tables is None:
        return
    is_catalogue = not reading.tables
    for node in nodes(tree):
        kind = node.get("type")
        if kind == "TABLE_FUNCTION" and not is_catalogue:
            raise duckdb.PermissionException("a chart reads its own data set only, and no table function")
        if kind == "SHOW_REF":
            raise duckdb.PermissionException("a chart reads its own data set only")
        if kind == "FUNCTION" and not is_catalogue and str(node.get("function_name", "")).lower() in TELLING_FUNCTIONS:
            raise duckdb.PermissionException(f"the function {node['function_name']} is not allowed here")
        if kind == "BASE_TABLE":
            _refuse_table(node, reading)
    if not is_catalogue:
        _refuse_without_rules(tree, reading)


def _refuse_table(node: dict[str, Any], reading: Reading) -> None:
    catalog, schema, table = (
        str(node.get(part) or "").lower() for part in ("catalog_name", "schema_name", "table_name")
    )
    if not reading.tables:
        is_allowed = schema in CATALOGUES
    else:
        is_allowed = not catalog and (schema or "main", table) in reading.tables
    if not is_allowed:
        raise duckdb.PermissionException(f"{table} is not the table of this chart's data set")


def _refuse_without_rules(tree: Any, reading: Reading) -> None:
    wanted = None if reading.rules is None else [part for rule in reading.rules for part in _condition(rule)]
    for select in nodes(tree):
        if select.get("type") != "SELECT_NODE" or not _reads_itself(select.get("from_table")):
            continue
        held = list(_conjuncts(select.get("where_clause")))
        if any(_is_never(condition) for condition in held):
            continue
        if wanted is None or any(rule not in held for rule in wanted):
            raise duckdb.PermissionException("the row rules of this account are missing in a part of the query")


def _reads_itself(table: Any) -> bool:
    """Whether a SELECT's FROM names a table, be it within a join; a subquery in it is judged by itself."""
    if not isinstance(table, dict):
        return False
    if table.get("type") == "JOIN":
        return _reads_itself(table.get("left")) or _reads_itself(table.get("right"))
    return table.get("type") == "BASE_TABLE"


def _conjuncts(condition: Any) -> Iterator[Any]:
    if isinstance(condition, dict) and condition.get("type") == "CONJUNCTION_AND":
        for child in condition["children"]:
            yield from _conjuncts(child)
    elif condition is not None:
        yield _without_places(condition)


def _is_never(condition: Any) -> bool:
    return condition in _never()


@lru_cache(maxsize=1)
def _never() -> list[Any]:
    return [part for text in ("false", "1 = 0", "0 = 1") for part in _condition(text)]


@lru_cache(maxsize=1024)
def _condition(text: str) -> tuple[Any, ...]:
    """The parts of a condition that AND joins."""
    tree = _tree(f"SELECT 1 WHERE {text}")
    if tree is None:
        raise duckdb.PermissionException("a row rule of this account cannot be read")
    return tuple(_conjuncts(tree["statements"][0]["node"]["where_clause"]))


def _without_places(part: Any) -> Any:
    """A tree without the places in the text."""
    if isinstance(part, dict):
        return {name: _without_places(value) for name, value in part.items() if name != "query_location"}
    if isinstance(part, list):
        return [_without_places(value) for value in part]
    return part


def _tree(sql: str) -> Any:
    with duckdb.connect(":memory:") as connection:
        ((text,),) = connection.execute(f"SELECT json_serialize_sql({literal(sql)})").fetchall()
    tree = json.loads(text)
    return None if tree["error"] else tree
