"""A source system as its YAML file describes it: where it is, how to page, which contract, which fields.

Nothing is read from the environment or the network when a file is loaded: `${NAME}` stays as it is until a
connector asks for it.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from catalog.city import city_folder, load_city
from catalog.form_faults import FormFault, form_faults
from catalog.plain_yaml import YAML_FIX, problem_of
from pipelines.sources.parts import Cursor, Fix, Moment, Paging, Placing, Snapshot, Strict, Success
from pipelines.sources.records import Recorded, check_records
from quality.conditions import MAX_COUNTED
from quality.moments import Telling
from quality.place.coordinates import Coordinates
from warehouse.errors import GridLakeError
from warehouse.settings import Settings

# Blocks whose values may be secrets, and what in them may be shown all the same.
_SECRET_BLOCKS = ("rest", "database")
_SHOWN = ("timeout_seconds", "attempts", "requests_per_second", "engine")
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)(?::-([^}]*))?\}")
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class SourceError(GridLakeError):
    """A source file is wrong, or a source system cannot be reached or understood."""


class PullError(SourceError):
    """A source system cannot be reached, refuses, or answers what cannot be understood; the next pull may succeed."""


class RestConnection(Strict):
    """A JSON service over HTTP."""

    base_url: str
    token: str = ""
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    requests_per_second: Annotated[float, Field(gt=0)] = 10


class DatabaseConnection(Strict):
    """A PostgreSQL or SQLite database, opened read-only."""

    engine: Literal["postgres", "sqlite"]
    url: str


class FilesConnection(Strict):
    """A folder into which files are dropped; `ignore` are patterns of paths that are no data."""

    root: str
    ignore: tuple[str, ...] = ()


class DatasetSource(Strict):
    """One data set of a source system. Which keys matter depends on the kind of the system."""

    dataset: Name
    path: str = ""
    params: dict[str, str] = Field(default_factory=dict)
    records: str = "$"
    paging: Paging | None = None
    success: Success | None = None
    cursor: Cursor | None = None
    table: str = ""
    may_be_empty: bool = False
    deletes_allowed: Annotated[float, Field(ge=0, le=1)] = 0.1
    snapshot: Snapshot | None = None
    exclude: tuple[str, ...] = ()
    format: Literal["csv", "ndjson", "json", "geojson", "parquet", "xlsx"] = "csv"
    encoding: tuple[str, ...] = ("utf-8",)
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    last_line_end: Literal["as before", "required", "optional"] = "as before"
    sheet: int | str = 1
    fields: dict[str, str | list[str]] = Field(default_factory=dict)
    null_values: tuple[str, ...] = ("",)
    moments: dict[str, Moment] = Field(default_factory=dict)
    coordinates: dict[str, Placing] = Field(default_factory=dict)
    future_tolerance: timedelta = timedelta(days=1)
    fixes: Annotated[tuple[Fix, ...], Field(max_length=MAX_COUNTED)] = ()

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            try:
                codecs.lookup(name)
            except LookupError:
                raise ValueError(f"{name!r} is no encoding; use for example utf-8 or gb18030") from None
        if not value:
            raise ValueError("at least one encoding must stand here")
        return value

    def source_names(self, field: str) -> list[str]:
        """The source columns a contract field may come from, best first."""
        named = self.fields.get(field, field)
        return [named] if isinstance(named, str) else list(named)

    def telling(self, field: str) -> Telling:
        """How the source tells the times of a contract field."""
        return self.moments.get(field, self.moments.get("*", Moment())).telling

    def placing(self, field: str) -> Coordinates:
        """How the source tells the positions of a contract field: a geometry, or the east coordinate of a point."""
        return self.coordinates.get(field, self.coordinates.get("*", Placing())).coordinates

    def wanted(self, fields: Iterable[str]) -> frozenset[str]:
        """All source columns that these contract fields may come from."""
        return frozenset(name for field in fields for name in self.source_names(field))


_CRON_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def _is_cron(text: str) -> bool:
    """Whether the text is cron with numbers: `*`, numbers, spans and steps, separated by commas."""
    fields = text.split()
    return len(fields) == len(_CRON_LIMITS) and all(
        _is_cron_part(part, *limits)
        for field, limits in zip(fields, _CRON_LIMITS, strict=True)
        for part in field.split(",")
    )


def _is_cron_part(part: str, lowest: int, highest: int) -> bool:
    found = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
    if found is None:
        return False
    first, last, step = (int(number) if number else None for number in found.groups())
    ends = [number for number in (first, last) if number is not None]
    return all(lowest <= number <= highest for number in ends) and ends == sorted(ends) and step != 0


class SourceSystem(Strict):
    """One source system of a city: one YAML file."""

    city: Name
    system: Name
    title_zh: str
    title_en: str
    owner: str
    kind: Literal["rest", "database", "files"]
    schedule: str | None = None
    as_of: datetime | None = None
    records: tuple[Recorded, ...] = ()
    rest: RestConnection | None = None
    database: DatabaseConnection | None = None
    files: FilesConnection | None = None
    datasets: Annotated[tuple[DatasetSource, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_its_block(self) -> SourceSystem:
        if getattr(self, self.kind) is None:
            raise ValueError(f"kind is {self.kind} but there is no block `{self.kind}`")
        for entry in self.datasets:
            if self.kind == "database" and not re.fullmatch(r"(\w+\.)?\w+", entry.table):
                raise ValueError(f"{entry.dataset}: `table` must be table or schema.table")
            if self.kind != "database" and not entry.path:
                raise ValueError(f"{entry.dataset}: `path` is missing")
            if entry.snapshot:
                _check_snapshot(self.kind, entry, entry.snapshot)
        if self.kind != "files" and len(self.dataset_names) < len(self.datasets):
            # Each would take the other's rows for deleted, and they would share a watermark.
            raise ValueError("a data set may stand only once in a service or a database")
        return self

    @field_validator("records")
    @classmethod
    def _records_fit_together(cls, value: tuple[Recorded, ...]) -> tuple[Recorded, ...]:
        check_records(value)
        return value

    @field_validator("schedule")
    @classmethod
    def _is_a_cron_string(cls, value: str | None) -> str | None:
        if value is not None and not _is_cron(value):
            raise ValueError("must be five fields such as `15 */4 * * *`: minute, hour, day, month, day of the week")
        return value

    @property
    def dataset_names(self) -> list[str]:
        """Names of the data sets, each once, in file order (a data set may have several entries)."""
        return list(dict.fromkeys(entry.dataset for entry in self.datasets))


def _check_snapshot(kind: str, entry: DatasetSource, snapshot: Snapshot) -> None:
    if kind != "files":
        raise ValueError(f"{entry.dataset}: `snapshot` is for files; a table without `cursor` is read whole anyway")
    for name in (*snapshot.of, *([snapshot.at] if snapshot.at else [])):
        if f"{{{name}}}" not in entry.path:
            raise ValueError(f"{entry.dataset}: `snapshot` names {{{name}}}, which `path` does not take")


def load_source(path: Path) -> SourceSystem:
    """Read one source file.

    Raises:
        SourceError: the file is not YAML or not a source; the message names the first place and the value.
    """
    document = _read(path)
    try:
        return SourceSystem.model_validate(document)
    except ValidationError as error:
        first, fault = error.errors()[0], form_faults(error, SourceSystem)[0]
        raise SourceError(
            f"{fault.place}: {fault.problem}", where=str(path), value=_showable(first), fix=fault.fix
        ) from None


def source_faults(path: Path) -> list[FormFault]:
    """Everything that is wrong with the form of a source file; empty where it can be read."""
    try:
        SourceSystem.model_validate(_read(path))
    except SourceError as error:
        return [FormFault("", error.problem, error.fix or YAML_FIX)]
    except ValidationError as error:
        return form_faults(error, SourceSystem)
    return []


def _read(path: Path) -> object:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=str(path), fix="check the file") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        # Not the whole message: it quotes the file, in which a token may stand.
        raise SourceError(problem_of(error), where=str(path), fix=YAML_FIX) from None


def _showable(error: ErrorDetails) -> object:
    """The offending value, unless it may hold a secret or is a whole block."""
    value, place = error.get("input"), error["loc"]
    if isinstance(value, dict | list) or (place and place[0] in _SECRET_BLOCKS and place[-1] not in _SHOWN):
        return None
    return value


def load_sources(city: str | Path) -> list[SourceSystem]:
    """All source systems of a city (its key or its folder), by file name.

    Raises:
        CityError: there is no such city.
        SourceError: the city has no sources, a file is wrong, or names another city or system than it stands for.
    """
    folder = city_folder(city)
    key = load_city(folder).key
    paths = sorted((folder / "sources").glob("*.yml"))
    if not paths:
        raise SourceError(
            "the city has no sources", where=str(folder / "sources"), fix="add a file: `gridlake source new` drafts it"
        )
    systems = [load_source(path) for path in paths]
    for path, system in zip(paths, systems, strict=True):
        if system.city != key or system.system != path.stem:
            raise SourceError(
                "city and system must be the city's key and the file's name",
                where=str(path),
                value=f"{system.city}/{system.system}",
                fix=f"write city: {key} and system: {path.stem}, or move the file",
            )
    return systems


def secrets_of(url: str) -> list[str]:
    """The texts of an address that must reach no message: its password, as written and decoded, longest first."""
    parts = urlsplit(url)
    given = [parts.netloc.rpartition("@")[0].partition(":")[2], *parse_qs(parts.query).get("password", [])]
    given += [word.strip("'") for word in re.findall(r"password\s*=\s*('[^']*'|[^\s&]+)", url)]
    return sorted({form for text in given if text for form in (text, unquote(text))}, key=len, reverse=True)


def without(secrets: Iterable[str], text: str) -> str:
    """The text with every secret blotted out."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def files_root(system: SourceSystem, settings: Settings) -> Path:
    """The folder of a source's files.

    Raises:
        SourceError: the source has none, or a variable in its path is not set.
    """
    if system.files is None:
        raise SourceError("is not a folder of files", where=system.system, fix="add the block `files`")
    return Path(expand(system.files.root, settings, where=system.system))


def expand(text: str, settings: Settings, *, where: str) -> str:
    """Replace `${NAME}` and `${NAME:-default}` by the environment; GRIDLAKE_DATA is the data folder setting.

    Raises:
        SourceError: a variable without default is not set; the message names it.
    """

    def value(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        if name == "GRIDLAKE_DATA":
            return str(settings.data_path)
        found = os.environ.get(name, default)
        if found is None:
            raise SourceError(
                "a variable of the source file is not set",
                where=where,
                value=name,
                fix="run `gridlake demo`, or `gridlake up`, which start the made-up city's systems"
                if name.startswith("GRIDLAKE_DEMO_")
                else f"set {name} in the environment",
            )
        return found

    return _VARIABLE.sub(value, text)
