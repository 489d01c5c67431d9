"""The made-up city goes on from day to day: late updates merge, and no pull doubles anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from lakes import MODELS_ONLY, BuiltLake, differing, fingerprint, land_and_build

from pipelines.build import run_dbt
from pipelines.demo_city.servers import advance, demo_city
from warehouse.lake.session import open_lake, transact
from warehouse.serving.publish import current
from warehouse.serving.reading import open_version
from warehouse.settings import load_settings


@pytest.fixture(scope="module")
def moving_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuiltLake]:
    """A lake of the city's first day, landed and built; the tests follow its days in order."""
    home = tmp_path_factory.mktemp("moving") / "home"
    with demo_city(home) as variables:
        environment = {"GRIDLAKE_CITY": "demo", "GRIDLAKE_HOME": str(home), **variables}
        settings = load_settings(city="demo", home=home, data=variables["GRIDLAKE_DATA"])
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            land_and_build(settings)
        yield BuiltLake(settings, environment)


def test_late_updates_merge_and_equal_a_build_from_scratch(moving_lake: BuiltLake) -> None:
    open_before = dict(moving_lake.query("SELECT case_id, closed_at FROM lake.core.fct_case WHERE closed_at IS NULL"))
    advance(moving_lake.settings.home_path, "2026-04-06")
    moving_lake.run("run")
    closed = moving_lake.query(
        "SELECT case_id FROM lake.core.fct_case WHERE closed_at IS NOT NULL AND reported_at < TIMESTAMP '2026-04-01'"
    )
    assert any(case_id in open_before for (case_id,) in closed)
    doubled = moving_lake.query("SELECT case_id FROM lake.core.fct_case GROUP BY case_id HAVING count(*) > 1")
    assert doubled == []
    incremental = fingerprint(moving_lake.settings)
    # In many batches and with more threads, which no city of this size needs: they too must make no difference.
    settings = moving_lake.settings.model_copy(update={"threads": 6})
    in_batches = ["build", "--vars", "{batch_rows: 2000}", *MODELS_ONLY]
    run_dbt(settings, [*in_batches, "--full-refresh"])
    assert differing(incremental, fingerprint(settings)) == []
    # What is looked at again is compared batch by batch: wrong rows of several batches are found, others stay.
    with open_lake(settings) as connection:
        transact(connection, settings, _damage, message="damage")
    run_dbt(settings, [*in_batches, "--select", *_IN_BATCHES])
    assert differing(incremental, fingerprint(settings)) == []


_IN_BATCHES = ("int_case_day", "indicator_value", "index_score")


def _damage(lake: duckdb.DuckDBPyConnection) -> None:
    """Wrong, missing and surplus rows in the tables that are built in batches, in months far apart.

    All are to be looked at again, as if a macro had changed.
    """
    lake.execute(f"UPDATE lake.core.build_position SET input_hash = 'of other macros' WHERE model IN {_IN_BATCHES}")
    lake.execute("UPDATE lake.indicator.int_case_day SET closed_count = closed_count + 1 WHERE day < DATE '2026-01-01'")
    lake.execute(
        "DELETE FROM lake.indicator.indicator_value WHERE month(period_start) IN (1, 3) AND area_level = 'city'"
    )
    lake.execute(
        "INSERT INTO lake.indicator.index_score BY NAME "
        "SELECT * REPLACE ('nobody' AS area_id) FROM lake.indicator.index_score WHERE period_kind = 'month'"
    )


def test_a_pull_from_the_past_finds_nothing_new(moving_lake: BuiltLake) -> None:
    before = fingerprint(moving_lake.settings, ("raw", "quarantine", "core"))
    moving_lake.run("run", "--source", "hotline_12345", "--source", "permit_office", "--since", "2026-01-01")
    assert differing(before, fingerprint(moving_lake.settings, ("raw", "quarantine", "core"))) == []


def test_cases_lie_in_the_files_in_the_order_of_their_reports(moving_lake: BuiltLake) -> None:
    """So that whoever reads one month, as a publish does, reads no other."""
    files = moving_lake.query("SELECT data_file FROM ducklake_list_files('lake', 'fct_case', schema => 'core')")
    rows = moving_lake.query(
        f"SELECT count(*), count(*) FILTER (reported_at < before) FROM (SELECT reported_at, lag(reported_at) OVER "
        f"(PARTITION BY filename ORDER BY file_row_number) AS before FROM read_parquet({[file for (file,) in files]}, "
        "filename = true, file_row_number = true))"
    )
    assert rows[0][0] > 10_000
    assert rows[0][1] == 0


def test_the_next_run_publishes_what_was_lost_though_nothing_is_new(moving_lake: BuiltLake) -> None:
    def ask_served(sql: str) -> tuple[Path, Any]:
        served = current(moving_lake.settings, "city")
        assert served is not None
        with open_version(served.path, threads=1, memory="400MB") as connection:
            ((value,),) = connection.execute(sql).fetchall()
            return served.path.parent, value

    moving_lake.run("run")
    _, before = ask_served("SELECT count(*) FROM main.mart_case")
    folder, part = ask_served("SELECT min(path) FROM main._part WHERE table_name = 'mart_case'")
    (folder / part).unlink()
    with pytest.raises(FileNotFoundError, match=part):
        ask_served("SELECT count(*) FROM main.mart_case")
    assert "nothing new" in moving_lake.run("run")
    assert ask_served("SELECT count(*) FROM main.mart_case")[1] == before
