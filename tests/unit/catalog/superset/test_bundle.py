"""The compiled bundle: the same bytes for the same input, both languages, and references that meet."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import Any
from uuid import UUID

import duckdb
import pytest
import yaml

from catalog.serve.superset.bundle import Bundle, compile_bundle
from catalog.serve.superset.charts.colours import SERIES
from catalog.serve.superset.definition import DashboardError
from tests.unit.catalog.superset.samples import dashboard, manifest, node, with_chart
from warehouse.settings import PROJECT_ROOT


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return compile_bundle(manifest(), [dashboard()])


def part(bundle: Bundle, path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(bundle.files[path])
    return found


def test_the_same_input_gives_the_same_bytes(bundle: Bundle) -> None:
    again = compile_bundle(manifest(), [dashboard()])
    assert list(again.files) == list(bundle.files)
    assert dict(again.files) == dict(bundle.files)


def test_another_process_gives_the_same_bytes(bundle: Bundle) -> None:
    """Python puts sets into another order in every process; none of that may reach a file."""
    program = (
        "import hashlib, json\n"
        "from tests.unit.catalog.superset.samples import dashboard, manifest\n"
        "from catalog.serve.superset.bundle import compile_bundle\n"
        "files = dict(compile_bundle(manifest(), [dashboard()]).files)\n"
        "print(hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    ours = hashlib.sha256(json.dumps(dict(bundle.files), sort_keys=True).encode()).hexdigest()
    assert done.stdout.strip() == ours


@pytest.mark.parametrize(
    ("systems", "is_recorded"),
    [
        ([{"filing", "closing"}], True),
        ([{"public"}, {"filing", "closing", "urgency"}], True),
        ([{"filing"}, {"closing"}], False),  # no case of either is known to be open
        ([{"public"}], False),
        ([], False),
    ],
)
def test_what_no_system_records_is_empty_and_says_so(systems: list[set[str]], is_recorded: bool) -> None:
    document = manifest()
    (metric,) = node(document, "mart_thing")["config"]["meta"]["metrics"]
    metric |= {"sql": "count(*)", "records": ["filing", "closing"]}
    found = compile_bundle(document, [dashboard()], recorded=[frozenset(system) for system in systems])
    for language, words in (("zh", "来源系统未记录"), ("en", "Not recorded by the source systems")):
        path = next(p for p in found.files if p.endswith(f"/{language}/mart_thing.yaml"))
        (asked,) = part(found, path)["metrics"]
        with duckdb.connect() as connection:
            rows = connection.execute(f"SELECT {asked['expression']} FROM range(0)").fetchall()
        assert rows == [(0 if is_recorded else None,)]
        slug = "sample" if language == "zh" else "sample-en"
        told = part(found, f"charts/{slug}/count.yaml")["params"]["subtitle"]
        assert told == ("" if is_recorded else words)


def test_metrics_that_rest_on_no_record_stay_as_they_are(bundle: Bundle) -> None:
    assert dict(compile_bundle(manifest(), [dashboard()], recorded=[]).files) == dict(bundle.files)


def test_ids_do_not_change() -> None:
    """Whoever changes how ids are made breaks every link and every embedded page: these two are written down."""
    found = compile_bundle(manifest(), [dashboard()])
    assert part(found, "dashboards/sample.yaml")["uuid"] == "b15ca861-17c4-5be9-b827-675f0e68a528"
    assert part(found, "charts/sample/trend.yaml")["uuid"] == "6ebd1f53-3778-5298-a74e-1299640b7514"


def test_an_id_stays_when_a_chart_changes(bundle: Bundle) -> None:
    changed = compile_bundle(manifest(), [with_chart("trend", title={"zh": "新", "en": "New"}, metrics=["score"])])
    assert changed.files["charts/sample/trend.yaml"] != bundle.files["charts/sample/trend.yaml"]
    assert part(changed, "charts/sample/trend.yaml")["uuid"] == part(bundle, "charts/sample/trend.yaml")["uuid"]


def test_every_id_is_one_of_its_own(bundle: Bundle) -> None:
    found = [UUID(part(bundle, path)["uuid"]) for path in bundle.files if path != "metadata.yaml"]
    assert len(found) == len(set(found)) == len(bundle.files) - 1


def test_a_definition_gives_a_dashboard_in_each_language(bundle: Bundle) -> None:
    zh, en = part(bundle, "dashboards/sample.yaml"), part(bundle, "dashboards/sample-en.yaml")
    assert (zh["slug"], zh["dashboard_title"]) == ("sample", "样例")
    assert (en["slug"], en["dashboard_title"]) == ("sample-en", "Sample")
    assert part(bundle, "charts/sample/count.yaml")["slice_name"] == "件数"
    assert part(bundle, "charts/sample-en/count.yaml")["slice_name"] == "Cases"


def test_data_sets_of_a_language_have_its_schema_and_labels(bundle: Bundle) -> None:
    zh, en = (part(bundle, f"datasets/gridlake/{language}/mart_score.yaml") for language in ("zh", "en"))
    assert (zh["schema"], en["schema"]) == ("zh", "en")
    assert zh["table_name"] == en["table_name"] == "mart_score"
    assert {column["column_name"] for column in zh["columns"]} == {
        *("month", "area_level", "level_no", "level_name", "area_id", "area_name", "dept_id", "score"),
    }
    labels = {column["column_name"]: column["verbose_name"] for column in en["columns"]}
    assert labels["area_name"] == "Area_name_zh column"
    assert zh["metrics"][0]["verbose_name"] == "得分"
    assert en["metrics"][0] | {"uuid": None} == {
        "metric_name": "score",
        "verbose_name": "Score",
        "metric_type": None,
        "expression": "max(score)",
        "description": "One row at a time",
        "d3format": ".1f",
        "currency": None,
        "extra": {"warning_markdown": "One row at a time"},
        "warning_text": "One row at a time",
        "uuid": None,
    }
    assert "Careful" in en["description"]


def test_people_drill_by_names_and_not_by_their_codes(bundle: Bundle) -> None:
    columns = part(bundle, "datasets/gridlake/zh/mart_score.yaml")["columns"]
    offered = [column["column_name"] for column in columns if column["groupby"]]
    assert offered == ["month", "area_level", "level_name", "area_name", "dept_id"]
    assert [column["column_name"] for column in columns if not column["groupby"]] == ["score", "level_no", "area_id"]


def test_references_meet(bundle: Bundle) -> None:
    ids = {part(bundle, path)["uuid"] for path in bundle.files if path != "metadata.yaml"}
    for path in bundle.files:
        document = part(bundle, path)
        if path.startswith("charts/"):
            assert document["dataset_uuid"] in ids
        if path.startswith("datasets/"):
            assert document["database_uuid"] in ids
        if path.startswith("dashboards/"):
            shown = [item["meta"]["uuid"] for item in document["position"].values() if _is_chart(item)]
            assert len(shown) == 4
            assert set(shown) <= ids
            for target in (target for each in _filters(document) for target in each["targets"]):
                assert target["datasetUuid"] in ids


def test_a_dashboard_shows_data_sets_of_its_language_only(bundle: Bundle) -> None:
    for suffix, language in (("", "zh"), ("-en", "en")):
        own = {part(bundle, path)["uuid"] for path in bundle.files if path.startswith(f"datasets/gridlake/{language}/")}
        charts = [path for path in bundle.files if path.startswith(f"charts/sample{suffix}/")]
        assert {part(bundle, path)["dataset_uuid"] for path in charts} <= own
        for each in _filters(part(bundle, f"dashboards/sample{suffix}.yaml")):
            assert {target["datasetUuid"] for target in each["targets"]} <= own


def test_a_label_that_is_also_a_columns_has_its_colour_under_both_names() -> None:
    """Superset looks the colour of a series 优秀 up under the name of a column that is called so too."""
    document = manifest()
    node(document, "mart_score")["columns"]["dept_id"]["config"]["meta"]["zh"] = "优秀"
    found = part(compile_bundle(document, [dashboard()]), "dashboards/sample.yaml")["metadata"]["label_colors"]
    assert found["优秀"] == found["dept_id"]


def test_a_metrics_colour_holds_in_its_language() -> None:
    coloured = with_chart("trend", options={"colours": {"score": "pale"}})
    found = compile_bundle(manifest(), [coloured])
    for slug, name in (("sample", "得分"), ("sample-en", "score")):
        assert part(found, f"dashboards/{slug}.yaml")["metadata"]["label_colors"][name] == "#A8CCE3"


def test_what_a_browser_would_write_back_is_there_already() -> None:
    """Superset sends colours that differ from the stored ones back, which readers may not do."""
    charts = [
        {"key": key, "kind": "line", "title": {"zh": "线", "en": "Line"}, "dataset": "mart_score", "x": "month"}
        | {"metrics": ["score"]}
        for key in ("a", "b")
    ]
    rows = [{"height": 20, "show": {"a": 6, "b": 6}}]
    found = compile_bundle(manifest(), [dashboard(charts=charts, filters=[], notes={}, cross_filters={}, rows=rows)])
    metadata = part(found, "dashboards/sample.yaml")["metadata"]
    assert metadata["shared_label_colors"] == ["score"]
    assert metadata["map_label_colors"] == {}
    assert metadata["color_scheme_domain"] == list(SERIES)


def test_everything_is_marked_as_managed_by_files(bundle: Bundle) -> None:
    for path in bundle.files:
        if path != "metadata.yaml":
            assert part(bundle, path)["is_managed_externally"] is True


def test_every_dashboard_shows_the_version_of_the_data(bundle: Bundle) -> None:
    for slug in ("sample", "sample-en"):
        assert part(bundle, f"charts/{slug}/data_version.yaml")["params"]["all_columns"] == [
            *("city_name", "as_of", "published_at", "edition"),
        ]
        first = part(bundle, f"dashboards/{slug}.yaml")["position"]["GRID_ID"]["children"][0]
        assert part(bundle, f"dashboards/{slug}.yaml")["position"][first]["children"] == ["CHART-data_version"]


def test_the_bundle_tells_what_access_rules_need(bundle: Bundle) -> None:
    assert bundle.datasets == ("mart_public_index", "mart_score", "mart_state", "mart_thing", "publication")
    assert bundle.slugs == ("sample",)
    assert bundle.shown == {"sample": ("mart_score", "mart_thing", "publication")}


def test_a_dashboard_with_faults_is_not_compiled() -> None:
    broken = with_chart("count", metrics=["thing_cuont"])
    with pytest.raises(DashboardError, match="sample > count > mart_thing: has no metric thing_cuont"):
        compile_bundle(manifest(), [broken])


def test_a_change_of_a_label_changes_its_data_set_only(bundle: Bundle) -> None:
    document = manifest()
    node(document, "mart_thing")["columns"]["seen_at"]["config"]["meta"]["en"] = "seen"
    other = compile_bundle(document, [dashboard()])
    changed = [path for path in bundle.files if bundle.files[path] != other.files[path]]
    assert changed == ["datasets/gridlake/en/mart_thing.yaml"]


def _is_chart(item: Any) -> bool:
    return isinstance(item, dict) and item["type"] == "CHART"


def _filters(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document["metadata"]["native_filter_configuration"]
    return found
