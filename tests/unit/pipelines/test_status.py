"""The state of a lake: what troubles an operator is told, programs get it as JSON, people within 80 columns."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import duckdb
import pytest
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from pipelines.build import current_state, record_build
from pipelines.command.app import app
from pipelines.command.state import LEAST_FREE_BYTES, DatasetStatus, Status, status
from pipelines.command.status import sources_table, status_tables
from pipelines.serving_tables import NAME
from pipelines.sources.declared import load_sources
from quality.results import CheckResult, record
from quality.texts import CheckText
from tests.unit.pipelines.landing.landings import Place, files
from warehouse.lake.session import open_lake, transact
from warehouse.serving.publish import publish
from warehouse.settings import Settings

runner = CliRunner()


@pytest.fixture
def place(sqlite_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A lake into which one delivery has landed; its home is set in the environment."""
    monkeypatch.setenv("GRIDLAKE_HOME", str(sqlite_settings.home_path))
    found = files(sqlite_settings, tmp_path / "drops")
    found.drop("a.csv", "order_no,amount,reported_at,status\n1,2,2026-01-01 08:00:00,new\n")
    found.land()
    return found


def troubles(place: Place) -> tuple[str, ...]:
    return status(place.settings).troubles


def test_a_lake_in_order_has_none(place: Place) -> None:
    assert troubles(place) == ()


def test_nothing_landed_is_one(sqlite_settings: Settings) -> None:
    with open_lake(sqlite_settings):
        pass
    assert [t for t in status(sqlite_settings).troubles if "nothing has landed yet" in t]


def test_little_disk_is_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 0, LEAST_FREE_BYTES - 1))
    (told,) = troubles(place)
    assert told == f"only 2.0 GB of disk are free at {place.settings.home_path}: make room"


def test_a_clock_that_jumped_is_one(place: Place) -> None:
    ahead = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=2)
    with open_lake(place.settings) as lake:
        update = f"UPDATE lake.ops.load SET loaded_at = TIMESTAMP '{ahead}'"
        transact(lake, place.settings, lambda session: session.execute(update), message="the clock was ahead")
    (told,) = troubles(place)
    assert told == f"the newest landing is dated {ahead:%Y-%m-%d %H:%M} UTC, later than the clock: one of both is wrong"


def test_what_is_held_back_is_one(place: Place) -> None:
    text = CheckText.of("refused_too_many", "a.csv", "9 / 9", "100 %", "5%")
    bad = CheckResult(
        "raw.orders.share", "delivery", "raw", "orders", "quarantine_share", "error", False, 9, 9, (), text, 1
    )
    record(place.settings, [bad])
    (told,) = troubles(place)
    assert told.startswith("held back is what depends on raw.orders: a.csv: 9 / 9 rows")


def test_a_build_that_was_never_published_is_one_and_an_older_publish_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = {"orders": "raw.orders"}
    monkeypatch.setattr("pipelines.serving_tables.TABLES", tables)
    monkeypatch.setattr("pipelines.serving_tables.PARTITIONED", ())
    monkeypatch.setattr("pipelines.serving_tables.VIEWS", {})
    with open_lake(place.settings) as lake:
        record_build(place.settings, current_state(lake, place.settings))
    assert troubles(place) == ("what is built has never been published: `gridlake run` publishes it",)
    version = publish(place.settings, NAME, tables).version
    assert troubles(place) == ()
    place.drop("b.csv", "order_no,amount,reported_at,status\n2,2,2026-01-01 08:00:00,new\n")
    place.land()
    (told,) = troubles(place)
    assert told.startswith(f"the dashboards show version {version}, which is older than what is built and found")
    assert runner.invoke(app, ["status"]).exit_code == 1


def test_programs_get_it_as_json_with_the_keys_that_are_promised(place: Place, tmp_path: Path) -> None:
    """Read by DuckDB's own reader of JSON, which knows nothing of us, from what the command really prints."""
    place.drop("b.csv", "amount\n1\n")  # without its key
    assert [refusal.uri for refusal in place.land().refusals] == ["b.csv"]
    result = runner.invoke(app, ["status", "--json"])
    file = tmp_path / "status.json"
    file.write_text(result.stdout, encoding="utf-8")
    told = duckdb.execute(f"SELECT * FROM read_json('{file}')")
    assert [column[0] for column in told.description] == [
        *("format", "city", "at", "is_well", "damage", "is_build_due", "data_sets", "tables", "failing_checks"),
        *("refusals", "withdrawals", "strays", "troubles"),
    ]
    row = dict(zip([column[0] for column in told.description], told.fetchall()[0], strict=True))
    assert (row["format"], row["city"], row["is_well"]) == (1, "demo", result.exit_code == 0)
    known = {found["name"]: found for found in row["data_sets"]}
    assert known["hotline_order"]["landed_at"] is None
    assert list(known["hotline_order"]) == [
        *("name", "title_zh", "title_en", "delivery_count", "read_count", "accepted_count", "quarantined_count"),
        "landed_at",
    ]
    (refusal,) = row["refusals"]
    assert list(refusal) == ["id", "data_set", "system", "kind", "place", "problem", "since"]
    assert (refusal["data_set"], refusal["kind"], refusal["place"]) == ("orders", "delivery", "b.csv")


def test_sources_as_json_tell_nothing_of_connections(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_DEMO_HOTLINE_TOKEN", "s3cret")
    told = json.loads(runner.invoke(app, ["sources", "--json"]).stdout)
    assert list(told) == ["format", "city", "at", "systems"]
    assert {tuple(system) for system in told["systems"]} == {
        ("name", "title_zh", "title_en", "owner", "kind", "schedule", "data_sets")
    }
    hotline = next(system for system in told["systems"] if system["name"] == "hotline_12345")
    assert hotline["data_sets"][0]["name"] == "hotline_order"
    assert not [word for word in ("s3cret", "TOKEN", "postgres", "base_url") if word in json.dumps(told)]


@pytest.mark.parametrize("city", ["demo", "washington_dc"])
def test_all_of_it_can_be_read_at_80_columns(sqlite_settings: Settings, city: str) -> None:
    systems = load_sources(city)
    names = [name for system in systems for name in system.dataset_names]
    counts = (12_345, 12_345_678, 12_345_678, 1_234_567)
    landed_at = datetime(2026, 4, 1, 0, 30)
    sets = tuple(DatasetStatus(name, "园林绿化部件普查台账", "Greenery", *counts, landed_at) for name in names)
    report = Status(sets, (("indicator.indicator_value", 123_456_789),), False, (), (), (), (), ())
    text = StringIO()
    console = Console(file=text, width=80)
    for table in (*status_tables(report, sqlite_settings), sources_table(systems)):
        console.print(table)
    lines = text.getvalue().splitlines()
    assert max(cell_len(line) for line in lines) <= 80
    whole = text.getvalue()
    for figure in ("12,345", "12,345,678", "1,234,567", "123,456,789", "2026-04-01", "08:30"):
        assert figure in whole
    assert [name for name in names if name not in whole] == []
    assert "…" not in whole
