"""What is wrong between dashboards and dbt's models: dashboard -> chart -> data set -> column or metric.

Every fault is found in one go and told with the names it concerns. Metrics are bound by DuckDB against the columns
of their language view, so a metric that could not be computed is found here and not on the wall.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from catalog.serve.superset.charts.kinds import KINDS, Kind, named_by_options
from catalog.serve.superset.charts.legend import with_legends
from catalog.serve.superset.definition import Chart, Dashboard, DashboardError, Filter, Start, nearest
from catalog.serve.superset.filters import reached
from catalog.serve.superset.marts import PUBLICATION, Model, read_marts
from catalog.serve.superset.positions import COLUMNS
from catalog.serve.superset.seeds import labels
from catalog.serve.superset.stand import KEY as STAND
from catalog.serve.superset.stand import with_stand
from warehouse.identifiers import quoted

# What may be shown to everybody: whoever sees a chart of a data set can ask for all of its columns.
PUBLIC_DATASETS = frozenset({"mart_public_index", PUBLICATION})


@dataclass(frozen=True)
class Fault:
    """One fault: where it is (dashboard, then chart or filter; or model, then metric), what is wrong, and the fix."""

    where: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}. Fix: {self.fix}"


def faults(dashboards: Iterable[Dashboard], manifest: Mapping[str, Any]) -> list[Fault]:
    """All faults of the dashboards against the manifest; none if they can be compiled and asked."""
    models = read_marts(manifest)
    definitions = tuple(dashboards)
    found = [fault for model in models.values() for fault in _of_model(model)]
    for slug, count in Counter(dashboard.slug for dashboard in definitions).items():
        if count > 1:
            found.append(Fault(slug, f"{count} dashboards have this slug", "give each its own"))
    for dashboard in definitions:
        found += _of_dashboard(with_legends(with_stand(dashboard)), models)
    return found


def _of_model(model: Model) -> Iterator[Fault]:
    """Columns and metrics that the language views could not have."""
    with duckdb.connect() as connection:
        columns = ", ".join(f"{quoted(column.name)} {column.data_type}" for column in model.columns.values())
        try:
            connection.execute(f"CREATE TABLE data ({columns})")
        except duckdb.Error as error:
            yield Fault(model.name, f"its columns cannot be those of a view: {_first_line(error)}", "correct its yml")
            return
        if model.time_column is not None and model.time_column not in model.columns:
            yield Fault(
                f"{model.name} > time_column",
                f"has no column {model.time_column}",
                nearest(model.time_column, model.columns),
            )
        for metric in model.metrics.values():
            try:
                connection.execute(f"EXPLAIN SELECT {metric.sql} AS metric FROM data")
            except duckdb.Error as error:
                yield Fault(
                    f"{model.name} > {metric.name}",
                    f"its sql cannot be computed: {_first_line(error)}",
                    "use columns of the language view (a pair <x>_zh, <x>_en is <x>)",
                )


def _first_line(error: duckdb.Error) -> str:
    return str(error).partition("\n")[0]


def _of_dashboard(dashboard: Dashboard, models: Mapping[str, Model]) -> Iterator[Fault]:
    for key, count in Counter(chart.key for chart in dashboard.charts).items():
        if count > 1:
            hint = " (the strip of the data version has it)" if key == STAND else ""
            yield Fault(f"{dashboard.slug} > {key}", f"{count} charts have this key{hint}", "give each its own")
    for chart in dashboard.charts:
        yield from _of_chart(dashboard, chart, models)
    for key, count in Counter(filter_.key for filter_ in dashboard.filters).items():
        if count > 1:
            yield Fault(f"{dashboard.slug} > filter {key}", f"{count} filters have this key", "give each its own")
    for filter_ in dashboard.filters:
        yield from _of_filter(dashboard, filter_, models)
    yield from _of_rows(dashboard)
    keys = [chart.key for chart in dashboard.charts]
    for source, targets in dashboard.cross_filters.items():
        for key in (source, *targets):
            if key not in keys:
                yield Fault(f"{dashboard.slug} > cross_filters", f"there is no chart {key}", nearest(key, keys))


def _of_chart(dashboard: Dashboard, chart: Chart, models: Mapping[str, Model]) -> Iterator[Fault]:
    where = f"{dashboard.slug} > {chart.key}"
    kind = KINDS.get(chart.kind)
    if kind is None:
        yield Fault(where, f"there is no kind {chart.kind}", nearest(chart.kind, KINDS))
    else:
        for count, (least, most), what in (
            (len(chart.metrics), kind.metrics, "metrics"),
            (len(chart.dimensions), kind.dimensions, "dimensions"),
            (int(chart.x is not None), (int(kind.has_x), int(kind.has_x)), "x"),
        ):
            if not least <= count <= most:
                yield Fault(where, f"has {count} {what}", f"give a {chart.kind} {_span(least, most)}")
        yield from _of_options(where, chart, kind)
    model = models.get(chart.dataset)
    if model is None:
        yield Fault(where, f"there is no data set {chart.dataset}", nearest(chart.dataset, models))
        return
    if dashboard.public and chart.dataset not in PUBLIC_DATASETS:
        yield Fault(
            where, f"a public dashboard shows {chart.dataset}", f"use one of {', '.join(sorted(PUBLIC_DATASETS))}"
        )
    place = f"{where} > {chart.dataset}"
    for metric in chart.metrics:
        if metric not in model.metrics:
            yield Fault(place, f"has no metric {metric}", _nearest_or_none(metric, model.metrics))
    columns = [*([chart.x] if chart.x else []), *chart.dimensions]
    yield from _unknown_columns(place, columns, model)
    yield from _unknown_columns(place, chart.where, model)
    known = (*model.columns, *model.metrics)
    if chart.sort is not None and chart.sort.removeprefix("-") not in known:
        name = chart.sort.removeprefix("-")
        yield Fault(place, f"is sorted by {name}, which it does not have", nearest(name, known))
    if kind is not None:
        for option, name in named_by_options(chart):
            if name not in known:
                yield Fault(place, f"option {option} names {name}, which it does not have", nearest(name, known))


def _of_options(where: str, chart: Chart, kind: Kind) -> Iterator[Fault]:
    for option, value in chart.options.items():
        form = kind.options.get(option)
        if form is None:
            yield Fault(where, f"a {chart.kind} has no option {option}", _nearest_or_none(option, kind.options))
        elif not form.fits(value):
            yield Fault(where, f"option {option} is {value!r}", f"make it {form.says}")


def _of_filter(dashboard: Dashboard, filter_: Filter, models: Mapping[str, Model]) -> Iterator[Fault]:
    where = f"{dashboard.slug} > filter {filter_.key}"
    model = models.get(filter_.dataset)
    if model is None:
        yield Fault(where, f"there is no data set {filter_.dataset}", nearest(filter_.dataset, models))
        return
    if dashboard.public and filter_.dataset not in PUBLIC_DATASETS:
        yield Fault(where, f"a public dashboard asks {filter_.dataset}", "use mart_public_index")
    place = f"{where} > {filter_.dataset}"
    yield from _unknown_columns(place, [filter_.column, *filter_.where], model)
    keys = [chart.key for chart in dashboard.charts]
    for key in (*filter_.only, *filter_.except_):
        if key not in keys:
            yield Fault(where, f"there is no chart {key}", nearest(key, keys))
    others = [other.key for other in dashboard.filters if other.key != filter_.key]
    for key in filter_.within:
        if key not in others:
            yield Fault(where, f"there is no other filter {key}", _nearest_or_none(key, others))
    if filter_.start is not None:
        yield from _of_start(where, filter_.start)
    if filter_.first and filter_.start:
        yield Fault(where, "has both first and start", "keep one of them")
    if filter_.only and filter_.except_:
        yield Fault(where, "has both only and except", "keep one of them")
    if filter_.column in model.columns and not reached(filter_, dashboard, models):
        yield Fault(where, f"narrows no chart: none has {filter_.column}", "remove it, or widen only and except")


def _of_start(where: str, start: Start) -> Iterator[Fault]:
    try:
        known = labels(start.of)
    except DashboardError as error:
        yield Fault(where, f"there is no code list {start.of}", error.fix)
        return
    for code in start.codes:
        if code not in known:
            yield Fault(where, f"{start.of} has no code {code}", nearest(code, known))


def _of_rows(dashboard: Dashboard) -> Iterator[Fault]:
    known = [*(chart.key for chart in dashboard.charts), *dashboard.notes]
    shown = Counter(key for row in dashboard.all_rows for key in row.show)
    for number, row in enumerate(dashboard.all_rows, start=1):
        width = sum(row.show.values())
        if width > COLUMNS:
            yield Fault(f"{dashboard.slug} > row {number}", f"is {width} wide", f"make it {COLUMNS} or less")
    for key, count in shown.items():
        if key not in known:
            yield Fault(f"{dashboard.slug} > rows", f"there is no chart or note {key}", nearest(key, known))
        elif count > 1:
            yield Fault(f"{dashboard.slug} > {key}", f"is shown {count} times", "show it once")
    layers = {key for chart in dashboard.charts for key in chart.layers}
    for key in sorted(layers - set(known)):
        yield Fault(f"{dashboard.slug} > layers", f"there is no chart {key}", nearest(key, known))
    for key in known:
        if key not in shown and key not in layers:
            yield Fault(f"{dashboard.slug} > {key}", "is in no row", "show it or remove it")


def _unknown_columns(place: str, names: Iterable[str], model: Model) -> Iterator[Fault]:
    for name in names:
        if name not in model.columns:
            yield Fault(place, f"has no column {name}", _nearest_or_none(name, model.columns))


def _nearest_or_none(name: str, known: Iterable[str]) -> str:
    names = list(known)
    return nearest(name, names) if names else "there is none; remove it"


def _span(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"
