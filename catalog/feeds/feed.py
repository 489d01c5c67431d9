"""A feed file, typed: where one data set has the columns of a kind.

`catalog/feeds/README.md` tells what may stand in it, `staging` makes the model of it, `faults` tells what is wrong.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from catalog.feeds.kinds import Kind, kinds
from catalog.form_faults import deepest
from catalog.plain_yaml import YAML_FIX, problem_of, read_yaml
from warehouse.errors import GridLakeError

_FILE_NAME = re.compile(r"([a-z][a-z0-9_]*?)__([a-z][a-z0-9]*(?:_[a-z0-9]+)*)")

Name = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*$")]
Json = Any
"""A value of a feed as it stands in the YAML: `values` says which there are."""


class FeedError(GridLakeError):
    """A feed file cannot be read or be made a model."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Coded(_Part):
    """Where a code comes from and how it becomes ours.

    Args:
        source: the source's code.
        is_: a constant of ours instead.
        name: what the source calls its code.
        map: the mapping; `<system>__<group>` if not given.
        codes: a mapping of a few words in place.
        key: what is looked up in the mapping where it is not the source's code.
        else_: our code where the mapping has no row.
        empty: our code where the source gives none.
        none: `leave_out` the rows, or `empty` the code, of what the mapping says is none of ours.
    """

    source: Json = None
    is_: str | None = Field(default=None, alias="is")
    name: Json = None
    map: str | None = None
    codes: dict[str | bool | int, str] | None = None
    key: Json = None
    else_: Json = Field(default=None, alias="else")
    empty: str | None = None
    none: str | None = None
    edition: str | None = None
    kind: str | None = None
    method: str | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Coded:
        if self.is_ is None and self.source is None:
            raise ValueError("names neither `source` nor `is`")
        if self.is_ is not None and (self.map or self.codes):
            raise ValueError("a constant needs no mapping")
        if self.none not in (None, "leave_out", "empty"):
            raise ValueError("`none` is leave_out or empty")
        return self


class Feed(_Part):
    """One feed file.

    Args:
        system: whose rows it tells of; the file's name says it.
        kind: what kind of things; the file's name says it.
        file: where it stands.
        from_: the data set, or `{list: name}` of a list that the city keeps itself.
    """

    file: Path
    system: str
    kind_name: str
    from_: str | dict[str, str] = Field(alias="from")
    id: Json = None
    layer: Json = None
    version: Json = None
    coded: dict[str, Coded] = {}
    position: str | tuple[str, str] | None = None
    same: tuple[Name, ...] = ()
    columns: dict[Name, Json] = {}
    by: Name | None = None
    only: dict[str, dict[Name, Json]] = {}
    derive: dict[Name, Json] = {}
    remarks: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """What its rows are."""
        return kinds()[self.kind_name]

    @property
    def model(self) -> str:
        """Name of its staging model."""
        return f"stg_{self.file.stem}"

    @property
    def fills(self) -> frozenset[str]:
        """The columns of its kind that it fills, by itself or by the kind's defaults."""
        kind = self.kind
        found = {*kind.defaults, *self.same, *self.columns, *(name for given in self.only.values() for name in given)}
        found |= {column for key in self.coded for column in kind.coded[key].columns}
        named = ((kind.id, self.id), ("layer", self.layer), ("version_at", self.version))
        found |= {name for name, value in named if value is not None}
        return frozenset(found | (set(kind.place_columns) if self.position is not None else set()))

    @property
    def dataset(self) -> str | None:
        """The data set that it reads; None where it reads a list of the city's own."""
        return self.from_ if isinstance(self.from_, str) else None


def load_feeds(folder: Path) -> list[Feed]:
    """All feeds of a city's folder, by file name.

    Raises:
        FeedError: one cannot be read.
    """
    return [load_feed(path) for path in sorted((folder / "feeds").glob("*.yml"))]


def load_feed(file: Path) -> Feed:
    """Read one file.

    Raises:
        FeedError: naming the file, the key and the fix.
    """
    where = f"feeds/{file.name}"
    named = _FILE_NAME.fullmatch(file.stem)
    kind = next((k for k in kinds() if named and (named[2] == k or named[2].startswith(f"{k}_"))), None)
    if named is None or kind is None:
        raise FeedError(
            "has no name of a feed",
            where=where,
            value=file.stem,
            fix=f"call it <system>__<kind>.yml or <system>__<kind>_<what>.yml; kinds are {', '.join(kinds())}",
        )
    try:
        text = file.read_text(encoding="utf-8")
        document = read_yaml(text)
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise FeedError(problem_of(error), where=where, fix=YAML_FIX) from None
    if not isinstance(document, dict):
        raise FeedError("says nothing", where=where, fix="begin with `from: <data set>`")
    groups = {key: document.pop(key) for key in [*document] if key in kinds()[kind].coded}
    coded = {key: given if _is_spelled_out(given) else {"source": given} for key, given in groups.items()}
    own = document.pop("system", None)
    try:
        return Feed.model_validate(
            {
                **document,
                "file": file,
                "system": own or named[1],
                "kind_name": kind,
                "coded": coded,
                "remarks": [line[1:].strip() for line in text.splitlines() if line.startswith("#")],
            }
        )
    except ValidationError as error:
        fault = deepest(error, Feed)
        raise FeedError(f"{fault.place}: {fault.problem}", where=where, fix=fault.fix) from None


def _is_spelled_out(given: object) -> bool:
    """Whether a code is given with its keys, and not by its source alone (which may itself be `{text: …}`)."""
    keys = {field.alias or name for name, field in Coded.model_fields.items()}
    return isinstance(given, dict) and bool(given) and set(given) <= keys
