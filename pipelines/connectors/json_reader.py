"""JSON in its three shapes: a document with an array of rows, GeoJSON, and one object a line."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import duckdb

from pipelines.connectors.reader import SourceFile
from pipelines.landing.batch import Batch, Column, Delivery, UnreadableDelivery
from pipelines.landing.stage import readable
from pipelines.source import DatasetSource
from warehouse.identifiers import literal

MAX_LINE_BYTES = 16 << 20
_GEOMETRY = "$geometry"
_NAMES = "SELECT DISTINCT unnest(json_keys(_doc)) AS name FROM {table} WHERE json_type(_doc) = 'OBJECT' ORDER BY name"


class JsonReader:
    """Reads `json`, `geojson` and `ndjson`, plain or compressed."""

    def group(
        self, entry: DatasetSource, files: list[SourceFile]
    ) -> tuple[list[list[SourceFile]], list[tuple[SourceFile, str]]]:
        """All files stand together: JSON rows carry their own names."""
        return [files] if files else [], []

    def open(
        self,
        connection: duckdb.DuckDBPyConnection,
        entry: DatasetSource,
        files: list[SourceFile],
        spool: Path,
        wanted: frozenset[str],
    ) -> Batch:
        """Take the documents apart into a temporary table of one JSON object a row."""
        paths = [str(f.path) for f in files]
        largest = max(f.content_bytes for f in files)
        deliveries = tuple(f.delivery for f in files)
        return document_batch(connection, entry, paths, deliveries, wanted=wanted, largest_bytes=largest)


def document_batch(
    connection: duckdb.DuckDBPyConnection,
    entry: DatasetSource,
    paths: list[str],
    deliveries: tuple[Delivery, ...],
    *,
    wanted: frozenset[str],
    largest_bytes: int,
    is_one_delivery: bool = False,
) -> Batch:
    """A batch over JSON files; with `is_one_delivery` all files (pages) belong to the first delivery.

    `wanted` are the source names that the contract's fields may come from; `largest_bytes` is the size of the largest file once decompressed: the reader keeps a buffer of it.

    Raises:
        UnreadableDelivery: a document is not JSON or has no array of rows where it should.
    """
    table = f"documents_{uuid.uuid4().hex[:12]}"
    listing = "[" + ", ".join(literal(path) for path in paths) + "]"
    file = "0" if is_one_delivery else "_file"
    try:
        connection.execute(f"CREATE TEMP TABLE {table} AS {_documents(entry, listing, file, largest_bytes)}")
        names = [name for (name,) in connection.execute(_NAMES.format(table=table)).fetchall()]
    except duckdb.Error as error:
        connection.execute(f"DROP TABLE IF EXISTS {table}")
        raise UnreadableDelivery(
            f"is not valid {entry.format}: {readable(str(error))}. Fix: ask the provider for a whole file"
        ) from None
    sought = {name.strip().lower() for name in wanted}
    taken = [name for name in names if name.strip().lower() in sought]
    paths_taken = ["$." + json.dumps(name, ensure_ascii=False) for name in taken]
    paths_taken += sorted(name for name in wanted if name.startswith("$."))
    columns = [Column(name, f"_values[{n}]") for n, name in enumerate([*taken, *paths_taken[len(taken) :]], start=1)]
    columns.append(Column(_GEOMETRY, "CAST(_geometry AS VARCHAR)"))
    # One extraction of all values parses a row once; one extraction a value would parse it as often.
    values = f"json_extract_string(_doc, [{', '.join(literal(path) for path in paths_taken)}]::VARCHAR[])"
    is_geojson = entry.format == "geojson"
    original = "json_object('properties', _doc, 'geometry', _geometry)" if is_geojson else "_doc"

    def rest(used: frozenset[str]) -> str | None:
        unused = [name for name in names if name not in used]
        if not unused:
            return None
        without = json.dumps({name: None for name in names if name in used}, ensure_ascii=False)
        return f"nullif(CAST(json_merge_patch(_doc, {literal(without)}) AS VARCHAR), '{{}}')"

    def unreadable(session: duckdb.DuckDBPyConnection) -> str | None:
        # The table keeps the order of the files, so its row ids tell the place in each.
        return (
            f"SELECT d._file, d.rowid - f.first_row + 1 AS record, _text AS text, _problem AS problem FROM {table} d"
            f" JOIN (SELECT _file, min(rowid) AS first_row FROM {table} GROUP BY _file) f ON f._file = d._file"
            " WHERE _problem IS NOT NULL"
        )

    def release() -> None:
        connection.execute(f"DROP TABLE IF EXISTS {table}")

    return Batch(
        deliveries=deliveries,
        relation=f"(SELECT _file, _doc, _geometry, {values} AS _values FROM {table} WHERE _problem IS NULL)",
        columns=tuple(columns),
        original=f"CAST({original} AS VARCHAR)",
        rest=rest,
        unreadable=unreadable,
        release=release,
    )


def _documents(entry: DatasetSource, listing: str, file: str, largest_bytes: int) -> str:
    """SQL of `(_file, _doc, _geometry, _text, _problem)`, in source order."""
    index = file.replace("_file", "file_index")
    if entry.format == "ndjson":
        # Read as lines, so that one bad line is one quarantined row and not a lost file. The delimiter is a
        # character that JSON never holds unescaped.
        return f"""
            SELECT _file, CASE WHEN _problem IS NULL THEN CAST(_text AS JSON) END AS _doc,
                   CAST(NULL AS JSON) AS _geometry, CASE WHEN _problem IS NOT NULL THEN _text END AS _text, _problem
            FROM (
                SELECT {index} AS _file, _text,
                       CASE WHEN NOT json_valid(_text) THEN 'is not valid JSON'
                            WHEN json_type(_text) <> 'OBJECT' THEN 'is no object' END AS _problem
                FROM read_csv({listing}, columns = {{'_text': 'VARCHAR'}}, auto_detect = false, header = false,
                              delim = '\x1f', quote = '', escape = '', max_line_size = {MAX_LINE_BYTES}, filename = true)
                WHERE trim(_text) <> ''
            )"""
    documents = f"""(
        SELECT {index} AS _file, json
        FROM read_json_objects({listing}, format = 'unstructured', maximum_object_size = {largest_bytes + 1024},
                               filename = true))"""
    path = "$.features" if entry.format == "geojson" else entry.records
    rows = "json" if path == "$" else f"json_extract(json, {literal(path)})"
    array = (
        f"CASE WHEN json_type({rows}) = 'ARRAY' THEN {rows}"
        f" ELSE error('there is no array at {path.replace(chr(39), '')}') END"
    )
    unnested = f"SELECT _file, unnest(CAST({array} AS JSON[])) AS _row FROM {documents}"
    is_geojson = entry.format == "geojson"
    doc = "json_extract(_row, '$.properties')" if is_geojson else "_row"
    geometry = "nullif(json_extract(_row, '$.geometry'), CAST('null' AS JSON))" if is_geojson else "CAST(NULL AS JSON)"
    return (
        f"SELECT _file, {doc} AS _doc, {geometry} AS _geometry,"
        f" CAST(NULL AS VARCHAR) AS _text, CAST(NULL AS VARCHAR) AS _problem FROM ({unnested})"
    )
