"""What the marts say about themselves: dashboards take labels and metrics from there and from nowhere else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, get_args

import duckdb
import pytest

from pipelines.sources.records import Record
from tests.conventions.pages import ROOT
from tests.conventions.test_models_and_contracts import described

MARTS = {
    name: model
    for name, model in described(ROOT / "dbt/models/mart", "models").items()
    if (ROOT / "dbt/models/mart" / f"{name}.sql").exists()
}
LANGUAGES = ("zh", "en")
METRIC = {"name", "zh", "en", "sql", "format", "caveat_zh", "caveat_en", "records"}


def columns(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {column["name"]: column for column in model["columns"]}


def in_one_language(model: dict[str, Any]) -> dict[str, str]:
    """The columns that a language's view of the model has, with their types: a pair is one column."""
    kinds = {name: column["data_type"] for name, column in columns(model).items()}
    pairs = {name.removesuffix("_zh") for name in kinds if name.endswith("_zh") and f"{name[:-3]}_en" in kinds}
    return {
        name.removesuffix("_zh"): kind
        for name, kind in kinds.items()
        if not (name.endswith("_en") and name[:-3] in pairs)
    }


def metrics() -> Iterator[Any]:
    for name, model in MARTS.items():
        for metric in model["config"]["meta"]["metrics"]:
            yield pytest.param(model, metric, id=f"{name}.{metric['name']}")


def test_every_model_of_the_folder_is_a_mart() -> None:
    assert len(MARTS) == 19
    assert [name for name in MARTS if not name.startswith("mart_")] == []


@pytest.mark.parametrize("name", MARTS)
def test_a_mart_and_its_columns_have_labels_in_both_languages(name: str) -> None:
    model = MARTS[name]
    meta = model["config"]["meta"]
    assert all(meta.get(language) for language in LANGUAGES)
    assert ("caveat_zh" in meta) == ("caveat_en" in meta)
    unlabelled = [
        column["name"]
        for column in model["columns"]
        if not all(column.get("config", {}).get("meta", {}).get(language) for language in LANGUAGES)
    ]
    assert unlabelled == []
    assert meta.get("time_column", "month") in {*columns(model), "month"}


@pytest.mark.parametrize("name", MARTS)
def test_a_label_column_never_comes_alone(name: str) -> None:
    known = columns(MARTS[name])
    halves = {
        f"{column[:-2]}{'en' if column.endswith('zh') else 'zh'}" for column in known if column[-3:] in ("_zh", "_en")
    }
    assert sorted(halves - known.keys()) == []
    named = [c for c in known if c.endswith("_name") and c not in ("component_name", "source_name")]
    assert named == [], "a name for people has two languages"


def test_a_column_has_the_same_type_and_one_meaning_everywhere() -> None:
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for model in MARTS.values():
        for name, column in columns(model).items():
            kinds[name].add(column["data_type"])
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}
    # A pair carries one label: it is one column in the language's view.
    torn = [
        f"{name}.{column}"
        for name, model in MARTS.items()
        for column, entry in columns(model).items()
        if column.endswith("_zh") and entry["config"]["meta"] != columns(model)[f"{column[:-3]}_en"]["config"]["meta"]
    ]
    assert torn == []


@pytest.mark.parametrize(("model", "metric"), list(metrics()))
def test_a_metric_asks_only_columns_of_its_view(model: dict[str, Any], metric: dict[str, Any]) -> None:
    assert set(metric) <= METRIC
    assert all(metric.get(language) for language in LANGUAGES)
    assert ("caveat_zh" in metric) == ("caveat_en" in metric)
    assert set(metric.get("records", ())) <= set(get_args(Record))
    with duckdb.connect() as connection:
        shape = ", ".join(f'"{name}" {kind}' for name, kind in in_one_language(model).items())
        connection.execute(f"CREATE TABLE mart ({shape})")
        # Over no rows a sum is empty and a count 0; a metric outside an aggregate would not bind.
        assert len(connection.execute(f"SELECT {metric['sql']} FROM mart").fetchall()) == 1


def test_no_metric_is_a_mean_of_means() -> None:
    means = [metric.values[1]["name"] for metric in metrics() if "avg(" in metric.values[1]["sql"]]
    assert means == []


def test_a_score_of_several_rows_is_empty() -> None:
    """A score cannot be averaged: two areas together have another one."""
    score = next(m["sql"] for m in MARTS["mart_index"]["config"]["meta"]["metrics"] if m["name"] == "score")
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"SELECT area, {score} FROM (VALUES ('a', 80.0), ('b', 60.0), ('b', 70.0)) AS t (area, score)"
            " GROUP BY area ORDER BY area"
        ).fetchall()
    assert [(area, value and float(value)) for area, value in rows] == [("a", 80.0), ("b", None)]


def test_the_public_mart_holds_no_unit_no_case_and_no_day() -> None:
    names = set(in_one_language(MARTS["mart_public_index"]))
    assert names == {
        "month", "period_start", "area_level", "level_name", "area_id", "area_name", "node", "node_no", "node_name",
        "score", "grade", "grade_name", "coverage", "not_recorded",
    }  # fmt: skip
