"""The command line: every command tells what it did, and refuses what it cannot do in one line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.command.app import app
from warehouse.lake.session import open_lake, transact
from warehouse.settings import load_settings

runner = CliRunner()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty lake's home, set in the environment."""
    home = tmp_path / "home"
    monkeypatch.setenv("GRIDLAKE_HOME", str(home))
    return home


@pytest.fixture
def small_lake(home: Path) -> Path:
    """A lake with one table of two rows."""
    settings = load_settings()
    with open_lake(settings) as connection:
        transact(
            connection,
            settings,
            lambda lake: lake.execute(
                "CREATE TABLE lake.core.place AS SELECT * FROM (VALUES (1, '云泽'), (2, NULL)) t(id, name)"
            ),
            message="two places",
        )
    return home


def test_query_prints_csv(small_lake: Path) -> None:
    result = runner.invoke(app, ["query", "SELECT * FROM core.place ORDER BY id", "--format", "csv"])
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ['"id","name"', '1,"云泽"', "2,"]


def test_query_prints_json(small_lake: Path) -> None:
    result = runner.invoke(app, ["query", "SELECT * FROM core.place ORDER BY id", "--format", "json"])
    assert json.loads(result.stdout) == [{"id": 1, "name": "云泽"}, {"id": 2, "name": None}]


def test_query_says_that_rows_were_left_out(small_lake: Path) -> None:
    result = runner.invoke(app, ["query", "SELECT * FROM core.place", "--limit", "1"])
    assert "1 rows (there are more" in result.stderr


@pytest.mark.parametrize(
    "sql", ["DELETE FROM core.place", "SELECT 1; DROP TABLE core.place", "COPY core.place TO 'x.csv'"]
)
def test_query_changes_nothing(small_lake: Path, sql: str) -> None:
    assert runner.invoke(app, ["query", sql]).exit_code == 1
    kept = runner.invoke(app, ["query", "SELECT count(*) AS n FROM core.place", "--format", "csv"])
    assert kept.stdout.splitlines()[-1] == "2"


def test_a_query_without_a_lake_says_what_to_do(home: Path) -> None:
    result = runner.invoke(app, ["query", "SELECT 1"])
    assert result.exit_code == 1
    assert "gridlake run" in result.stderr
    assert "Traceback" not in result.output


def test_an_unknown_setting_is_refused_by_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_CITTY", "demo")
    result = runner.invoke(app, ["sources"])
    assert result.exit_code == 1
    assert "GRIDLAKE_CITTY" in result.stderr
    assert "GRIDLAKE_CITY" in result.stderr


def test_an_unknown_city_names_those_there_are(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_CITY", "atlantis")
    result = runner.invoke(app, ["sources"])
    assert result.exit_code == 1
    assert "washington_dc" in result.stderr


def test_an_unknown_source_is_refused_before_anything_runs(home: Path) -> None:
    result = runner.invoke(app, ["run", "--source", "hotline"])
    assert result.exit_code == 1
    assert "hotline_12345" in result.stderr
    assert not (home / "catalog.sqlite").exists()


def test_sources_lists_every_data_set(home: Path) -> None:
    result = runner.invoke(app, ["sources"])
    assert result.exit_code == 0
    for name in ("hotline_order", "permit_application", "unit_grid"):
        assert name in result.stdout


def test_check_reports_all_faults(tmp_path: Path) -> None:
    (tmp_path / "city.yml").write_text("key: some_city\ntitle: {zh: 某市, en: Some City}\n", encoding="utf-8")
    folder = tmp_path / "contracts"
    folder.mkdir(parents=True)
    (folder / "one.yml").write_text("kind: DataContract\n", encoding="utf-8")
    (folder / "two.yml").write_text("]not yaml", encoding="utf-8")
    result = runner.invoke(app, ["check", str(tmp_path)])
    assert result.exit_code == 1
    assert "one.yml" in result.stderr
    assert "two.yml" in result.stderr
    assert "some_city: 0 sources, 2 contracts" in result.stdout


def test_maintain_tells_its_counts(small_lake: Path) -> None:
    result = runner.invoke(app, ["maintain"])
    assert result.exit_code == 0, result.output
    assert "merged files" in result.stdout


def test_a_bad_delivery_holds_the_build_back_and_says_why(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models_home: Callable[[str], Path]
) -> None:
    monkeypatch.setenv("GRIDLAKE_CITY", "washington_dc")
    monkeypatch.setenv("GRIDLAKE_DATA", str(tmp_path / "drops"))
    shutil.copytree(models_home("washington_dc") / "dbt", home / "dbt")
    rows = [{"properties": {"VENDORID": None, "OBJECTID": number}, "geometry": None} for number in range(20)]
    dropped = tmp_path / "drops" / "permits" / "2016-08-16" / "street-vendors.geojson"
    dropped.parent.mkdir(parents=True)
    dropped.write_text(json.dumps({"features": rows}))
    result = runner.invoke(app, ["run", "--source", "dc_permit", "--no-build"])
    assert result.exit_code == 1
    assert (
        "held back: what depends on raw.dc_street_vendor: permits/2016-08-16/street-vendors.geojson: 20 / 20 rows"
        in result.stderr
    )
    assert "core and indicator were left as they are" in result.stdout


def test_an_empty_folder_is_told_with_what_was_looked_for(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDLAKE_CITY", "washington_dc")
    monkeypatch.setenv("GRIDLAKE_DATA", str(tmp_path / "drops"))
    (tmp_path / "drops").mkdir()
    (tmp_path / "drops" / "permits.geojson").write_text("{}")  # where no template looks
    result = runner.invoke(app, ["run", "--source", "dc_permit"])
    assert result.exit_code == 1
    assert "nothing has ever landed" in result.stderr
    assert f"dc_permit: {tmp_path / 'drops'}: permits/" in result.stderr
    assert "GRIDLAKE_DATA" in result.stderr
    assert "were built" not in result.output
    monkeypatch.setenv("GRIDLAKE_DATA", str(tmp_path / "elsewhere"))
    result = runner.invoke(app, ["run", "--source", "dc_permit"])
    assert result.exit_code == 1
    assert f"{tmp_path / 'elsewhere'} (is not there)" in result.stderr


def test_query_prints_every_kind_of_value_as_csv_and_as_json_that_readers_take(small_lake: Path) -> None:
    sql = """SELECT [1, 2] AS n, 'nan'::DOUBLE AS n, {'a': [NULL]} AS s, DATE '2026-04-01' AS d,
                    TIMESTAMP '2026-04-01 08:00:00' AS t, 1.50::DECIMAL(9, 2) AS c"""
    result = runner.invoke(app, ["query", sql, "--format", "json"])
    (row,) = json.loads(result.stdout, parse_constant=pytest.fail)
    assert row == {
        "n": [1, 2],
        "n_2": None,
        "s": {"a": [None]},
        "d": "2026-04-01",
        "t": "2026-04-01T08:00:00",
        "c": "1.50",
    }
    result = runner.invoke(app, ["query", sql, "--format", "csv"])
    header, values = result.stdout.splitlines()
    assert header == '"n","n_2","s","d","t","c"'
    assert values.startswith('"[1, 2]",,"{""a"": [null]}",2026-04-01,2026-04-01 08:00:00')
    assert "[1, 2]" in runner.invoke(app, ["query", sql]).stdout


def test_the_tables_and_the_columns_of_one_can_be_asked_for(small_lake: Path) -> None:
    listed = runner.invoke(app, ["query", "show tables;", "--format", "csv"])
    assert '"core","place"' in listed.stdout.splitlines()
    described = runner.invoke(app, ["query", "describe core.place", "--format", "csv"])
    assert '"name"' in described.stdout


def test_an_unknown_city_is_told_before_its_missing_lake(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_CITY", "atlantis")
    for command in (["status"], ["query", "SELECT 1"], ["run"], ["maintain"], ["refusals", "list"]):
        result = runner.invoke(app, command)
        assert result.exit_code == 1
        assert "there is no such city" in result.stderr


def test_status_tells_of_a_lost_file_and_ends_with_1(small_lake: Path) -> None:
    assert "damaged" not in runner.invoke(app, ["status"]).stderr
    (lost,) = (small_lake / "data" / "core" / "place").glob("*.parquet")
    lost.unlink()
    result = runner.invoke(app, ["status"])
    assert result.exit_code == 1
    assert f"damaged: core.place: {lost}: is not there: 2 rows are lost" in result.stderr


def test_lake_is_backed_up_restored_and_moved(
    small_lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies, restored, moved = tmp_path / "backup", tmp_path / "restored", tmp_path / "moved"
    assert runner.invoke(app, ["backup", str(copies)]).exit_code == 0
    assert "0 of them new data" in runner.invoke(app, ["backup", str(copies)]).stdout
    assert "is not an empty folder" in runner.invoke(app, ["restore", str(copies)]).stderr
    monkeypatch.setenv("GRIDLAKE_HOME", str(restored))
    assert runner.invoke(app, ["restore", str(copies)]).exit_code == 0
    assert f"set GRIDLAKE_HOME={moved}" in runner.invoke(app, ["move", str(moved)]).stdout
    monkeypatch.setenv("GRIDLAKE_HOME", str(moved))
    result = runner.invoke(app, ["query", "SELECT id FROM core.place ORDER BY id", "--format", "csv"])
    assert result.stdout.splitlines() == ['"id"', "1", "2"]
    assert "0 faults" in runner.invoke(app, ["verify", "--deep"]).stdout


def test_full_disk_met_by_others_is_one_message(small_lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("(sqlite3.OperationalError) database or disk is full")

    monkeypatch.setattr("pipelines.command.state.status", full)
    result = runner.invoke(app, ["status"])
    assert result.exit_code == 1
    assert "the disk is full" in result.stderr
    assert "Traceback" not in result.output


def test_two_runs_at_once_take_turns_and_both_end_well(home: Path, tmp_path: Path) -> None:
    """Two real processes, as a person and a timer start them; the same file is landed by one of them only."""
    drops = tmp_path / "drops"
    rows = [{"properties": {"VENDORID": str(number), "OBJECTID": number}, "geometry": None} for number in range(3)]
    dropped = drops / "permits" / "2016-08-16" / "street-vendors.geojson"
    dropped.parent.mkdir(parents=True)
    dropped.write_text(json.dumps({"features": rows}))
    lake = {"GRIDLAKE_CITY": "washington_dc", "GRIDLAKE_HOME": str(home), "GRIDLAKE_DATA": str(drops)}
    command = [Path(sys.executable).with_name("gridlake"), "run", "--source", "dc_permit", "--no-build"]
    runs = [
        subprocess.Popen(command, env={**os.environ, **lake}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [run.communicate() for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    (waited,) = [err for _, err in said if "waiting until another run has ended: `gridlake run` on " in err]
    assert f"(process {runs[0].pid}" in waited or f"(process {runs[1].pid}" in waited
    assert sum("nothing new has come" in out for out, _ in said) == 1
    with open_lake(load_settings(city="washington_dc", home=home), read_only=True) as connection:
        assert connection.execute("SELECT sum(accepted_count) FROM lake.ops.load").fetchall() == [(3,)]
