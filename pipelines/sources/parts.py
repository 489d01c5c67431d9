"""The small parts of a source file: what a data set's entry says about fixes, the cursor and the pages of a service.

Does not belong here: the entry and the system themselves, and what is read from the environment (`source`).
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from quality.moments import Telling, Tells
from quality.place.coordinates import LAKE_CRS, Coordinates, named


class Strict(BaseModel):
    """A block of a source file: an unknown key is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fix(Strict):
    """A known-bad value that this source writes, and what stands in its place."""

    field: str
    value: str
    replacement: str | None = None
    reason: Annotated[str, Field(min_length=10)]
    learned: Annotated[str, Field(min_length=5)]

    @property
    def label(self) -> str:
        """How the count of this fix is named in the load record."""
        return f"{self.field}: {self.value!r} -> {self.replacement!r}"


class Cursor(Strict):
    """How to pull only what changed: rows whose `field` is later than the last pull less `overlap`."""

    field: str
    param: str | None = None
    overlap: timedelta = timedelta(0)
    format: str | None = None
    start: str | None = None


class Moment(Strict):
    """How the source tells the times of a field; `ignore_offset` says why the offset that it writes is wrong."""

    tells: Tells = "auto"
    zone: str | None = None
    ignore_offset: Annotated[str, Field(min_length=10)] | None = None

    @field_validator("zone")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        try:
            return value and ZoneInfo(value).key
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{value!r} is no time zone; use for example Europe/Berlin") from None

    @property
    def telling(self) -> Telling:
        """The same as landing needs it."""
        return Telling(self.tells, self.zone, self.ignore_offset is not None)


class Placing(Strict):
    """How the source tells the positions of a field: the system of coordinates, and which of the two stands first."""

    crs: str = LAKE_CRS
    axes: Literal["east_north", "north_east"] = "east_north"

    @field_validator("crs")
    @classmethod
    def _is_known(cls, value: str) -> str:
        known = named(value)
        if known is None:
            raise ValueError(f"{value!r} is no system of coordinates; use EPSG:<code> of a flat one, GCJ-02 or BD-09")
        return known

    @property
    def coordinates(self) -> Coordinates:
        """The same as landing needs it."""
        return Coordinates(self.crs, self.axes == "north_east")


class Success(Strict):
    """What an answer with status 200 must say to be a good one; another one is a failure that is tried again."""

    path: str
    equals: Annotated[tuple[str, ...], Field(min_length=1)]
    message: str | None = None

    @field_validator("equals", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        """Codes compare as text: `0` and `true` as JSON writes them."""
        if not isinstance(value, list | tuple):
            return value
        return [json.dumps(code) if isinstance(code, bool | int) else code for code in value]


class Snapshot(Strict):
    """A delivery holds a register whole: what is missing from the newest one is gone.

    `of` are the pieces of the path that tell one register from another (a layer); `at` is the piece that tells which
    snapshot a file is of, so that several files may be one: later ones sort later. Without `at` each file is a whole
    snapshot, and the one that landed last is the newest.
    """

    of: tuple[str, ...] = ()
    at: str | None = None


class Paging(Strict):
    """How a service hands out its rows, and how it tells that there are no more."""

    style: Literal["page", "offset", "cursor", "link"]
    page_param: str = "page"
    size_param: str = "page_size"
    size: Annotated[int, Field(ge=1, le=100_000)] = 500
    first: int = 1
    offset_param: str = "offset"
    cursor_param: str = "cursor"
    next_path: str = "$.next"
    total_path: str | None = None
    more_path: str | None = None
    end_status: Annotated[int, Field(ge=400, le=499)] | None = None
    max_pages: Annotated[int, Field(ge=1)] = 100_000
