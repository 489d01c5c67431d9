"""What a choice or a click narrows."""

from __future__ import annotations

import copy
from typing import Any

from catalog.serve.superset.definition import Dashboard, Language
from catalog.serve.superset.filters import chart_configuration, idle_filters, native_filters
from catalog.serve.superset.ids import dataset_id
from catalog.serve.superset.marts import read_marts
from tests.unit.catalog.superset.samples import DASHBOARD, dashboard, manifest

NUMBERS = {"trend": 1, "ranking": 2, "count": 3}


def compiled(of: Dashboard | None = None, language: Language = "zh") -> dict[str, dict[str, Any]]:
    found = native_filters(of or dashboard(), language, read_marts(manifest()), NUMBERS)
    return {each["id"].removeprefix("NATIVE_FILTER-sample-"): each for each in found}


def changed(key: str, **changes: Any) -> Dashboard:
    filters = [each | changes if each["key"] == key else each for each in copy.deepcopy(DASHBOARD["filters"])]
    return dashboard(filters=filters)


def test_the_newest_value_is_chosen_when_the_page_opens() -> None:
    month = compiled()["month"]
    assert month["controlValues"]["defaultToFirstItem"] is True
    assert month["controlValues"]["sortAscending"] is False
    assert month["controlValues"]["enableEmptyFilter"] is True
    assert month["requiredFirst"] is True
    assert month["controlValues"]["multiSelect"] is False


def test_charts_do_not_wait_for_a_filter_that_has_nothing_to_choose_from() -> None:
    asked: list[str] = []

    def has_rows(sql: str) -> bool:
        asked.append(sql)
        return False

    of = changed("month", where={"period_kind": "month", "level_name": {"not": ["x", "it's"]}})
    idle = idle_filters([of], has_rows)
    assert idle == {("sample", "month")}
    assert asked == [
        f'SELECT 1 FROM zh."{of.filters[0].dataset}" WHERE "month" IS NOT NULL AND "period_kind" == \'month\''
        " AND \"level_name\" NOT IN ('x', 'it''s') LIMIT 1"
    ]
    assert idle_filters([of], lambda sql: True) == frozenset()
    (month, *_) = native_filters(of, "zh", read_marts(manifest()), NUMBERS, idle)
    assert month["requiredFirst"] is False


def test_a_filter_reaches_the_charts_that_have_its_column() -> None:
    assert compiled()["area"]["scope"] == {"rootPath": ["ROOT_ID"], "excluded": [3]}


def test_a_filter_leaves_out_the_charts_excepted() -> None:
    assert compiled()["month"]["scope"]["excluded"] == [1, 3]


def test_a_filter_may_be_for_some_charts_only() -> None:
    assert compiled(changed("area", only=["ranking"]))["area"]["scope"]["excluded"] == [1, 3]


def test_a_filter_offers_what_another_leaves() -> None:
    assert compiled()["area"]["cascadeParentIds"] == ["NATIVE_FILTER-sample-month"]


def test_a_filter_opens_with_labels_of_the_language() -> None:
    for language, word in (("zh", "街道（乡镇）"), ("en", "street")):
        level = compiled(language=language)["level"]  # type: ignore[arg-type]
        assert level["defaultDataMask"]["filterState"] == {"value": [word], "label": word}
        assert level["defaultDataMask"]["extraFormData"] == {
            "filters": [{"col": "level_name", "op": "IN", "val": [word]}]
        }


def test_a_filter_asks_the_data_set_of_its_language_and_is_called_as_its_column() -> None:
    area = compiled(language="en")["area"]
    assert area["targets"] == [{"column": {"name": "area_name"}, "datasetUuid": dataset_id("mart_score", "en")}]
    assert area["name"] == "Area_name_zh column"


def test_values_offered_are_narrowed() -> None:
    [condition] = compiled(changed("area", where={"area_level": {"not": "city"}}))["area"]["adhoc_filters"]
    assert (condition["subject"], condition["operator"], condition["comparator"]) == ("area_level", "!=", "city")


def test_a_click_narrows_the_charts_that_are_named() -> None:
    assert chart_configuration(dashboard(), NUMBERS) == {
        "2": {
            "id": 2,
            "crossFilters": {"scope": {"rootPath": ["ROOT_ID"], "excluded": [2, 3]}, "chartsInScope": [1]},
        }
    }
