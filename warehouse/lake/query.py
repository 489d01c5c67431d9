"""Read-only SQL for people: one statement, the lake's tables only, nothing else of the machine.

Three fences, each enough for most of what must not happen: the statement's syntax tree is checked before it
runs, the lake is attached READ_ONLY, and the session can reach no file but the lake's data and cannot be
set up differently.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from warehouse.errors import LakeError, ReadOnlyViolation
from warehouse.identifiers import literal
from warehouse.lake.session import open_lake, without_secrets
from warehouse.lake.statements import only_statement, refuse_unless_reading, syntax_tree
from warehouse.settings import Settings

DEFAULT_LIMIT = 10_000
IS_CUT = b"gridlake.is_cut"
# DuckDB's own would list the tables of one schema, which is empty, or of its inner catalogues too.
_LISTING = (
    "SELECT table_schema AS schema, table_name AS table FROM information_schema.tables"
    " WHERE table_catalog = 'lake' ORDER BY ALL"
)


def query(settings: Settings, sql: str, limit: int | None = DEFAULT_LIMIT) -> pa.Table:
    """Run one reading statement and return at most `limit` rows (None: all of them, in memory).

    SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE and EXPLAIN [ANALYZE] are allowed. Tables are named
    `schema.table` or `lake.schema.table`. The schema metadata `IS_CUT` is b"true" when rows were left out.

    Raises:
        ReadOnlyViolation: the statement does something else, or reaches beyond the lake.
        LakeError: there is no lake, or the statement fails; the message carries DuckDB's.
    """
    with open_lake(settings, read_only=True) as connection:
        try:
            _lock(connection, settings)
            is_listing = " ".join(sql.lower().rstrip("; \n").split()) in ("show tables", "show all tables")
            return _fetch(connection, _LISTING if is_listing else _checked_statement(connection, sql), limit)
        except duckdb.Error as error:
            raise LakeError(
                "the statement failed: " + without_secrets(str(error), settings),
                where="SQL",
                fix="correct the statement; `show tables` lists what there is, `describe schema.table` its columns",
            ) from None


def _lock(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    connection.execute("USE lake")
    # Else `FROM name` finds a Python variable of the calling code.
    connection.execute("SET python_enable_replacements = false")
    connection.execute(f"SET allowed_directories = [{literal(str(settings.home_path / 'data') + '/')}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _checked_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    text, kind = only_statement(connection, sql)
    prefix = ""
    if kind == duckdb.StatementType.EXPLAIN:
        prefix, text = _split_explain(text)
    elif kind != duckdb.StatementType.SELECT:
        raise ReadOnlyViolation(
            "only reading is allowed", where="SQL", value=kind.name, fix="use SELECT, DESCRIBE, SHOW or EXPLAIN"
        )
    views = connection.execute("SELECT DISTINCT lower(view_name) FROM duckdb_views() WHERE internal").fetchall()
    refuse_unless_reading(syntax_tree(connection, text), {name for (name,) in views})
    # An EXPLAIN is put together again from its checked inside, so that no option slips through.
    return prefix + text


def _split_explain(text: str) -> tuple[str, str]:
    raw = text.encode()  # the tokenizer counts bytes
    offsets = [offset for offset, _ in duckdb.tokenize(text)]
    ends = [*offsets[1:], len(raw)]
    words = [raw[start:end].decode().strip().lower() for start, end in zip(offsets[:2], ends[:2], strict=False)]
    taken = 2 if len(words) > 1 and words[1].split(maxsplit=1)[:1] == ["analyze"] else 1
    inside = raw[offsets[taken] :].decode() if taken < len(offsets) else ""
    return ("EXPLAIN ANALYZE " if taken == 2 else "EXPLAIN "), inside


def _fetch(connection: duckdb.DuckDBPyConnection, sql: str, limit: int | None) -> pa.Table:
    reader = connection.execute(sql).to_arrow_reader(65_536)
    batches: list[pa.RecordBatch] = []
    count = 0
    for batch in reader:
        batches.append(batch)
        count += batch.num_rows
        if limit is not None and count > limit:
            break
    table = pa.Table.from_batches(batches, schema=reader.schema)
    is_cut = limit is not None and count > limit
    if is_cut:
        table = table.slice(0, limit)
    return table.replace_schema_metadata({**(table.schema.metadata or {}), IS_CUT: b"true" if is_cut else b"false"})
