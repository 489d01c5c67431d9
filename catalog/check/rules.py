"""Checking the cross-field rules of a contract: each is bound by DuckDB to an empty table of its fields."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache

import duckdb
from open_data_contract_standard.model import DataQuality

from catalog import vocabulary
from catalog.check.common import NAME, Report, custom_of, filled, has_chinese, one_of
from catalog.check.fields import first_line
from warehouse.identifiers import quoted
from warehouse.lake.extensions import connect

ENGINE = "gridlake"
_ROW = "row_of_contract"


def check_rules(rules: list[DataQuality], fields: dict[str, str], report: Report) -> None:
    """Report the faults of all rules.

    Args:
        rules: the rules of the contract's table.
        fields: physical type of each sound field by name.
        report: called with (place, problem, fix).
    """
    if not rules:
        return
    for name, count in Counter(rule.name for rule in rules if rule.name).items():
        if count > 1:
            report(f"quality.{name}", f"the rule name is used {count} times", "give each rule its own name")
    connection = _empty_table(fields)
    for number, rule in enumerate(rules):
        _check_rule(rule, f"quality.{rule.name or number}", connection, report)


def _check_rule(rule: DataQuality, place: str, connection: duckdb.DuckDBPyConnection, report: Report) -> None:
    if not NAME.fullmatch(rule.name or ""):
        report(place, "the rule has no plain name", "add name: in lower-case letters, digits and _")
    if not filled(rule.description):
        report(place, "the rule has no description", "say in description what it demands")
    own = custom_of(rule.customProperties, vocabulary.RULE_PROPERTIES, f"{place}.", report)
    if not has_chinese(own.get("descriptionZh")):
        report(place, "the rule has no Chinese description", "add descriptionZh to its customProperties")
    if rule.type != "custom" or rule.engine != ENGINE:
        report(place, "the rule would be ignored", f"write type: custom and engine: {ENGINE}")
    # Absent they have defaults: error, consistency.
    if rule.severity is not None:
        one_of(rule.severity, vocabulary.SEVERITIES, f"{place}.severity", report)
    if rule.dimension is not None:
        one_of(rule.dimension, vocabulary.DIMENSIONS, f"{place}.dimension", report)
    if not isinstance(rule.implementation, str) or not rule.implementation.strip():
        report(place, "the rule has no SQL", "write a SQL boolean over the fields as implementation")
        return
    problem = binding_problem(connection, rule.implementation)
    if problem:
        report(place, f"the SQL {problem}", "write one SQL boolean over the fields of this contract")


def _empty_table(fields: dict[str, str]) -> duckdb.DuckDBPyConnection:
    connection = _connection(has_geometry="GEOMETRY" in fields.values())
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in fields.items()) or "_none BOOLEAN"
    connection.execute(f"CREATE OR REPLACE TABLE {_ROW} ({columns})")
    return connection


@cache
def _connection(*, has_geometry: bool) -> duckdb.DuckDBPyConnection:
    connection = connect(extensions=("spatial",) if has_geometry else ())
    # A rule speaks of its row only, never of files.
    connection.execute("SET enable_external_access = false")
    return connection


def binding_problem(connection: duckdb.DuckDBPyConnection, expression: str) -> str | None:
    """Why an expression is no boolean over one row, or None. No rows are read."""
    # The line break ends a comment that would swallow the bracket.
    query = f"SELECT ({expression}\n) AS verdict FROM {_ROW}"
    try:
        if len(connection.extract_statements(query)) != 1:
            return "is more than one expression"
        if _has_subquery(connection, query):
            return "has a subquery; a rule speaks of one row"
        described = connection.execute(f"DESCRIBE {query}").fetchall()
        if len(described) != 1:
            return "is more than one expression"
        if described[0][1] != "BOOLEAN":
            return f"gives {described[0][1]}, not BOOLEAN"
        # A WHERE refuses aggregates and window functions.
        connection.execute(f"EXPLAIN SELECT 1 FROM {_ROW} WHERE ({expression}\n)").fetchall()
    except duckdb.Error as error:
        return f"does not fit the fields: {first_line(error)}"
    return None


def _has_subquery(connection: duckdb.DuckDBPyConnection, query: str) -> bool:
    ((tree,),) = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchall()
    waiting = [json.loads(tree)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("class") == "SUBQUERY":
                return True
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return False
