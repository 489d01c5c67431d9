"""Models of the manifest as data sets: pairs of columns, labels, what is added and left out."""

from __future__ import annotations

import duckdb
import pytest

from catalog.serve.superset.definition import DashboardError
from catalog.serve.superset.marts import read_marts
from tests.unit.catalog.superset.samples import manifest, node
from warehouse.languages import in_language


def test_a_pair_of_columns_is_one_where_its_first_stands() -> None:
    document = manifest()
    assert list(node(document, "mart_thing")["columns"]) == ["thing_id", "seen_at", "only_zh", "thing_count"]
    assert list(read_marts(document)["mart_thing"].columns) == ["thing_id", "seen_at", "only_zh", "thing_count"]
    assert "level_name_en" not in read_marts(document)["mart_score"].columns


def test_data_sets_have_the_columns_that_the_published_views_have() -> None:
    """The views are made from the columns of the tables, the data sets from those of the yml."""
    document = manifest()
    columns = node(document, "mart_score")["columns"]
    kinds = [f"{name} {column['data_type']}" for name, column in columns.items()]
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t ({', '.join(kinds)})")
        for language in ("zh", "en"):
            shown = connection.execute(f"DESCRIBE SELECT {in_language(list(columns), language, ())} FROM t").fetchall()
            assert [row[0] for row in shown] == list(read_marts(document)["mart_score"].columns)


def test_a_model_has_the_labels_of_its_yml() -> None:
    model = read_marts(manifest())["mart_score"]
    assert list(model.columns)[:4] == ["month", "area_level", "level_no", "level_name"]
    assert model.columns["area_name"].label.zh == "area_name_zh 列"
    assert model.columns["month"].label.en == "Month column"
    assert model.columns["score"].data_type == "DOUBLE"
    assert model.metrics["score"].caveat is not None
    assert model.metrics["score"].caveat.en == "One row at a time"


def test_labels_are_read_where_older_manifests_have_them() -> None:
    document = manifest()
    column = node(document, "mart_score")["columns"]["month"]
    column["meta"] = column.pop("config")["meta"]
    assert read_marts(document)["mart_score"].columns["month"].label.zh == "month 列"


def test_a_column_without_labels_is_called_by_its_name() -> None:
    document = manifest()
    node(document, "mart_score")["columns"]["month"]["config"] = {}
    assert read_marts(document)["mart_score"].columns["month"].label.zh == "month"


def test_the_publication_shows_the_state_of_the_data_too() -> None:
    columns = read_marts(manifest())["publication"].columns
    assert {"version", "snapshot_at", "published_at", "as_of", "city_name"} <= set(columns)
    assert columns["published_at"].is_time


def test_open_cases_cannot_be_cut_by_the_chosen_month() -> None:
    document = manifest()
    document["nodes"]["model.gridlake.mart_case_open"] = node(document, "mart_score") | {"name": "mart_case_open"}
    models = read_marts(document)
    assert "month" not in models["mart_case_open"].columns
    assert "month" in models["mart_score"].columns


def test_only_marts_are_data_sets() -> None:
    document = manifest()
    document["nodes"]["model.gridlake.fct_case"] = node(document, "mart_thing") | {"name": "fct_case"}
    document["nodes"]["test.gridlake.x"] = {"resource_type": "test", "name": "mart_test"}
    assert set(read_marts(document)) == {"mart_score", "mart_thing", "mart_public_index", "mart_state", "publication"}


def test_a_manifest_without_marts_is_refused() -> None:
    with pytest.raises(DashboardError, match="no mart model"):
        read_marts({"nodes": {}})
