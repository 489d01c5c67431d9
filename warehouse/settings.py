"""The settings of one lake, read from the environment (prefix `GRIDLAKE_`).

A name that starts with `GRIDLAKE_` and is not a setting is refused, because a mistyped setting that is
silently ignored is the most expensive kind.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from warehouse.errors import SettingsError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
# The cities that come with the project, one folder each.
CITIES = PROJECT_ROOT / "catalog" / "cities"
CITY_FILE = "city.yml"
PREFIX = "GRIDLAKE_"
# Names under these prefixes belong to source systems, to dbt's profile and to the tests, not to the lake.
_SECRET = ("catalog", "superset_metadata", "superset_secret")
_FOREIGN_PREFIXES = ("GRIDLAKE_DEMO_", "GRIDLAKE_SOURCE_", "GRIDLAKE_DBT_", "GRIDLAKE_TEST_")


class Settings(BaseSettings):
    """Where one city's lake lives and how much of the machine it may use."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    city: str = Field(default="demo", description="Key of the city: of one that comes with the project, its folder.")
    city_folder: Annotated[Path, NoDecode] | None = Field(
        default=None, description="Folder of a city that does not come with the project; its city.yml tells the key."
    )
    home: Annotated[Path, NoDecode] | None = Field(
        default=None, description="Folder of the lake; default .gridlake/<city> in the project."
    )
    data: Annotated[Path, NoDecode] | None = Field(
        default=None, description="Folder of the city's source files; default <home>/drops."
    )
    catalog: str = Field(default="", description="postgresql:// URL; empty means a SQLite file in the home.")
    timezone: str = Field(default="Asia/Shanghai", description="Time zone of the city; default as its city.yml says.")
    memory: str = Field(default="1400MB", description="Memory that DuckDB may use, for example 4GB.")
    port: int = Field(default=3000, ge=1024, le=65535, description="Port of Dagster's pages on this machine.")
    dagster_days: int = Field(default=90, ge=1, le=3650, description="Days for which Dagster keeps finished runs.")
    log_megabytes: int = Field(default=20, ge=1, le=10_000, description="Size at which a service's log is put aside.")
    log_kept: int = Field(default=5, ge=1, le=100, description="Parts of each log that are kept once put aside.")
    superset_host: str = Field(default="127.0.0.1", description="Address on which Superset's pages are served.")
    superset_port: int = Field(default=8088, ge=1024, le=65535, description="Port of Superset's pages.")
    superset_workers: int = Field(default=2, ge=1, le=64, description="Processes that serve Superset's pages.")
    superset_metadata: str = Field(
        default="", description="postgresql:// URL of Superset's own tables; empty means a SQLite file in the home."
    )
    superset_secret: str = Field(
        default="", repr=False, description="What signs Superset's sessions; empty means a file made in the home."
    )
    superset_embed_hosts: str = Field(
        default="", description="Sites that may show embedded dashboards, for example https://portal.example."
    )
    superset_https: bool = Field(default=False, description="Whether users reach Superset through HTTPS.")
    threads: int = Field(default=0, ge=0, le=256, description="Threads of DuckDB; 0 means all cores.")

    @model_validator(mode="before")
    @classmethod
    def _as_the_city_says(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Key and time zone as the city's own file tells them; a zone that is set wins, another key is a mistake."""
        given = dict(given)
        folder = Path(given["city_folder"]).expanduser() if given.get("city_folder") else None
        if folder is not None and not (folder / CITY_FILE).is_file():
            raise ValueError(f"there is no {CITY_FILE} in it; name the folder that holds it")
        told = _told_by_city(folder or CITIES / str(given.get("city", "demo")))
        if folder is not None:
            key = told.get("key")
            if given.setdefault("city", key) != key:
                raise ValueError(f"it is the folder of {key!r}, and GRIDLAKE_CITY says {given['city']!r}; unset one")
        if told.get("time_zone"):
            given.setdefault("timezone", told["time_zone"])
        return given

    @field_validator("city")
    @classmethod
    def _city_is_a_key(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
            raise ValueError("must be lower-case letters, digits and _, starting with a letter")
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone_is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("must be the name of a time zone such as Asia/Shanghai") from None
        return value

    @field_validator("memory")
    @classmethod
    def _memory_is_a_size(cls, value: str) -> str:
        if not re.fullmatch(r"\d+(\.\d+)?\s*(KB|MB|GB|TB|KiB|MiB|GiB|TiB)", value):
            raise ValueError("must be a size such as 1400MB or 4GB")
        return value

    @field_validator("catalog", "superset_metadata")
    @classmethod
    def _is_a_postgresql_url(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("postgresql", "postgres"):
            raise ValueError("must be empty (SQLite) or a postgresql:// URL")
        return value

    @field_validator("superset_secret")
    @classmethod
    def _is_long_enough(cls, value: str) -> str:
        if value and len(value) < 32:
            raise ValueError("must have 32 characters or more, for example from `openssl rand -base64 42`")
        return value

    @field_validator("superset_embed_hosts")
    @classmethod
    def _are_sites(cls, value: str) -> str:
        for site in value.split():
            # It goes into a header that decides who may frame the pages: nothing but an origin may stand there.
            if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d+)?", site):
                raise ValueError("must be addresses such as https://portal.example, separated by spaces")
        return value

    @field_validator("superset_host")
    @classmethod
    def _host_is_an_address(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9.:-]+", value):
            raise ValueError("must be an address such as 127.0.0.1 or 0.0.0.0")
        return value

    @field_validator("home", "data", "city_folder")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value else None

    @property
    def city_path(self) -> Path:
        """The folder that says everything of the city."""
        return self.city_folder or CITIES / self.city

    @property
    def home_path(self) -> Path:
        """The folder that holds the lake's files."""
        return self.home or PROJECT_ROOT / ".gridlake" / self.city

    @property
    def data_path(self) -> Path:
        """The folder in which the city's departments drop their files."""
        return self.data or self.home_path / "drops"

    @property
    def uses_postgresql(self) -> bool:
        """Whether the catalogue is a PostgreSQL database (several writers) instead of a SQLite file."""
        return bool(self.catalog)

    def secrets(self) -> list[str]:
        """Texts that must never reach a log or an error message."""
        given: list[str | None] = [self.superset_secret]
        for url in (self.catalog, self.superset_metadata):
            parts = urlsplit(url)
            given += [parts.password, *parse_qs(parts.query).get("password", [])]
        # Messages show the password as it stands in the URL or decoded. Longest first, so that none leaves a rest.
        texts = {text for password in given if password for text in (password, unquote(password), quote(password))}
        return sorted(texts, key=len, reverse=True)

    def blotted(self, text: str) -> str:
        """The text with every secret of the settings blotted out."""
        for secret in self.secrets():
            text = text.replace(secret, "***")
        return text


def _told_by_city(folder: Path) -> dict[str, Any]:
    """What a city's own file says; nothing where it cannot be read, for whoever reads it for its own sake tells why."""
    try:
        told = yaml.load((folder / CITY_FILE).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return told if isinstance(told, dict) else {}


def load_settings(**overrides: object) -> Settings:
    """Read the settings from the environment; keyword arguments win over it.

    Raises:
        SettingsError: a name is unknown or a value is bad; the message names the setting.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known and not name.startswith(_FOREIGN_PREFIXES):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "known settings: " + ", ".join(sorted(known))
            raise SettingsError("is not a setting", where=name, fix=f"unset it; {hint}")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        # What concerns no single setting concerns the city's folder.
        setting = str(first["loc"][0]) if first["loc"] else "city_folder"
        name = PREFIX + setting.upper()
        told = first["input"] if first["loc"] else dict(first["input"]).get(setting)
        # A database's URL may hold a password, so its value is not repeated.
        value = None if setting in _SECRET else told
        raise SettingsError(str(first["msg"]), where=name, value=value, fix=f"set {name} again") from None
