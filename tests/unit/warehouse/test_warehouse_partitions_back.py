"""A table that looks back: its rows stand beside those of the month before, and are written again with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.warehouse.helpers import write
from tests.unit.warehouse.part_city import city, months, parts
from warehouse.serving.publish import Partitioned, Publication, publish
from warehouse.serving.reading import open_version
from warehouse.settings import Settings

CHANGES = Partitioned("mart_change", "mart.mart_change", "core.fct_case", "reported_at", looks_back=1)
VIEW = (
    "CREATE OR REPLACE VIEW lake.mart.mart_change AS WITH n AS (SELECT month, count(*) AS cases, "
    "min(date_trunc('month', reported_at)) AS first FROM lake.mart.mart_case GROUP BY month) "
    "SELECT n.month, n.cases, p.cases AS cases_before FROM n LEFT JOIN n AS p ON n.first = p.first + INTERVAL 1 MONTH"
)
# November has no cases; one case has no time, one a year that nobody meant.
CASES = (
    *("(1, TIMESTAMP '2025-09-30 23:59', 'a')", "(2, TIMESTAMP '2025-10-01', 'a')", "(3, TIMESTAMP '2025-10-31', 'b')"),
    *("(4, TIMESTAMP '2025-12-31 23:59', 'a')", "(5, TIMESTAMP '2026-01-01', 'a')", "(6, NULL, 'a')"),
    "(7, TIMESTAMP '0202-03-04', 'b')",
)
AT_FIRST = [
    ("0000-00", 1, None),
    ("0202-03", 1, None),
    ("2025-09", 1, None),
    ("2025-10", 2, 1),
    ("2025-12", 1, None),
    ("2026-01", 1, 1),
]


def served(settings: Settings) -> Publication:
    return publish(settings, "city", {}, partitioned=[CHANGES], grace=timedelta(0))


def shown(publication: Publication) -> list[tuple[Any, ...]]:
    with open_version(publication.path, threads=1, memory="300MB") as connection:
        return connection.execute("SELECT month, cases, cases_before FROM main.mart_change ORDER BY month").fetchall()


@pytest.mark.parametrize(
    ("change", "touched", "rows"),
    [
        (
            "INSERT INTO lake.core.fct_case VALUES (9, TIMESTAMP '2025-12-01', 'a')",
            {"2025-12", "2026-01"},
            {"2025-12": (2, None), "2026-01": (1, 2)},
        ),
        # The month after has no rows: nothing is written for it.
        (
            "INSERT INTO lake.core.fct_case VALUES (9, TIMESTAMP '2026-01-31', 'a')",
            {"2026-01"},
            {"2026-01": (2, 1)},
        ),
        (
            "INSERT INTO lake.core.fct_case VALUES (9, TIMESTAMP '2025-11-11', 'a')",
            {"2025-11", "2025-12"},
            {"2025-11": (1, 2), "2025-12": (1, 1)},
        ),
        ("DELETE FROM lake.core.fct_case WHERE case_id = 4", {"2025-12", "2026-01"}, {"2026-01": (1, None)}),
        (
            "UPDATE lake.core.fct_case SET reported_at = NULL WHERE case_id = 7",
            {"0202-03", "0000-00"},
            {"0000-00": (2, None)},
        ),
    ],
)
def test_a_changed_month_writes_the_month_that_looks_back_at_it_too(
    settings: Settings, change: str, touched: set[str], rows: dict[str, tuple[int, int | None]]
) -> None:
    city(settings, *CASES)
    write(settings, VIEW)
    assert shown(served(settings)) == AT_FIRST
    before = parts(settings)
    write(settings, change)
    after = {month: counts for month, *counts in shown(served(settings))}
    assert {month: tuple(after[month]) for month in rows} == rows
    assert months(set(before) ^ set(parts(settings))) == touched
    unchanged = {month: counts for month, *counts in AT_FIRST if month not in touched}
    assert {month: after[month] for month in unchanged} == unchanged
