"""A city is one folder: its key, its names and where its files lie.

    <city>/
      city.yml       key, titles, time zone, coordinates, languages
      sources/       one file a source system
      contracts/     one file a data set
      feeds/         one file a data set and kind: how its rows become rows of the base tables
      mappings/      map_<system>__<what>.csv: a source's codes and ours
      lists/         lists that the city keeps itself
      models/        SQL, only where YAML cannot say it
      dashboards/    of its own

Cities that come with the project lie in `catalog/cities`; any other folder is named by a setting.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, field_validator

from warehouse.errors import GridLakeError
from warehouse.settings import PROJECT_ROOT

CITIES = PROJECT_ROOT / "catalog" / "cities"


class CityError(GridLakeError):
    """A city's folder is not there, or its `city.yml` is wrong."""


class City(BaseModel):
    """What `city.yml` says, and where it stands.

    Args:
        folder: the city's folder.
        key: what the city is called in tables and paths.
        title: what people call it.
        time_zone: clock of the city's times in the lake.
        crs: what its sources tell positions in where a source file says nothing.
        languages: languages in which its data have names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    key: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
    title: dict[Literal["zh", "en"], str]
    time_zone: str = "Asia/Shanghai"
    crs: str = "EPSG:4326"
    languages: tuple[Literal["zh", "en"], ...] = ("zh", "en")

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"there is no time zone {zone}") from None
        return zone

    def files(self, part: str, pattern: str = "*.yml") -> list[Path]:
        """The files of one part (`feeds`), by name."""
        return sorted((self.folder / part).glob(pattern))

    @property
    def mappings(self) -> frozenset[str]:
        """What its mappings are called: `<system>__<what>`."""
        return frozenset(path.stem.removeprefix("map_") for path in self.files("mappings", "map_*.csv"))

    @property
    def lists(self) -> dict[str, tuple[str, ...]]:
        """Its own lists with their columns."""
        return {path.stem: _columns(path) for path in self.files("lists", "*.csv")}


@dataclass(frozen=True)
class Shipped:
    """A city that comes with the project."""

    key: str
    folder: Path


def shipped(folder: Path = CITIES) -> list[Shipped]:
    """The cities that come with the project, by key."""
    return [Shipped(path.parent.name, path.parent) for path in sorted(folder.glob("*/city.yml"))]


def load_city(folder: Path) -> City:
    """Read a city's folder.

    Raises:
        CityError: it is not there, or `city.yml` is wrong.
    """
    file = folder / "city.yml"
    if not file.is_file():
        known = [city.key for city in shipped()]
        raise CityError(
            "is no folder of a city: it has no city.yml",
            where=str(folder),
            fix=f"name a folder that has one, use one of {known}, or run `gridlake city new`",
        )
    try:
        document = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        return City.model_validate({**(document or {}), "folder": folder})
    except yaml.YAMLError as error:
        raise CityError(f"is not readable YAML: {error}", where=str(file), fix="correct the file") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise CityError(
            f"is wrong at {place}: {first['msg']}", where=str(file), value=first.get("input"), fix=f"correct {place}"
        ) from None


def _columns(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8", newline="") as lines:
        return tuple(next(csv.reader(lines), ()))
