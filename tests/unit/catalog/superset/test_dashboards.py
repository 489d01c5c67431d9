"""The project's dashboards against the models of each city, as dbt understands them now."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from catalog.city import shipped
from catalog.serve.superset.access import faults as access_faults
from catalog.serve.superset.access import read_access
from catalog.serve.superset.bundle import Bundle, compile_bundle
from catalog.serve.superset.definition import DASHBOARDS, load_dashboards
from catalog.serve.superset.faults import faults
from pipelines.build import ensure_manifest
from pipelines.command.app import app
from warehouse.settings import Settings, load_settings

CITIES = shipped()
SLUGS = [
    *("cases", "city-health", "city-map", "data-health", "departments", "index-to-cases", "permits", "public-index"),
]


@pytest.fixture(scope="module", params=CITIES)
def settings(request: pytest.FixtureRequest, models_home: Callable[[str], Path]) -> Settings:
    return load_settings(city=request.param, home=models_home(request.param))


@pytest.fixture(scope="module")
def manifest(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ensure_manifest(settings).read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def bundle(manifest: dict[str, Any]) -> Bundle:
    return compile_bundle(manifest)


def test_nothing_that_a_dashboard_names_is_missing(manifest: dict[str, Any]) -> None:
    assert [str(fault) for fault in faults(load_dashboards(), manifest)] == []


def test_the_command_tells_the_file_the_name_and_the_nearest_that_is_there(
    settings: Settings, manifest: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (DASHBOARDS / "cases.yml").read_text("utf-8")
    (tmp_path / "cases.yml").write_text(text.replace("dataset: mart_month", "dataset: mart_months", 1))
    monkeypatch.setenv("GRIDLAKE_CITY", settings.city)
    monkeypatch.setenv("GRIDLAKE_HOME", str(settings.home_path))
    refused = CliRunner().invoke(app, ["dashboards", "check", str(tmp_path)])
    assert refused.exit_code == 1
    assert "cases > filter month: there is no data set mart_months. Fix: use mart_month\n" in refused.output
    passed = CliRunner().invoke(app, ["dashboards", "check"])
    assert (passed.exit_code, passed.output) == (0, "8 dashboards checked, 0 faults\n")


def test_every_dashboard_compiles_in_both_languages(bundle: Bundle) -> None:
    assert sorted(bundle.slugs) == SLUGS
    made = sorted(Path(path).stem for path in bundle.files if path.startswith("dashboards/"))
    assert made == sorted([*SLUGS, *(f"{slug}-en" for slug in SLUGS)])


def test_access_rules_fit_the_dashboards(bundle: Bundle) -> None:
    assert access_faults(read_access(), bundle.shown) == []
    assert set(bundle.datasets) == set(read_access().rows)


def test_no_page_waits_for_a_value_that_a_unit_may_not_have() -> None:
    """Charts wait for the first value of such a filter: for ever, where the reader's own rows hold none."""
    access = read_access()
    waiting = [
        (dashboard.slug, filter_.key, role)
        for dashboard in load_dashboards()
        for filter_ in dashboard.filters
        for role in access.dashboards[dashboard.slug]
        if filter_.first and access.rows[filter_.dataset][role] == "own"
    ]
    assert waiting == []


def test_every_dashboard_tells_period_area_or_department_but_the_data_health() -> None:
    for dashboard in load_dashboards():
        columns = {filter_.column for filter_ in dashboard.filters}
        assert dashboard.slug == "data-health" or "month" in columns, dashboard.slug


def test_no_trend_is_cut_to_one_month() -> None:
    for dashboard in load_dashboards():
        cut = [
            chart.key
            for chart in dashboard.charts
            for filter_ in dashboard.filters
            if chart.x == "month" and filter_.column == "month" and chart.key not in filter_.except_
        ]
        assert cut == [], dashboard.slug


def test_texts_are_in_both_languages() -> None:
    for dashboard in load_dashboards():
        for text in (dashboard.title, dashboard.about, *(chart.title for chart in dashboard.charts)):
            assert any("\u4e00" <= letter <= "\u9fff" for letter in text.zh), text
            assert not any("\u4e00" <= letter <= "\u9fff" for letter in text.en), text


def test_scores_and_shares_come_from_the_models_metrics_alone(bundle: Bundle) -> None:
    """A metric written in a chart would be a second definition; only the order of rows may be one."""
    for path, text in bundle.files.items():
        if not path.startswith("charts/"):
            continue
        params = yaml.safe_load(text)["params"]
        named = [*params.get("metrics", []), *params.get("metrics_b", []), params.get("metric")]
        assert all(metric is None or isinstance(metric, str) for metric in named), path
