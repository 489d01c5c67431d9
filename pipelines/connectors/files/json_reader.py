"""JSON in its three shapes: a document with an array of rows, GeoJSON, and one object a line."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path

import duckdb

from pipelines.connectors.batch import BLANKS, Batch, Column, Delivery, not_read, plain_name, readable
from pipelines.connectors.files.json_look import look_at_document, look_at_lines, recount_lines
from pipelines.connectors.files.reader import BUFFER_BYTES, MAX_LINE_BYTES, Look, SourceFile, by_shape, held_by
from pipelines.sources.declared import DatasetSource
from warehouse.identifiers import literal

_GEOMETRY = "$geometry"


class JsonReader:
    """Reads `json`, `geojson` and `ndjson`, plain or compressed."""

    def look(self, entry: DatasetSource, file: SourceFile) -> Look:
        """The number of lines, or of elements of the array of rows."""
        return look_at_lines(file) if entry.format == "ndjson" else look_at_document(entry, file)

    def recount(self, entry: DatasetSource, file: SourceFile) -> tuple[int, dict[str, int]]:
        """The lines that are not blank; the count of a document is exact at once."""
        return recount_lines(file) if entry.format == "ndjson" else (file.look.row_count or 0, {})

    def group(self, entry: DatasetSource, files: list[SourceFile]) -> list[list[SourceFile]]:
        """All files stand together: JSON rows carry their own names."""
        return by_shape(files)

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
        largest = max(f.look.content_bytes for f in files)
        deliveries = tuple(f.delivery for f in files)
        batch = document_batch(connection, entry, paths, deliveries, wanted=wanted, largest_bytes=largest)
        return replace(batch, held=tuple(held_by(self, entry, file) for file in files))


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

    `wanted` are the source names that the contract's fields may come from; `largest_bytes` is the size of the
    largest file once decompressed: the reader keeps a buffer of it.

    Raises:
        UnreadableDelivery: a document is not JSON or has no array of rows where it should.
    """
    table = f"documents_{uuid.uuid4().hex[:12]}"
    listing = "[" + ", ".join(literal(path) for path in paths) + "]"
    file = "0" if is_one_delivery else "file_index"
    try:
        connection.execute(f"CREATE TEMP TABLE {table} AS {_documents(entry, listing, file, largest_bytes)}")
        by_file = _names(connection, table, len(deliveries))
        systems = _systems(connection, table) if entry.format == "geojson" else frozenset()
    except duckdb.Error as error:
        connection.execute(f"DROP TABLE IF EXISTS {table}")
        said = (
            f"is not valid {entry.format}: {readable(str(error)).rstrip('.')}. Fix: ask the provider for a whole file"
        )
        raise not_read(error, said) from None
    names = sorted(frozenset().union(*(found for found in by_file if found is not None)))
    sought = {plain_name(name) for name in wanted}
    taken = [name for name in names if plain_name(name) in sought]
    paths_taken = ["$." + json.dumps(name, ensure_ascii=False) for name in taken]
    paths_taken += sorted(name for name in wanted if name.startswith("$."))
    columns = [Column(name, f"_values[{n}]") for n, name in enumerate([*taken, *paths_taken[len(taken) :]], start=1)]
    columns.append(Column(_GEOMETRY, "CAST(_geometry AS VARCHAR)", crs=systems))
    # One extraction of all values parses a row once; one extraction a value would parse it as often.
    values = f"json_extract_string(_doc, [{', '.join(literal(path) for path in paths_taken)}]::VARCHAR[])"
    is_geojson = entry.format == "geojson"
    row = "json_object('properties', _doc, 'geometry', _geometry)" if is_geojson else "_doc"
    unread = "json_object('line', _text, 'problem', _problem)"

    def rest(used: frozenset[str]) -> str | None:
        unused = [name for name in names if name not in used]
        if not unused:
            return None
        without = json.dumps({name: None for name in names if name in used}, ensure_ascii=False)
        left = f"nullif(CAST(json_merge_patch(_doc, {literal(without)}) AS VARCHAR), '{{}}')"
        return f"CASE WHEN _doc IS NOT NULL THEN {left} END"

    def release() -> None:
        connection.execute(f"DROP TABLE IF EXISTS {table}")

    return Batch(
        deliveries=deliveries,
        relation=f"(SELECT *, {values} AS _values FROM {table})",
        columns=tuple(columns),
        original=f"CAST(CASE WHEN _problem IS NULL THEN {row} ELSE {unread} END AS VARCHAR)",
        rest=rest,
        unread="_problem IS NOT NULL",
        names=by_file,
        release=release,
    )


def _names(connection: duckdb.DuckDBPyConnection, table: str, count: int) -> tuple[frozenset[str] | None, ...]:
    """The names that the rows of each delivery carry; None for a delivery without rows."""
    found = connection.execute(
        "SELECT _file, list(DISTINCT name)"
        f" FROM (SELECT _file, unnest(json_keys(_doc)) AS name FROM {table}) GROUP BY _file"
        f" UNION ALL SELECT DISTINCT _file, CAST([] AS VARCHAR[]) FROM {table}"
    ).fetchall()
    names: dict[int, frozenset[str]] = {}
    for file, listed in found:
        names[file] = names.get(file, frozenset()) | frozenset(listed)
    return tuple(names.get(file) for file in range(count))


# What a document says of its system: a name, as most do, a number, a link, or whatever else stands there.
_CRS = """CASE WHEN json_type(json, '$.crs') = 'OBJECT' THEN coalesce(
    json_extract_string(json, '$.crs.properties.name'),
    'EPSG:' || json_extract_string(json, '$.crs.properties.code'),
    json_extract_string(json, '$.crs.properties.href'),
    json_extract_string(json, '$.crs')) END"""


def _systems(connection: duckdb.DuckDBPyConnection, table: str) -> frozenset[str]:
    """The systems of coordinates that documents name, as GeoJSON did before RFC 7946."""
    found = connection.execute(f"SELECT DISTINCT _crs FROM {table} WHERE _crs IS NOT NULL").fetchall()
    return frozenset(name for (name,) in found)


def _documents(entry: DatasetSource, listing: str, file: str, largest_bytes: int) -> str:
    """SQL of `(_file, _doc, _geometry, _text, _problem)`, in source order; `_text` is what could not be read.

    Of GeoJSON also `_crs`, the system of coordinates that the document names.
    """
    if entry.format == "ndjson":
        # Read as lines, so that one bad line is one quarantined row and not a lost file. The delimiter is a
        # character that JSON never holds unescaped.
        return f"""
            SELECT _file, CASE WHEN _problem IS NULL THEN CAST(_text AS JSON) END AS _doc,
                   CAST(NULL AS JSON) AS _geometry, CASE WHEN _problem IS NOT NULL THEN _text END AS _text, _problem
            FROM (
                SELECT {file} AS _file, _text,
                       CASE WHEN NOT json_valid(_text) THEN 'is not valid JSON'
                            WHEN json_type(_text) <> 'OBJECT' THEN 'is no object' END AS _problem
                FROM read_csv({listing}, columns = {{'_text': 'VARCHAR'}}, auto_detect = false, header = false,
                              delim = '\x1f', quote = '', escape = '', max_line_size = {MAX_LINE_BYTES},
                              buffer_size = {BUFFER_BYTES}, hive_partitioning = false)
                WHERE trim(_text, {literal(BLANKS)}) <> ''
            )"""
    documents = f"""(
        SELECT {file} AS _file, json
        FROM read_json_objects({listing}, format = 'unstructured', maximum_object_size = {largest_bytes + 1024},
                               hive_partitioning = false))"""
    is_geojson = entry.format == "geojson"
    path = "$.features" if is_geojson else entry.records
    rows = "json" if path == "$" else f"json_extract(json, {literal(path)})"
    array = (
        f"CASE WHEN json_type({rows}) = 'ARRAY' THEN {rows}"
        f" ELSE error('there is no array at {path.replace(chr(39), '')}') END"
    )
    doc, geometry, system = "_row", "CAST(NULL AS JSON)", ""
    if is_geojson:
        # GeoJSON allows a feature without properties.
        doc = "coalesce(nullif(json_extract(_row, '$.properties'), CAST('null' AS JSON)), CAST('{}' AS JSON))"
        geometry = "nullif(json_extract(_row, '$.geometry'), CAST('null' AS JSON))"
        system = f", {_CRS} AS _crs"
    unnested = f"SELECT _file{system}, unnest(CAST({array} AS JSON[])) AS _row FROM {documents}"
    is_row = "coalesce(json_type(_row) = 'OBJECT', false)"
    return f"""
        SELECT _file, CASE WHEN {is_row} THEN {doc} END AS _doc, CASE WHEN {is_row} THEN {geometry} END AS _geometry,
               CASE WHEN NOT {is_row} THEN coalesce(CAST(_row AS VARCHAR), 'null') END AS _text,
               CASE WHEN NOT {is_row} THEN 'is no object' END AS _problem{", _crs" if is_geojson else ""}
        FROM ({unnested})"""
