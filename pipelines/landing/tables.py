"""The lake's tables for one contract: `raw.<dataset>`, `quarantine.<dataset>` and `withdrawn.<dataset>`.

They are created, and widened where a contract has gained fields.

A contract may gain fields; a field may not silently change its type, because what landed before would then
mean something else.
"""

from __future__ import annotations

import duckdb

from catalog.contract import Contract, ContractError
from warehouse.identifiers import checked, quoted

# Columns that landing adds to the contract's fields in `raw`.
RAW_COLUMNS = (
    ("_extra", "VARCHAR"),
    ("_delivery_id", "VARCHAR"),
    ("_source_row", "BIGINT"),
    ("_load_seq", "BIGINT"),
    ("_delivery_no", "INTEGER"),
    ("_loaded_at", "TIMESTAMP"),
    ("_is_deleted", "BOOLEAN"),
)
QUARANTINE_COLUMNS = (
    ("original", "VARCHAR"),
    ("broken_rules", "VARCHAR[]"),
    ("_delivery_id", "VARCHAR"),
    ("_source_row", "BIGINT"),
    ("_load_seq", "BIGINT"),
    ("_loaded_at", "TIMESTAMP"),
)


def ensure_tables(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Create or widen both tables of a contract inside the caller's transaction. Idempotent.

    Raises:
        ContractError: a field's type differs from that of the table.
    """
    name = checked(contract.name, where=str(contract.path))
    raw = [(checked(f.name, where=str(contract.path)), f.physical_type.upper()) for f in contract.fields]
    _ensure(connection, "raw", name, [*raw, *RAW_COLUMNS], contract)
    _ensure(connection, "quarantine", name, list(QUARANTINE_COLUMNS), contract)


def ensure_record(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Create or widen the table that keeps what was withdrawn of a data set: rows of `raw` and of `quarantine`.

    Of a row of `quarantine` the fields are empty, of one of `raw` the columns `original` and `broken_rules` are.
    """
    name = checked(contract.name, where=str(contract.path))
    fields = [(checked(f.name, where=str(contract.path)), f.physical_type.upper()) for f in contract.fields]
    columns = [*fields, *RAW_COLUMNS, *QUARANTINE_COLUMNS[:2], ("_withdrawal_seq", "BIGINT")]
    _ensure(connection, "withdrawn", name, columns, contract)


def _ensure(
    connection: duckdb.DuckDBPyConnection, schema: str, name: str, columns: list[tuple[str, str]], contract: Contract
) -> None:
    present = column_types(connection, schema, name)
    if not present:
        listing = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns)
        connection.execute(f"CREATE TABLE lake.{schema}.{name} ({listing})")
        return
    for column, kind in columns:
        if column not in present:
            connection.execute(f"ALTER TABLE lake.{schema}.{name} ADD COLUMN {quoted(column)} {kind}")
        elif present[column] != _canonical(connection, kind):
            raise ContractError(
                f"field {column} is {kind} but the lake holds it as {present[column]}",
                where=str(contract.path),
                value=kind,
                fix="give the changed field a new name, or load the history again into a new lake",
            )


def column_types(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> dict[str, str]:
    """Column types of a lake table by column name; empty where there is no such table."""
    try:
        rows = connection.execute(f"DESCRIBE lake.{quoted(schema)}.{quoted(name)}").fetchall()
    except duckdb.CatalogException:
        return {}
    return {column: kind for column, kind, *_ in rows}


def _canonical(connection: duckdb.DuckDBPyConnection, kind: str) -> str:
    ((name,),) = connection.execute(f"SELECT typeof(CAST(NULL AS {kind}))").fetchall()
    return str(name)
