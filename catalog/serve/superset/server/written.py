"""What people make themselves: virtual data sets, results of SQL Lab as charts, and tables added by hand.

Belongs here: who may ask SQL that somebody wrote (accounts that may write it), and which row rules hold in what people
make: those of each table that it names, whatever Superset's own parser takes the name for. What a query over one of our
data sets may read is noted in `reading`.
"""

from __future__ import annotations

import inspect
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from catalog.serve.superset.server.gate import EVERYTHING_PUBLISHED, Reading, tables_of

_RIGHT = ("can_execute_sql_query", "SQLLab")


def install() -> None:
    """Ask for the right to SQL wherever Superset asks for access, and keep answers apart by row rules."""
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.sql_lab import Query
    from superset.security.manager import SupersetSecurityManager

    allow = SupersetSecurityManager.raise_for_access

    def allow_with_right(manager: Any, *arguments: Any, **named: Any) -> None:
        asked = [named.get("datasource"), named.get("query")]
        asked += [getattr(named.get(key), "datasource", None) for key in ("query_context", "viz")]
        if any(is_written(source) for source in asked):
            refuse_without_right()
        allow(manager, *arguments, **named)

    SupersetSecurityManager.raise_for_access = allow_with_right
    for kind in (SqlaTable, Query):
        kind.get_extra_cache_keys = _with_rules(kind.get_extra_cache_keys)


def is_written(source: Any) -> bool:
    """Whether it is SQL that somebody wrote, not a table."""
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.sql_lab import Query

    return isinstance(source, Query) or (isinstance(source, SqlaTable) and bool(source.sql))


def refuse_without_right() -> None:
    """Let an account pass that may write SQL.

    Raises:
        SupersetSecurityException: it may not.
    """
    from superset import security_manager
    from superset.errors import ErrorLevel, SupersetError, SupersetErrorType
    from superset.exceptions import SupersetSecurityException

    if security_manager.can_access(*_RIGHT):
        return
    text = (
        "该图表基于自编 SQL，仅供可使用 SQL 工具箱的账号查看。"
        " / This chart is made of SQL that somebody wrote; it is for accounts that may use SQL Lab."
    )
    raise SupersetSecurityException(
        SupersetError(
            message=text, error_type=SupersetErrorType.DATASOURCE_SECURITY_ACCESS_ERROR, level=ErrorLevel.WARNING
        )
    )


def statement() -> Reading:
    """What a statement of SQL Lab, or a chart of its result, may read."""
    return replace(EVERYTHING_PUBLISHED, rules_of=row_rules)


def virtual(dataset: Any) -> Reading:
    """What a query over a virtual data set may read."""
    return Reading(tables_of(str(dataset.sql)), rules_of=row_rules)


def row_rules(table: str) -> tuple[str, ...] | None:
    """The row rules of the asking account on a published table; None where it may not read it at all.

    Args:
        table: its name in lower case. A table has one name in the schemas of both languages, and in the one that both
            are made of.
    """
    from superset import db
    from superset.connectors.sqla.models import SqlaTable

    ours = db.session.query(SqlaTable).filter_by(is_managed_externally=True).all()
    found = [dataset for dataset in ours if dataset.table_name.lower() == table]
    if found:
        return tuple(sorted({rule for dataset in found for rule in _rules(dataset)}))
    # No data set tells whose its rows are: they are for accounts that see all rows of everything.
    return None if any(_rules(dataset) for dataset in ours) else ()


def _rules(dataset: Any) -> list[str]:
    # As Superset has it: asked through `reading` it would be noted as the data set that is being read.
    ask = inspect.unwrap(type(dataset).get_sqla_row_level_filters)
    return [str(rule) for rule in ask(dataset)]


def _with_rules(extra_keys: Any) -> Any:
    def keys(source: Any, query: Any) -> list[Hashable]:
        found: list[Hashable] = list(extra_keys(source, query))
        if is_written(source):
            tables = {table for _, table in tables_of(str(source.sql))}
        else:
            tables = set() if source.is_managed_externally else {str(source.table_name).lower()}
        found += [f"{table}: {row_rules(table)}" for table in sorted(tables)]
        return found

    return keys
