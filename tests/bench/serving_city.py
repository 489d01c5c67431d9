"""A made-up city of any size in a lake: areas, units, cases, the cube and the indicators, all by vectorised SQL.

What dbt builds from raw data is written straight into core and indicator, in the same order; the seeds and the marts
over it are dbt's. Figures of the cube and of the indicators have the right shape and size, not the right values.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import duckdb

from pipelines.build import prepare, run_dbt
from warehouse.lake.session import open_lake, transact
from warehouse.settings import Settings

DAYS = 1096
START = datetime(2023, 4, 1)
# A case is over after this many days at the latest, but for one in 500, which stays open.
LONGEST = 9
_CHUNK = 10_000_000
_SECONDS = DAYS * 86400

_CITY = """
CREATE OR REPLACE TEMP TABLE place AS
SELECT
    '9901' AS city_id, '9901' || lpad(d::VARCHAR, 2, '0') AS district_id,
    district_id || lpad(s::VARCHAR, 3, '0') AS street_id, street_id || lpad(c::VARCHAR, 3, '0') AS community_id,
    community_id || lpad(g::VARCHAR, 3, '0') AS grid_id,
    ((d * 6 + s) * 10 + c) * 4 + g AS number, 120 + number % 50 * 0.002 AS lon, 30 + number // 50 * 0.002 AS lat
FROM range(10) AS a(d), range(6) AS b(s), range(10) AS c(c), range(4) AS e(g);
-- A table is read by all threads, range() by one.
CREATE OR REPLACE TEMP TABLE number AS SELECT i FROM range({chunk}) AS r(i);
CREATE OR REPLACE TEMP TABLE area AS
WITH level AS (
    SELECT 'city' AS area_level, city_id AS area_id, NULL AS parent_area_id, min(lon) AS x, min(lat) AS y
    FROM place GROUP BY ALL
    UNION ALL SELECT 'district', district_id, city_id, min(lon), min(lat) FROM place GROUP BY ALL
    UNION ALL SELECT 'street', street_id, district_id, min(lon), min(lat) FROM place GROUP BY ALL
    UNION ALL SELECT 'community', community_id, street_id, min(lon), min(lat) FROM place GROUP BY ALL
    UNION ALL SELECT 'grid', grid_id, community_id, min(lon), min(lat) FROM place GROUP BY ALL
)
SELECT
    area_id, area_level, '区域' || area_id AS area_name_zh, 'Area ' || area_id AS area_name_en, parent_area_id,
    ST_AsWKB(ST_MakeEnvelope(x, y, x + 0.002, y + 0.002)) AS geometry, 0.04 AS area_km2, DATE '2020-01-01' AS valid_from
FROM level;
CREATE OR REPLACE TEMP TABLE unit AS
SELECT
    district_id || '_unit' || n AS dept_id, '城市管理综合行政执法局' || district_id || '-' || n AS dept_name_zh,
    'Enforcement bureau ' || district_id || '-' || n AS dept_name_en, 'handling_unit' AS dept_kind
FROM (SELECT DISTINCT district_id FROM place), range(12) AS r(n);
CREATE OR REPLACE TEMP TABLE class AS
SELECT class_id, code, row_number() OVER (ORDER BY class_id) - 1 AS number
FROM lake.core.dim_class WHERE edition = '2013' AND class_id <> 'unmapped' QUALIFY number < 200;
"""

# One case a row: number n of `size`, as it is known at `horizon`. h and h2 are its chances, p its fate in percent.
_CASES = """
WITH chance AS (
    SELECT n, hash(n * 7919 + 13) AS h, hash(n * 104729 + 7) AS h2, (h2 % 100)::INT AS p,
        TIMESTAMP '{start}' + to_microseconds((n * ({seconds} * 1e6 / {size}))::BIGINT) AS moment
    FROM (SELECT {first} + i AS n FROM number WHERE i < {last} - {first})
), planned AS (
    SELECT *, date_trunc('second', moment) AS reported, reported + to_seconds(((h2 // 100) % 10800)::INT) AS filing,
        filing + to_seconds(((h2 // 8640000) % 4320)::INT) AS dispatching,
        dispatching + to_seconds(((h2 // 1000000000) % (7 * 86400))::INT) AS handling,
        handling + to_seconds(((h // 1000) % 18000)::INT) AS checking, checking + INTERVAL 10 MINUTE AS closing,
        CASE WHEN h % 500 = 0 THEN 2 WHEN p >= 98 THEN 1 WHEN p >= 92 THEN 0 ELSE 5 END AS last_stage
    FROM chance
), known AS (
    SELECT *, CASE WHEN last_stage >= 1 AND filing <= TIMESTAMP '{horizon}' THEN filing END AS filed_at,
        CASE WHEN last_stage >= 2 AND dispatching <= TIMESTAMP '{horizon}' THEN dispatching END AS dispatched_at,
        CASE WHEN last_stage >= 3 AND handling <= TIMESTAMP '{horizon}' THEN handling END AS handled_at,
        CASE WHEN last_stage >= 4 AND checking <= TIMESTAMP '{horizon}' THEN checking END AS checked_at,
        CASE WHEN last_stage >= 5 AND closing <= TIMESTAMP '{horizon}' THEN closing END AS closed_at
    FROM planned
)
SELECT
    'hotline_12345:' || (12345000000000 + n)::VARCHAR AS case_id,
    ['hotline_12345', 'patrol_yunhe', 'patrol_lanting'][1 + (h % 3)::INT] AS source_system,
    ['collector', 'public', 'hotline_12319', 'hotline_12345', 'video', 'leader', 'web_app'][1 + (h // 7 % 7)::INT]
        AS channel_code,
    '12345-' || (h // 7 % 7)::VARCHAR AS source_channel_code, class_id, code AS class_code,
    'S' || code AS source_class_code, ['exact', 'broader', 'local'][1 + (h // 50 % 3)::INT] AS class_mapping_method,
    CASE WHEN h // 99 % 20 = 0 THEN 'urgent' ELSE 'normal' END AS urgency_code,
    CASE
        WHEN last_stage = 1 THEN 'cancelled' WHEN last_stage = 0 THEN 'not_accepted'
        WHEN closed_at IS NOT NULL THEN 'closed'
        WHEN checked_at IS NOT NULL THEN 'pending_close' WHEN handled_at IS NOT NULL THEN 'handle_finish'
        WHEN dispatched_at IS NOT NULL THEN 'handling' WHEN filed_at IS NOT NULL THEN 'pending_dispatch' ELSE 'reported'
    END AS status_code,
    upper(status_code) AS source_status_code,
    CASE WHEN dispatched_at IS NOT NULL THEN district_id || '_unit' || (h // 321 % 12)::VARCHAR END AS dept_id,
    (3100 + h // 321 % 12)::VARCHAR AS source_dept_code,
    grid_id, community_id, street_id, district_id, city_id,
    round(lon + (h % 20000) * 1e-7, 7) AS lon, round(lat + (h2 % 20000) * 1e-7, 7) AS lat,
    reported AS reported_at, filed_at, dispatched_at, handled_at, checked_at, closed_at,
    reported + INTERVAL 2 HOUR AS file_due_at, filed_at + INTERVAL 1 HOUR AS dispatch_due_at,
    dispatched_at + to_hours([4, 8, 24, 72, 168][1 + (h // 11 % 5)::INT]) AS handle_due_at,
    dispatched_at + to_hours([8, 24, 48, 96, 240][1 + (h // 11 % 5)::INT]) AS close_due_at,
    filed_at IS NOT NULL AS is_filed, h // 7 % 7 IN (1, 2, 3, 6) AS is_public_report, h % 50 = 7 AS is_supervised,
    last_stage = 1 AS is_cancelled, (h % 11 = 0)::INT AS rework_count, (h % 9 = 0)::INT AS return_count,
    1::INT AS report_count, true AS has_valid_location, h % 40 = 1 AS is_area_disagreeing,
    coalesce(closed_at, checked_at, handled_at, dispatched_at, filed_at, reported) AS updated_at
FROM known
JOIN place ON place.number = (h // 17 % 2400)::INT
JOIN class ON class.number = (h // 13 % 200)::INT
ORDER BY reported_at
"""

_VALUES = """
WITH spot AS (
    SELECT area_level, area_id, '*' AS dept_id FROM area
    UNION ALL
    SELECT 'district', split_part(dept_id, '_', 1), dept_id FROM unit
    UNION ALL
    SELECT 'city', '9901', dept_id FROM unit
), period AS (
    SELECT DISTINCT 'month' AS period_kind, date_trunc('month', day)::DATE AS period_start FROM days
    UNION ALL
    SELECT 'day', day FROM days
), shown AS (
    SELECT * FROM spot, period WHERE period_kind = 'month' OR area_level = 'city'
)
SELECT
    d.code AS indicator_code, d.version AS definition_version, s.*,
    (hash(s.area_id, s.dept_id, s.period_start, d.code) % 90)::DOUBLE AS numerator,
    100.0 AS denominator, numerator AS value, 'ok' AS status
FROM shown AS s, lake.staging.indicator_definition AS d
"""

_SCORES = """
SELECT n.code AS node, s.*
FROM (
    SELECT area_level, area_id, dept_id, period_kind, period_start, avg(value) AS score, 1.0 AS coverage, 'B' AS grade
    FROM ({values}) AS v
    WHERE area_level <> 'grid'
    GROUP BY ALL
) AS s, lake.staging.index_node AS n
"""


# One permit for each hundred cases, one component for each twenty.
_PERMITS = """
SELECT
    'permit_office:' || n AS permit_id, type.code AS permit_type_code, 'ZD' || type.number AS source_permit_type,
    'local' AS permit_type_mapping_method, reported_at AS applied_at, reported_at + INTERVAL 1 DAY AS accepted_at,
    accepted_at + INTERVAL 10 DAY AS due_at, accepted_at + to_hours((n % 300)::INT) AS decided_at,
    CASE WHEN n % 10 = 0 THEN 'refused' ELSE 'granted' END AS decision_code,
    upper(decision_code) AS source_decision_code,
    decided_at::DATE AS valid_from, valid_from + 90 AS valid_to, district_id || '_unit' || (n % 12) AS dept_id,
    grid_id, district_id, lon, lat, 'permit_office' AS source_system
FROM (SELECT *, substr(case_id, 15)::BIGINT AS n FROM lake.core.fct_case) AS c
JOIN (SELECT code, row_number() OVER (ORDER BY code) AS number FROM lake.staging.permit_type) AS type
    ON type.number = 1 + n // 100 % 7
WHERE n % 100 = 3
"""
_COMPONENTS = """
SELECT
    'department_drops:' || n AS component_id, lpad((101 + n % 20)::VARCHAR, 4, '0') AS class_code,
    'component' AS class_kind, '2013' AS class_edition, class_code AS source_class_code, 'exact' AS mapping_method,
    '部件' || n AS component_name, grid_id, district_id, false AS is_area_disagreeing,
    CASE n % 200 WHEN 7 THEN 'damaged' WHEN 9 THEN 'lost' ELSE 'intact' END AS status_code,
    upper(status_code) AS source_status_code, district_id || '_unit' || (n % 12) AS owner_dept_id,
    lon + (n // 2400 % 20000) * 1e-7 AS lon, lat + (n // 9 % 20000) * 1e-7 AS lat, DATE '2024-06-07' AS surveyed_date,
    true AS is_current, 'department_drops' AS source_system
FROM range({size} // 20) AS r(n) JOIN place ON place.number = n % 2400
"""


def build(settings: Settings, size: int) -> None:
    """An empty lake gets a city with `size` cases in DAYS days."""
    with open_lake(settings):
        pass
    prepare(settings)
    run_dbt(settings, ["build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"])
    with open_lake(settings) as connection:
        _city(connection)
        for table, select in {
            "core.dim_area": "SELECT * FROM area",
            "core.dim_department": "SELECT * FROM unit",
            "core.dim_grid": "SELECT * EXCLUDE number, grid_id AS grid_name FROM place",
        }.items():
            _in_turn(connection, settings, _replaced(table, "true", select))
        for first in range(0, size, _CHUNK):
            cases = _cases(size, first, min(size, first + _CHUNK), START + timedelta(days=DAYS))
            _in_turn(connection, settings, f"INSERT INTO lake.core.fct_case BY NAME {cases}")
        _in_turn(connection, settings, f"INSERT INTO lake.core.fct_permit BY NAME {_PERMITS}")
        _in_turn(connection, settings, f"INSERT INTO lake.core.dim_component BY NAME {_COMPONENTS.format(size=size)}")
        _figures(connection, settings, START, DAYS)
        _state(connection, settings, START + timedelta(days=DAYS))


def add_day(settings: Settings, size: int) -> int:
    """One more day comes in, as a build writes it: its new cases, and those of the days before that went on.

    Returns the number of cases written.
    """
    with open_lake(settings, read_only=True) as connection:
        ((before,),) = connection.execute("SELECT as_of + INTERVAL 1 SECOND FROM lake.mart.mart_state").fetchall()
    days = (before - START).days
    horizon = before + timedelta(days=1)
    first, last = (size * count // DAYS for count in (days - LONGEST, days + 1))

    def work(connection: duckdb.DuckDBPyConnection) -> int:
        state = "case_id, updated_at, status_code"
        fresh = _cases(size, first, last, horizon)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS {fresh}")
        connection.execute(
            f"DELETE FROM fresh WHERE ({state}) IN (SELECT ({state}) FROM lake.core.fct_case "
            f"WHERE reported_at >= TIMESTAMP '{horizon - timedelta(days=LONGEST + 2)}')"
        )
        connection.execute("DELETE FROM lake.core.fct_case WHERE case_id IN (SELECT case_id FROM fresh)")
        ((count,),) = connection.execute("INSERT INTO lake.core.fct_case BY NAME FROM fresh").fetchall()
        return int(count)

    with open_lake(settings) as connection:
        _city(connection)
        written = transact(connection, settings, work, message="one day")
        _figures(connection, settings, horizon - timedelta(days=LONGEST), LONGEST)
        _state(connection, settings, horizon)
    return written


def change_day(settings: Settings) -> int:
    """Something about every case of the last day of the newest full month changes, and with it the day's figures.

    No day costs a publish more: its month is the largest that is still written.
    Returns the number of cases written.
    """
    with open_lake(settings) as connection:
        _city(connection)
        ((end,),) = connection.execute(
            "SELECT date_trunc('month', as_of)::TIMESTAMP FROM lake.mart.mart_state"
        ).fetchall()
        day = end - timedelta(days=1)
        of_day = f"reported_at >= TIMESTAMP '{day}' AND reported_at < TIMESTAMP '{end}'"

        def work(lake: duckdb.DuckDBPyConnection) -> int:
            changed = lake.execute(f"UPDATE lake.core.fct_case SET rework_count = rework_count + 1 WHERE {of_day}")
            ((count,),) = changed.fetchall()
            return int(count)

        written = transact(connection, settings, work, message="one changed day")
        _figures(connection, settings, day, 1)
    return written


def _city(connection: duckdb.DuckDBPyConnection) -> None:
    for statement in _CITY.format(chunk=_CHUNK).split(";\n"):
        if statement.strip():
            connection.execute(statement)


def _cases(size: int, first: int, last: int, horizon: datetime) -> str:
    return _CASES.format(start=START, seconds=_SECONDS, size=size, first=first, last=last, horizon=horizon)


def _figures(connection: duckdb.DuckDBPyConnection, settings: Settings, since: datetime, count: int) -> None:
    """The cube and the indicators of these days, and of the months they lie in."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE days AS "
        f"SELECT (DATE '{since:%Y-%m-%d}' + n::INT) AS day FROM range({count}) AS r(n)"
    )
    columns = connection.execute("DESCRIBE lake.indicator.int_case_day").fetchall()
    measures = [name for name, kind, *_ in columns if kind == "BIGINT"]
    amounts = ", ".join(f"(h // {number + 2} % 5)::BIGINT AS {name}" for number, name in enumerate(measures))
    cube = (
        "SELECT day, grid_id, community_id, street_id, district_id, city_id, "
        f"district_id || '_unit' || (number + n) % 12 AS dept_id, {amounts} "
        "FROM (SELECT *, hash(day, grid_id, n) AS h FROM days, place, range(3) AS r(n)) ORDER BY day"
    )
    of_days = "day IN (SELECT day FROM days)"
    of_periods = (
        "period_start IN (SELECT day FROM days UNION ALL SELECT DISTINCT date_trunc('month', day)::DATE FROM days)"
    )
    _in_turn(connection, settings, _replaced("indicator.int_case_day", of_days, cube))
    _in_turn(connection, settings, _replaced("indicator.indicator_value", of_periods, _VALUES))
    _in_turn(connection, settings, _replaced("indicator.index_score", of_periods, _SCORES.format(values=_VALUES)))


def _state(connection: duckdb.DuckDBPyConnection, settings: Settings, horizon: datetime) -> None:
    """The one mart that is a table: up to when the data reach."""
    state = (
        f"SELECT 'demo' AS city, '9901' AS city_id, '大城市' AS city_name_zh, 'Large city' AS city_name_en, as_of, "
        f"'{START:%Y-%m}' AS first_month, strftime(as_of, '%Y-%m') AS newest_month, "
        f"strftime(as_of - INTERVAL 1 MONTH, '%Y-%m') AS newest_full_month "
        f"FROM (SELECT TIMESTAMP '{horizon}' - INTERVAL 1 SECOND AS as_of)"
    )
    _in_turn(connection, settings, _replaced("mart.mart_state", "true", state))


def _replaced(table: str, condition: str, select: str) -> str:
    return f"DELETE FROM lake.{table} WHERE {condition}; INSERT INTO lake.{table} BY NAME {select}"


def _in_turn(connection: duckdb.DuckDBPyConnection, settings: Settings, sql: str) -> None:
    def work(lake: duckdb.DuckDBPyConnection) -> None:
        lake.execute(sql)

    transact(connection, settings, work, message="bench")
