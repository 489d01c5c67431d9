"""The small parts of a source file: what a data set's entry says about fixes, the cursor and the pages of a service.

Does not belong here: the entry and the system themselves, and what is read from the environment (`source`).
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


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
    format: str = "%Y-%m-%dT%H:%M:%SZ"
    start: str | None = None


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
