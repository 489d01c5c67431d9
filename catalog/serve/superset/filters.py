"""Native filters and cross filters: what a choice or a click narrows.

A filter never reaches a chart whose data set lacks its column: Superset would mark such a chart as one that the
filter could not be applied to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from catalog.serve.superset.definition import Chart, Dashboard, Filter, Language
from catalog.serve.superset.ids import dataset_id
from catalog.serve.superset.marts import Model, label
from catalog.serve.superset.seeds import labels
from catalog.serve.superset.where import adhoc_filters, sql_conditions
from warehouse.identifiers import quoted
from warehouse.languages import LANGUAGES

# Slug of its dashboard and key.
FilterName = tuple[str, str]
_ALL = {"rootPath": ["ROOT_ID"]}


def native_filters(
    dashboard: Dashboard,
    language: Language,
    models: Mapping[str, Model],
    numbers: Mapping[str, int],
    idle: Collection[FilterName] = (),
) -> list[dict[str, Any]]:
    """The dashboard's filters as Superset writes them.

    Args:
        dashboard: its definition.
        language: of titles and labels.
        models: the marts.
        numbers: the charts' numbers within the bundle.
        idle: filters that have nothing to choose from, see `idle_filters`.
    """
    return [_native(filter_, dashboard, language, models, numbers, idle) for filter_ in dashboard.filters]


def idle_filters(dashboards: Iterable[Dashboard], has_rows: Callable[[str], bool]) -> frozenset[FilterName]:
    """The filters that would choose their first value and have none: a city without permits has no month of them.

    Charts that waited for such a filter would load for ever; where they do not wait, they say that there is nothing.

    Args:
        dashboards: the definitions.
        has_rows: whether a SELECT over the published views gives a row.
    """
    return frozenset(
        (dashboard.slug, filter_.key)
        for dashboard in dashboards
        for filter_ in dashboard.filters
        if filter_.first is not None and not has_rows(_values(filter_))
    )


def _values(filter_: Filter) -> str:
    conditions = " AND ".join([f"{quoted(filter_.column)} IS NOT NULL", *sql_conditions(filter_.where)])
    return f"SELECT 1 FROM {LANGUAGES[0]}.{quoted(filter_.dataset)} WHERE {conditions} LIMIT 1"


def reached(filter_: Filter, dashboard: Dashboard, models: Mapping[str, Model]) -> list[str]:
    """Keys of the charts that a filter narrows; a map is narrowed where one of its layers is."""

    def asks_of(chart: Chart) -> set[str]:
        layers = (dashboard.chart(key) for key in chart.layers)
        return {chart.dataset, *(layer.dataset for layer in layers if layer)}

    return [
        chart.key
        for chart in dashboard.charts
        if any(filter_.column in models[dataset].columns for dataset in asks_of(chart) if dataset in models)
        and chart.key not in filter_.except_
        and (not filter_.only or chart.key in filter_.only)
    ]


def chart_configuration(dashboard: Dashboard, numbers: Mapping[str, int]) -> dict[str, Any]:
    """Scope of the cross filters that a dashboard limits; all others reach every chart."""
    return {
        str(numbers[source]): {
            "id": numbers[source],
            "crossFilters": {
                "scope": _ALL | {"excluded": [numbers[key] for key in numbers if key not in targets]},
                "chartsInScope": [numbers[key] for key in targets],
            },
        }
        for source, targets in dashboard.cross_filters.items()
    }


def _native(
    filter_: Filter,
    dashboard: Dashboard,
    language: Language,
    models: Mapping[str, Model],
    numbers: Mapping[str, int],
    idle: Collection[FilterName],
) -> dict[str, Any]:
    model = models[filter_.dataset]
    inside = reached(filter_, dashboard, models)
    title = filter_.title.in_(language) if filter_.title else label(model, filter_.column, language)
    controls: dict[str, Any] = {
        "multiSelect": filter_.many,
        "enableEmptyFilter": filter_.first is not None or filter_.start is not None,
        "defaultToFirstItem": filter_.first is not None,
        "searchAllOptions": False,
        "inverseSelection": False,
        "creatable": False,
    }
    if filter_.first is not None:
        controls["sortAscending"] = filter_.first == "lowest"
    return {
        "id": _id(dashboard, filter_.key),
        "name": title,
        "filterType": "filter_select",
        "type": "NATIVE_FILTER",
        "description": filter_.note.in_(language) if filter_.note else "",
        "targets": [{"column": {"name": filter_.column}, "datasetUuid": dataset_id(model.name, language)}],
        "controlValues": controls,
        "adhoc_filters": adhoc_filters(filter_.where, model),
        "defaultDataMask": _default(filter_, language),
        # Charts wait for the filters that choose for themselves. Superset applies such a choice only where they do.
        "requiredFirst": filter_.first is not None and (dashboard.slug, filter_.key) not in idle,
        "cascadeParentIds": [_id(dashboard, key) for key in filter_.within],
        "scope": _ALL | {"excluded": [number for key, number in numbers.items() if key not in inside]},
    }


def _default(filter_: Filter, language: Language) -> dict[str, Any]:
    if filter_.start is None:
        return {"extraFormData": {}, "filterState": {}, "ownState": {}}
    known = labels(filter_.start.of)
    values = [known[code].in_(language) for code in filter_.start.codes]
    return {
        "extraFormData": {"filters": [{"col": filter_.column, "op": "IN", "val": values}]},
        "filterState": {"value": values, "label": ", ".join(values)},
        "ownState": {},
    }


def _id(dashboard: Dashboard, key: str) -> str:
    return f"NATIVE_FILTER-{dashboard.slug}-{key}"
