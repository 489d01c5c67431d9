"""The kinds of `kinds.yml`, typed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from catalog.plain_yaml import read_yaml

FILE = Path(__file__).with_name("kinds.yml")

ColumnType = Literal["text", "timestamp", "date", "double", "integer", "boolean", "geometry"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Part):
    """One column of a kind: its type (see `column_type` in dbt's macros) and what it means."""

    type: ColumnType
    zh: str
    en: str


class Group(_Part):
    """Columns that one line of a feed fills from a code of the source.

    Args:
        code: column of our code.
        source: column of the source's code.
        name: column of what the source calls it.
        method: column of how both were matched.
        edition: column of the edition of a class.
        kind: column of whether a class is one of events or of components.
        empty: our code where the source gives none; None leaves it empty.
        else_: our code where no row of the mapping has the source's; None leaves it empty.
    """

    code: str
    source: str | None = None
    name: str | None = None
    method: str | None = None
    edition: str | None = None
    kind: str | None = None
    empty: str | None = "unmapped"
    else_: str | None = Field(default="unmapped", alias="else")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the group fills."""
        named = (self.code, self.source, self.name, self.method, self.edition, self.kind)
        return tuple(column for column in named if column is not None)


class Kind(_Part):
    """One base table as every city fills it; the keys are told in `kinds.yml`."""

    name: str
    title: dict[Literal["zh", "en"], str]
    id: str
    position: Literal["point", "geometry"] | None = None
    columns: dict[str, Column]
    coded: dict[str, Group] = {}
    # A value, or {group: code}: whether the group's code is that one.
    defaults: dict[str, str | bool | dict[str, str]] = {}
    never_own: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    required_if_named: tuple[str, ...] = ()
    values: dict[str, tuple[str, ...] | str] = {}

    @field_validator("columns", mode="before")
    @classmethod
    def _spelled_out(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {
            name: dict(zip(("type", "zh", "en"), column, strict=True)) if isinstance(column, list) else column
            for name, column in given.items()
        }

    @model_validator(mode="after")
    def _names_its_columns(self) -> Kind:
        named = {
            self.id,
            *self.never_own,
            *self.required,
            *self.required_if_named,
            *self.values,
            *self.defaults,
            *(column for group in self.coded.values() for column in group.columns),
            *self.place_columns,
        }
        if unknown := sorted(named - set(self.columns)):
            raise ValueError(f"{self.name} has no column {', '.join(unknown)}")
        return self

    @property
    def place_columns(self) -> tuple[str, ...]:
        """The columns that a position fills."""
        if self.position is None:
            return ()
        return ("lon", "lat") if self.position == "point" else ("geometry",)


@cache
def kinds(file: Path = FILE) -> dict[str, Kind]:
    """All kinds, by name, in the order of the file.

    Raises:
        pydantic.ValidationError: the file breaks its form; it is part of the program.
    """
    document = read_yaml(file.read_text(encoding="utf-8"))
    return {name: Kind.model_validate({"name": name, **kind}) for name, kind in document.items()}
