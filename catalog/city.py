"""A city is one folder: its key, its names and where its files lie.

    <city>/
      city.yml       key, titles, time zone, coordinates, languages
      sources/       one file a source system
      contracts/     one file a data set
      feeds/         one file a data set and kind: how its rows become rows of the base tables
      mappings/      map_<system>__<what>.csv: a source's codes and ours
      lists/         lists that the city keeps itself
      models/        SQL, only where YAML cannot say it

Cities that come with the project lie in `catalog/cities`; any other folder is named by a setting.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, field_validator

from catalog.form_faults import form_faults
from catalog.plain_yaml import YAML_FIX, problem_of, read_yaml
from warehouse.errors import GridLakeError
from warehouse.settings import CITIES, CITY_FILE


class CityError(GridLakeError):
    """A city's folder is not there, or its `city.yml` is wrong."""


class City(BaseModel):
    """What `city.yml` says, and where it stands.

    Args:
        folder: the city's folder.
        key: what the city is called in tables and paths.
        title: what people call it.
        time_zone: clock of the city's times in the lake.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    key: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
    title: dict[Literal["zh", "en"], str]
    time_zone: str = "Asia/Shanghai"

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


def shipped(folder: Path = CITIES) -> list[str]:
    """Keys of the cities that come with the project."""
    return sorted(path.parent.name for path in folder.glob(f"*/{CITY_FILE}"))


def city_folder(city: str | Path) -> Path:
    """The folder of a city that comes with the project, by its key; a folder is itself."""
    return city if isinstance(city, Path) else CITIES / city


def refuse_unknown_city(folder: Path) -> None:
    """Raise where nothing is known of the city.

    Raises:
        CityError: the folder has no `city.yml`; the message names the cities there are.
    """
    if not (folder / CITY_FILE).is_file():
        raise CityError(
            "there is no such city",
            where="GRIDLAKE_CITY",
            value=folder.name,
            fix=f"use one of {shipped()}, or name the folder that holds its {CITY_FILE} in GRIDLAKE_CITY_FOLDER",
        )


def load_city(folder: Path) -> City:
    """Read a city's folder.

    Raises:
        CityError: it is not there, or `city.yml` is wrong.
    """
    refuse_unknown_city(folder)
    file = folder / CITY_FILE
    try:
        document = read_yaml(file.read_text(encoding="utf-8"))
        return City.model_validate({**(document or {}), "folder": folder})
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise CityError(problem_of(error), where=str(file), fix=YAML_FIX) from None
    except ValidationError as error:
        first, fault = error.errors()[0], form_faults(error, City)[0]
        raise CityError(
            f"{fault.place}: {fault.problem}", where=str(file), value=first.get("input"), fix=fault.fix
        ) from None


def _columns(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8", newline="") as lines:
        return tuple(next(csv.reader(lines), ()))
