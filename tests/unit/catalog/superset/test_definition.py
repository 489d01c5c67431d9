"""Reading a dashboard file: what is wrong is told with the file, the key and the fix."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.serve.superset.definition import Condition, DashboardError, load_dashboard, load_dashboards
from tests.unit.catalog.superset.samples import DASHBOARD


def written(folder: Path, document: Any, name: str = "sample.yml") -> Path:
    path = folder / name
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document, allow_unicode=True), "utf-8")
    return path


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    found = load_dashboard(written(tmp_path, DASHBOARD))
    assert [chart.key for chart in found.charts] == ["trend", "ranking", "count"]
    assert found.charts[0].where["dept_id"] == "*"
    assert found.charts[0].where["area_level"] == Condition.model_validate({"not": ["city", "grid"]})
    assert found.filters[0].except_ == ("trend",)


@pytest.mark.parametrize(
    ("place", "key", "fix"),
    [
        (("charts", 0), "metric", "use metrics"),
        (("filters", 0), "datset", "use dataset"),
        (("filters", 2, "start"), "code", "use codes"),
        (("rows", 0), "hight", "use height"),
        (("title",), "eng", "use en"),
        ((), "chart", "use charts"),
    ],
)
def test_an_unknown_key_is_told_with_file_key_and_fix(
    place: tuple[str | int, ...], key: str, fix: str, tmp_path: Path
) -> None:
    document = copy.deepcopy(DASHBOARD)
    part: Any = document
    for step in place:
        part = part[step]
    part[key] = "x"
    with pytest.raises(DashboardError) as caught:
        load_dashboard(written(tmp_path, document))
    message = str(caught.value)
    assert "sample.yml" in message
    assert ".".join(map(str, (*place, key))) in message
    assert fix in message


@pytest.mark.parametrize("condition", [{"nt": "x"}, {}])
def test_a_condition_that_says_nothing_is_refused(condition: dict[str, Any], tmp_path: Path) -> None:
    document = copy.deepcopy(DASHBOARD)
    document["charts"][0]["where"] = {"area_level": condition}
    with pytest.raises(DashboardError, match=r"charts\.0\.where\.area_level"):
        load_dashboard(written(tmp_path, document))


def test_a_slug_is_the_files_name(tmp_path: Path) -> None:
    with pytest.raises(DashboardError, match=r"other\.yml.*'sample'.*use other"):
        load_dashboard(written(tmp_path, DASHBOARD, "other.yml"))


@pytest.mark.parametrize("text", ["title: {zh: a", "- 1", "title: {zh: [}"])
def test_what_is_no_dashboard_is_refused_with_its_name(text: str, tmp_path: Path) -> None:
    with pytest.raises(DashboardError, match=r"sample\.yml"):
        load_dashboard(written(tmp_path, text))


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for slug in ("b", "a"):
        written(tmp_path, DASHBOARD | {"slug": slug}, f"{slug}.yml")
    assert [dashboard.slug for dashboard in load_dashboards(tmp_path)] == ["a", "b"]
