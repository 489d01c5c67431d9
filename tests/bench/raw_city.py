"""A made-up city of any size as landing would leave it: areas, grids, units and cases in raw, by vectorised SQL.

What dbt makes of it is dbt's own work, so that a bench of the build measures the models. The shapes are those of the
contracts of the made-up city; one district's platform delivers all cases.
"""

from __future__ import annotations

from datetime import date
from functools import partial

import duckdb

from pipelines.build import prepare
from warehouse.lake.session import open_lake, transact
from warehouse.settings import Settings

DISTRICTS, STREETS, COMMUNITIES, GRIDS = 3, 5, 4, 4
COMMUNITY_COUNT = DISTRICTS * STREETS * COMMUNITIES
_CHUNK = 500_000

_PLACES = """
CREATE OR REPLACE TEMP TABLE place AS
SELECT
    '990100' AS city_code, '9901' || lpad((d + 2)::VARCHAR, 2, '0') AS district_code,
    district_code || lpad((s + 1)::VARCHAR, 3, '0') AS street_code,
    street_code || lpad((c + 1)::VARCHAR, 3, '0') AS community_code,
    community_code || lpad((g + 1)::VARCHAR, 3, '0') AS grid_code,
    ((d * {streets} + s) * {communities} + c) * {grids} + g AS number,
    123 + number % 40 * 0.002 AS lon, 32 + number // 40 * 0.002 AS lat
FROM range({districts}) AS a(d), range({streets}) AS b(s), range({communities}) AS e(c), range({grids}) AS f(g)
"""
_AREAS = """
INSERT INTO lake.raw.area_boundary (
    area_code, area_level, name_zh, name_en, parent_code, start_date, geometry,
    _delivery_id, _source_row, _load_seq, _loaded_at, _is_deleted)
SELECT code, level, '区域' || code, 'Area ' || code, parent, DATE '2020-01-01', NULL,
    'areas', row_number() OVER (ORDER BY code), 1, TIMESTAMP '2026-01-01', false
FROM (
    SELECT DISTINCT city_code AS code, 'city' AS level, NULL AS parent FROM place
    UNION ALL SELECT DISTINCT district_code, 'district', city_code FROM place
    UNION ALL SELECT DISTINCT street_code, 'street', district_code FROM place
    UNION ALL SELECT DISTINCT community_code, 'community', street_code FROM place
)
"""
_GRIDS = """
INSERT INTO lake.raw.unit_grid (
    grid_code, grid_name, admin_code, street_code, community_code, start_date, geometry,
    _delivery_id, _source_row, _load_seq, _loaded_at, _is_deleted)
SELECT grid_code, grid_code, district_code, street_code, community_code, DATE '2020-01-01',
    ST_MakeEnvelope(lon, lat, lon + 0.002, lat + 0.002), 'grids', number + 1, 1, TIMESTAMP '2026-01-01', false
FROM place
"""
# Case n of `size`, evenly over the days from `first` on, as known at `horizon`. h and h2 are its chances.
_CASES = """
INSERT INTO lake.raw.patrol_case_yunhe (
    case_no, channel, class_code, class_name, status, is_urgent, is_supervised, reported_at, filed_at, dispatched_at,
    handled_at, checked_at, closed_at, file_due_at, dispatch_due_at, handle_due_at, close_due_at, unit_code, grid_code,
    lon, lat, rework_count, return_count, updated_at, _delivery_id, _source_row, _load_seq, _loaded_at, _is_deleted)
WITH chance AS (
    SELECT n, hash(n * 7919 + {salt}) AS h, hash(n * 104729 + {salt}) AS h2,
        TIMESTAMP '{first}' + to_seconds((n * ({days} * 86400.0 / {size}))::BIGINT) AS reported
    FROM range({start}, {stop}) AS r(n)
), planned AS (
    SELECT *, reported + to_seconds((h2 % 7200)::INT) AS filing,
        filing + to_seconds((h2 // 7200 % 7200)::INT) AS dispatching,
        dispatching + to_seconds((h2 // 51840000 % (10 * 86400))::INT) AS handling,
        handling + to_seconds((h // 1000 % 86400)::INT) AS closing, TIMESTAMP '{horizon}' AS horizon,
        h % 500 = 0 AS stays
    FROM chance
), known AS (
    SELECT *, CASE WHEN filing <= horizon THEN filing END AS filed,
        CASE WHEN dispatching <= horizon THEN dispatching END AS dispatched,
        CASE WHEN handling <= horizon AND NOT stays THEN handling END AS handled,
        CASE WHEN closing <= horizon AND NOT stays THEN closing END AS closed
    FROM planned
)
SELECT
    '{name}' || n, CASE WHEN h // 7 % 10 = 0 THEN '2' ELSE '1' END, class.source_code, class.source_name,
    CASE WHEN closed IS NOT NULL THEN '60' WHEN handled IS NOT NULL THEN '40' WHEN dispatched IS NOT NULL THEN '30'
        WHEN filed IS NOT NULL THEN '20' ELSE '10' END,
    h // 11 % 20 = 0, h // 13 % 90 = 0, reported, filed, dispatched, handled, handled, closed,
    reported + INTERVAL 2 HOUR, filed + INTERVAL 2 HOUR, dispatched + INTERVAL 7 DAY, dispatched + INTERVAL 8 DAY,
    CASE WHEN dispatched IS NOT NULL THEN unit.source_code END, grid_code,
    lon + 0.0001 + (h2 % 1000) * 0.0000018, lat + 0.0001 + (h2 // 1000 % 1000) * 0.0000018,
    (h // 17 % 20 = 0)::INT, (h // 19 % 25 = 0)::INT, greatest(reported, filed, dispatched, handled, closed),
    '{name}', n + 1, {sequence}, TIMESTAMP '{horizon}', false
FROM known
JOIN place ON place.number = h2 // 1000000 % {place_count}
JOIN class ON class.number = h // 100 % {class_count}
JOIN unit ON unit.number = h // 23 % {unit_count}
"""

_CODES = """
CREATE OR REPLACE TEMP TABLE {name} AS
SELECT source_code, source_name, row_number() OVER (ORDER BY source_code) - 1 AS number
FROM read_csv('{path}', all_varchar = true)
"""


def make_city(settings: Settings, size: int, first: date, last: date) -> None:
    """A new lake with the city's areas, and `size` cases reported evenly from the first to the last day, raw only."""
    prepare(settings)
    with open_lake(settings) as connection:
        shape = {"districts": DISTRICTS, "streets": STREETS, "communities": COMMUNITIES, "grids": GRIDS}
        connection.execute(_PLACES.format(**shape))
        transact(connection, settings, lambda lake: lake.execute(_AREAS), message="bench")
        transact(connection, settings, lambda lake: lake.execute(_GRIDS), message="bench")
    add_cases(settings, "c", size, first, last, sequence=2)


def add_cases(settings: Settings, name: str, size: int, first: date, last: date, *, sequence: int) -> None:
    """Land `size` more cases, named by `name`, as the load of this sequence; what lies after `last` is unknown."""
    mappings = settings.city_path / "mappings"
    with open_lake(settings) as connection:
        shape = {"districts": DISTRICTS, "streets": STREETS, "communities": COMMUNITIES, "grids": GRIDS}
        connection.execute(_PLACES.format(**shape))
        counts = {}
        for table, what in (("class", "class"), ("unit", "department")):
            path = mappings / f"map_patrol_yunhe__{what}.csv"
            connection.execute(_CODES.format(name=table, path=path))
            ((counts[f"{table}_count"],),) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
        for start in range(0, size, _CHUNK):
            sql = _CASES.format(
                name=name,
                salt=sequence,
                first=first,
                days=(last - first).days + 1,
                size=size,
                start=start,
                stop=min(start + _CHUNK, size),
                horizon=f"{last} 23:59:59",
                sequence=sequence,
                place_count=COMMUNITY_COUNT * GRIDS,
                **counts,
            )
            transact(connection, settings, partial(duckdb.DuckDBPyConnection.execute, query=sql), message="bench")
