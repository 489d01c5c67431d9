"""Compile the dashboards and dbt's manifest to the files that Superset imports.

The same input gives the same bytes. Data sets come from the mart models alone: their columns, labels, metrics and
caveats are written there. Each dashboard is compiled twice, once in each language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from catalog.serve.superset import ids
from catalog.serve.superset.charts.colours import BY_WORD, SCHEME, SERIES
from catalog.serve.superset.charts.kinds import KINDS, params
from catalog.serve.superset.charts.legend import legend_style, with_legends
from catalog.serve.superset.definition import (
    DASHBOARDS,
    LANGUAGES,
    Chart,
    Dashboard,
    DashboardError,
    Language,
    load_dashboards,
)
from catalog.serve.superset.faults import faults
from catalog.serve.superset.filters import FilterName, chart_configuration, native_filters
from catalog.serve.superset.marts import Column, Metric, Model, as_recorded, label, read_marts
from catalog.serve.superset.positions import position
from catalog.serve.superset.scene import Scene
from catalog.serve.superset.seeds import filled, label_colours
from catalog.serve.superset.stand import with_stand

STYLE = DASHBOARDS / "style.css"
URI = "duckdb:///gridlake-serving"
_VERSION = "1.0.0"
# Superset then offers no editing of what the next import would undo, and `server` knows what is ours to remove.
_OURS = {"is_managed_externally": True, "external_url": None, "version": _VERSION}
# Superset asks for the time of an export; a fixed one keeps the bundle the same for the same input.
_TIMESTAMP = "2026-01-01T00:00:00+00:00"


@dataclass(frozen=True)
class Bundle:
    """Everything that Superset imports.

    Args:
        files: path within the bundle -> text.
        datasets: names of the data sets, without language.
        shown: slug of a dashboard, without language -> data sets that it asks.
    """

    files: Mapping[str, str]
    datasets: tuple[str, ...]
    shown: Mapping[str, tuple[str, ...]]

    @property
    def slugs(self) -> tuple[str, ...]:
        """The dashboards, without language."""
        return tuple(self.shown)


def compile_bundle(
    manifest: Mapping[str, Any],
    dashboards: Iterable[Dashboard] | None = None,
    idle: Collection[FilterName] = (),
    recorded: Collection[frozenset[str]] | None = None,
) -> Bundle:
    """Compile dashboards and data sets.

    Args:
        manifest: dbt's manifest.json.
        dashboards: the definitions; those of the project if not given.
        idle: filters that have nothing to choose from, see `filters.idle_filters`.
        recorded: what each of the city's source systems records; everything if not given.

    Raises:
        DashboardError: a dashboard names something that the manifest does not have; the first fault is told.
    """
    definitions = load_dashboards() if dashboards is None else tuple(dashboards)
    if found := faults(definitions, manifest):
        raise DashboardError(
            f"cannot be compiled: {found[0]}" + (f" and {len(found) - 1} more faults" if len(found) > 1 else ""),
            where="dashboards",
            fix="correct the dashboard or the model's yml",
        )
    models = read_marts(manifest)
    if recorded is not None:
        models = as_recorded(models, recorded)
    files: dict[str, Any] = {
        "metadata.yaml": {"version": _VERSION, "type": "assets", "timestamp": _TIMESTAMP},
        f"databases/{ids.DATABASE}.yaml": _database(),
    }
    for language in LANGUAGES:
        for model in models.values():
            files[f"datasets/{ids.DATABASE}/{language}/{model.name}.yaml"] = dataset(model, language)
        for definition in definitions:
            dashboard = with_legends(with_stand(definition))
            slug = ids.dashboard_slug(dashboard.slug, language)
            for chart in dashboard.charts:
                files[f"charts/{slug}/{chart.key}.yaml"] = _chart(chart, dashboard, models[chart.dataset], language)
            files[f"dashboards/{slug}.yaml"] = _dashboard(dashboard, language, models, idle)
    return Bundle(
        files={path: _text(content) for path, content in sorted(files.items())},
        datasets=tuple(models),
        shown={definition.slug: asked(definition) for definition in definitions},
    )


def asked(dashboard: Dashboard) -> tuple[str, ...]:
    """The data sets that a dashboard's charts and filters ask."""
    charts = {chart.dataset for chart in with_stand(dashboard).charts}
    return tuple(sorted(charts | {filter_.dataset for filter_ in dashboard.filters}))


def dataset(model: Model, language: Language) -> dict[str, Any]:
    """One data set: the view of a model in the language's schema."""
    caveat = model.caveat.in_(language) if model.caveat else ""
    return {
        "table_name": model.name,
        "main_dttm_col": model.time_column,
        "description": "\n\n".join(part for part in (model.label.in_(language), model.description, caveat) if part),
        "default_endpoint": None,
        "offset": 0,
        "cache_timeout": None,
        "catalog": None,
        "schema": language,
        "sql": None,
        "params": None,
        "template_params": None,
        "filter_select_enabled": True,
        "fetch_values_predicate": None,
        "extra": {"warning_markdown": caveat} if caveat else None,
        "normalize_columns": False,
        "always_filter_main_dttm": False,
        "uuid": ids.dataset_id(model.name, language),
        "columns": [_column(column, model, language) for column in _readable_first(model)],
        "metrics": [_metric(metric, language) for metric in model.metrics.values()],
        "database_uuid": ids.database_id(),
    } | _OURS


def _column(column: Column, model: Model, language: Language) -> dict[str, Any]:
    return {
        "column_name": column.name,
        "verbose_name": column.label.in_(language),
        "description": column.description,
        "type": column.data_type,
        "is_dttm": column.is_time,
        "is_active": True,
        # Codes are for filters and joins, measures for metrics; people drill by what has a name.
        "groupby": not _is_code_of_a_name(column.name, model) and not _is_measure(column),
        "filterable": True,
        "expression": None,
        "python_date_format": None,
        "advanced_data_type": None,
        "extra": None,
    }


def _readable_first(model: Model) -> list[Column]:
    """Columns in the order in which drilling offers and shows them: what can be read, times, measures, codes."""

    def rank(column: Column) -> int:
        if _is_code_of_a_name(column.name, model):
            return 3
        if _is_measure(column):
            return 2
        return int(column.data_type.startswith("TIMESTAMP"))

    return sorted(model.columns.values(), key=rank)


def _is_measure(column: Column) -> bool:
    return column.data_type in ("BIGINT", "DOUBLE")


def _is_code_of_a_name(column: str, model: Model) -> bool:
    base, _, suffix = column.rpartition("_")
    return (suffix in ("id", "code", "no") and f"{base}_name" in model.columns) or f"{column}_name" in model.columns


def _metric(metric: Metric, language: Language) -> dict[str, Any]:
    caveat = metric.caveat.in_(language) if metric.caveat else None
    return {
        "metric_name": metric.name,
        "verbose_name": metric.label.in_(language),
        "metric_type": None,
        "expression": metric.sql,
        "description": caveat,
        "d3format": metric.format or None,
        "currency": None,
        "extra": {"warning_markdown": caveat} if caveat else {},
        "warning_text": caveat,
    }


def _database() -> dict[str, Any]:
    return {
        "database_name": ids.DATABASE,
        "sqlalchemy_uri": URI,
        "cache_timeout": None,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_csv_upload": False,
        "extra": {
            "allows_virtual_table_explore": True,
            "metadata_params": {},
            "engine_params": {},
            "metadata_cache_timeout": {},
        },
        "uuid": ids.database_id(),
    } | _OURS


def _chart(chart: Chart, dashboard: Dashboard, model: Model, language: Language) -> dict[str, Any]:
    made = params(chart, Scene(model, language, dashboard.slug))
    return {
        "slice_name": chart.title.in_(language),
        "description": filled(chart.note, language) if chart.note else None,
        "certified_by": None,
        "certification_details": None,
        "viz_type": made["viz_type"],
        "params": made,
        "query_context": None,
        "cache_timeout": None,
        "uuid": ids.chart_id(dashboard.slug, chart.key, language),
        "dataset_uuid": ids.dataset_id(model.name, language),
    } | _OURS


def _dashboard(
    dashboard: Dashboard, language: Language, models: Mapping[str, Model], idle: Collection[FilterName]
) -> dict[str, Any]:
    numbers = {chart.key: number for number, chart in enumerate(dashboard.charts, start=1)}
    charts = {key: (number, ids.chart_id(dashboard.slug, key, language)) for key, number in numbers.items()}
    return {
        "dashboard_title": dashboard.title.in_(language),
        "description": dashboard.about.in_(language),
        "css": STYLE.read_text(encoding="utf-8") + legend_style(dashboard),
        "slug": ids.dashboard_slug(dashboard.slug, language),
        "certified_by": None,
        "certification_details": None,
        "published": True,
        "uuid": ids.dashboard_id(dashboard.slug, language),
        "position": position(dashboard, language, charts),
        "metadata": {
            "color_scheme": SCHEME,
            "label_colors": _label_colours(dashboard, language, models),
            # As a browser would work them out: what differs it writes back, which most readers may not.
            "map_label_colors": {},
            "color_scheme_domain": list(SERIES),
            "shared_label_colors": _shared_series(dashboard),
            "refresh_frequency": dashboard.refresh_seconds,
            "expanded_slices": {},
            "timed_refresh_immune_slices": [],
            "default_filters": "{}",
            "cross_filters_enabled": True,
            "filter_bar_orientation": "HORIZONTAL",
            "chart_configuration": chart_configuration(dashboard, numbers),
            "global_chart_configuration": {
                "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
                "chartsInScope": list(numbers.values()),
            },
            "native_filter_configuration": native_filters(dashboard, language, models, numbers, idle),
        },
    } | _OURS


def _label_colours(dashboard: Dashboard, language: Language, models: Mapping[str, Model]) -> dict[str, str]:
    """Label -> colour. Superset turns a series' label back into the name of the column or metric that is called so
    (a state 通过 into a column is_passed) before it looks for a colour, so these names are given it too."""
    found = label_colours(language)
    for chart in dashboard.charts:
        for metric, word in chart.options.get("colours", {}).items():
            found[label(models[chart.dataset], metric, language)] = BY_WORD[word]
    for model in (models[name] for name in asked(dashboard)):
        things: list[Column | Metric] = [*model.columns.values(), *model.metrics.values()]
        for thing in things:
            if thing.label.in_(language) in found:
                found.setdefault(thing.name, found[thing.label.in_(language)])
    return found


def _shared_series(dashboard: Dashboard) -> list[str]:
    """Metrics that are series of several charts; Superset keeps them in one colour."""
    series = Counter(
        metric
        for chart in dashboard.charts
        if KINDS[chart.kind].has_x and not chart.dimensions
        for metric in chart.metrics
    )
    return sorted(metric for metric, count in series.items() if count > 1)


def _text(content: Any) -> str:
    return yaml.dump(content, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=120)


class _Plain(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Repeat what is the same: an alias would make a file depend on how it was built."""
        return True
