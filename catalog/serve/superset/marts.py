"""The mart models of dbt's manifest as Superset's data sets: columns, labels and metrics in one language.

What the serving file adds to the models (the view `publication`) is declared here and nowhere else. Which columns
are one in a language is decided by `warehouse.languages`, for the serving file's views and for these data sets alike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from catalog.serve.superset.definition import DashboardError, Language, Text
from warehouse.languages import collapsed

PREFIX = "mart_"
STATE = "mart_state"
PUBLICATION = "publication"

# Columns that data sets do without. A stock is what is open now: its cases' month of reporting is not the period
# that people choose, and every filter on `month` (the layers of a map cannot be excepted from one) would cut it.
_LEFT_OUT = {"mart_case_open": frozenset({"month"})}


@dataclass(frozen=True)
class Column:
    """One column of a data set; `data_type` is DuckDB's type in upper case."""

    name: str
    data_type: str
    label: Text
    description: str = ""

    @property
    def is_time(self) -> bool:
        """Whether it is a date or a point in time."""
        return self.data_type.startswith(("DATE", "TIMESTAMP"))


@dataclass(frozen=True)
class Metric:
    """One metric of a model; `format` is a d3 format.

    `records` are what a source system has to record, all of it, for the figure to mean something; `is_recorded` is
    whether one of the city's does.
    """

    name: str
    label: Text
    sql: str
    format: str = ""
    caveat: Text | None = None
    records: frozenset[str] = frozenset()
    is_recorded: bool = True


@dataclass(frozen=True)
class Model:
    """One mart model as it is seen in one language: paired columns are one."""

    name: str
    label: Text
    description: str = ""
    caveat: Text | None = None
    time_column: str | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)


# What `publish` writes into the serving file's own table, shown beside the columns of mart_state.
PUBLICATION_COLUMNS = (
    Column("name", "VARCHAR", Text(zh="看板数据包", en="Serving file")),
    Column("version", "VARCHAR", Text(zh="版本标识", en="Full name of the version")),
    Column("edition", "VARCHAR", Text(zh="数据版本", en="Data version")),
    Column("snapshot_id", "BIGINT", Text(zh="湖快照编号", en="Lake snapshot")),
    Column("snapshot_at", "TIMESTAMP", Text(zh="湖快照时间", en="Lake snapshot time")),
    Column("published_at", "TIMESTAMP", Text(zh="发布时间", en="Published")),
)


def read_marts(manifest: Mapping[str, Any]) -> dict[str, Model]:
    """The mart models of a manifest and `publication`, by name.

    Raises:
        DashboardError: the manifest holds no mart model.
    """
    nodes = (node for node in manifest.get("nodes", {}).values() if node.get("resource_type") == "model")
    models = {node["name"]: _model(node) for node in nodes if node["name"].startswith(PREFIX)}
    if not models:
        raise DashboardError("holds no mart model", where="dbt's manifest", fix="parse the project in dbt/ again")
    models[PUBLICATION] = _publication(models.get(STATE))
    return dict(sorted(models.items()))


def as_recorded(models: Mapping[str, Model], systems: Collection[frozenset[str]]) -> dict[str, Model]:
    """The models of a city whose source systems record these things: metrics of what none records are empty.

    A count over no rows is 0, and so is a sum that begins with 0: in a city that does not record closing there would
    be no open case.
    """

    def judged(metric: Metric) -> Metric:
        if any(metric.records <= system for system in systems) or not metric.records:
            return metric
        return replace(metric, sql=f"case when false then {metric.sql} end", is_recorded=False)

    return {
        name: replace(model, metrics={key: judged(metric) for key, metric in model.metrics.items()})
        for name, model in models.items()
    }


def _meta(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    configured: Mapping[str, Any] = (thing.get("config") or {}).get("meta") or thing.get("meta") or {}
    return configured


def _text(meta: Mapping[str, Any], prefix: str = "") -> Text | None:
    """A text of a yml, where English words stand as in a dictionary; on a page they begin with a capital."""
    zh, en = meta.get(f"{prefix}zh"), meta.get(f"{prefix}en")
    if zh is None and en is None:
        return None
    english = str(en or zh)
    return Text(zh=str(zh or en), en=english[:1].upper() + english[1:])


def _model(node: Mapping[str, Any]) -> Model:
    meta = _meta(node)
    declared: Mapping[str, Mapping[str, Any]] = node.get("columns", {})
    columns = {}
    for name, (source, *_) in collapsed(list(declared)).items():
        if name in _LEFT_OUT.get(node["name"], ()):
            continue
        column = declared[source]
        columns[name] = Column(
            name,
            str(column.get("data_type") or "VARCHAR").upper(),
            _text(_meta(column)) or Text(zh=name, en=name),
            str(column.get("description") or ""),
        )
    metrics = {
        str(metric["name"]): Metric(
            name=str(metric["name"]),
            label=_text(metric) or Text(zh=metric["name"], en=metric["name"]),
            sql=str(metric["sql"]),
            format=str(metric.get("format") or ""),
            caveat=_text(metric, "caveat_"),
            records=frozenset(metric.get("records") or ()),
        )
        for metric in meta.get("metrics", [])
    }
    return Model(
        name=node["name"],
        label=_text(meta) or Text(zh=node["name"], en=node["name"]),
        description=str(node.get("description") or ""),
        caveat=_text(meta, "caveat_"),
        time_column=meta.get("time_column"),
        columns=columns,
        metrics=metrics,
    )


def _publication(state: Model | None) -> Model:
    columns = [*PUBLICATION_COLUMNS, *(state.columns.values() if state else ())]
    return Model(
        name=PUBLICATION,
        label=Text(zh="数据版本", en="Data version"),
        description="One row: which version of the data is shown, and up to when the data reach.",
        columns={column.name: column for column in columns},
    )


def label(model: Model, name: str, language: Language) -> str:
    """What a column or metric of the model is called."""
    found = model.metrics.get(name) or model.columns.get(name)
    return found.label.in_(language) if found else name
