"""The short form of a dashboard: typed models of the files in `dashboards/` and their reading.

What a chart is called, what it shows and where it stands belongs here. How Superset writes that down belongs to
`charts`, `positions`, `filters` and `bundle`; what the columns and metrics are belongs to dbt's models.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from catalog.form_faults import deepest
from catalog.plain_yaml import YAML_FIX, problem_of
from warehouse.errors import GridLakeError

DASHBOARDS = Path(__file__).parent / "dashboards"
LANGUAGES: tuple[Language, ...] = ("zh", "en")

Language = Literal["zh", "en"]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,40}$")]
Scalar = str | bool | int | float | None


class DashboardError(GridLakeError):
    """A dashboard file cannot be read or compiled."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(_Part):
    """A text in both languages."""

    zh: str
    en: str

    def in_(self, language: Language) -> str:
        """The text in one language."""
        return self.zh if language == "zh" else self.en


class Condition(_Part):
    """What a column must be, where a plain value or a list of values does not say it.

    `not`: a value or a list of values; `from`: at least; `below`: less than; `known`: false means empty.
    """

    not_: Scalar | list[Scalar] = Field(default=None, alias="not")
    from_: float | str | None = Field(default=None, alias="from")
    below: float | str | None = None
    known: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Condition:
        if not self.model_fields_set:
            raise ValueError("an empty condition says nothing")
        return self


Where = dict[str, Scalar | list[Scalar] | Condition]


class Chart(_Part):
    """One chart; `kind` is one of `charts.KINDS`, `dataset` the name of a mart model or `publication`.

    `sort` is a metric or column, with `-` in front for descending. A column that is not shown may be named: rows
    are then put in the order of its smallest value.
    """

    key: Key
    kind: str
    title: Text
    note: Text | None = None
    dataset: str
    x: str | None = None
    dimensions: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    where: Where = {}
    sort: str | None = None
    limit: Annotated[int, Field(ge=1, le=50_000)] | None = None
    options: dict[str, Any] = {}

    @property
    def layers(self) -> tuple[str, ...]:
        """Keys of the charts that are layers of this one (a map)."""
        return tuple(self.options.get("layers", ()))


class Start(_Part):
    """Values that a filter opens with: codes of a list in dbt's seeds, shown by their labels."""

    of: str
    codes: Annotated[tuple[str, ...], Field(min_length=1)]


class Filter(_Part):
    """One native filter.

    `first`: the value chosen when the page opens is the newest (greatest) or the lowest one that the data have;
    `start`: values known beforehand. `many`: several may be chosen. `where` narrows the values offered, `within`
    names filters whose choice narrows them. `only` or `except` say which charts it is for (else all). Charts wait for a
    filter with `first`.
    """

    key: Key
    title: Text | None = None
    note: Text | None = None
    dataset: str
    column: str
    many: bool = False
    first: Literal["newest", "lowest"] | None = None
    start: Start | None = None
    where: Where = {}
    within: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    except_: tuple[str, ...] = Field(default=(), alias="except")


class Row(_Part):
    """Charts and notes side by side: key -> width in twelfths. `height` is in Superset's units of 8 pixels."""

    height: Annotated[int, Field(ge=4, le=160)]
    show: dict[str, Annotated[int, Field(ge=1, le=12)]]


class Tab(_Part):
    """Rows behind a tab."""

    title: Text
    rows: tuple[Row, ...]


class Dashboard(_Part):
    """One dashboard file. `notes` are pieces of Markdown that rows show beside charts."""

    slug: Slug
    title: Text
    about: Text
    charts: tuple[Chart, ...]
    notes: dict[Key, Text] = {}
    filters: tuple[Filter, ...] = ()
    rows: tuple[Row, ...] = ()
    tabs: tuple[Tab, ...] = ()
    cross_filters: dict[Key, tuple[str, ...]] = {}
    public: bool = False
    refresh_seconds: Annotated[int, Field(ge=0)] = 0

    @property
    def all_rows(self) -> tuple[Row, ...]:
        """All rows, those of tabs too, from top to bottom."""
        return self.rows + tuple(row for tab in self.tabs for row in tab.rows)

    def chart(self, key: str) -> Chart | None:
        """The chart of that key, or None."""
        return next((chart for chart in self.charts if chart.key == key), None)


def load_dashboards(folder: Path = DASHBOARDS) -> tuple[Dashboard, ...]:
    """All dashboards of a folder, by file name.

    Raises:
        DashboardError: a file is not what `Dashboard` describes, or its name is not its slug.
    """
    return tuple(load_dashboard(path) for path in sorted(folder.glob("*.yml")))


def load_dashboard(path: Path) -> Dashboard:
    """Read one file.

    Raises:
        DashboardError: naming the file, the key and the fix.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DashboardError(problem_of(error), where=path.name, fix=YAML_FIX) from None
    try:
        dashboard = Dashboard.model_validate(document)
    except ValidationError as error:
        raise _explained(error, path.name) from None
    if dashboard.slug != path.stem:
        raise DashboardError(
            "has a slug that is not its file's name", where=path.name, value=dashboard.slug, fix=f"use {path.stem}"
        )
    return dashboard


def nearest(name: str, known: Iterable[str]) -> str:
    """A fix for a name that is not known: the name that was probably meant, else all that there are."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"use {close[0]}" if close else f"use one of {', '.join(names)}"


def _explained(error: ValidationError, file: str) -> DashboardError:
    # A union (value, list or condition) reports each of its branches; the deepest place is the one meant.
    first = max(error.errors(), key=lambda found: len(found["loc"]))
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return DashboardError(
            f"has an unknown key at {place}",
            where=file,
            value=first["loc"][-1],
            fix=nearest(str(first["loc"][-1]), _keys_at(first["loc"][:-1])),
        )
    fault = deepest(error, Dashboard)
    return DashboardError(f"{fault.place}: {fault.problem}", where=file, value=first.get("input"), fix=fault.fix)


def _keys_at(place: tuple[str | int, ...]) -> list[str]:
    models: dict[str, type[BaseModel]] = {
        "charts": Chart,
        "filters": Filter,
        "rows": Row,
        "tabs": Tab,
        "title": Text,
        "about": Text,
        "note": Text,
        "notes": Text,
        "where": Condition,
        "start": Start,
    }
    model = next((models[str(part)] for part in reversed(place) if str(part) in models), Dashboard)
    return [info.alias or name for name, info in model.model_fields.items()]
