"""Which data set the query that runs now is about, and the check of each expression that Superset takes.

What a query may read is judged in `gate`, by what is noted here for the request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from flask import Flask, g, has_app_context, request

from catalog.serve.superset.server import written
from catalog.serve.superset.server.gate import CATALOGUE_ONLY, Reading
from warehouse.lake.expressions import ExpressionRefused, refuse_unless_expression

_SQL_LAB = "/api/v1/sqllab/"
_KEY = "gridlake_reading"


def current() -> Reading:
    """What the query of this request may read."""
    # Kept in Flask's `g`, not in a context variable: an answer that is sent while it is computed (a large CSV file)
    # takes `g` along, and nothing else.
    return g.get(_KEY, CATALOGUE_ONLY) if has_app_context() else CATALOGUE_ONLY


def install(app: Flask) -> None:
    """Note what each query may read, and check expressions wherever Superset takes one."""
    app.before_request(_sql_lab)
    written.install()
    _note_data_sets()
    _note_statements()
    _check_expressions()


def _sql_lab() -> None:
    if request.path.startswith(_SQL_LAB):
        setattr(g, _KEY, written.statement())


def _note_statements() -> None:
    """SQL Lab runs its statements within a request context of its own, which begins empty."""
    from superset import sql_lab

    run = sql_lab.execute_sql_statements

    def run_noted(*arguments: Any, **named: Any) -> Any:
        setattr(g, _KEY, written.statement())
        return run(*arguments, **named)

    sql_lab.execute_sql_statements = run_noted


def _note_data_sets() -> None:
    """Whoever begins a query over a data set may from then on read that one."""
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.sql_lab import Query

    # Every way to ask a data set (chart, samples, values of a column, check of an expression) begins with its FROM.
    whole_from, query_from, rules = (
        SqlaTable.get_from_clause,
        Query.get_from_clause,
        SqlaTable.get_sqla_row_level_filters,
    )

    def from_data_set(dataset: Any, *arguments: Any, **named: Any) -> Any:
        if dataset.sql:
            written.refuse_without_right()
        setattr(g, _KEY, _of(dataset))
        return whole_from(dataset, *arguments, **named)

    def from_own_query(query: Any, *arguments: Any, **named: Any) -> Any:
        written.refuse_without_right()
        setattr(g, _KEY, written.statement())
        return query_from(query, *arguments, **named)

    @wraps(rules)
    def with_rules(dataset: Any, *arguments: Any, **named: Any) -> Any:
        found = rules(dataset, *arguments, **named)
        if not dataset.sql and current().tables == _of(dataset).tables:
            setattr(g, _KEY, replace(_of(dataset), rules=tuple(str(clause) for clause in found)))
        return found

    SqlaTable.get_from_clause = from_data_set
    Query.get_from_clause = from_own_query
    SqlaTable.get_sqla_row_level_filters = with_rules
    _note_descriptions()


def _note_descriptions() -> None:
    """Superset learns a data set's columns, and how it writes times, by queries of their own without row rules."""
    from superset.connectors.sqla import models
    from superset.datasets.datetime_format_detector import DatetimeFormatDetector

    describe, detect = models.get_virtual_table_metadata, DatetimeFormatDetector.detect_column_format

    def described(dataset: Any) -> Any:
        setattr(g, _KEY, replace(_of(dataset), rules=(), rules_of=None))
        return describe(dataset)

    def detected(detector: Any, dataset: Any, column: Any) -> Any:
        setattr(g, _KEY, replace(_of(dataset), rules=(), rules_of=None))
        return detect(detector, dataset, column)

    models.get_virtual_table_metadata = described
    DatetimeFormatDetector.detect_column_format = detected


def _of(dataset: Any) -> Reading:
    if dataset.sql:
        return written.virtual(dataset)
    table = (str(dataset.schema or "main").lower(), str(dataset.table_name).lower())
    # One that an administrator made again of the same table, under another spelling, has no row rules of its own.
    return Reading(frozenset((table,)), None, None if dataset.is_managed_externally else written.row_rules)


def _check_expressions() -> None:
    """Check each text that Superset takes as SQL: before it is written into a query, and as it will be written."""
    from superset.exceptions import QueryObjectValidationError
    from superset.models.helpers import ExploreMixin

    def checked(text: str | None) -> str | None:
        try:
            if text:
                refuse_unless_expression(text)
        except ExpressionRefused as error:
            raise QueryObjectValidationError(str(error)) from None
        return text

    def around(process: Callable[..., str | None]) -> Callable[..., str | None]:
        def process_checked(self: Any, expression: str | None, *arguments: Any, **named: Any) -> str | None:
            return checked(process(self, checked(expression), *arguments, **named))

        return process_checked

    def build_checked(self: Any, expression: str, *arguments: Any, **named: Any) -> Any:
        return build(self, checked(expression), *arguments, **named)

    build = ExploreMixin._build_validation_query
    ExploreMixin._process_select_expression = around(ExploreMixin._process_select_expression)
    ExploreMixin._process_orderby_expression = around(ExploreMixin._process_orderby_expression)
    ExploreMixin._build_validation_query = build_checked
