"""Opening a version of a serving file so that nothing but its tables can be reached through it.

Needs only the standard library and DuckDB, also in what it imports of the project, because Superset's environment uses
it too. Publishing is in `publish`.
"""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path
from typing import Any

import duckdb

from warehouse.identifiers import literal
from warehouse.lake.statements import FORBIDDEN_FUNCTIONS, nodes

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
# Only these functions may stand in FROM. A SELECT of others reads files, runs text as SQL, or (`enable_logging`, DuckDB
# 1.5.5) ends the whole process; a deny list would miss what the next release adds.
_TABLE_FUNCTIONS = frozenset(("range", "generate_series", "unnest", "json_each", "json_tree"))
_CATALOGUE_FUNCTIONS = re.compile(r"duckdb_(columns|constraints|databases|schemas|tables|types|views)")
# A name that is none of a table: DuckDB would take it for a file.
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


def open_version(path: Path, *, threads: int, memory: str, spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open one version of a serving file for reading; its cursors share one DuckDB instance and its limits.

    Through it nothing can be changed, loaded, attached or set, and no file be reached but those of the version
    itself. Its own files can still be read as files, and COPY can write to them where their mode allows it (they
    are made read-only): run what users write only after `refuse_unless_reading`.

    Args:
        path: the file with the version in its name, not the link that leads to it: DuckDB keeps one instance for
            each path.
        threads: how many threads all its cursors use together.
        memory: how much memory they use together, for example "1400MB".
        spill: a folder for what does not fit into memory; without it such a query fails.

    Raises:
        FileNotFoundError: the version, or a part file that it names, is gone.
        duckdb.Error: it is no serving file.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: this version is not kept any more")
    connection = duckdb.connect(str(path), read_only=True, config=_CONFIG)
    try:
        parts = [str(path.parent / part) for (part,) in connection.execute("SELECT path FROM main._part").fetchall()]
        for part in parts:
            if not Path(part).exists():
                raise FileNotFoundError(f"{part}: a part of {path.name} is gone")
        own_spill = ""
        if spill:
            # A folder of its own: DuckDB removes it in the end, whoever else writes there.
            own_spill = str(spill / f"{path.stem}-{secrets.token_hex(8)}")
            spill.mkdir(parents=True, exist_ok=True)
        for setting, value in {
            "memory_limit": literal(memory),
            "threads": f"{threads:d}",
            "temp_directory": literal(own_spill),
            "TimeZone": "'UTC'",
            # A part never changes, so what was read of it need not be checked again.
            "parquet_metadata_cache": "true",
            "validate_external_file_cache": "'NO_VALIDATION'",
            # Else `FROM name` finds a Python variable of the calling code.
            "python_enable_replacements": "false",
            "allowed_paths": f"[{', '.join(map(literal, parts))}]",
            "enable_external_access": "false",
            "lock_configuration": "true",
        }.items():
            connection.execute(f"SET GLOBAL {setting} = {value}")
    except BaseException:
        connection.close()
        raise
    return connection


def refuse_unless_reading(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    """Let one SELECT over tables pass, and give its syntax tree; nothing is run.

    Args:
        connection: of `open_version`; its results are left alone.
        sql: what a user wrote.

    Raises:
        duckdb.PermissionException: it is no single SELECT, or uses a file or a function that does more than compute.
        duckdb.Error: it does not parse.
    """
    statements = connection.extract_statements(sql)
    kinds = [statement.type.name for statement in statements]
    if kinds != ["SELECT"]:
        # EXPLAIN neither: EXPLAIN ANALYZE runs what it explains, also a COPY.
        raise duckdb.PermissionException(f"only one SELECT is allowed here, not {', '.join(kinds) or 'nothing'}")
    # Quoted, not bound: the first bound value in a process makes DuckDB import pandas.
    asked = f"SELECT json_serialize_sql({literal(statements[0].query)})"
    ((text,),) = connection.cursor().execute(asked).fetchall()
    tree: dict[str, Any] = json.loads(text)
    if tree["error"]:
        raise duckdb.PermissionException("only SELECT is allowed here")
    for node in nodes(tree):
        kind = node.get("type")
        if kind == "TABLE_FUNCTION":
            name = str(node["function"].get("function_name", "")).lower()
            if name not in _TABLE_FUNCTIONS and not _CATALOGUE_FUNCTIONS.fullmatch(name):
                raise duckdb.PermissionException(f"the table function {name} is not allowed here")
        elif kind == "FUNCTION" and str(node.get("function_name", "")).lower() in FORBIDDEN_FUNCTIONS:
            raise duckdb.PermissionException(f"the function {node['function_name']} is not allowed here")
        elif kind == "BASE_TABLE" and not _TABLE.fullmatch(str(node.get("table_name"))):
            raise duckdb.PermissionException(f"{node.get('table_name')} is not a table")
    return tree
